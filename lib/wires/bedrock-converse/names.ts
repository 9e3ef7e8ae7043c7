// Names and small readers that every file of this wire shares.
import type { Json, JsonObject } from "../../model/json.ts";
import type { Extra } from "../../model/wire-id.ts";
import { isObject } from "../../model/json.ts";
import { invalid } from "../../model/error.ts";

export const wireId = "bedrock-converse";

export const own = (extra: Extra | undefined): JsonObject | undefined => extra?.[wireId];

/** Fields as this wire's extra; undefined where there are none. */
export const asExtra = (fields: JsonObject | undefined): Extra | undefined => {
  for (const _key in fields) return { [wireId]: fields };
  return undefined;
};

const absent = (value: Json | undefined): value is null | undefined => value === undefined || value === null;

export const objectAt = (value: Json | undefined, param: string): JsonObject | undefined => {
  if (absent(value)) return undefined;
  if (!isObject(value)) throw invalid(param, "expected an object");
  return value;
};

export const listAt = (value: Json | undefined, param: string): Json[] => {
  if (absent(value)) return [];
  if (!Array.isArray(value)) throw invalid(param, "expected an array");
  return value;
};

/** The member of a union object that is in use (`{text}`, `{toolUse}`), and the fields beside it. */
export const memberOf = (
  block: JsonObject,
  known: ReadonlySet<string>,
): { kind: string; value: Json; beside: JsonObject | undefined } | undefined => {
  for (const kind in block) {
    const value = block[kind];
    if (!known.has(kind) || value === undefined) continue;
    const { [kind]: _member, ...beside } = block;
    return { kind, value, beside: Object.keys(beside).length === 0 ? undefined : beside };
  }
  return undefined;
};
