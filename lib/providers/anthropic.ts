// Anthropic itself.
import type { ProviderConfig } from "../config-types.ts";
import { createHttpProvider, requireKey, trimSlash } from "./http-provider.ts";
import type { Provider, ProviderContext } from "./provider.ts";
import { anthropicServices } from "./services/anthropic.ts";

/** The version of the wire that Heddle encodes; a client's own is passed on. */
const version = "2023-06-01";

export const createAnthropic = (config: ProviderConfig, context: ProviderContext): Provider => {
  // The vendor's SDK takes an address without `/v1`, people write it with.
  const baseUrl = trimSlash(config.baseUrl ?? "https://api.anthropic.com").replace(/\/v1$/, "");
  const key = (): string => requireKey(config, "ANTHROPIC_API_KEY");
  const provider = createHttpProvider(config, context, {
    maker: "anthropic",
    wires: () => ["anthropic-messages"],
    dialect: {},
    path: (call) =>
      call.wire !== "anthropic-messages"
        ? undefined
        : { generate: "/v1/messages", "count-tokens": "/v1/messages/count_tokens", compact: undefined }[call.operation],
    authorize: () => ({ "x-api-key": key() }),
    forward: ["anthropic-version", "anthropic-beta", "idempotency-key", "traceparent", "tracestate"],
    baseUrl,
    services: anthropicServices({ id: config.id, client: () => ({ apiKey: key(), baseURL: baseUrl, defaultHeaders: config.headers }) }),
  });
  return {
    ...provider,
    send: (call, signal) => provider.send({ ...call, headers: { "anthropic-version": version, ...call.headers } }, signal),
  };
};
