// One call answered on a platform that bounds its time: whatever happens, there is a reply, in the caller's own envelope, and a body that ends well.
import { inBandError } from "../../lib/chat/answer.ts";
import type { Gateway } from "../../lib/gateway.ts";
import type { Call, Invocation, PlatformIdentity, Reply } from "../../lib/model/call.ts";
import { timeIsOver } from "../../lib/model/deadline.ts";
import { GatewayError, toGatewayError } from "../../lib/model/error.ts";
import { requestIdPattern } from "../../lib/model/id.ts";
import { envelopeOf } from "../../lib/routes/envelopes.ts";
import { wireOf } from "../../lib/routes/index.ts";
import type { Log } from "../../lib/telemetry/log.ts";
import type { BodyOptions } from "./body.ts";
import type { Lifetime } from "./lifetime.ts";

export type Asked = {
  call: Call;
  /** What the platform has proven. */
  identity: PlatformIdentity | undefined;
  /** The platform's own id of the request: used where the caller gives none. */
  id: string;
  time: Lifetime;
  /** When runs must end by themselves; with the lifetime, where the process ends with the call. */
  over?: AbortSignal;
  /** Why the call could not be read whole. */
  failure?: unknown;
};

export type Answered = Reply & {
  /** What `streamOf` is to be given with the body. */
  options: BodyOptions;
  /** Undefined where there is none yet. */
  gateway: Gateway | undefined;
};

/** Where no gateway says what it should be. */
const defaultHeartbeatMs = 12_000;

/** There is no gateway yet that could say it in its own way. */
const unavailable = (call: Call, thrown: unknown, requestId: string): Reply => {
  const known = toGatewayError(thrown);
  const error =
    known.code === "internal" ? new GatewayError("internal", "The gateway can't start: its log says why.") : known;
  const envelope = envelopeOf(call, "");
  const { status, headers, body, contentType } =
    envelope === undefined
      ? { ...wireOf(call).encodeError(error, requestId), contentType: "application/json" }
      : envelope(error, requestId);
  return {
    status,
    headers: { ...headers, "content-type": contentType, "x-request-id": requestId },
    body: JSON.stringify(body),
  };
};

const letGo = (body: Reply["body"]): void => {
  if (typeof body === "string" || body instanceof Uint8Array) return;
  body[Symbol.asyncIterator]()
    .return?.()
    .catch(() => undefined);
};

const requestIdOf = (call: Call, id: string): string => {
  const given = call.headers["x-request-id"];
  return given !== undefined && requestIdPattern.test(given) ? given : id;
};

const tooLarge = (call: Call, most: number): GatewayError | undefined =>
  call.body.length > most
    ? new GatewayError("request_too_large", `The request body is over ${most} bytes.`)
    : undefined;

/** Never throws. */
export const answer = async (asked: Asked, open: () => Promise<Gateway>, log: Log): Promise<Answered> => {
  const { call, identity, time, failure } = asked;
  const requestId = requestIdOf(call, asked.id);
  const invocation: Invocation = {
    requestId,
    signal: time.signal,
    over: asked.over ?? time.over,
    deadline: time.deadline,
    waitUntil: time.waitUntil,
  };
  if (identity !== undefined) invocation.identity = identity;
  let gateway: Gateway | undefined;
  let reply: Reply;
  try {
    gateway = await open();
    const { maxBodyBytes } = gateway.services.config.server;
    const answered = gateway(call, invocation, failure ?? tooLarge(call, maxBodyBytes));
    const inTime = await Promise.race([answered, time.cut]);
    // What heeds no signal is left; its refusal has the caller's own envelope.
    reply = inTime ?? (await gateway(call, invocation, timeIsOver()));
    if (inTime === undefined) answered.then(({ body }) => letGo(body)).catch(() => undefined);
  } catch (thrown) {
    reply = unavailable(call, thrown, requestId);
  }
  if (call.method === "HEAD") {
    letGo(reply.body);
    reply = { ...reply, body: "" };
  }
  const streams = reply.headers["content-type"]?.startsWith("text/event-stream") === true;
  const options: BodyOptions = {
    heartbeatMs: gateway?.services.config.server.heartbeatMs ?? defaultHeartbeatMs,
    cut: time.cut,
    broken: (thrown) => {
      const error = thrown === undefined ? timeIsOver() : toGatewayError(thrown);
      log.error("a stream broke off", { requestId, cause: error.cause ?? error });
      // What came before may have been half an event.
      return streams ? `\n\n${inBandError(wireOf(call), error)}` : "";
    },
  };
  return { ...reply, options, gateway };
};
