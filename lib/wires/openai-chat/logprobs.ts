// Log probabilities: a choice's arrays by kind here, each part's own in the neutral model.
import { asArray, asObject, type Json, type JsonObject } from "../../model/json.ts";
import type { Part } from "../../model/message.ts";
import type { Extra } from "../../model/wire-id.ts";
import { extraOf, own, wireId } from "./names.ts";

export const logprobKinds = { text: "content", refusal: "refusal", reasoning: "reasoning_content" } as const;
export type SpokenType = keyof typeof logprobKinds;

/** The arrays of one chunk or choice, by the kind of part they belong to. */
export const logprobsIn = (choice: JsonObject): Partial<Record<SpokenType, Json[]>> | undefined => {
  const logprobs = asObject(choice["logprobs"]);
  if (logprobs === undefined) return undefined;
  const found: Partial<Record<SpokenType, Json[]>> = {};
  for (const type of Object.keys(logprobKinds) as SpokenType[]) {
    const list = asArray(logprobs[logprobKinds[type]]);
    if (list !== undefined && list.length > 0) found[type] = list;
  }
  return found;
};

/** Puts a whole choice's log probabilities into its parts. What no part takes is left: a call's, say. */
export const bindLogprobs = (parts: readonly Part[], choice: JsonObject): JsonObject | undefined => {
  const found = logprobsIn(choice);
  let left: JsonObject | undefined;
  for (const type in found) {
    const list = found[type as SpokenType];
    const part = parts.find((each) => each.type === type);
    if (part === undefined) (left ??= {})[logprobKinds[type as SpokenType]] = list;
    else part.extra = { ...part.extra, ...extraOf({ ...own(part), logprobs: list }) };
  }
  return left;
};

/** A choice's `logprobs` from those of its parts; undefined where there are none. */
export const gatherLogprobs = (parts: readonly Part[]): JsonObject | undefined => {
  const gathered: Record<string, Json[]> = {};
  for (const part of parts) {
    if (part.type !== "text" && part.type !== "refusal" && part.type !== "reasoning") continue;
    const list = asArray(own(part)?.["logprobs"]);
    if (list !== undefined) (gathered[logprobKinds[part.type]] ??= []).push(...list);
  }
  return Object.keys(gathered).length === 0 ? undefined : { content: null, refusal: null, ...gathered };
};

/** The `logprobs` of one chunk. */
export const chunkLogprobs = (type: SpokenType, extra: Extra | undefined): JsonObject => {
  const list = asArray(extra?.[wireId]?.["logprobs"]);
  return list === undefined ? {} : { logprobs: { content: null, refusal: null, [logprobKinds[type]]: list } };
};
