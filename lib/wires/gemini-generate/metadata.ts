// What a candidate says beside its content: gathered over the chunks of a stream.
import type { Json, JsonObject } from "../../model/json.ts";
import { isObject } from "../../model/json.ts";

const known = new Set(["content", "finishReason", "index"]);

const isEmpty = (value: Json | undefined): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0);

const join = (before: Json | undefined, after: Json): Json =>
  Array.isArray(before) && Array.isArray(after) ? [...before, ...after] : after;

/** Log probabilities and recitations come chunk by chunk and are joined; of anything else the last word counts. */
const joined = new Set(["logprobsResult", "citationMetadata"]);

export const mergeCandidate = (fields: JsonObject, candidate: JsonObject): void => {
  for (const key in candidate) {
    const value = candidate[key];
    if (known.has(key) || value === undefined) continue;
    const before = fields[key];
    if (!isObject(before) || !isObject(value)) {
      fields[key] = value;
      continue;
    }
    const merged: JsonObject = { ...before };
    for (const name in value) {
      const after = value[name];
      if (isEmpty(after)) merged[name] ??= after;
      else if (after !== undefined) merged[name] = joined.has(key) ? join(before[name], after) : after;
    }
    fields[key] = merged;
  }
};
