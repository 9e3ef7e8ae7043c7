// What the parts of a model call hand to each other.
import type { Caller } from "../auth/caller.ts";
import type { Headers, Invocation } from "../model/call.ts";
import type { ChatRequest } from "../model/request.ts";
import type { Provider } from "../providers/provider.ts";
import type { ClientWire, RequestContext, Target, Wire } from "../wires/wire.ts";
import type { Trace } from "../telemetry/trace.ts";
import type { Scan } from "../http/scan.ts";

/** A model call as a route makes it. */
export type ChatCall = {
  wire: ClientWire;
  body: Uint8Array;
  headers: Headers;
  /** What the path says (Gemini). */
  path: RequestContext;
  /** Gemini without `alt=sse`: the stream is a JSON array. */
  array: boolean;
  /** `heddle-strict: true`: a field that the target can't express refuses the call (F18). */
  strict: boolean;
  caller: Caller;
  trace: Trace;
  invocation: Invocation;
  /** What is meant, where it is not what the body says: a history that the gateway keeps has been put before it. */
  request?: ChatRequest;
};

/** The same call after one look at its body. `request` decodes it, once, and only where bytes don't pass. */
export type ReadCall = {
  call: ChatCall;
  model: string;
  stream: boolean;
  scan: Scan | undefined;
  request: () => ChatRequest;
};

/** One try at one target. */
export type Attempt = {
  provider: Provider;
  target: Target;
  /** The wire it goes out on. */
  upstream: Wire;
  /** Over all tries of the call, from 1. */
  number: number;
  /** Whether an earlier target of another maker was tried: opaque state of unknown hosts then stays behind. */
  moved: boolean;
  signal: AbortSignal;
  headers: Headers;
};

export type { Meter } from "./meter.ts";
