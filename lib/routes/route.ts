// What a route is: a method, a path pattern, the envelope its errors wear, and a function from a call to a reply.
import type { Call, Invocation, Reply } from "../model/call.ts";
import type { ClientWire } from "../wires/wire.ts";
import type { Trace } from "../telemetry/trace.ts";
import type { Services } from "../gateway.ts";
import type { Caller } from "../threads/store.ts";

export type RouteContext = {
  call: Call;
  invocation: Invocation;
  /** The captured segments of the path, percent-decoded. */
  params: readonly string[];
  query: () => URLSearchParams;
  wire: ClientWire;
  /** The name of the caller's key; `open` under open access. */
  keyName: string;
  /** Whose threads are meant. On routes that need no key, nobody's. */
  caller: Caller;
  trace: Trace;
  services: Services;
};

export type Route = {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Matched against the whole path. */
  pattern: RegExp;
  /** False for probes that need no key. */
  authenticated: boolean;
  handle: (context: RouteContext) => Promise<Reply> | Reply;
};

export const json = (status: number, body: unknown): Reply => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
