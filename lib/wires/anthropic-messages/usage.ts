// Token counts: this wire tells the uncached input, the cached and the written side by side; the model wants their sum.
import { asNumber, asObject } from "../../model/json.ts";
import type { JsonObject } from "../../model/json.ts";
import { clampUsage } from "../../model/usage.ts";
import type { Usage } from "../../model/usage.ts";
import { nativeExtra, wire } from "./common.ts";

const counted = new Set([
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_creation_input_tokens",
  "output_tokens_details",
]);

/** The later counts over the earlier: each is a total, and null or absent says nothing new (F35). */
export const mergeUsage = (before: JsonObject | undefined, after: JsonObject): JsonObject => {
  const merged: JsonObject = { ...before };
  for (const key in after) if (after[key] !== null && after[key] !== undefined) merged[key] = after[key];
  return merged;
};

export const decodeUsage = (raw: JsonObject): Usage => {
  const read = asNumber(raw["cache_read_input_tokens"]);
  const written = asNumber(raw["cache_creation_input_tokens"]);
  const long = asNumber(asObject(raw["cache_creation"])?.["ephemeral_1h_input_tokens"]);
  const thinking = asNumber(asObject(raw["output_tokens_details"])?.["thinking_tokens"]);
  const usage: Usage = {
    input: (asNumber(raw["input_tokens"]) ?? 0) + (read ?? 0) + (written ?? 0),
    output: asNumber(raw["output_tokens"]) ?? 0,
  };
  if (read !== undefined) usage.cachedInput = read;
  if (written !== undefined) usage.cacheWrite = written;
  if (long !== undefined) usage.cacheWriteLong = long;
  if (thinking !== undefined) usage.reasoning = thinking;
  const rest: JsonObject = {};
  let kept = false;
  for (const key in raw) {
    if (counted.has(key) || raw[key] === null || raw[key] === undefined) continue;
    rest[key] = raw[key];
    kept = true;
  }
  if (kept) usage.extra = { [wire]: rest };
  return clampUsage(usage);
};

/** `delta`: the shorter form of a `message_delta`, whose counts are totals as well. */
export const encodeUsage = (usage: Usage | undefined, delta = false): JsonObject => {
  const {
    input,
    output,
    cachedInput = 0,
    cacheWrite = 0,
    cacheWriteLong,
    reasoning,
  } = usage ?? { input: 0, output: 0 };
  const raw: JsonObject = {
    input_tokens: Math.max(0, input - cachedInput - cacheWrite),
    cache_creation_input_tokens: cacheWrite,
    cache_read_input_tokens: cachedInput,
    output_tokens: output,
  };
  if (reasoning !== undefined) raw["output_tokens_details"] = { thinking_tokens: reasoning };
  const native = nativeExtra(usage?.extra);
  if (!delta && cacheWriteLong !== undefined)
    raw["cache_creation"] = {
      ephemeral_5m_input_tokens: Math.max(0, cacheWrite - cacheWriteLong),
      ephemeral_1h_input_tokens: cacheWriteLong,
    };
  return { ...raw, ...native };
};
