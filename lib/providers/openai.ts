// OpenAI itself: Responses and Chat for most models; some know just one of them.
import type { ProviderConfig } from "../config-types.ts";
import type { Headers } from "../model/call.ts";
import type { WireId } from "../model/wire-id.ts";
import { configuredHeaders, createHttpProvider, trimSlash } from "./http-provider.ts";
import { hasKey, requireConfigured } from "./credentials.ts";
import type { Provider, ProviderContext, UpstreamCall } from "./provider.ts";
import { openaiServices } from "./services/openai.ts";

const both: readonly WireId[] = ["openai-responses", "openai-chat"];

/** The first that matches. Fine-tuned names (`ft:gpt-4o:…`) count as what they are made of. */
const exceptions: readonly (readonly [RegExp, readonly WireId[]])[] = [
  [/^gpt-.*audio|^gpt-.*search-(?:preview|api)|^gpt-oss/, ["openai-chat"]],
  [/^(?:gpt|o\d).*-pro(?:-\d|$)|^(?:gpt-.*)?codex|^o\d.*deep-research|^computer-use/, ["openai-responses"]],
  // Older than Responses: they are called there too, and lose nothing on Chat.
  [/^gpt-3\.5|^gpt-4(?:-|$)/, ["openai-chat", "openai-responses"]],
];

export const openaiWires = (model: string): readonly WireId[] => {
  const name = model.replace(/^ft:/, "");
  return exceptions.find(([pattern]) => pattern.test(name))?.[1] ?? both;
};

const responsesPaths = {
  generate: "/responses",
  "count-tokens": "/responses/input_tokens",
  compact: "/responses/compact",
};

export const openaiPath = (call: UpstreamCall): string | undefined => {
  if (call.wire === "openai-responses") return responsesPaths[call.operation];
  return call.wire === "openai-chat" && call.operation === "generate" ? "/chat/completions" : undefined;
};

export const openaiForwarded = ["openai-beta", "traceparent", "tracestate"] as const;

export const bearer = (config: ProviderConfig): Headers =>
  hasKey(config) ? { authorization: `Bearer ${config.apiKey ?? ""}` } : {};

export const createOpenAi = (config: ProviderConfig, context: ProviderContext): Provider => {
  const baseUrl = trimSlash(config.baseUrl ?? "https://api.openai.com/v1");
  const authorization = bearer(config);
  return createHttpProvider(config, context, {
    maker: "openai",
    baseUrl,
    wires: openaiWires,
    path: openaiPath,
    authorize: () => authorization,
    forward: openaiForwarded,
    services: openaiServices({
      id: config.id,
      baseUrl,
      headers: () => {
        requireConfigured(config);
        return { ...authorization, ...configuredHeaders(config) };
      },
    }),
  });
};
