// Kinds of provider, one line each; a kind's code loads when a provider of it is first used.
import type { ProviderConfig } from "../config-types.ts";
import type { Provider, ProviderContext, ProviderKind } from "./provider.ts";

type Factory = (config: ProviderConfig, context: ProviderContext) => Provider;

const factories: Record<ProviderKind, () => Promise<Factory>> = {
  openai: async () => (await import("./openai.ts")).createOpenAi,
  anthropic: async () => (await import("./anthropic.ts")).createAnthropic,
  gemini: async () => (await import("./gemini.ts")).createGemini,
  "azure-openai": async () => (await import("./azure-openai.ts")).createAzureOpenAi,
  bedrock: async () => (await import("./bedrock/index.ts")).createBedrock,
  "openai-compatible": async () => (await import("./openai-compatible.ts")).createOpenAiCompatible,
  echo: async () => (await import("./echo/index.ts")).createEcho,
};

export const createProvider = async (config: ProviderConfig, context: ProviderContext): Promise<Provider> =>
  (await factories[config.kind]())(config, context);
