// What differs between the generations of Gemini models, told by name. Aliases such as `gemini-flash-latest` count as the newest.
import type { ReasoningEffort } from "../../model/request.ts";

export type ThinkingLevel = "MINIMAL" | "LOW" | "MEDIUM" | "HIGH";

export type ModelFacts = {
  /** How thinking is steered: a level (3 and later), a budget of tokens (2.5), or not at all. */
  thinking: "level" | "budget" | "none";
  /** The levels a `level` model takes. */
  levels: readonly ThinkingLevel[];
  /** The budgets a `budget` model takes; `off`: whether 0 is allowed. */
  budget: { min: number; max: number; off: boolean };
  /** Whether a history's function calls must carry a thought signature (F14). */
  needsSignatures: boolean;
  /** Whether a function's response may hold media itself. */
  mediaInToolResults: boolean;
  /** Whether functions and the provider's own tools may stand in one request. */
  mixesTools: boolean;
};

const allLevels: readonly ThinkingLevel[] = ["MINIMAL", "LOW", "MEDIUM", "HIGH"];
const noBudget = { min: 0, max: 0, off: true };
const newest: ModelFacts = {
  thinking: "level",
  levels: allLevels,
  budget: { min: 128, max: 32768, off: false },
  needsSignatures: true,
  mediaInToolResults: true,
  mixesTools: true,
};
const oldest: ModelFacts = {
  thinking: "none",
  levels: [],
  budget: noBudget,
  needsSignatures: false,
  mediaInToolResults: false,
  mixesTools: false,
};
const thinking25 = (min: number, max: number, off: boolean): ModelFacts => ({
  ...oldest,
  thinking: "budget",
  budget: { min, max, off },
});

/** First match wins. */
const table: readonly (readonly [RegExp, ModelFacts])[] = [
  [/gemma|embedding|imagen|veo|-tts|native-audio/, oldest],
  [/gemini-(1|2\.0)/, oldest],
  [/gemini-2\.5-.*image/, oldest],
  [/gemini-2\.5-pro/, thinking25(128, 32768, false)],
  [/gemini-2\.5-flash-lite/, thinking25(512, 24576, true)],
  [/gemini-2\.5/, thinking25(0, 24576, true)],
  [/gemini-3-pro/, { ...newest, levels: ["LOW", "HIGH"] }],
  [/gemini-[3-9].*pro/, { ...newest, levels: ["LOW", "MEDIUM", "HIGH"] }],
  [/gemini-([3-9]|\d\d)/, newest],
  [/gemini-.*latest/, newest],
];

export const modelFacts = (model: string): ModelFacts => table.find(([name]) => name.test(model))?.[1] ?? oldest;

/** Google's own words for a call whose signature is not to be had (it came from another model, or was lost): the check is skipped. */
export const unsignedCallMark = "skip_thought_signature_validator";

/** PROTOCOLS section 8, read in both directions. */
const efforts: readonly { effort: ReasoningEffort; level: ThinkingLevel; budget: number }[] = [
  { effort: "none", level: "MINIMAL", budget: 0 },
  { effort: "minimal", level: "MINIMAL", budget: 512 },
  { effort: "low", level: "LOW", budget: 1024 },
  { effort: "medium", level: "MEDIUM", budget: 8192 },
  { effort: "high", level: "HIGH", budget: 24576 },
  { effort: "xhigh", level: "HIGH", budget: 32768 },
  { effort: "max", level: "HIGH", budget: 32768 },
];

export const effortOfLevel = (level: string): ReasoningEffort | undefined =>
  allLevels.includes(level as ThinkingLevel) ? (level.toLowerCase() as ReasoningEffort) : undefined;

/** The level a model takes that is nearest to the effort, the higher one where there is none between. */
export const levelOfEffort = (effort: ReasoningEffort, facts: ModelFacts): ThinkingLevel => {
  const wanted = efforts.find((row) => row.effort === effort)?.level ?? "HIGH";
  const rank = allLevels.indexOf(wanted);
  return facts.levels.find((level) => allLevels.indexOf(level) >= rank) ?? "HIGH";
};

export const clampBudget = (tokens: number, facts: ModelFacts): number =>
  tokens <= 0 && facts.budget.off ? 0 : Math.min(Math.max(tokens, facts.budget.min), facts.budget.max);

export const budgetOfEffort = (effort: ReasoningEffort, facts: ModelFacts): number =>
  clampBudget(efforts.find((row) => row.effort === effort)?.budget ?? facts.budget.max, facts);

/** The effort whose usual budget is the nearest one from above. */
export const effortOfBudget = (tokens: number): ReasoningEffort =>
  efforts.find((row) => tokens <= row.budget)?.effort ?? "max";
