// What a route is: a method, a path pattern, the envelope its errors wear, and a function from a call to a reply.
import type { Call, Invocation, Reply } from "../model/call.ts";
import type { ChatCall } from "../chat/call.ts";
import type { ClientWire, RequestContext } from "../wires/wire.ts";
import type { Trace } from "../telemetry/trace.ts";
import type { Services } from "../services.ts";
import type { Turn } from "../turns/types.ts";
import type { Caller } from "../auth/caller.ts";
import { type Action, enforce } from "../auth/policy.ts";

export type RouteContext = {
  call: Call;
  invocation: Invocation;
  /** The captured segments of the path, percent-decoded. */
  params: readonly string[];
  query: () => URLSearchParams;
  wire: ClientWire;
  /** Who asks. On routes that need no key, nobody. */
  caller: Caller;
  trace: Trace;
  services: Services;
  /**
   * Set where the call's answer is kept under an Idempotency-Key. To be told as soon as a turn has begun, by a route whose answer
   * follows from the turn alone (`Route.replay`): who comes with the same key then follows the turn.
   */
  begun?: (turn: Turn) => Promise<void>;
};

export type Route = {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Matched against the whole path. */
  pattern: RegExp;
  /** What a caller must be allowed to do; `none` for probes that need no key. */
  action: Action | "none";
  handle: (context: RouteContext) => Promise<Reply> | Reply;
  /** Told of a caller that may not do it, before the refusal: to write it down. Never rejects. */
  refused?: (context: RouteContext) => Promise<void>;
  /** Its answer holds a key, and is never stored: an Idempotency-Key is refused. */
  secret?: true;
  /** The answer of a turn that was begun by the same call before. Absent: as chat wires give it (`replyOfTurn`). */
  replay?: (context: RouteContext, turn: Turn) => Promise<Reply>;
};

/** A model call as the caller made it. `path`: what the path says (Gemini); `array`: its stream as a JSON array. */
export const chatCall = (context: RouteContext, path: RequestContext, array: boolean): ChatCall => ({
  wire: context.wire,
  body: context.call.body,
  headers: context.call.headers,
  path,
  array,
  strict: context.call.headers["heddle-strict"] === "true",
  caller: context.caller,
  trace: context.trace,
  invocation: context.invocation,
});

/** Throws `permission` where a call works on more than its route's own matter: a chat call on a thread, a run on a model. */
export const needs = ({ services, caller }: RouteContext, action: Action): void =>
  enforce(services.policy, caller, action);

/**
 * Whatever is wrong with the model is told before anything is written: that its name leads nowhere (`model_not_found`), or that the
 * caller may not call it (`permission`).
 */
export const checkModel = ({ services, caller }: RouteContext, model: string): void => {
  const targets = services.resolve(model).map((target) => `${target.provider}/${target.model}`);
  enforce(services.policy, caller, "models:call", { model, targets });
};

export const json = (status: number, body: unknown): Reply => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
