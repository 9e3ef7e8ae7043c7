// The gateway's function: an event in, a streamed reply out. It never throws once the first byte is on its way, and never leaves a stream open.
import type { Context } from "aws-lambda";
import createMiddy from "@middy/core";
import { executionModeStreamifyResponse } from "@middy/core/StreamifyResponse";
import { inBandError } from "../../lib/chat/answer.ts";
import type { Gateway } from "../../lib/gateway.ts";
import type { Call, Invocation, Reply } from "../../lib/model/call.ts";
import { GatewayError, toGatewayError } from "../../lib/model/error.ts";
import { timeIsOver } from "../../lib/model/deadline.ts";
import { requestIdPattern } from "../../lib/model/id.ts";
import { wireOf } from "../../lib/routes/index.ts";
import { sendable } from "./body.ts";
import { type HttpEvent, type Prelude, preludeOf, receive } from "./event.ts";
import { type Lifetime, openLifetime } from "./lifetime.ts";
import { cameByFront } from "./origin.ts";
import type { Runtime } from "./runtime.ts";

/** What middy makes of: a prelude with its body. */
type Answer = Prelude & { body: ReturnType<typeof sendable> };

const plain = (statusCode: number, error: { type: string; code: string; message: string }): Answer => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ error }),
});

/** Behind another door nothing is told, not even who answers. */
const stranger = (): Answer =>
  plain(403, { type: "permission_error", code: "permission", message: "Call by the gateway's own address." });

const unreadable = (error: GatewayError): Answer =>
  plain(error.status, { type: "invalid_request_error", code: error.code, message: error.message });

/** There is no gateway yet that could say it in its own way. */
const unavailable = (call: Call, thrown: unknown, requestId: string): Reply => {
  const known = toGatewayError(thrown);
  const error =
    known.code === "internal" ? new GatewayError("internal", "The gateway can't start: its log says why.") : known;
  const { status, headers, body } = wireOf(call).encodeError(error, requestId);
  return {
    status,
    headers: { ...headers, "content-type": "application/json", "x-request-id": requestId },
    body: JSON.stringify(body),
  };
};

const letGo = (body: Reply["body"]): void => {
  if (typeof body === "string" || body instanceof Uint8Array) return;
  body[Symbol.asyncIterator]()
    .return?.()
    .catch(() => undefined);
};

const invocationOf = (call: Call, context: Context, time: Lifetime): Invocation => {
  const given = call.headers["x-request-id"];
  const { signal, over, deadline, waitUntil } = time;
  const requestId = given !== undefined && requestIdPattern.test(given) ? given : context.awsRequestId;
  return { requestId, signal, over, deadline, waitUntil };
};

/** Of one invocation. Managed instances run many at once: nothing of a call is kept in the module. */
type Open = { time: Lifetime; gateway?: Gateway };

const answer = async (runtime: Runtime, event: HttpEvent, context: Context, open: Open): Promise<Answer> => {
  if (!cameByFront(event, runtime.origins)) return stranger();
  const { time } = open;
  let received: ReturnType<typeof receive>;
  try {
    received = receive(event);
  } catch (thrown) {
    // Only who invokes the function by hand can leave half of an event out.
    return unreadable(
      thrown instanceof GatewayError ? thrown : new GatewayError("invalid_request", "The event can't be read."),
    );
  }
  const { call, identity } = received;
  delete call.headers["x-heddle-origin"];
  const invocation = invocationOf(call, context, time);
  if (identity !== undefined) invocation.identity = identity;
  let reply: Reply;
  let heartbeatMs = 12_000;
  try {
    const gateway = await runtime.gateway();
    open.gateway = gateway;
    ({ heartbeatMs } = gateway.services.config.server);
    const { maxBodyBytes } = gateway.services.config.server;
    const failure =
      call.body.length > maxBodyBytes
        ? new GatewayError("request_too_large", `The body is larger than ${maxBodyBytes} bytes.`)
        : undefined;
    const answered = gateway(call, invocation, failure);
    const inTime = await Promise.race([answered, time.cut]);
    // What heeds no signal is left; its refusal has the caller's own envelope.
    reply = inTime ?? (await gateway(call, invocation, timeIsOver()));
    if (inTime === undefined) void answered.then(({ body }) => letGo(body));
  } catch (thrown) {
    reply = unavailable(call, thrown, invocation.requestId);
  }
  if (call.method === "HEAD") {
    letGo(reply.body);
    reply = { ...reply, body: "" };
  }
  const streams = reply.headers["content-type"]?.startsWith("text/event-stream") === true;
  const body = sendable(reply, {
    heartbeatMs,
    cut: time.cut,
    broken: (thrown) => {
      const error = thrown === undefined ? timeIsOver() : toGatewayError(thrown);
      runtime.log.error("a stream broke off", { requestId: invocation.requestId, cause: error.cause ?? error });
      // What came before may have been half an event.
      return streams ? `\n\n${inBandError(wireOf(call), error)}` : "";
    },
  });
  return { ...preludeOf(reply.status, reply.headers, event), body };
};

type Handler = (event: HttpEvent, stream: awslambda.HttpResponseStream, context: Context) => Promise<void>;

/** To be made where the runtime has set its `awslambda`. */
export const createHandler = (runtime: Runtime): Handler => {
  const opened = new WeakMap<Context, Open>();
  const streamed = createMiddy<HttpEvent, Answer>({
    executionMode: executionModeStreamifyResponse,
    timeoutEarlyInMillis: 0,
  });
  // Not as its first argument: its type knows no handler of streams.
  streamed.handler(async (event: HttpEvent, context: Context) => {
    const open = opened.get(context);
    if (open === undefined) throw new Error("An invocation that was not begun.");
    return answer(runtime, event, context, open);
  });
  const run = streamed as unknown as Handler;
  return awslambda.streamifyResponse<HttpEvent, Promise<void>>(async (event, stream, context) => {
    const open: Open = { time: openLifetime(context.getRemainingTimeInMillis(), runtime.clock.now) };
    opened.set(context, open);
    try {
      await run(event, stream, context);
    } catch (thrown) {
      // The way out broke, in the middle perhaps: there is nobody to tell, and the runtime takes a throw for a fault of the function.
      runtime.log.error("an answer could not be sent", { requestId: context.awsRequestId, cause: thrown });
      if (!stream.writableEnded && !stream.destroyed) stream.end();
    } finally {
      // Behind the answer, which the client has whole by now: this costs them no time.
      await runtime.finish(open.time, open.gateway);
    }
  }) as Handler;
};
