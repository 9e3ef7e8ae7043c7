// One process on Lambda: what it works with, and its gateway.
import type { Gateway } from "../../lib/gateway.ts";
import { createNodeTransport } from "../../lib/http/node-transport.ts";
import type { SqsQueue } from "../../lib/queues/sqs.ts";
import type { Clock } from "../../lib/routing/retry.ts";
import { systemClock } from "../../lib/routing/retry.ts";
import { createEmf } from "../../lib/telemetry/emf.ts";
import { createLog, type Log } from "../../lib/telemetry/log.ts";
import { createBackground } from "../shared/background.ts";
import type { Environment } from "../shared/environment.ts";
import { createGateways } from "../shared/gateways.ts";
import type { Lifetime } from "../shared/lifetime.ts";
import { createAwsPlatform } from "./platform.ts";

export type RuntimeOptions = {
  env: Environment;
  readFile: (path: string) => string | undefined;
  /** Takes a line without its end, and writes it at once: log lines and metrics. */
  write: (line: string) => void;
  clock?: Clock;
};

export type Runtime = {
  /** That of the newest secret. Throws ConfigError, and `storage` where the secret was never read. */
  gateway: () => Promise<Gateway>;
  queue: (() => Promise<SqsQueue>) | undefined;
  log: Log;
  clock: Clock;
  /** Resolves when nothing is left to do of an invocation, nor of what the process does behind its calls; at the latest at the cut. */
  finish: (time: Lifetime, gateway: Gateway | undefined) => Promise<void>;
  /** Values of the header that proves the way in; none where it isn't asked for. */
  origins: readonly string[];
};

export const createRuntime = ({ env, readFile, write, clock = systemClock }: RuntimeOptions): Runtime => {
  const background = createBackground();
  const platform = createAwsPlatform(env, background.track, clock.now);
  const log = createLog({ level: "info", write, now: clock.now });
  const counters = createEmf({ write, now: clock.now, namespace: env["HEDDLE_METRICS_NAMESPACE"] });
  const gateways = createGateways({
    env,
    readFile,
    write,
    clock,
    log,
    transport: createNodeTransport,
    counters,
    vault: platform.secret,
    storage: platform.storage,
    sleeps: true,
  });

  return {
    gateway: gateways.newest,
    queue: platform.queue,
    log,
    clock,
    finish: (time, used) => {
      for (const work of background.works) time.waitUntil(work);
      const flush = async (): Promise<void> => used?.flush();
      return time.finish(() => flush().catch((cause: unknown) => log.error("usage could not be written", { cause })));
    },
    origins: (env["HEDDLE_ORIGIN_SECRET"] ?? "")
      .split(",")
      .map((value) => value.trim())
      .filter((value) => value !== ""),
  };
};
