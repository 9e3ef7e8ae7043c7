// Token counting: asked of the provider wherever it can count, estimated (and said so) elsewhere; never a made-up 0 (F24).
import { upstreamError } from "../chat/answer.ts";
import type { Attempt } from "../chat/call.ts";
import { estimateInputTokens } from "../chat/estimate.ts";
import { parseBody, refuseState } from "../chat/read.ts";
import { mayHoldForeignState } from "../chat/foreign-state.ts";
import { failed, forwardedHeaders } from "../chat.ts";
import { inlineMedia } from "../http/media.ts";
import { readAll } from "../http/transport.ts";
import type { Reply } from "../model/call.ts";
import { GatewayError, invalid, toGatewayError } from "../model/error.ts";
import { asNumber, asObject, isObject, type JsonObject, parseJson } from "../model/json.ts";
import type { ChatRequest } from "../model/request.ts";
import type { WireId } from "../model/wire-id.ts";
import type { Provider } from "../providers/provider.ts";
import { redactError } from "../providers/redact.ts";
import type { RouteTarget } from "../routing/resolve.ts";
import { firstThatAnswers } from "../routing/retry.ts";
import { countTokensBody } from "../wires/anthropic-messages/index.ts";
import { decodeCountTokens, encodeCountTokens } from "../wires/gemini-generate/aux.ts";
import { wires } from "../wires/index.ts";
import { encodeInputTokens } from "../wires/openai-responses/aux.ts";
import { adapt } from "../wires/shared/adapt.ts";
import { json, type Route, type RouteContext } from "./route.ts";

const pick = (body: JsonObject, fields: readonly string[]): JsonObject =>
  Object.fromEntries(fields.flatMap((field) => (body[field] === undefined ? [] : [[field, body[field]]])));

const responsesFields = [
  "model",
  "input",
  "instructions",
  "tools",
  "tool_choice",
  "text",
  "reasoning",
  "truncation",
  "parallel_tool_calls",
];

type Counter = {
  /** What a counting call takes of an encoded request. */
  body: (encoded: JsonObject, model: string) => JsonObject;
  /** Where its answer tells the number. */
  read: (answer: JsonObject) => number | undefined;
};

/** The provider wires that can count. */
const counters: Partial<Record<WireId, Counter>> = {
  "anthropic-messages": { body: countTokensBody, read: (answer) => asNumber(answer["input_tokens"]) },
  "openai-responses": {
    body: (encoded) => pick(encoded, responsesFields),
    read: (answer) => asNumber(answer["input_tokens"]),
  },
  "gemini-generate": {
    body: (encoded, model) => ({ generateContentRequest: { model: modelPath(model), ...encoded } }),
    read: (answer) => asNumber(answer["totalTokens"]),
  },
  "bedrock-converse": { body: (encoded) => encoded, read: (answer) => asNumber(answer["inputTokens"]) },
};

/** The client wires that can ask, and how they are answered. */
const answers: Partial<Record<WireId, (tokens: number) => JsonObject>> = {
  "anthropic-messages": (tokens) => ({ input_tokens: tokens }),
  "openai-responses": encodeInputTokens,
  "gemini-generate": encodeCountTokens,
};

