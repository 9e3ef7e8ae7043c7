// One process's gateway: made of the environment and the secrets, and made anew when the secrets change.
import { limitProblems } from "../../lib/config/checks.ts";
import { ConfigError } from "../../lib/config/problems.ts";
import { loadConfig } from "../../lib/config.ts";
import type { HeddleConfig } from "../../lib/config-types.ts";
import { createGateway, type Gateway } from "../../lib/gateway.ts";
import type { Transport } from "../../lib/http/transport.ts";
import type { Clock } from "../../lib/routing/retry.ts";
import type { Members, MemberSecrets } from "../../lib/secrets/secrets.ts";
import { createLog, type Log } from "../../lib/telemetry/log.ts";
import type { Platform } from "../../lib/services.ts";
import type { Storage } from "../../lib/turns/services.ts";
import { type Environment, withSecrets } from "./environment.ts";
import { version } from "./version.ts";

export type GatewaysOptions = {
  env: Environment;
  readFile: (path: string) => string | undefined;
  /** Takes a line without its end, and writes it at once. */
  write: (line: string) => void;
  clock: Clock;
  /** What is told before there is a configuration that says how much of it is wanted. */
  log: Log;
  transport: (timeouts: HeddleConfig["timeouts"]) => Transport;
  counters: NonNullable<Platform["counters"]>;
  /** Undefined where no vault is named. */
  vault: MemberSecrets | undefined;
  /** Undefined where nothing is kept. */
  storage: (() => Promise<Storage>) | undefined;
  /** See `Platform`. */
  sleeps: boolean;
  draining?: () => boolean;
};

const noMembers: Members = {};
/** Older ones that calls may still be under way in. */
const mostKept = 4;

export type Gateways = {
  /** That of the newest secrets. Throws ConfigError, and `storage` where the secrets were never read. */
  newest: () => Promise<Gateway>;
  /** Writes what waits in any of them: calls that were under way at a rotation have theirs in an older one. Never rejects. */
  flush: () => Promise<void>;
};

export const createGateways = (options: GatewaysOptions): Gateways => {
  const { env, readFile, write, clock, log, vault, storage } = options;
  let transport: Transport | undefined;

  const configOf = async (members: Members): Promise<HeddleConfig> => {
    const config = await loadConfig({
      // A function's address is the internet's: keys are asked for, unless the environment itself says otherwise.
      env: { HEDDLE_AUTH: "keys", ...withSecrets(env, members) },
      readFile,
    });
    if (storage !== undefined) return config;
    const problems = limitProblems(config.limits, "none");
    if (problems.length > 0) throw new ConfigError(config.source ?? "environment", problems);
    return { ...config, storage: "none" };
  };

  const make = async (members: Members): Promise<Gateway> => {
    try {
      const config = await configOf(members);
      transport ??= options.transport(config.timeouts);
      for (const notice of config.notices) log.warn("configuration", { notice });
      return createGateway(
        {
          transport,
          log: createLog({ level: config.log.level, write, now: clock.now }),
          clock,
          version,
          sleeps: options.sleeps,
          counters: options.counters,
          ...(options.draining === undefined ? {} : { draining: options.draining }),
          ...(vault === undefined ? {} : { secrets: vault }),
          ...(storage === undefined || config.storage === "none" ? {} : { storage }),
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

  const membersOf = async (from: MemberSecrets): Promise<Members> => {
    try {
      return await from.members();
    } catch (thrown) {
      // The caller is told that something is down, not what: it is here or nowhere.
      const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown;
      log.error("the secrets can't be read", { cause });
      throw thrown;
    }
  };

  const made = new WeakMap<Members, Promise<Gateway>>();
  let latest: Gateway | undefined;
  let kept: readonly Gateway[] = [];
  const newest = async (): Promise<Gateway> => {
    const members = vault === undefined ? noMembers : await membersOf(vault);
    const making = made.get(members) ?? make(members);
    made.set(members, making);
    try {
      const gateway = await making;
      if (!kept.includes(gateway)) kept = [gateway, ...kept].slice(0, mostKept);
      latest = gateway;
      return gateway;
    } catch (thrown) {
      // New content that can't be used: the old one holds until the next. Calls under way keep the gateway they have in any case.
      if (latest !== undefined) return latest;
      made.delete(members);
      throw thrown;
    }
  };
  const flushed = (gateway: Gateway): Promise<void> =>
    gateway.flush().catch((cause: unknown) => log.error("usage could not be written", { cause }));
  return {
    newest,
    flush: async () => {
      await Promise.all(kept.map(flushed));
    },
  };
};
