// Token counts of a Response, both ways (PROTOCOLS section 4): input and output are totals here too.
import type { ResponseUsage } from "openai/resources/responses/responses";
import { asNumber, asObject, compact, type Json, type JsonObject } from "../../model/json.ts";
import { clampUsage, type Usage } from "../../model/usage.ts";
import { extraOf, json, wireId } from "./names.ts";

export const decodeUsage = (value: Json | undefined): Usage | undefined => {
  const raw = asObject(value);
  if (raw === undefined) return undefined;
  const input = asObject(raw["input_tokens_details"]);
  const output = asObject(raw["output_tokens_details"]);
  return clampUsage(
    compact<Usage>({
      input: asNumber(raw["input_tokens"]) ?? 0,
      cachedInput: asNumber(input?.["cached_tokens"]),
      cacheWrite: asNumber(input?.["cache_write_tokens"]),
      output: asNumber(raw["output_tokens"]) ?? 0,
      reasoning: asNumber(output?.["reasoning_tokens"]),
      inputAudio: asNumber(input?.["audio_tokens"]),
      outputAudio: asNumber(output?.["audio_tokens"]),
      extra: extraOf(raw),
    }),
  );
};

export const encodeUsage = (usage: Usage): JsonObject => {
  const raw = usage.extra?.[wireId];
  const told = {
    input_tokens: usage.input,
    input_tokens_details: { cached_tokens: usage.cachedInput ?? 0, cache_write_tokens: usage.cacheWrite ?? 0 },
    output_tokens: usage.output,
    output_tokens_details: { reasoning_tokens: usage.reasoning ?? 0 },
    total_tokens: asNumber(raw?.["total_tokens"]) ?? usage.input + usage.output,
  } satisfies ResponseUsage;
  if (raw === undefined) return json(told);
  return {
    ...raw,
    ...told,
    input_tokens_details: { ...asObject(raw["input_tokens_details"]), ...told.input_tokens_details },
    output_tokens_details: { ...asObject(raw["output_tokens_details"]), ...told.output_tokens_details },
  };
};
