// Which bare model names a kind of provider claims, as data: resolving a name loads no provider and no SDK.
import type { ProviderConfig } from "../config-types.ts";
import { claims as claimsBedrock } from "./bedrock/endpoints.ts";
import { isConfigured } from "./credentials.ts";
import type { ProviderKind } from "./provider.ts";

const openai =
  /^(?:ft:)?(?:gpt-|o\d|chatgpt-|codex-|computer-use-|text-embedding-(?!00)|dall-e|sora|whisper|tts-|omni-moderation|davinci|babbage)/;
const patterns: Partial<Record<ProviderKind, RegExp>> = {
  openai,
  "azure-openai": openai,
  anthropic: /^claude-/,
  gemini:
    /^(?:models\/|tunedModels\/)?(?:gemini-|gemma-|imagen-|veo-|learnlm-|text-embedding-00|embedding-00|aqa$)|^tunedModels\//,
  echo: /^echo(?:-|$)/,
};

/** The order in which kinds are asked. Bedrock's ids hold others' names; Azure calls OpenAI's models by any name, so it comes last. */
const order: readonly ProviderKind[] = ["bedrock", "openai", "anthropic", "gemini", "echo", "azure-openai"];

export const claimsModel = (kind: ProviderKind, model: string): boolean =>
  kind === "bedrock" ? claimsBedrock(model) : (patterns[kind]?.test(model) ?? false);

/**
 * The id of the provider that a bare name belongs to: one that is configured to offer it, else the first that claims it, those
 * with a key before those without.
 */
export const claimant = (providers: readonly ProviderConfig[], model: string): string | undefined => {
  const named = providers.find((provider) => provider.models.includes(model));
  if (named !== undefined) return named.id;
  const claiming = order
    .filter((kind) => claimsModel(kind, model))
    .flatMap((kind) => providers.filter((provider) => provider.kind === kind));
  return (claiming.find(isConfigured) ?? claiming[0])?.id;
};
