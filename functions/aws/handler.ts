// The gateway's function: an event in, a streamed reply out. It never throws once the first byte is on its way, and never leaves a stream open.
import type { Context } from "aws-lambda";
import createMiddy from "@middy/core";
import { executionModeStreamifyResponse } from "@middy/core/StreamifyResponse";
import type { Gateway } from "../../lib/gateway.ts";
import { GatewayError } from "../../lib/model/error.ts";
import { answer } from "../shared/answer.ts";
import { boundsOf, type Lifetime, openLifetime } from "../shared/lifetime.ts";
import { sendable } from "./body.ts";
import { type HttpEvent, type Prelude, preludeOf, receive } from "./event.ts";
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

/** Of one invocation. Managed instances run many at once: nothing of a call is kept in the module. */
type Open = { time: Lifetime; gateway?: Gateway | undefined };

const respond = async (runtime: Runtime, event: HttpEvent, context: Context, open: Open): Promise<Answer> => {
  if (!cameByFront(event, runtime.origins)) return stranger();
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
  const answered = await answer(
    { call, identity, id: context.awsRequestId, time: open.time },
    runtime.gateway,
    runtime.log,
  );
  open.gateway = answered.gateway;
  return { ...preludeOf(answered.status, answered.headers, event), body: sendable(answered, answered.options) };
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
    return respond(runtime, event, context, open);
  });
  const run = streamed as unknown as Handler;
  return awslambda.streamifyResponse<HttpEvent, Promise<void>>(async (event, stream, context) => {
    const open: Open = { time: openLifetime(boundsOf(context.getRemainingTimeInMillis()), runtime.clock.now) };
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
