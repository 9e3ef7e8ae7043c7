// OpenAI itself: Responses and Chat for most models, Chat alone for those that never learnt Responses.
import type { ProviderConfig } from "../config-types.ts";
import type { WireId } from "../model/wire-id.ts";
import { createHttpProvider, requireKey } from "./http-provider.ts";
import type { Provider, ProviderContext, UpstreamCall } from "./provider.ts";
import { openaiServices } from "./services/openai.ts";

const both: readonly WireId[] = ["openai-responses", "openai-chat"];
const chatOnly: readonly WireId[] = ["openai-chat"];
const responsesOnly: readonly WireId[] = ["openai-responses"];

export const openaiWires = (model: string): readonly WireId[] => {
  if (/audio|search-preview|^gpt-3\.5/.test(model)) return chatOnly;
  return /(?:^o\d.*-pro|codex|deep-research|computer-use|-pro$)/.test(model) ? responsesOnly : both;
};

export const openaiPath = (call: UpstreamCall): string | undefined => {
  if (call.wire === "openai-chat") return call.operation === "generate" ? "/chat/completions" : undefined;
  if (call.wire !== "openai-responses") return undefined;
  return { generate: "/responses", "count-tokens": "/responses/input_tokens", compact: "/responses/compact" }[call.operation];
};

export const openaiForwarded = ["openai-beta", "idempotency-key", "traceparent", "tracestate"] as const;

export const createOpenAi = (config: ProviderConfig, context: ProviderContext): Provider => {
  const baseUrl = config.baseUrl ?? "https://api.openai.com/v1";
  return createHttpProvider(config, context, {
    maker: "openai",
    wires: openaiWires,
    dialect: {},
    path: openaiPath,
    authorize: () => ({ authorization: `Bearer ${requireKey(config, "OPENAI_API_KEY")}` }),
    forward: openaiForwarded,
    baseUrl,
    services: openaiServices({ id: config.id, wire: "openai-chat", client: () => ({ apiKey: requireKey(config, "OPENAI_API_KEY"), baseURL: baseUrl, defaultHeaders: config.headers }) }),
  });
};
