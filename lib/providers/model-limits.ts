// The most output tokens of a model, by its name: what is filled in where a wire demands a limit and the caller gave none.
import { anthropicFacts } from "../wires/anthropic-messages/models.ts";
import type { ProviderKind } from "./provider.ts";

/** The first that matches, on the name without its host's prefix (`openai/gpt-…`, `ft:gpt-…`). */
const limits: readonly (readonly [RegExp, number])[] = [
  [/^gpt-5-pro/, 272_000],
  [/^gpt-5(?:\.\d+)?-chat/, 16_384],
  [/^gpt-5/, 128_000],
  [/^gpt-4\.1/, 32_768],
  [/^gpt-4o-2024-05-13/, 4096],
  [/^(?:gpt-4o|chatgpt-4o|gpt-4\.5|gpt-audio)/, 16_384],
  [/^gpt-4-(?:turbo|1106|0125|vision)/, 4096],
  [/^gpt-4(?:-\d|$)/, 8192],
  [/^gpt-3\.5/, 4096],
  [/^o1-preview/, 32_768],
  [/^o1-mini/, 65_536],
  [/^o\d/, 100_000],
  [/^gemini-(?:2\.5|3).*image/, 32_768],
  [/^gemini-(?:2\.5|[3-9]|\d\d)/, 65_536],
  [/^gemini-(?:1|2\.0)/, 8192],
];

/** Undefined where nothing is known. On the Anthropic provider every model has a limit: its wire demands one. */
export const outputLimit = (kind: ProviderKind, model: string): number | undefined => {
  if (kind === "anthropic" || /claude/i.test(model)) return anthropicFacts(model).maxOutputTokens;
  const name = model.slice(model.lastIndexOf("/") + 1).replace(/^ft:/, "");
  return limits.find(([pattern]) => pattern.test(name))?.[1];
};

/** Tokens of input and output together. */
const windows: readonly (readonly [RegExp, number])[] = [
  [/claude-(?:opus|sonnet)-(?:4-[6-9]|[5-9])/, 1_000_000],
  [/claude/, 200_000],
  [/^gpt-4\.1/, 1_047_576],
  [/^gpt-5(?:\.\d+)?-chat/, 128_000],
  [/^gpt-5/, 400_000],
  [/^(?:gpt-4o|chatgpt-4o|gpt-4\.5|gpt-4-turbo|gpt-4-1106|gpt-4-0125|gpt-audio|o1-(?:mini|preview))/, 128_000],
  [/^gpt-4-32k/, 32_768],
  [/^gpt-4(?:-\d|$)/, 8192],
  [/^gpt-3\.5/, 16_385],
  [/^o\d/, 200_000],
  [/^gemini-1\.5-pro/, 2_097_152],
  [/^gemini/, 1_048_576],
  [/^(?:grok-4-fast|grok-4-1-fast)/, 2_000_000],
  [/^grok-4/, 256_000],
  [/^(?:deepseek|mistral|llama-?3|qwen|gpt-oss)/, 128_000],
];

/** Undefined where nothing is known: then no history is cut. */
export const contextWindow = (kind: ProviderKind, model: string): number | undefined => {
  if (kind === "echo")
    return /window-(\d+)/.exec(model)?.[1] === undefined ? undefined : Number(/window-(\d+)/.exec(model)?.[1]);
  const name = model
    .slice(model.lastIndexOf("/") + 1)
    .replace(/^ft:/, "")
    .toLowerCase();
  return windows.find(([pattern]) => pattern.test(name))?.[1];
};
