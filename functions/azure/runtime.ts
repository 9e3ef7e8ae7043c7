// One process on Azure Functions: what it works with, its gateway, and what is under way in it.
import type { Gateway } from "../../lib/gateway.ts";
import { createUndiciTransport } from "../../lib/http/undici-transport.ts";
import { timeIsOver } from "../../lib/model/deadline.ts";
import { type Clock, systemClock } from "../../lib/routing/retry.ts";
import { createLog, type Log } from "../../lib/telemetry/log.ts";
import { createMetricLines } from "../../lib/telemetry/metric-lines.ts";
import { createBackground } from "../shared/background.ts";
import { type Environment, variable } from "../shared/environment.ts";
import { createGateways } from "../shared/gateways.ts";
import { type Bounds, type Lifetime, openLifetime } from "../shared/lifetime.ts";
import { within } from "../shared/within.ts";
import type { Connections } from "./connections.ts";
import { createAzurePlatform, withoutReferences } from "./platform.ts";
import { createRoom, type Held, roomForBodies } from "./room.ts";

export type RuntimeOptions = {
  env: Environment;
  readFile: (path: string) => string | undefined;
  /** Takes a line without its end, and writes it at once: log lines and metrics. */
  write: (line: string) => void;
  connections: Connections;
  clock?: Clock;
};

export type Runtime = {
  /** That of the newest secrets. Throws ConfigError, and `storage` where the secrets were never read. */
  gateway: () => Promise<Gateway>;
  connections: Connections;
  /** A call's part of the memory for bodies. */
  hold: () => Held;
  log: Log;
  /** Of a call by HTTP. */
  answerBounds: Bounds;
  /** Whether App Service's authentication is on, so that its headers are its own. */
  authenticates: boolean;
  /** Fires when the process is about to end: runs end by themselves, with what they have. */
  ending: AbortSignal;
  /** Writes how many jobs wait and for how long, where there is a queue. A failure is told in the log. */
  countJobs: () => Promise<void>;
  begin: (bounds: Bounds) => Lifetime;
  /** Nothing of the call is left to be told; what it handed over goes on. */
  end: (time: Lifetime) => void;
  /** Ends what is under way, and writes what waits to be written. Resolves in less than the host waits for it. */
  terminate: () => Promise<void>;
};

/** The host's front stops an answer after 230 s. */
const answerSeconds = 220;
/** Between the end that an answer makes by itself, and the one that is made for it. */
const graceMs = 8_000;
/** Of the five seconds that the host gives a process that it ends: for answers and runs, then for what waits to be written. */
const endingMs = 3_000;
const flushMs = 1_500;

const boundsOf = (env: Environment): Bounds => {
  const given = Number(variable(env, "HEDDLE_HTTP_SECONDS") ?? answerSeconds);
  const answerMs = (given > 0 && given <= answerSeconds ? given : answerSeconds) * 1_000;
  const cutMs = answerMs + Math.min(graceMs, answerMs / 2);
  return { answerMs, overMs: cutMs, cutMs };
};

export const createRuntime = (options: RuntimeOptions): Runtime => {
  const { readFile, write, connections, clock = systemClock } = options;
  const ending = new AbortController();
  const open = new Set<Lifetime>();
  /** What goes on behind its call. The process isn't frozen: only its end waits for it. */
  const background = createBackground();
  const log = createLog({ level: "info", write, now: clock.now });
  const env = withoutReferences(options.env, log);
  const platform = createAzurePlatform(env, background.track, log, clock.now);
  const lines = createMetricLines(write);
  const gateways = createGateways({
    env,
    readFile,
    write,
    clock,
    log,
    transport: createUndiciTransport,
    counters: lines,
    vault: platform.vault,
    storage: platform.storage,
    sleeps: false,
    draining: () => ending.signal.aborted,
  });
  const settled = async (): Promise<void> => {
    while (open.size + background.works.size > 0) await clock.sleep(20, new AbortController().signal);
  };
  return {
    gateway: gateways.newest,
    connections,
    hold: createRoom(roomForBodies()),
    log,
    answerBounds: boundsOf(env),
    authenticates: variable(env, "WEBSITE_AUTH_ENABLED")?.toLowerCase() === "true",
    ending: ending.signal,
    countJobs: async () => {
      try {
        const counts = await platform.jobs?.();
        if (counts !== undefined) lines.jobs(counts);
      } catch (cause) {
        log.error("the queue could not be looked at", { cause });
      }
    },
    begin: (bounds) => {
      const time = openLifetime(bounds, clock.now);
      const opened = {
        ...time,
        waitUntil: (work: Promise<unknown>) => {
          background.track(work);
          time.waitUntil(work);
        },
      };
      open.add(opened);
      if (ending.signal.aborted) time.end();
      return opened;
    },
    end: (time) => {
      time.clear();
      open.delete(time);
    },
    terminate: async () => {
      ending.abort(timeIsOver());
      for (const time of open) time.end();
      await within(settled(), endingMs);
      await within(gateways.flush(), flushMs);
    },
  };
};
