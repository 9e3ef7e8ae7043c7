// The HTTP function: a request in, a streamed answer out. It never throws, and its body never does: the host would wait for the rest for minutes.
import type { HttpHandler, HttpRequest, HttpResponseInit, InvocationContext } from "@azure/functions";
import { streamOf } from "../shared/body.ts";
import { answer } from "../shared/answer.ts";
import { headersOf, identityOf, readBody, receive } from "./request.ts";
import { initOf, webStream, wholeBody } from "./response.ts";
import type { Runtime } from "./runtime.ts";

/** Larger bodies are refused before a configuration says what is taken. */
const mostBytes = 100 * 1024 * 1024;

const respond = async (
  runtime: Runtime,
  request: HttpRequest,
  context: InvocationContext,
): Promise<HttpResponseInit> => {
  const { invocationId } = context;
  const response = runtime.connections.of(invocationId);
  const time = runtime.begin(runtime.answerBounds);
  // Stateless calls are for their caller alone; runs go on (F30, F54).
  if (response?.destroyed === true) time.leave();
  response?.once("close", time.leave);
  const held = runtime.hold();
  const over = (): void => {
    held.release();
    response?.off("close", time.leave);
    runtime.end(time);
  };
  try {
    const headers = headersOf(request, response?.req);
    const call = receive(request, headers);
    let failure: unknown;
    try {
      const gateway = await runtime.gateway().catch(() => undefined);
      const { maxBodyBytes, bodyTimeoutMs } = gateway?.services.config.server ?? { maxBodyBytes: mostBytes };
      call.body = await readBody(request, maxBodyBytes, held, bodyTimeoutMs);
    } catch (thrown) {
      failure = thrown;
    }
    // Of headers that may be anybody's nothing is believed.
    const identity = runtime.authenticates && response !== undefined ? identityOf(headers) : undefined;
    const answered = await answer(
      { call, identity, id: invocationId, time, over: runtime.ending, failure },
      runtime.gateway,
      runtime.log,
    );
    const whole = wholeBody(answered);
    if (whole !== undefined) {
      over();
      return initOf(answered, whole, response);
    }
    const body = webStream(streamOf(answered, answered.options), { response, over });
    return initOf(answered, body, response);
  } catch (thrown) {
    over();
    throw thrown;
  }
};

export const createHandler =
  (runtime: Runtime): HttpHandler =>
  async (request, context) => {
    try {
      return await respond(runtime, request, context);
    } catch (cause) {
      runtime.log.error("an answer could not be made", { requestId: context.invocationId, cause });
      const error = { type: "server_error", code: "internal", message: "The answer could not be made." };
      return { status: 500, jsonBody: { error } };
    }
  };
