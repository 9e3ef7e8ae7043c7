// The local Functions host: one worker with the app in it, HTTP in front of it, queues and timers behind it.
import { startFront } from "./front.ts";
import type { Binding, RegisteredFunction, RpcData } from "./messages.ts";
import { type QueueSource, startQueueSource } from "./queue-source.ts";
import type { Route } from "./routes.ts";
import { readSchedule, timerInput } from "./schedule.ts";
import { type HostJson, millisecondsOf, readHostJson, resolveNames } from "./settings.ts";
import { type Invocation, type LogLine, type Outcome, startWorker, type WorkerProcess } from "./worker-process.ts";

export type HostOptions = {
  /** Where host.json, package.json and what its `main` names are. */
  appFolder: string;
  /** The app's settings: all the environment that the worker gets, but for PATH and what the host itself sets. */
  settings: Readonly<Record<string, string>>;
  /** In place of the folder's host.json. */
  hostJson?: HostJson;
  log: (line: LogLine) => void;
  /** 0: any free one. */
  port: number;
  /** When an HTTP request is given up (230 s). */
  timeoutMs?: number;
  /** Bytes of a request's body (100 MiB). */
  largestBody?: number;
  /** App Service's own headers are on each request (true). */
  frontEnd?: boolean;
  /** The client leaves after so many chunks. */
  dropAfter?: number;
  execArgv?: readonly string[];
  /** Whether queues are polled and timers kept (true); by hand they run in any case. */
  triggers?: boolean;
  /** How long a queue's message stays hidden before it is renewed (ten minutes). */
  leaseMs?: number;
};

export type FunctionsHost = {
  url: string;
  functions: readonly RegisteredFunction[];
  /** The worker that there is; starts one where the last has died. */
  worker: () => Promise<WorkerProcess>;
  /** Runs a queue or timer function by hand, as `POST /admin/functions/{name}` does. Rejects where there is none of that name. */
  run: (functionName: string, input?: string) => Promise<Outcome>;
  /** Closes all connections, tells the app, and ends the worker. */
  stop: () => Promise<void>;
};

/** What a function is called by. */
export const triggerOf = ({ bindings }: RegisteredFunction): Binding | undefined =>
  bindings.find(({ type }) => type.toLowerCase().endsWith("trigger"));

const text = (value: unknown, otherwise = ""): string => (typeof value === "string" ? value : otherwise);

const routesOf = (functions: readonly RegisteredFunction[], prefix: string): Route[] =>
  functions.flatMap((each) => {
    const trigger = triggerOf(each);
    if (trigger?.type !== "httpTrigger") return [];
    const route = text(trigger["route"]) === "" ? each.name : text(trigger["route"]);
    const methods = Array.isArray(trigger["methods"]) ? trigger["methods"].map(String) : [];
    return [{ functionName: each.name, template: `${prefix}/${route}`, methods }];
  });

/** What a trigger's function is given when it is run by hand. */
const inputFor = (trigger: Binding, input: string | undefined, settings: Readonly<Record<string, string>>): RpcData => {
  if (trigger.type !== "timerTrigger") return input === undefined ? {} : { string: input };
  return { json: timerInput(undefined, readSchedule(resolveNames(text(trigger["schedule"]), settings))(Date.now())) };
};

