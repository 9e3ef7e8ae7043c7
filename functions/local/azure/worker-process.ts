// One worker process, as the host sees it: started with the app's environment, given invocations, ended politely or not.
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import type { RegisteredFunction, RpcData, RpcError, ToHost, ToWorker } from "./messages.ts";

/** `console`: a line that the worker wrote, which can come at any time. `function`: what an invocation logged. `host`: the host's own. */
export type LogLine = { from: "console" | "function" | "host"; text: string };

export type WorkerOptions = {
  appFolder: string;
  /** All that the worker gets of an environment. */
  env: Readonly<Record<string, string>>;
  /** Flags of Node, such as `--max-old-space-size=…`. */
  execArgv: readonly string[];
  /** In place of worker.ts: the same, built. */
  entry?: string;
  /** Puts the process under something that sets its bounds, which must run the command in its own place. */
  wrap?: (command: readonly string[]) => readonly string[];
  log: (line: LogLine) => void;
};

/** An invocation that ended: with an error, or without. */
export type Outcome = { id: string; error?: RpcError };

export type Invocation = { id: string; outcome: Promise<Outcome> };

export type WorkerProcess = {
  functions: readonly RegisteredFunction[];
  /** Where the library's own HTTP server listens, where the app has one. */
  httpUri: string | undefined;
  pid: number;
  /** Any number at once. The outcome never rejects: a worker that dies is an error of each. */
  invoke: (
    functionId: string,
    inputs: { name: string; data: RpcData }[],
    metadata: Record<string, RpcData>,
    id?: string,
  ) => Invocation;
  /** Resolves when the process has ended, with why. */
  ended: Promise<string>;
  /** Bytes that the process holds in memory; undefined where the system does not tell. */
  memory: () => number | undefined;
  /** Lets the app end its work, and ends the process after `graceMs` at the latest (the host's own: 5 s). */
  terminate: (graceMs?: number) => Promise<void>;
  kill: (signal?: NodeJS.Signals) => void;
};

/** The host's version that a worker is told: one that has HTTP streams. */
const hostVersion = "4.1036.1.1";

const file = new URL("./worker.ts", import.meta.url);

const memoryOf = (pid: number): number | undefined => {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
};

/** What a worker would have of the host beside the app's settings. */
const hostEnvironment = (appFolder: string): Record<string, string> => ({
  FUNCTIONS_WORKER_RUNTIME: "node",
  FUNCTIONS_EXTENSION_VERSION: "~4",
  AzureWebJobsScriptRoot: appFolder,
});

/** Resolves when the app is loaded; rejects with why it can't be. */
export const startWorker = async (options: WorkerOptions): Promise<WorkerProcess> => {
  const { appFolder, env, execArgv, entry = file, wrap = (command) => command, log } = options;
  const [execPath = process.execPath, ...before] = wrap([process.execPath, ...execArgv]);
  const child: ChildProcess = fork(entry, [], {
    execPath,
    cwd: appFolder,
    env: { PATH: process.env["PATH"] ?? "", ...hostEnvironment(appFolder), ...env },
    execArgv: before,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  for (const stream of [child.stdout, child.stderr])
    if (stream !== null) createInterface({ input: stream }).on("line", (text) => log({ from: "console", text }));

  const running = new Map<string, (outcome: Outcome) => void>();
  const ended = new Promise<string>((resolve) => {
    const over = (why: string): void => {
      const error = { message: `node exited: ${why}` };
      for (const [id, settle] of running) settle({ id, error });
      running.clear();
      resolve(why);
    };
    child.once("error", (error) => over(error.message));
    child.once("exit", (code, signal) => over(signal ?? `code ${code}`));
  });

  const send = (message: ToWorker): void => {
    // To a process that has just ended: `ended` tells it.
    if (child.connected) child.send(message, () => undefined);
  };
  const ready = new Promise<ToHost & { type: "ready" }>((resolve, reject) => {
    child.on("message", (message: ToHost) => {
      if (message.type === "ready") resolve(message);
      else if (message.type === "unable") reject(new Error(message.error.stack ?? message.error.message));
      else if (message.type === "done") {
        running.get(message.id)?.(message);
        running.delete(message.id);
      }
      // What an invocation logs once it has ended is lost, and so is what belongs to none; the worker's own notes are the platform's.
      else if (message.category === "user" && message.id !== undefined && running.has(message.id))
        log({ from: "function", text: message.message });
      else if (message.category === "system" && /^(?:warning|error|critical)$/.test(message.level))
        log({ from: "host", text: message.message });
    });
    void ended.then((why) => reject(new Error(`The worker ended before it was ready: ${why}`)));
  });
  send({ type: "init", appFolder, hostVersion });
  let capabilities: Readonly<Record<string, string>>;
  let functions: readonly RegisteredFunction[];
  try {
    ({ capabilities, functions } = await ready);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }

  return {
    functions,
    httpUri: capabilities["HttpUri"],
    pid: child.pid ?? 0,
    invoke: (functionId, inputs, metadata, id = randomUUID()) => {
      const outcome = new Promise<Outcome>((resolve) => {
        if (child.connected) running.set(id, resolve);
        else resolve({ id, error: { message: "node exited" } });
      });
      const traceParent = `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`;
      send({ type: "invoke", id, functionId, inputs, metadata, traceParent });
      return { id, outcome };
    },
    ended,
    memory: () => memoryOf(child.pid ?? 0),
    terminate: async (graceMs = 5_000) => {
      send({ type: "terminate" });
      const late = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await ended;
      clearTimeout(late);
    },
    kill: (signal = "SIGKILL") => void child.kill(signal),
  };
};
