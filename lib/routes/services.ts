// Embeddings, images and audio: OpenAI-shaped routes that the provider of the named model serves over its vendor's SDK.
import { GatewayError, invalid, toGatewayError } from "../model/error.ts";
import type { JsonObject } from "../model/json.ts";
import type { Reply } from "../model/call.ts";
import type { AudioForm, Provider, ProviderServices } from "../providers/provider.ts";
import { clampUsage, type Usage } from "../model/usage.ts";
import { parseBody } from "../chat/read.ts";
import { inertType } from "../http/inert-type.ts";
import { cancelled } from "../http/upstream-error.ts";
import { failed } from "../chat.ts";
import { redactError } from "../providers/redact.ts";
import type { Meter } from "../chat/call.ts";
import { firstThatAnswers } from "../routing/retry.ts";
import { parseMultipart } from "../http/multipart.ts";
import { json, type Route, type RouteContext } from "./route.ts";

/** What a picture of the highest quality is made of. */
const imageTokens = 8_192;
/** Speech is recorded at two kilobytes a second and more, and counted at ten tokens a second. */
export const bytesPerHeardToken = 200;

/** Runs a service on the first target that answers, metered like any call. */
export const serve = async (
  context: RouteContext,
  operation: string,
  service: keyof ProviderServices,
  model: unknown,
  inputTokens: () => number,
  run: (provider: Provider, model: string, meter: Meter) => Promise<Reply & { usage?: Usage }>,
  answers = 1,
): Promise<Reply> => {
  const { services, invocation, wire, caller, trace } = context;
  if (typeof model !== "string" || model === "") throw invalid("model", "expected the name of a model");
  const meter = services.meter({
    wire: wire.id,
    operation,
    model,
    stream: false,
    caller,
    waitUntil: invocation.waitUntil,
    traceId: trace.traceId,
    requestId: invocation.requestId,
  });
  // What these answer is priced by the call or by what came in; tokens of pictures are settled as they are told.
  const outputTokens = service === "images" ? imageTokens : 0;
  try {
    const targets = services.resolve(model);
    meter.hold(
      await services.admit({
        caller,
        requestId: invocation.requestId,
        wire: wire.id,
        operation,
        model,
        targets,
        inputTokens,
        outputTokens: () => outputTokens,
        answers: () => answers,
      }),
    );
    const reply = await firstThatAnswers(
      targets,
      services.config.retry,
      services.clock,
      invocation.signal,
      async (target, number) => {
        const provider = await services.registry.get(target.provider);
        meter.attempt({ provider: provider.id, model: target.model, number });
        if (provider.services[service] === undefined)
          throw invalid("model", `the provider '${provider.id}' does not serve ${operation}`);
        try {
          return await run(provider, target.model, meter);
        } catch (thrown) {
          throw redactError(toGatewayError(thrown), provider.secrets());
        }
      },
    );
    meter.first();
    // A service that tells nothing is not free: it is settled at what was reserved for it.
    const cost =
      reply.usage === undefined
        ? meter.usage({ input: inputTokens(), output: outputTokens * answers }, true)
        : meter.usage(clampUsage(reply.usage));
    if (cost !== undefined) reply.headers["heddle-cost"] = String(cost);
    const { status, body } = reply;
    const headers = { ...reply.headers, ...meter.headers() };
    if (typeof body !== "string" && !(body instanceof Uint8Array))
      return { status, headers, body: watched(body, (error) => meter.finish(status, error)) };
    meter.finish(status);
    return { status, headers, body };
  } catch (thrown) {
    throw failed(meter, thrown);
  }
};

/** The same bytes; `over` is called when they have ended, broken off, or lost their reader: its first call counts. */
const watched = (
  body: AsyncIterable<Uint8Array | string>,
  over: (error?: GatewayError) => void,
): AsyncIterable<Uint8Array | string> => {
  const source = body[Symbol.asyncIterator]();
  const iterator: AsyncIterator<Uint8Array | string> = {
    next: async () => {
      try {
        const result = await source.next();
        if (result.done === true) over();
        return result;
      } catch (thrown) {
        over(toGatewayError(thrown));
        throw thrown;
      }
    },
    return: async () => {
      over(cancelled());
      await source.return?.();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
};

const missing = (): GatewayError => new GatewayError("not_implemented", "The provider does not serve this.");

/** The number of pictures that may come. */
const picturesOf = (body: JsonObject): number => {
  const n = Number(body["n"] ?? 1);
  return Number.isFinite(n) ? Math.max(1, Math.ceil(n)) : 1;
};

const bodyService =
  (operation: string, service: "embeddings" | "images") =>
  (context: RouteContext): Promise<Reply> => {
    const body = parseBody(context.call.body);
    return serve(
      context,
      operation,
      service,
      body["model"] ?? (service === "images" ? "gpt-image-1" : undefined),
      () => Math.ceil(context.call.body.length / 2),
      async (provider, model) => {
        const call = provider.services[service];
        if (call === undefined) throw missing();
        const answer = await call({ ...body, model }, context.invocation.signal);
        const reply = json(200, answer.body);
        return answer.usage === undefined ? reply : { ...reply, usage: answer.usage };
      },
      service === "images" ? picturesOf(body) : 1,
    );
  };

const speech = (context: RouteContext): Promise<Reply> => {
  const body = parseBody(context.call.body);
  const most = (): number => Math.ceil(context.call.body.length / 2);
  return serve(context, "speech", "speech", body["model"], most, async (provider, model) => {
    const call = provider.services.speech;
    if (call === undefined) throw missing();
    const answer = await call({ ...body, model }, context.invocation.signal);
    return {
      status: 200,
      headers: { "content-type": inertType(answer.contentType, "application/octet-stream") },
      body: answer.body,
    };
  });
};

const transcribe =
  (task: AudioForm["task"]) =>
  (context: RouteContext): Promise<Reply> => {
    const form = parseMultipart(context.call.body, context.call.headers["content-type"] ?? "");
    const file = form.files.find((each) => each.field === "file");
    if (file === undefined) throw invalid("file", "expected a file in a multipart form");
    const most = (): number => Math.ceil(file.bytes.length / bytesPerHeardToken);
    return serve(context, task, "transcribe", form.fields["model"], most, async (provider, model) => {
      const call = provider.services.transcribe;
      if (call === undefined) throw missing();
      const answer = await call(
        { task, file: { name: file.name, type: file.type, bytes: file.bytes }, fields: { ...form.fields, model } },
        context.invocation.signal,
      );
      return {
        status: 200,
        headers: { "content-type": inertType(answer.contentType, "application/octet-stream") },
        body: answer.body,
      };
    });
  };

export const serviceRoutes: readonly Route[] = [
  {
    method: "POST",
    pattern: /^\/v1\/embeddings$/,
    action: "models:call",
    handle: bodyService("embeddings", "embeddings"),
  },
  {
    method: "POST",
    pattern: /^\/v1\/images\/generations$/,
    action: "models:call",
    handle: bodyService("images", "images"),
  },
  { method: "POST", pattern: /^\/v1\/audio\/speech$/, action: "models:call", handle: speech },
  {
    method: "POST",
    pattern: /^\/v1\/audio\/transcriptions$/,
    action: "models:call",
    handle: transcribe("transcriptions"),
  },
  { method: "POST", pattern: /^\/v1\/audio\/translations$/, action: "models:call", handle: transcribe("translations") },
];
