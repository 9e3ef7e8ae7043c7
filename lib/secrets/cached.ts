// Secrets kept for a while, so that a vault is asked seldom, once at a time, and may be down for long.
import { GatewayError } from "../model/error.ts";
import type { Secrets } from "./secrets.ts";

export type CachedOptions = {
  now: () => number;
  /** Milliseconds that a value is used without asking again. Default 5 minutes. */
  ttlMs?: number;
  /** The same for a secret that is not there. Default 10 seconds. */
  missMs?: number;
  /** How long a vault that threw is left alone. Default 10 seconds. */
  pauseMs?: number;
  /** Takes the vault's answer that nobody waits for: a platform that sleeps after each call waits for it. It never rejects. */
  background?: (asking: Promise<unknown>) => void;
};

type Entry = { value: string | undefined; at: number; failedAt: number };

/** The names come from code, never from callers: the cache needs no bound. */
export const createCachedSecrets = (vault: Secrets, options: CachedOptions): Secrets => {
  const { now, ttlMs = 300_000, missMs = 10_000, pauseMs = 10_000, background } = options;
  const entries = new Map<string, Entry>();
  const asking = new Map<string, Promise<string | undefined>>();

  const ask = async (name: string): Promise<string | undefined> => {
    const at = now();
    try {
      const value = await vault.get(name);
      entries.set(name, { value, at, failedAt: Number.NEGATIVE_INFINITY });
      return value;
    } catch (thrown) {
      const entry = entries.get(name);
      // Only what was there can be stale; that a secret is missing may have changed meanwhile.
      if (entry?.value === undefined)
        throw thrown instanceof GatewayError
          ? thrown
          : new GatewayError("storage", "The secrets can't be read.", { cause: thrown });
      entry.failedAt = at;
      return entry.value;
    } finally {
      asking.delete(name);
    }
  };
  const once = (name: string): Promise<string | undefined> => {
    const running = asking.get(name) ?? ask(name);
    asking.set(name, running);
    return running;
  };

  return {
    get: async (name) => {
      const entry = entries.get(name);
      if (entry === undefined) return once(name);
      const age = now() - entry.at;
      if (entry.value === undefined) return age < missMs ? undefined : once(name);
      if (age < ttlMs || now() - entry.failedAt < pauseMs) return entry.value;
      const asked = once(name);
      if (age >= 2 * ttlMs) return asked;
      background?.(asked);
      // It never rejects here: there is a value to fall back on.
      return entry.value;
    },
  };
};
