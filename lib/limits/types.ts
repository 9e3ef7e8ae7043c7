// What a model call asks of the limits before it goes out, and what it owes them after.
import type { Caller } from "../auth/caller.ts";
import type { Headers } from "../model/call.ts";
import type { UsageEntry } from "../usage/entry.ts";

/** A place that the call may go to. `maxOutputTokens`: what is asked of it where the caller sets no limit. */
export type DemandTarget = { provider: string; model: string; maxOutputTokens?: number };

export type Demand = {
  caller: Caller;
  requestId: string;
  wire: string;
  operation: string;
  /** As the caller named it. */
  model: string;
  targets: readonly DemandTarget[];
  /** The most input tokens that the call may have, by estimate. Asked only where a limit needs it. */
  inputTokens: () => number;
  /** The most output tokens of one answer; undefined where the caller set no limit. Asked only where a limit needs it. */
  outputTokens: () => number | undefined;
  /** How many answers are asked for. */
  answers: () => number;
  thread?: string;
};

/** What a call came to. `entry` has the actual cost and tokens; undefined where no provider was ever reached: all is given back. */
export type Settlement = UsageEntry | undefined;

export type Permit = {
  /** The rate-limit headers of the answer, on the wire of the caller. */
  headers: Headers;
  /**
   * Gives back what was reserved beyond the actual, and writes the entry, in one transaction: once, however often it is called.
   * Never rejects: what can't be written now is tried again, and at last settled by the sweeper at its estimate.
   */
  settle: (settlement: Settlement) => Promise<void>;
};

export type Limiter = {
  /**
   * Undefined for a caller without limits: at once, and no store is asked. Throws `rate_limited` or `quota_exceeded` with the time after
   * which another try may succeed, and `storage` where a limit that must hold can't be checked.
   */
  admit: (demand: Demand) => Permit | undefined | Promise<Permit | undefined>;
  /** Settles the reservations that died with their process, and tells of budgets that are nearly spent. */
  sweep: () => Promise<void>;
  /** Rejects `storage` while a limit that must hold can't be checked: readiness says so (F45). */
  ready: () => Promise<void>;
};
