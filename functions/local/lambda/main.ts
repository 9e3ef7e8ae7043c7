// `npm run lambda`: the built functions under AWS's own runtime client, with a Function URL, or one event from a file.
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { readArguments } from "../cli/arguments.ts";
import { eventKey, runCommand, say, toldToEnd } from "../command.ts";
import { createFunction, type LocalFunction } from "./function.ts";
import { startFront } from "./front.ts";
import type { QueueSource } from "./queue-source.ts";
import { replay } from "./replay.ts";
import { findRuntimeClient } from "./runtime-client.ts";

const usage = `npm run lambda [-- [event file] [options]]

  Without a file: the gateway behind a Function URL, http://127.0.0.1:8788; with HEDDLE_QUEUE_URL the worker on that queue as well
  With one (events/*.json): invokes the function it is meant for, and prints the answer as it streams

  --port N          of the Function URL (8788)
  --function NAME   gateway, worker, sweeper or smoke, where the event doesn't tell
  --memory MB       what the function may have (512)
  --timeout S       how long a call may take (900)
  --cold            a new process for each call
  --drop-after N    the client leaves after N chunks; the function runs on
  --dist FOLDER     where the bundles are (dist)
`;

const read = (args: readonly string[]) => {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const given = readArguments(
    args,
    {
      port: text,
      function: text,
      memory: text,
      timeout: text,
      cold: flag,
      "drop-after": text,
      dist: text,
      help: flag,
    },
    ["event file?"],
  );
  return {
    file: given.words[0],
    help: given.flag("help"),
    name: given.text("function"),
    port: given.whole("port") ?? 8788,
    memoryMb: given.whole("memory") ?? 512,
    timeoutMs: (given.whole("timeout") ?? 900) * 1000,
    cold: given.flag("cold"),
    dropAfter: given.whole("drop-after") ?? 0,
    dist: resolve(given.text("dist") ?? "dist"),
  };
};

/** The function that an event is meant for, by what sends such events. */
const functionFor = (event: unknown): string => {
  const { Records, source, DeploymentId } = event as { Records?: unknown; source?: string; DeploymentId?: string };
  if (Array.isArray(Records)) return "worker";
  if (DeploymentId !== undefined) return "smoke";
  return source === "aws.events" || source === "aws.scheduler" ? "sweeper" : "gateway";
};

const environment = (): Record<string, string> =>
  Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));

/** Loaded where there is a queue: it brings an SDK. */
const workFrom = async (url: string, worker: LocalFunction): Promise<QueueSource> => {
  const { startQueueSource } = await import("./queue-source.ts");
  return startQueueSource(worker, { url, log: say });
};

const run = async (): Promise<number> => {
  const options = read(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  const event: unknown = options.file === undefined ? undefined : JSON.parse(readFileSync(options.file, "utf8"));
  const name = options.name ?? (event === undefined ? "gateway" : functionFor(event));
  const bundle = resolve(options.dist, "aws", name);
  if (!existsSync(resolve(bundle, "index.mjs"))) {
    say(`There is no ${bundle}/index.mjs: run \`npm run build\` first.`);
    return 1;
  }
  const client = await findRuntimeClient(say);
  if ("problem" in client) {
    say(client.problem);
    return 1;
  }
  const { memoryMb, timeoutMs, cold, dropAfter, port, dist } = options;
  const open = (which: string): LocalFunction =>
    createFunction({
      runtimeClient: client.entry,
      bundle: resolve(dist, "aws", which),
      name: `heddle-${which}`,
      env: event === undefined ? environment() : { HEDDLE_ADMIN_KEY: eventKey, ...environment() },
      memoryMb,
      timeoutMs,
      cold,
      log: say,
    });
  const target = open(name);
  if (event !== undefined) {
    const failed = await replay(target, event, {
      out: (bytes) => void process.stdout.write(bytes),
      say,
      dropAfter,
    });
    await target.stop();
    return failed ? 1 : 0;
  }
  const front = await startFront(target, { port, dropAfter });
  say(`Function URL: ${front.url}`);
  if (process.env["HEDDLE_ADMIN_KEY"] === undefined && !existsSync(resolve(bundle, "heddle.yaml")))
    say("It knows no key yet: set HEDDLE_ADMIN_KEY, or write a heddle.yaml.");
  const queue = process.env["HEDDLE_QUEUE_URL"];
  const worker = queue === undefined ? undefined : open("worker");
  const source = worker === undefined || queue === undefined ? undefined : await workFrom(queue, worker);
  await toldToEnd();
  await front.stop();
  await source?.stop();
  await Promise.all([target.stop(), worker?.stop()]);
  return 0;
};

await runCommand(run, usage);
