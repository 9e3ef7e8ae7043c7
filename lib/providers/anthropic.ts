// Anthropic itself.
import type { ProviderConfig } from "../config-types.ts";
import type { Headers } from "../model/call.ts";
import { hasKey, requireConfigured } from "./credentials.ts";
import { configuredHeaders, createHttpProvider, trimSlash } from "./http-provider.ts";
import type { Provider, ProviderContext } from "./provider.ts";
import { anthropicServices } from "./services/anthropic.ts";

/** The version of the wire that Heddle encodes; a client's own is passed on. */
const version = "2023-06-01";

const paths = { generate: "/v1/messages", "count-tokens": "/v1/messages/count_tokens", compact: undefined };

export const createAnthropic = (config: ProviderConfig, context: ProviderContext): Provider => {
  // The vendor's SDK takes an address without `/v1`, people write it with.
  const baseUrl = trimSlash(config.baseUrl ?? "https://api.anthropic.com").replace(/\/v1$/, "");
  const key: Headers = hasKey(config) ? { "x-api-key": config.apiKey ?? "" } : {};
  return createHttpProvider(config, context, {
    maker: "anthropic",
    baseUrl,
    wires: () => ["anthropic-messages"],
    path: (call) => (call.wire === "anthropic-messages" ? paths[call.operation] : undefined),
    authorize: () => key,
    forward: ["anthropic-version", "anthropic-beta", "traceparent", "tracestate"],
    defaults: { "anthropic-version": version },
    services: anthropicServices({
      id: config.id,
      baseUrl,
      headers: () => {
        requireConfigured(config);
        return { ...key, ...configuredHeaders(config) };
      },
    }),
  });
};
