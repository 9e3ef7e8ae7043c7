// Any host that speaks Chat Completions: Ollama, vLLM, Groq, OpenRouter, DeepSeek, Mistral, xAI and the rest. Their quirks are data (dialects.ts).
import type { ProviderConfig } from "../config-types.ts";
import { GatewayError } from "../model/error.ts";
import { hostOf } from "./dialects.ts";
import { createHttpProvider } from "./http-provider.ts";
import { openaiForwarded, openaiPath } from "./openai.ts";
import type { Provider, ProviderContext } from "./provider.ts";
import { openaiServices } from "./services/openai.ts";

/** Throws `invalid_request` where the address is neither given nor known. */
export const createOpenAiCompatible = (config: ProviderConfig, context: ProviderContext): Provider => {
  const host = hostOf(config.id, config.baseUrl);
  const baseUrl = config.baseUrl ?? host.baseUrl;
  if (baseUrl === undefined)
    throw new GatewayError("invalid_request", `The provider '${config.id}' has no address: set providers.${config.id}.baseUrl.`, { provider: config.id });
  return createHttpProvider(config, context, {
    // Hosts make state of their own; only the same host is given it back.
    maker: config.id,
    wires: () => ["openai-chat"],
    dialect: host.dialect,
    path: openaiPath,
    // A local host needs no key.
    authorize: () => (config.apiKey === undefined ? {} : { authorization: `Bearer ${config.apiKey}` }),
    forward: openaiForwarded,
    baseUrl,
    services: openaiServices({ id: config.id, wire: "openai-chat", client: () => ({ apiKey: config.apiKey ?? "none", baseURL: baseUrl, defaultHeaders: config.headers }) }),
  });
};
