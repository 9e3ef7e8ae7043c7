// What every function of threads needs of the world: a table, a place for large bodies, a clock. Passed in, never imported.
import type { Blobs } from "../blobs/blobs.ts";
import type { StreamEvent } from "../model/event.ts";
import type { Part } from "../model/message.ts";
import type { Usage } from "../model/usage.ts";
import type { Table } from "../stores/table.ts";
import type { Hub } from "./hub.ts";

/**
 * Who asks. `space` is tenant and owner in one (`spaceOf`): every storage key begins with it, so that no read can reach another's. Both
 * come from the credential, never from the request.
 */
export type Caller = { space: string; owner: string };

export type Clock = {
  /** Unix milliseconds. */
  now: () => number;
  /** Ends early, without an error, when the signal fires. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
};

export type ThreadLimits = {
  /** Milliseconds until a run that renews no more is held to be dead. */
  leaseMs: number;
  /** Milliseconds that a run waits for its tools' outputs. */
  parkedMs: number;
  /** How long a run's events can be replayed. */
  eventsTtlSeconds: number;
  /** Runs that may wait on one thread. */
  queueLength: number;
};

export const defaultLimits: ThreadLimits = {
  leaseMs: 15_000,
  parkedMs: 10 * 60_000,
  eventsTtlSeconds: 3 * 86_400,
  queueLength: 16,
};

export type ThreadStore = {
  table: Table;
  blobs: Blobs;
  clock: Clock;
  /** 24 characters of [A-Za-z0-9]. */
  newId: () => string;
  /** Wakes readers and cancels runs within this process; what crosses processes goes over the table. */
  hub: Hub;
  limits: ThreadLimits;
  /** Tokens of a message's parts, by estimate. */
  tokensOf: (parts: readonly Part[]) => number;
  /** What a run had said when it broke off: the fold of its events, whole or not. */
  foldEvents: (events: Iterable<StreamEvent>) => { parts: Part[]; usage?: Usage };
};

/** How often a write is tried again that lost against another one on the same thread. */
export const contentionTries = 12;
