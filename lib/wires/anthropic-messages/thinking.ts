// How much to think, in both directions: `thinking` and `output_config.effort` against the model's effort and budget (PROTOCOLS section 8).
import type { OutputConfig } from "@anthropic-ai/sdk/resources/messages";
import { asNumber, asString, unknownFields } from "../../model/json.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Reasoning, ReasoningEffort } from "../../model/request.ts";
import { nativeExtra, wire } from "./common.ts";
import type { AnthropicFacts } from "./models.ts";

const efforts: ReadonlySet<string> = new Set<NonNullable<OutputConfig["effort"]>>([
  "low",
  "medium",
  "high",
  "xhigh",
  "max",
]);
const isEffort = (text: string): text is ReasoningEffort => efforts.has(text);

/** Budgets of the models that know no effort, in tokens; each is cut to what the output limit leaves. */
const budgets: Record<Exclude<ReasoningEffort, "none">, number> = {
  minimal: 1024,
  low: 1024,
  medium: 8192,
  high: 24_576,
  xhigh: 49_152,
  max: Number.MAX_SAFE_INTEGER,
};
const smallestBudget = 1024;
/** The part of the output limit that thinking may take where the caller named no budget: the answer needs room as well. */
const thinkingShare = 0.8;

const effortOf = (budget: number): ReasoningEffort => {
  if (budget <= 4096) return "low";
  return budget <= 16_384 ? "medium" : "high";
};

const thinkingFields = new Set(["type", "budget_tokens", "display"]);

/**
 * In `extra`: `thinking` is the type as it was written ("absent" where only an effort was), `fields` what no table knows,
 * `effort` the effort where it is not the neutral one (thinking disabled, or a new level).
 */
export const decodeReasoning = (
  thinking: JsonObject | undefined,
  effort: string | undefined,
): Reasoning | undefined => {
  if (thinking === undefined && effort === undefined) return undefined;
  const type = asString(thinking?.["type"]) ?? "absent";
  const reasoning: Reasoning = {};
  const native: JsonObject = { thinking: type };
  if (type === "disabled") reasoning.effort = "none";
  if (effort !== undefined) {
    if (type !== "disabled" && isEffort(effort)) reasoning.effort = effort;
    else native["effort"] = effort;
  }
  if (type === "adaptive" || type === "between_tools") reasoning.dynamic = true;
  const budget = asNumber(thinking?.["budget_tokens"]);
  if (budget !== undefined) reasoning.budgetTokens = budget;
  const display = asString(thinking?.["display"]);
  if (display === "omitted") reasoning.show = "none";
  else if (display === "summarized") reasoning.show = "auto";
  const fields = thinking === undefined ? undefined : unknownFields(thinking, thinkingFields);
  if (fields !== undefined) native["fields"] = fields;
  reasoning.extra = { [wire]: native };
  return reasoning;
};

export type EncodedReasoning = { thinking?: JsonObject; effort?: string };

/** `limit`: max_tokens. */
export const encodeReasoning = (
  reasoning: Reasoning,
  facts: AnthropicFacts,
  limit: number,
  dropped: string[],
): EncodedReasoning => {
  const native = nativeExtra(reasoning.extra);
  const type = asString(native?.["thinking"]);
  const fields = native?.["fields"] as JsonObject | undefined;
  const asked = asString(native?.["effort"]) ?? (reasoning.effort === "none" ? undefined : reasoning.effort);
  const effort = asked === undefined ? undefined : legalEffort(asked, facts);

  if (type === "absent") {
    if (effort !== undefined && !facts.effort) dropped.push("output_config.effort");
    return facts.effort && effort !== undefined ? { effort } : {};
  }
  const told = (thinking: JsonObject, withEffort = facts.effort): EncodedReasoning => ({
    thinking: { ...thinking, ...fields },
    ...(withEffort && effort !== undefined ? { effort } : {}),
  });
  if (reasoning.effort === "none") return facts.thinking || type === "disabled" ? told({ type: "disabled" }) : {};
  if (type !== undefined && !["enabled", "adaptive"].includes(type) && (type !== "between_tools" || facts.adaptive))
    return told({ type, ...shown(reasoning, true) });

  const { budgetTokens } = reasoning;
  const wanted = asked !== undefined || budgetTokens !== undefined || reasoning.dynamic === true;
  if (!wanted && (reasoning.show === undefined || reasoning.show === "none")) return {};
  if (!facts.thinking) {
    dropped.push("reasoning");
    return {};
  }
  if (facts.adaptive && (budgetTokens === undefined || !facts.budgets)) {
    const encoded = told({ type: "adaptive", ...shown(reasoning, true) });
    return encoded.effort === undefined && budgetTokens !== undefined
      ? { ...encoded, effort: legalEffort(effortOf(budgetTokens), facts) }
      : encoded;
  }
  // A caller of this wire may think in a longer budget than its output limit (interleaved thinking): its number stands.
  const budget = type === "enabled" && budgetTokens !== undefined ? budgetTokens : fit(reasoning, asked, limit);
  if (budget === undefined) {
    dropped.push("reasoning");
    return {};
  }
  return told(
    { type: "enabled", budget_tokens: budget, ...shown(reasoning, type !== undefined) },
    facts.effort && type === "enabled",
  );
};

/** Undefined where the limit leaves no room for the smallest budget. */
const fit = (reasoning: Reasoning, asked: string | undefined, limit: number): number | undefined => {
  if (limit <= smallestBudget) return undefined;
  if (reasoning.budgetTokens !== undefined)
    return Math.max(smallestBudget, Math.min(reasoning.budgetTokens, limit - 1));
  const wanted = asked !== undefined && asked in budgets ? budgets[asked as keyof typeof budgets] : budgets.medium;
  return Math.max(smallestBudget, Math.min(wanted, Math.floor(limit * thinkingShare)));
};

const legalEffort = (effort: string, facts: AnthropicFacts): string => {
  if (effort === "minimal") return "low";
  if (effort === "xhigh" && !facts.xhigh) return "high";
  if (effort === "max" && !facts.maxEffort) return "high";
  return effort;
};

/** `known`: whether the target certainly takes the field. */
const shown = (reasoning: Reasoning, known: boolean): JsonObject => {
  if (reasoning.show === undefined || !known) return {};
  return { display: reasoning.show === "none" ? "omitted" : "summarized" };
};
