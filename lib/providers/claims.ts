// Which bare model names a kind of provider claims, as data: resolving a name loads no provider.
import type { ProviderKind } from "./provider.ts";

const patterns: Partial<Record<ProviderKind, RegExp>> = {
  openai: /^(?:gpt-|o\d|chatgpt-|codex-|computer-use-|text-embedding-(?:3|ada)|dall-e|gpt-image|sora|whisper|tts-|omni-|davinci|babbage)/,
  anthropic: /^claude-/,
  gemini: /^(?:models\/)?(?:gemini-|gemma-|imagen-|veo-|learnlm-|text-embedding-00|embedding-00|gemini-embedding|aqa$)/,
  bedrock: /^(?:arn:aws[a-z-]*:bedrock:|(?:(?:us|eu|apac|jp|au|ca|global|us-gov)\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen|stability|writer|twelvelabs|luma|moonshot|minimax|nvidia|zai)\.)/,
  echo: /^echo(?:-|$)/,
};

/** The order in which kinds are asked: Bedrock's ids contain the others'. */
const order: readonly ProviderKind[] = ["bedrock", "openai", "anthropic", "gemini", "echo"];

export const claimsModel = (kind: ProviderKind, model: string): boolean => patterns[kind]?.test(model) ?? false;

/** The id of the first configured provider that claims the name. */
export const claimant = (providers: readonly { id: string; kind: ProviderKind }[], model: string): string | undefined => {
  for (const kind of order)
    if (claimsModel(kind, model)) {
      const found = providers.find((provider) => provider.kind === kind);
      if (found !== undefined) return found.id;
    }
  return undefined;
};
