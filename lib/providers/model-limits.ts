// The most output tokens of a model, by its name: what is filled in where a wire demands a limit and the caller gave none.
import { anthropicFacts } from "../wires/anthropic-messages/models.ts";
import type { ProviderKind } from "./provider.ts";

/** Undefined where the target's wire needs no limit, or nothing is known. */
export const outputLimit = (kind: ProviderKind, model: string): number | undefined =>
  kind === "anthropic" || /claude/i.test(model) ? anthropicFacts(model).maxOutputTokens : undefined;
