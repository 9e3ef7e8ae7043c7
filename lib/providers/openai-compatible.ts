// Any host that speaks Chat Completions: Ollama, vLLM, Groq, OpenRouter, DeepSeek, Mistral, xAI and the rest. Their quirks are data (dialects.ts).
import type { ProviderConfig } from "../config-types.ts";
import { invalid } from "../model/error.ts";
import { dialectOf, hostOf } from "./dialects.ts";
import { configuredHeaders, createHttpProvider, trimSlash } from "./http-provider.ts";
import { bearer, openaiForwarded, openaiPath } from "./openai.ts";
import type { Provider, ProviderContext } from "./provider.ts";
import { openaiServices } from "./services/openai.ts";

/** Throws `invalid_request` where the address is neither given nor known. A key is optional: local hosts need none. */
export const createOpenAiCompatible = (config: ProviderConfig, context: ProviderContext): Provider => {
  const host = hostOf(config.id, config.baseUrl);
  const address = config.baseUrl ?? host.baseUrl;
  if (address === undefined)
    throw invalid(
      `providers.${config.id}.baseUrl`,
      "expected the address of the host, such as http://127.0.0.1:8000/v1",
    );
  const baseUrl = trimSlash(address);
  const authorization = bearer(config);
  return createHttpProvider(config, context, {
    // Hosts make state of their own; only the same host is given it back.
    maker: config.id,
    baseUrl,
    wires: () => ["openai-chat"],
    dialect: (model) => dialectOf(host, model),
    path: openaiPath,
    authorize: () => authorization,
    forward: openaiForwarded,
    services: openaiServices({
      id: config.id,
      baseUrl,
      headers: () => ({ ...authorization, ...configuredHeaders(config) }),
    }),
  });
};