const modelPath = (model: string): string => (/^(?:models|tunedModels)\//.test(model) ? model : `models/${model}`);

/** A client's own body for its own wire: only the model's name changes, wherever the wire has it. */
const ownBody = (body: JsonObject, wire: WireId, model: string): JsonObject => {
  if (wire !== "gemini-generate") return { ...body, model };
  const named = { ...body };
  for (const field of ["generateContentRequest", "generate_content_request"]) {
    const request = named[field];
    if (isObject(request)) named[field] = { ...request, model: modelPath(model) };
  }
  return named;
};

/** Hosts of a wire, and models, that can't count say so in one of these ways. */
const cannotCount = (status: number, error: GatewayError): boolean =>
  [404, 405, 501].includes(status) ||
  /support\w* (?:token count|count)|count\w*.{0,30}(?:not|n't|un)\W?.{0,10}(?:support|available)/i.test(error.message);

type Asked = { body: JsonObject; request: () => ChatRequest };

const count = async (context: RouteContext, pathModel?: string): Promise<Reply> => {
  const { services, wire, invocation, call, caller, trace } = context;
  const body = parseBody(call.body);
  refuseState(wire.id, (name) => body[name]);
  const model = pathModel ?? body["model"];
  if (typeof model !== "string" || model === "") throw invalid("model", "expected the name of a model");
  const { requestId, signal } = invocation;
  const meter = services.meter({
    requestId,
    traceId: trace.traceId,
    wire: wire.id,
    operation: "count-tokens",
    model,
    stream: false,
    caller,
    waitUntil: invocation.waitUntil,
  });
  let request: ChatRequest | undefined;
  const decode = pathModel === undefined ? wire.decodeRequest : decodeCountTokens;
  const asked: Asked = {
    body,
    request: () => (request ??= decode(body, { model, stream: false })),
  };
  try {
    const { retry } = services.config;
    const targets = services.resolve(model);
    meter.hold(
      await services.admit({
        caller,
        requestId,
        wire: wire.id,
        operation: "count-tokens",
        model,
        targets,
        // Counting is a request, but no tokens are made or paid.
        inputTokens: () => 0,
        outputTokens: () => 0,
        answers: () => 1,
      }),
    );
    const reply = await firstThatAnswers(targets, retry, services.clock, signal, async (target, number) => {
      const provider = await services.registry.get(target.provider);
      meter.attempt({ provider: target.provider, model: target.model, number });
      try {
        return replyOf(context, asked, await ask(context, provider, target, number, asked));
      } catch (thrown) {
        throw redactError(toGatewayError(thrown), provider.secrets());
      }
    });
    meter.first();
    meter.finish(200);
    return { ...reply, headers: { ...reply.headers, ...meter.headers() } };
  } catch (thrown) {
    throw failed(meter, thrown);
  }
};

/** A number that nobody counted is told as such. */
const replyOf = (context: RouteContext, asked: Asked, answer: JsonObject | number | undefined): Reply => {
  if (typeof answer === "object") return json(200, answer);
  const tokens = answer ?? estimateInputTokens(asked.request());
  const reply = json(200, answers[context.wire.id]?.(tokens) ?? { input_tokens: tokens });
  if (answer === undefined) reply.headers["heddle-estimated"] = "true";
  return reply;
};

/** The provider's own answer (same wire), its number (another wire), or undefined where it can't count. */
const ask = async (
  context: RouteContext,
  provider: Provider,
  { model, maxOutputTokens }: RouteTarget,
  number: number,
  { body, request }: Asked,
): Promise<JsonObject | number | undefined> => {
  const { call, wire, services, invocation } = context;
  const { signal } = invocation;
  const spoken = provider.wires(model);
  const same = spoken.includes(wire.id);
  const id = same ? wire.id : spoken.find((each) => counters[each] !== undefined);
  const counter = id === undefined ? undefined : counters[id];
  if (id === undefined || counter === undefined) return undefined;
  const target: Attempt["target"] = {
    provider: provider.id,
    maker: provider.makerOf?.(model) ?? provider.maker,
    model,
    dialect: provider.dialect(model),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
  };
  // State of other makers stays here, as it does in the call that is counted.
  const own = same && !mayHoldForeignState(call.body, id, target);
  let sent: JsonObject;
  if (own) sent = ownBody(body, id, model);
  else {
    const inline = await inlineMedia(request(), { wire: id, target, fetch: services.fetchMedia }, signal);
    sent = counter.body(wires[id].encodeRequest(adapt({ ...inline, model }, id, target).request, target).body, model);
  }
  const headers = forwardedHeaders(call.headers, provider, context.trace);
  let answer: JsonObject | undefined;
  try {
    const upstream = { wire: id, operation: "count-tokens", model, stream: false, headers } as const;
    const response = await provider.send({ ...upstream, body: JSON.stringify(sent) }, signal);
    if (response.status >= 400) {
      const attempt: Attempt = { provider, target, upstream: wires[id], number, moved: false, signal, headers };
      const error = await upstreamError(response, attempt);
      if (cannotCount(response.status, error)) return undefined;
      throw error;
    }
    answer = asObject(parseJson(Buffer.from(await readAll(response.body)).toString("utf8")));
  } catch (thrown) {
    if (thrown instanceof GatewayError && thrown.code === "not_implemented") return undefined;
    throw thrown;
  }
  const tokens = answer === undefined ? undefined : counter.read(answer);
  if (answer === undefined || tokens === undefined)
    throw new GatewayError("upstream_error", "The provider's answer to a token count is not its protocol.", {
      provider: provider.id,
    });
  return own ? answer : tokens;
};

export const countRoutes: readonly Route[] = [
  {
    method: "POST",
    pattern: /^\/v1\/messages\/count_tokens$/,
    action: "models:call",
    handle: (context) => count(context),
  },
  {
    method: "POST",
    pattern: /^\/v1\/responses\/input_tokens$/,
    action: "models:call",
    handle: (context) => count(context),
  },
  {
    method: "POST",
    pattern: /^\/v1(?:beta)?\/(?:models\/)?(.+):countTokens$/,
    action: "models:call",
    handle: (context) => count(context, context.params[0] ?? ""),
  },
];
