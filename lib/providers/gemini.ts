// Google's Gemini API.
import type { ProviderConfig } from "../config-types.ts";
import type { Headers } from "../model/call.ts";
import { hasKey, requireConfigured } from "./credentials.ts";
import { configuredHeaders, createHttpProvider, trimSlash } from "./http-provider.ts";
import { pathSegment } from "./path-segment.ts";
import type { Provider, ProviderContext, UpstreamCall } from "./provider.ts";
import { geminiServices } from "./services/gemini.ts";

const methodOf = (call: UpstreamCall): string | undefined => {
  if (call.operation === "count-tokens") return "countTokens";
  if (call.operation === "compact") return undefined;
  return call.stream ? "streamGenerateContent?alt=sse" : "generateContent";
};

/** `models/gemini-…` and the bare name are one; a tuned model has a path of its own. */
const modelPath = (model: string): string => {
  const [, folder = "models", name = model] = /^(models|tunedModels)\/(.+)$/.exec(model) ?? [];
  return `${folder}/${pathSegment(name)}`;
};

export const createGemini = (config: ProviderConfig, context: ProviderContext): Provider => {
  const given = trimSlash(config.baseUrl ?? "https://generativelanguage.googleapis.com");
  const version = /\/(v1(?:alpha|beta)?)$/.exec(given)?.[1] ?? "v1beta";
  const baseUrl = given.replace(/\/v1(?:alpha|beta)?$/, "");
  const key: Headers = hasKey(config) ? { "x-goog-api-key": config.apiKey ?? "" } : {};
  return createHttpProvider(config, context, {
    maker: "google",
    baseUrl,
    wires: () => ["gemini-generate"],
    path: (call) => {
      const method = methodOf(call);
      if (call.wire !== "gemini-generate" || method === undefined) return undefined;
      return `/${version}/${modelPath(call.model)}:${method}`;
    },
    authorize: () => key,
    forward: ["traceparent", "tracestate"],
    services: geminiServices({
      id: config.id,
      baseUrl,
      version,
      key: config.apiKey ?? "",
      headers: () => {
        requireConfigured(config);
        return configuredHeaders(config);
      },
      transport: context.transport,
      now: context.now,
    }),
  });
};
