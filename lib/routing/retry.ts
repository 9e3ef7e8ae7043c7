// Tries over targets until one answers: retry and fallback happen only before the first upstream event (F25, F33).
import { type GatewayError, toGatewayError } from "../model/error.ts";

export type RetryPolicy = {
  /** Tries per target, the first one included. */
  attempts: number;
  baseDelayMs: number;
  maxDelayMs: number;
  /** No try begins later than this after the first. */
  totalMs: number;
};

export type Clock = {
  now: () => number;
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  random: () => number;
};

export const systemClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done);
    }),
};

/** Errors that another target may not have: a model it lacks, a key it refuses, a field it can't express, besides all that may pass with time. */
const othersMayServe = (error: GatewayError): boolean =>
  error.retryable ||
  error.code === "model_not_found" ||
  error.code === "upstream_authentication" ||
  error.code === "unsupported_field";

/** Whether the same target is worth asking again. */
const sameMayServe = (error: GatewayError): boolean => error.retryable && error.code !== "upstream_authentication";

/**
 * The first answer of `attempt(target, number)`. `number` counts from 1 over all tries. Waits what `retry-after` says when
 * it is no longer than `maxDelayMs`, else goes on to the next target; throws the last error when all have failed.
 */
export const firstThatAnswers = async <Target, Answer>(
  targets: readonly Target[],
  policy: RetryPolicy,
  clock: Clock,
  signal: AbortSignal,
  attempt: (target: Target, number: number) => Promise<Answer>,
): Promise<Answer> => {
  const started = clock.now();
  let number = 0;
  let last: GatewayError | undefined;
  for (const target of targets) {
    for (let tried = 0; tried < Math.max(1, policy.attempts); tried += 1) {
      number += 1;
      try {
        return await attempt(target, number);
      } catch (thrown) {
        const error = toGatewayError(thrown);
        // What a target can't express says less than what befell the one that can.
        if (last === undefined || error.code !== "unsupported_field") last = error;
        if (signal.aborted || !othersMayServe(error)) throw error;
        if (!sameMayServe(error) || tried + 1 >= policy.attempts) break;
        const asked = error.details.retryAfterMs;
        if (asked !== undefined && asked > policy.maxDelayMs) break;
        const backoff = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** tried);
        const delay = asked ?? backoff * (0.5 + clock.random() / 2);
        if (clock.now() - started + delay > policy.totalMs) break;
        await clock.sleep(delay, signal);
        if (signal.aborted) throw error;
      }
    }
    if (clock.now() - started > policy.totalMs) break;
  }
  throw last ?? new Error("no targets");
};
