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

export type ReplyBody = string | Uint8Array | AsyncIterable<Uint8Array | string>;

export type Reply = {
  status: number;
  headers: Headers;
  body: ReplyBody;
  /** A frame that the writer may put between two chunks of a silent stream (F9); absent or "" where there is none. */
  heartbeat?: string;
};

export type Invocation = {
  requestId: string;
  /** Fires when the caller has gone (where the platform tells) or the deadline has passed. */
  signal: AbortSignal;
  /** Milliseconds since the epoch by which the answer must be whole; Infinity where there is no bound. */
  deadline: number;
  /** Work that may end after the answer; the platform finishes it before it sleeps (F56). */
  waitUntil: (work: Promise<unknown>) => void;
};
