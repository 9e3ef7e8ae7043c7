// Token counting: asked of the provider wherever it can count, estimated (and said so) elsewhere; never a made-up 0 (F24).
import { estimateInputTokens } from "../chat/estimate.ts";
import { upstreamError } from "../chat/answer.ts";
import type { Attempt } from "../chat/call.ts";
import { parseBody } from "../chat/read.ts";
import { forwardedHeaders } from "../chat.ts";
import { readAll } from "../http/transport.ts";
import type { Reply } from "../model/call.ts";
import { GatewayError, invalid, toGatewayError } from "../model/error.ts";
import { asNumber, asObject, type JsonObject, parseJson } from "../model/json.ts";
import type { ChatRequest } from "../model/request.ts";
import type { WireId } from "../model/wire-id.ts";
import { firstThatAnswers } from "../routing/retry.ts";
import { decodeCountTokens } from "../wires/gemini-generate/aux.ts";
import { wires } from "../wires/index.ts";
import { adapt } from "../wires/shared/adapt.ts";
import { json, type Route, type RouteContext } from "./route.ts";

/** What a wire's counting call takes of an encoded request, and where its answer tells the number. */
const counters: Partial<
  Record<
    WireId,
    { body: (encoded: JsonObject, model: string) => JsonObject; read: (answer: JsonObject) => number | undefined }
  >
> = {
  "anthropic-messages": {
    body: (encoded) =>
      pick(encoded, [
        "model",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "cache_control",
        "mcp_servers",
      ]),
    read: (answer) => asNumber(answer["input_tokens"]),
  },
  "openai-responses": {
    body: (encoded) =>
      pick(encoded, [
        "model",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "text",
        "reasoning",
        "truncation",
        "parallel_tool_calls",
      ]),
    read: (answer) => asNumber(answer["input_tokens"]),
  },
  "gemini-generate": {
    body: (encoded, model) => ({ generateContentRequest: { model: `models/${model}`, ...encoded } }),
    read: (answer) => asNumber(answer["totalTokens"]),
  },
};

const pick = (body: JsonObject, fields: readonly string[]): JsonObject => {
  const picked: JsonObject = {};
  for (const field of fields) if (body[field] !== undefined) picked[field] = body[field];
  return picked;
};

const answers: Partial<Record<WireId, (tokens: number) => JsonObject>> = {
  "anthropic-messages": (tokens) => ({ input_tokens: tokens }),
  "openai-responses": (tokens) => ({ object: "response.input_tokens", input_tokens: tokens }),
  "gemini-generate": (tokens) => ({ totalTokens: tokens }),
};

/** Hosts of a wire that lack its counting route say so in one of these ways. */
const cannotCount = (error: GatewayError): boolean =>
  ["not_found", "model_not_found", "not_implemented", "method_not_allowed"].includes(error.code);

const count = async (context: RouteContext, pathModel?: string): Promise<Reply> => {
  const { services, wire, invocation, call } = context;
  const body = parseBody(call.body);
  const model = pathModel ?? body["model"];
  if (typeof model !== "string" || model === "") throw invalid("model", "expected the name of a model");
  const meter = services.meter({
    requestId: invocation.requestId,
    wire: wire.id,
    operation: "count-tokens",
    model,
    stream: false,
    keyName: context.keyName,
    traceId: context.trace.traceId,
  });
  const request = (): ChatRequest =>
    pathModel === undefined
      ? wire.decodeRequest(body, { model, stream: false })
      : decodeCountTokens(body, { model, stream: false });
  try {
    const reply = await firstThatAnswers(
      services.resolve(model),
      services.config.retry,
      services.clock,
      invocation.signal,
      async (route, number) => {
        meter.attempt({ provider: route.provider, model: route.model, number });
        const answer = await ask(context, route, body, request, pathModel !== undefined);
        if (typeof answer === "object") return json(200, answer);
        const tokens = answer ?? estimateInputTokens(request());
        const reply = json(200, answers[wire.id]?.(tokens) ?? { input_tokens: tokens });
        if (answer === undefined) reply.headers["heddle-estimated"] = "true";
        return reply;
      },
    );
    meter.finish(200);
    return { ...reply, headers: { ...reply.headers, ...meter.headers() } };
  } catch (thrown) {
    const error = toGatewayError(thrown);
    meter.finish(error.status, error);
    throw error;
  }
};

/** The provider's own answer (same wire), its number (another wire), or undefined where it can't count. */
const ask = async (
  context: RouteContext,
  route: { provider: string; model: string },
  body: JsonObject,
  request: () => ChatRequest,
  inPath: boolean,
): Promise<JsonObject | number | undefined> => {
  const provider = await context.services.registry.get(route.provider);
  const spoken = provider.wires(route.model);
  const own = spoken.includes(context.wire.id);
  const id = own ? context.wire.id : spoken.find((each) => counters[each] !== undefined);
  const counter = id === undefined ? undefined : counters[id];
  if (id === undefined || counter === undefined) return undefined;
  const target: Attempt["target"] = {
    provider: provider.id,
    maker: provider.makerOf?.(route.model) ?? provider.maker,
    model: route.model,
    dialect: provider.dialect(route.model),
  };
  let sent: JsonObject;
  if (own) sent = inPath ? body : { ...body, model: route.model };
  else {
    const adapted = adapt({ ...request(), model: route.model }, id, target);
    sent = counter.body(wires[id].encodeRequest(adapted.request, target).body, route.model);
  }
  const signal = context.invocation.signal;
  try {
    const response = await provider.send(
      {
        wire: id,
        operation: "count-tokens",
        model: route.model,
        stream: false,
        headers: forwardedHeaders(context.call.headers, provider, context.trace),
        body: JSON.stringify(sent),
      },
      signal,
    );
    if (response.status >= 400) {
      const attempt: Attempt = { provider, target, upstream: wires[id], number: 1, moved: false, signal, headers: {} };
      throw await upstreamError(response, attempt);
    }
    const answer = asObject(parseJson(Buffer.from(await readAll(response.body)).toString("utf8")));
    const tokens = answer === undefined ? undefined : counter.read(answer);
    if (answer === undefined || tokens === undefined)
      throw new GatewayError("upstream_error", "The provider's answer to a token count is not its protocol.", {
        provider: provider.id,
      });
    return own ? answer : tokens;
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (cannotCount(error)) return undefined;
    throw error;
  }
};

export const countRoutes: readonly Route[] = [
  {
    method: "POST",
    pattern: /^\/v1\/messages\/count_tokens$/,
    authenticated: true,
    handle: (context) => count(context),
  },
  {
    method: "POST",
    pattern: /^\/v1\/responses\/input_tokens$/,
    authenticated: true,
    handle: (context) => count(context),
  },
  {
    method: "POST",
    pattern: /^\/v1(?:beta)?\/models\/(.+):countTokens$/,
    authenticated: true,
    handle: (context) => count(context, context.params[0] ?? ""),
  },
];
