// Calls to a service over a network (a store, blobs): each with a timeout, tried again a bounded number of times, after a jittered wait.
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../model/error.ts";

/**
 * What an error says about the call. `refused`: nothing was done, and another try may pass. `unknown`: it may or may not have
 * been done. `final`: another try can't help; the error to throw instead.
 */
export type Verdict = "refused" | "unknown" | { readonly final: GatewayError };

export type RetryPolicy = {
  /** Milliseconds for one try. */
  readonly timeoutMs: number;
  readonly tries: number;
  /** No try begins later than this after the first. */
  readonly totalMs: number;
};

export const defaultPolicy: RetryPolicy = { timeoutMs: 5_000, tries: 8, totalMs: 15_000 };

const firstWaitMs = 25;
const longestWaitMs = 1_000;

/** A random wait before try number `tried` + 1, longer on average with each. */
export const pause = (tried: number): Promise<void> =>
  sleep(Math.random() * Math.min(longestWaitMs, firstWaitMs * 2 ** tried));

export const outage = (store: string, cause: unknown): GatewayError =>
  new GatewayError("storage", `The ${store} store can't be reached, or is overloaded.`, { cause });

/** Not to be tried again by anyone who can't bear it to be done twice. */
export const unknownOutcome = (store: string, cause: unknown): GatewayError =>
  new GatewayError("storage", `The ${store} store didn't say whether a write was done.`, { cause });

export type Attempt<T> = (signal: AbortSignal, uncertain: boolean) => Promise<T>;

/** `attempt` with a signal that fires after `ms`, and no longer than that: not even where the signal isn't heeded. */
const bounded = async <T>(ms: number, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> => {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`No answer within ${ms} ms.`);
      controller.abort(error);
      reject(error);
    }, ms);
  });
  try {
    return await Promise.race([attempt(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
};

/**
 * The answer of `attempt`, which is told whether an earlier try may already have done the work. A call that isn't `repeatable`
 * is tried again only where the store refused it. Throws a `GatewayError`.
 */
export const persist = async <T>(
  store: string,
  policy: RetryPolicy,
  repeatable: boolean,
  judge: (error: unknown) => Verdict,
  attempt: Attempt<T>,
): Promise<T> => {
  const started = performance.now();
  let uncertain = false;
  for (let tried = 1; ; tried += 1) {
    try {
      const unsure = uncertain;
      return await bounded(policy.timeoutMs, (signal) => attempt(signal, unsure));
    } catch (error) {
      if (error instanceof GatewayError) throw error;
      const verdict = judge(error);
      if (typeof verdict === "object") throw verdict.final;
      uncertain ||= verdict === "unknown";
      if (uncertain && !repeatable) throw unknownOutcome(store, error);
      if (tried >= policy.tries || performance.now() - started > policy.totalMs) throw outage(store, error);
      await pause(tried);
    }
  }
};

/** The connection was never made, so nothing was sent. */
const unconnected: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

/** Whether an error, or what caused it, says that no connection came about. */
export const neverSent = (error: unknown): boolean =>
  error instanceof Error && (("code" in error && unconnected.has(error.code)) || neverSent(error.cause));