/** Resolves when the app is loaded; rejects with why it can't be. */
export const startHost = async (options: HostOptions): Promise<FunctionsHost> => {
  const { appFolder, settings, log, port, timeoutMs = 230_000, frontEnd = true, triggers = true } = options;
  const hostJson = options.hostJson ?? readHostJson(appFolder);
  const { functionTimeout = "00:30:00" } = hostJson;
  const functionMs = functionTimeout === "-1" ? undefined : Math.min(millisecondsOf(functionTimeout), 2 ** 31 - 1);
  const say = (line: string): void => log({ from: "host", text: line });
  let stopped = false;
  let current: Promise<WorkerProcess>;

  const replace = async (started: WorkerProcess): Promise<void> => {
    const why = await started.ended;
    if (stopped) return;
    say(`The worker ended (${why}); there will be a new one.`);
    current = open();
    // Whoever needs it next is told.
    current.catch((error: unknown) => say(`The worker could not be started again: ${String(error)}`));
  };
  const open = async (): Promise<WorkerProcess> => {
    const started = await startWorker({ appFolder, env: settings, execArgv: options.execArgv ?? [], log });
    void replace(started);
    return started;
  };
  current = open();
  const { functions, httpUri } = await current;

  const named = (name: string): RegisteredFunction => {
    const found = functions.find((each) => each.name.toLowerCase() === name.toLowerCase());
    if (found === undefined)
      throw new Error(`There is no function ${name}: the app has ${functions.map((each) => each.name).join(", ")}`);
    return found;
  };

  /** With the lines that the host writes around each. */
  const invoke = (
    worker: WorkerProcess,
    name: string,
    data: RpcData,
    metadata: Record<string, RpcData>,
    why: string,
  ): Invocation => {
    const called = named(name);
    const begun = performance.now();
    const { id, outcome } = worker.invoke(called.id, [{ name: triggerOf(called)?.name ?? "", data }], metadata);
    say(`Executing 'Functions.${called.name}' (Reason='${why}', Id=${id})`);
    // A worker can't be made to stop one thing alone: it is ended, and all that runs in it.
    const end = (): void => {
      say(`Timeout value of ${functionTimeout} exceeded by function 'Functions.${called.name}' (Id: '${id}').`);
      worker.kill();
    };
    const late = functionMs === undefined ? undefined : setTimeout(end, functionMs);
    const told = outcome.then((ended) => {
      clearTimeout(late);
      const { error } = ended;
      const how = error === undefined ? "Succeeded" : "Failed";
      say(
        `Executed 'Functions.${called.name}' (${how}, Id=${id}, Duration=${Math.round(performance.now() - begun)}ms)`,
      );
      if (error !== undefined) say(`Result: Failure\nException: ${error.message}\nStack: ${error.stack ?? ""}`);
      return ended;
    });
    return { id, outcome: told };
  };

  const run = async (name: string, input?: string): Promise<Outcome> => {
    const called = named(name);
    const trigger = triggerOf(called);
    if (trigger === undefined || trigger.type === "httpTrigger")
      throw new Error(`${called.name} can't be run by hand: it has a URL`);
    const data = inputFor(trigger, input, settings);
    const metadata: Record<string, RpcData> = trigger.type === "queueTrigger" ? { QueueTrigger: data } : {};
    return invoke(
      await current,
      called.name,
      data,
      metadata,
      "This function was programmatically called via the host APIs.",
    ).outcome;
  };

  const timers = new Set<() => void>();
  const keepTimer = (name: string, trigger: Binding): void => {
    const next = readSchedule(resolveNames(text(trigger["schedule"]), settings));
    let last: number | undefined;
    const fire = async (why: string): Promise<void> => {
      const due = next(Date.now());
      const { outcome } = invoke(await current, name, { json: timerInput(last, due) }, {}, why);
      last = Date.now();
      await outcome;
    };
    const wait = (): void => {
      const timer = setTimeout(
        () => {
          timers.delete(clear);
          // The next one is counted from this one's end: two never run at once.
          fire(`Timer fired at ${new Date().toISOString()}`)
            .catch((error: unknown) => say(`${name} could not be run: ${String(error)}`))
            .finally(() => {
              if (!stopped) wait();
            });
        },
        Math.min(next(Date.now()) - Date.now(), 2 ** 31 - 1),
      );
      const clear = (): void => clearTimeout(timer);
      timers.add(clear);
    };
    if (trigger["runOnStartup"] === true)
      fire("Timer fired at startup").catch((error: unknown) => say(`${name} could not be run: ${String(error)}`));
    wait();
  };

  const sources: QueueSource[] = [];
  const openTrigger = async (name: string, trigger: Binding): Promise<void> => {
    if (trigger.type === "timerTrigger") keepTimer(name, trigger);
    if (trigger.type !== "queueTrigger") return;
    const queueName = resolveNames(text(trigger["queueName"]), settings);
    const source = await startQueueSource({
      queueName,
      connection: text(trigger["connection"], "AzureWebJobsStorage"),
      settings,
      hostJson,
      log: say,
      ...(options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs }),
      invoke: async (data, metadata) =>
        invoke(await current, name, data, metadata, `New queue message detected on '${queueName}'.`).outcome,
    });
    sources.push(source);
  };

  const front = await startFront({
    port,
    routes: routesOf(functions, hostJson.extensions?.http?.routePrefix ?? "api"),
    target: async () => {
      const worker = await current;
      if (worker.httpUri === undefined) throw new Error("The app has not set enableHttpStream");
      return {
        httpUri: worker.httpUri,
        invoke: (name, metadata) =>
          invoke(worker, name, { http: {} }, metadata, "This function was programmatically called via the host APIs."),
      };
    },
    admin: (name, body) => {
      const { input } = (body ?? {}) as { input?: unknown };
      if (!functions.some((each) => each.name.toLowerCase() === name.toLowerCase())) return 404;
      run(name, input === undefined || input === null ? undefined : text(input, JSON.stringify(input))).catch(
        (error: unknown) => say(String(error)),
      );
      return 202;
    },
    timeoutMs,
    largestBody: options.largestBody ?? Number(settings["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] ?? 104_857_600),
    homepage: settings["AzureWebJobsDisableHomepage"]?.toLowerCase() !== "true",
    frontEnd,
    dropAfter: options.dropAfter ?? 0,
  });
  if (httpUri === undefined && functions.some((each) => triggerOf(each)?.type === "httpTrigger"))
    say("The app has not set enableHttpStream: this host can't pass HTTP to it.");

  const stop = async (): Promise<void> => {
    stopped = true;
    for (const clear of timers) clear();
    // No more is begun; what runs is the worker's to end, and a message that it leaves comes again.
    const quiet = sources.map((source) => source.stop());
    await front.stop();
    await current.then(
      (worker) => worker.terminate(),
      () => undefined,
    );
    await Promise.all(quiet);
  };
  for (const each of triggers ? functions : []) {
    const trigger = triggerOf(each);
    try {
      if (trigger !== undefined) await openTrigger(each.name, trigger);
    } catch (error) {
      // One function that can't be called by its trigger keeps no other from it.
      say(`The '${each.name}' function is in error: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { url: front.url, functions, worker: () => current, run, stop };
};
