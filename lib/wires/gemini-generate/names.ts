// Names and small readers that every file of this wire shares.
import type { Json, JsonObject } from "../../model/json.ts";
import type { Extra } from "../../model/wire-id.ts";
import { isObject } from "../../model/json.ts";
import { invalid } from "../../model/error.ts";

export const wireId = "gemini-generate";

/** The maker whose state stands unsealed in a `thoughtSignature`. */
export const nativeOrigin = "google";

/** Ids that this wire made up because Gemini gave none; they are never sent back to it, nor to its clients. */
const callPrefix = "call_gm";
export const isMadeUp = (callId: string): boolean => callId.startsWith(callPrefix);

/** The same text gives the same id, so that a history keeps its ids from call to call (F23). 53 bits of FNV-like mixing. */
export const makeCallId = (seed: string, position: string | number): string => {
  let a = 0x811c9dc5;
  let b = 0x1b873593;
  for (let at = 0; at < seed.length; at += 1) {
    const code = seed.charCodeAt(at);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 13);
  }
  const hash = (a >>> 0).toString(36).padStart(7, "0") + (b >>> 0).toString(36).padStart(7, "0");
  return `${callPrefix}_${hash}_${position}`;
};

export const own = (extra: Extra | undefined): JsonObject | undefined => extra?.[wireId];

/** Fields as this wire's extra; undefined where there are none. */
export const asExtra = (fields: JsonObject | undefined): Extra | undefined => {
  for (const _key in fields) return { [wireId]: fields };
  return undefined;
};

const toCamel = (key: string): string => key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** REST takes `system_instruction` as well as `systemInstruction`: one level of names, as the second spelling. */
export const camel = (value: JsonObject): JsonObject => {
  let snake = false;
  for (const key in value) if (key.includes("_")) snake = true;
  if (!snake) return value;
  const result: JsonObject = {};
  for (const key in value) result[toCamel(key)] = value[key];
  return result;
};

/** protobuf's JSON reads null as absent. */
export const isAbsent = (value: Json | undefined): value is null | undefined => value === undefined || value === null;

/** An optional object of the request, its names in camel case. */
export const objectAt = (value: Json | undefined, param: string): JsonObject | undefined => {
  if (isAbsent(value)) return undefined;
  if (!isObject(value)) throw invalid(param, "expected an object");
  return camel(value);
};

/** An optional list of the request; one object alone counts as a list of one, as protobuf's readers take it. */
export const listAt = (value: Json | undefined, param: string): Json[] => {
  if (isAbsent(value)) return [];
  if (Array.isArray(value)) return value;
  if (isObject(value)) return [value];
  throw invalid(param, "expected an array");
};

export const stringAt = (value: Json | undefined, param: string): string | undefined => {
  if (isAbsent(value)) return undefined;
  if (typeof value !== "string") throw invalid(param, "expected a string");
  return value;
};

/** protobuf's JSON takes numbers as text too. */
export const numberAt = (value: Json | undefined, param: string): number | undefined => {
  if (isAbsent(value)) return undefined;
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) throw invalid(param, "expected a number");
  return number;
};

export const booleanAt = (value: Json | undefined, param: string): boolean | undefined => {
  if (isAbsent(value)) return undefined;
  if (typeof value !== "boolean") throw invalid(param, "expected true or false");
  return value;
};
