// Google's Gemini API.
import type { ProviderConfig } from "../config-types.ts";
import { createHttpProvider, requireKey, trimSlash } from "./http-provider.ts";
import type { Provider, ProviderContext, UpstreamCall } from "./provider.ts";
import { geminiServices } from "./services/gemini.ts";

const method = (call: UpstreamCall): string | undefined => {
  if (call.operation === "count-tokens") return "countTokens";
  if (call.operation !== "generate") return undefined;
  return call.stream ? "streamGenerateContent?alt=sse" : "generateContent";
};

export const createGemini = (config: ProviderConfig, context: ProviderContext): Provider => {
  const baseUrl = trimSlash(config.baseUrl ?? "https://generativelanguage.googleapis.com").replace(/\/v1(?:beta)?$/, "");
  const key = (): string => requireKey(config, "GEMINI_API_KEY");
  return createHttpProvider(config, context, {
    maker: "google",
    wires: () => ["gemini-generate"],
    dialect: {},
    path: (call) => {
      const name = method(call);
      if (call.wire !== "gemini-generate" || name === undefined) return undefined;
      const model = call.model.replace(/^models\//, "");
      // Tuned models have a path of their own.
      const path = model.split("/").map(encodeURIComponent).join("/");
      return `/v1beta/${/^(?:tunedModels|publishers|projects)\//.test(model) ? "" : "models/"}${path}:${name}`;
    },
    authorize: () => ({ "x-goog-api-key": key() }),
    forward: ["traceparent", "tracestate"],
    baseUrl,
    services: geminiServices({ id: config.id, baseUrl, key, headers: config.headers, transport: context.transport }),
  });
};
