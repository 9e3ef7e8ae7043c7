// One process's gateway: made of the environment and the secret, and made anew when the secret's content changes.
import { limitProblems } from "../../lib/config/checks.ts";
import { ConfigError } from "../../lib/config/problems.ts";
import { loadConfig } from "../../lib/config.ts";
import type { HeddleConfig } from "../../lib/config-types.ts";
import { createGateway, type Gateway } from "../../lib/gateway.ts";
import { createNodeTransport } from "../../lib/http/node-transport.ts";
import type { Transport } from "../../lib/http/transport.ts";
import type { SqsQueue } from "../../lib/queues/sqs.ts";
import type { Clock } from "../../lib/routing/retry.ts";
import { systemClock } from "../../lib/routing/retry.ts";
import type { Members } from "../../lib/secrets/secrets-manager.ts";
import { createEmf } from "../../lib/telemetry/emf.ts";
import { createLog, type Log } from "../../lib/telemetry/log.ts";
import { version } from "../local/version.ts";
import type { Lifetime } from "./lifetime.ts";
import { createAwsPlatform, type Environment, withSecret } from "./platform.ts";

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

const noMembers: Members = {};

export const createRuntime = ({ env, readFile, write, clock = systemClock }: RuntimeOptions): Runtime => {
  const background = new Set<Promise<unknown>>();
  const track = (work: Promise<unknown>): void => {
    const over = (): void => void background.delete(work);
    background.add(work);
    work.then(over, over);
  };
  const platform = createAwsPlatform(env, track, clock.now);
  const log = createLog({ level: "info", write, now: clock.now });
  const counters = createEmf({ write, now: clock.now, namespace: env["HEDDLE_METRICS_NAMESPACE"] });
  let transport: Transport | undefined;

  const configOf = async (members: Members): Promise<HeddleConfig> => {
    const config = await loadConfig({
      // A function's address is the internet's: keys are asked for, unless the environment itself says otherwise.
      env: { HEDDLE_AUTH: "keys", ...withSecret(env, members) },
      readFile,
    });
    if (platform.storage !== undefined) return config;
    const problems = limitProblems(config.limits, "none");
    if (problems.length > 0) throw new ConfigError(config.source ?? "environment", problems);
    return { ...config, storage: "none" };
  };

  const make = async (members: Members): Promise<Gateway> => {
    try {
      const config = await configOf(members);
      transport ??= createNodeTransport(config.timeouts);
      for (const notice of config.notices) log.warn("configuration", { notice });
      return createGateway(
        {
          transport,
          log: createLog({ level: config.log.level, write, now: clock.now }),
          clock,
          version,
          sleeps: true,
          counters,
          ...(platform.secret === undefined ? {} : { secrets: platform.secret }),
          ...(platform.storage === undefined || config.storage === "none" ? {} : { storage: platform.storage }),
        },
        config,
      );
    } catch (thrown) {
      // Its message names fields, and no value.
      if (thrown instanceof ConfigError) log.warn("the configuration can't be used", { problems: thrown.message });
      else log.error("the gateway can't be made", { cause: thrown });
      throw thrown;
    }
  };

  const made = new WeakMap<Members, Promise<Gateway>>();
  let latest: Gateway | undefined;
  return {
    gateway: async () => {
      const members = platform.secret === undefined ? noMembers : await platform.secret.members();
      const making = made.get(members) ?? make(members);
      made.set(members, making);
      try {
        latest = await making;
        return latest;
      } catch (thrown) {
        // New content that can't be used: the old one holds until the next. Calls under way keep the gateway they have in any case.
        if (latest !== undefined) return latest;
        made.delete(members);
        throw thrown;
      }
    },
    queue: platform.queue,
    log,
    clock,
    finish: (time, gateway) => {
      for (const work of background) time.waitUntil(work);
      const flush = async (): Promise<void> => gateway?.flush();
      return time.finish(() => flush().catch((cause: unknown) => log.error("usage could not be written", { cause })));
    },
    origins: (env["HEDDLE_ORIGIN_SECRET"] ?? "")
      .split(",")
      .map((value) => value.trim())
      .filter((value) => value !== ""),
  };
};
