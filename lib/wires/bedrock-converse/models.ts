// What Bedrock's model ids tell: whose model it is, and which ways of saying things it understands.

/** `unknown`: an ARN that names no model (an application inference profile, a provisioned model); it is trusted with everything. */
export type Family = "claude" | "nova" | "nova-2" | "gpt-oss" | "mistral" | "cohere" | "other" | "unknown";

const families: readonly (readonly [RegExp, Family])[] = [
  [/anthropic\.|claude/, "claude"],
  [/amazon\.nova-(?:[2-9]|premier-[2-9])/, "nova-2"],
  [/amazon\.nova/, "nova"],
  [/openai\.gpt-oss/, "gpt-oss"],
  [/mistral\./, "mistral"],
  [/cohere\./, "cohere"],
  [/^arn:.*(?:application-inference-profile|provisioned-model|prompt|imported-model|custom-model)/, "unknown"],
];

export const familyOf = (model: string): Family => {
  const name = model.toLowerCase();
  return families.find(([pattern]) => pattern.test(name))?.[1] ?? "other";
};

/**
 * Who can read the opaque state of this model's answers: Claude's signatures are Anthropic's on every host; all other state
 * stays with Bedrock.
 */
export const makerOf = (model: string): string => (familyOf(model) === "claude" ? "anthropic" : "bedrock");

/** `claude-opus-4-6` is [4, 6], `claude-3-7-sonnet-2025…` is [3, 7]; undefined for names without a version. */
export const claudeVersion = (model: string): [number, number] | undefined => {
  const found = /claude-(?:[a-z]+-)?(\d{1,2})(?:-(\d{1,2})(?!\d))?/.exec(model.toLowerCase());
  return found === null ? undefined : [Number(found[1]), Number(found[2] ?? 0)];
};

export type ClaudeThinking = "adaptive" | "budget" | "none";

/** How a Claude model is told to think: by effort, by a budget of tokens, or not at all. */
export const claudeThinking = (model: string, adaptive: boolean | undefined): ClaudeThinking => {
  if (adaptive !== undefined) return adaptive ? "adaptive" : "budget";
  const version = claudeVersion(model);
  if (version === undefined) return /claude-(?:v\d|instant)/.test(model) ? "none" : "adaptive";
  const [major, minor] = version;
  if (major >= 5 || (major === 4 && minor >= 6)) return "adaptive";
  return major === 4 || (major === 3 && minor >= 7) ? "budget" : "none";
};

/** Families whose models take cache points; elsewhere they are refused. */
export const caches = (family: Family): boolean =>
  family === "claude" || family === "nova" || family === "nova-2" || family === "unknown";
