// What the Claude models can do, told by their names: Anthropic's own, Bedrock's (`us.anthropic.claude-…-v1:0`), Vertex's, OpenRouter's.
import type { Target } from "../wire.ts";

export type AnthropicFacts = {
  /** Thinks adaptively: `thinking: {type: adaptive}` and an effort. */
  adaptive: boolean;
  /** Takes `output_config.format`. */
  structuredOutput: boolean;
  /** Takes the effort `xhigh`. */
  xhigh: boolean;
  /** The most output tokens of one answer. */
  maxOutputTokens: number;
  /** Thinks at all. */
  thinking: boolean;
  /** Takes `thinking.budget_tokens`. */
  budgets: boolean;
  /** Takes `output_config.effort`. */
  effort: boolean;
  /** Takes the effort `max`. */
  maxEffort: boolean;
  /** Takes temperature, top_p and top_k at other than their defaults. */
  sampling: boolean;
  /** Refuses temperature and top_p together. */
  oneSampler: boolean;
  /** Takes `role: "system"` inside `messages`. */
  systemTurns: boolean;
};

type Name = { family: string; version: number };

const newest = 99;

/** `claude-opus-4-6` is 4.06, `claude-3-5-sonnet-20241022` is 3.05; a Claude without a number is taken for the newest. */
const parseName = (model: string): Name | undefined => {
  const name = model.toLowerCase();
  if (!name.includes("claude")) return undefined;
  const family = /opus|sonnet|haiku|fable|mythos|instant/.exec(name)?.[0] ?? "";
  const numbers = /claude-(?:[a-z]+-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?/.exec(name);
  if (numbers === null) return { family, version: family === "instant" ? 1 : newest };
  return { family, version: Number(numbers[1]) + Number(numbers[2] ?? 0) / 100 };
};

/** The limit by version, the first that applies. */
const outputLimits: readonly (readonly [from: number, limit: number, family?: string])[] = [
  [4.06, 128_000, "opus"],
  [4.05, 64_000],
  [4.01, 32_000, "opus"],
  [4, 32_000, "opus"],
  [3.07, 64_000],
  [3.05, 8192],
  [0, 4096],
];

const limitOf = ({ family, version }: Name): number =>
  outputLimits.find(([from, , only]) => version >= from && (only === undefined || only === family))?.[1] ?? 4096;

/** Hosts of other models that speak this wire: what the wire had from its start. */
const others: AnthropicFacts = {
  adaptive: false,
  structuredOutput: false,
  xhigh: false,
  maxOutputTokens: 8192,
  thinking: true,
  budgets: true,
  effort: false,
  maxEffort: false,
  sampling: true,
  oneSampler: false,
  systemTurns: false,
};

export const anthropicFacts = (model: string): AnthropicFacts => {
  const name = parseName(model);
  if (name === undefined) return others;
  const { family, version } = name;
  return {
    adaptive: version >= 4.06,
    structuredOutput: version >= 4.05 || (family === "opus" && version >= 4.01),
    xhigh: version >= 4.07,
    maxOutputTokens: limitOf(name),
    thinking: version >= 3.07,
    budgets: version >= 3.07 && version <= 4.06,
    effort: version >= 4.06 || (family === "opus" && version >= 4.05),
    maxEffort: version >= 4.06,
    sampling: version <= 4.06,
    oneSampler: version >= 4.05 || (family === "opus" && version >= 4.01),
    systemTurns: version >= 4.08,
  };
};

/** The facts of a target: its model's, unless the host's dialect says otherwise. */
export const targetFacts = (target: Target): AnthropicFacts => {
  const facts = anthropicFacts(target.model);
  const adaptive = target.dialect.adaptiveThinking;
  if (adaptive === undefined || adaptive === facts.adaptive) return facts;
  return adaptive
    ? { ...facts, adaptive, structuredOutput: true, thinking: true, effort: true }
    : { ...facts, adaptive, budgets: true };
};
