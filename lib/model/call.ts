// A request and its answer as plain values: what every platform adapter makes and takes. WHATWG classes cost too much here.

/** Lower-case names. Repeated request headers are joined by ", " (cookies by "; "). */
export type Headers = Record<string, string>;

export type Call = {
  method: string;
  /** Without the query, percent-encoding kept. */
  path: string;
  /** The raw query without "?", "" where there is none. */
  query: string;
  headers: Headers;
  body: Uint8Array;
};

/** Where a body is pushed to. `write` answers false when no more should come before `resume`. */
export type Sink = { write: (piece: Uint8Array | string) => boolean; end: () => void };

/** A body that may push itself, which costs less than being pulled. Gives what lets it go on after a false; undefined where it can only be pulled. */
export type Pushed = { flowTo: (sink: Sink) => (() => void) | undefined };

export type ReplyBody = string | Uint8Array | (AsyncIterable<Uint8Array | string> & Partial<Pushed>);

export type Reply = {
  status: number;
  headers: Headers;
  body: ReplyBody;
  /** A frame that the writer may put between two chunks of a silent stream (F9); absent or "" where there is none. */
  heartbeat?: string;
};

/** Who calls, as the platform has proven it. Never made of what a client sends: only of what the platform's own event says. */
export type PlatformIdentity =
  | { kind: "aws-iam"; arn: string; account: string }
  | { kind: "entra"; objectId: string; tenantId?: string; roles?: readonly string[]; name?: string };

export type Invocation = {
  requestId: string;
  /** Fires when the caller has gone (where the platform tells) or the deadline has passed. */
  signal: AbortSignal;
  /** Milliseconds since the epoch by which the answer must be whole; Infinity where there is no bound. */
  deadline: number;
  /**
   * Fires with an error some seconds after `signal` does for the deadline: what outlives its caller (a run) is then to end by itself, before
   * the process is stopped. Absent where processes live on.
   */
  over?: AbortSignal;
  /** Work that may end after the answer; the platform finishes it before it sleeps (F56). */
  waitUntil: (work: Promise<unknown>) => void;
  identity?: PlatformIdentity;
};
