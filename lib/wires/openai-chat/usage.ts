// Token counts of Chat, both ways (PROTOCOLS section 4): totals here too, but hosts differ in what they count and where they put it.
import type { CompletionUsage } from "openai/resources/completions";
import { asNumber, asObject, compact, type Json, type JsonObject } from "../../model/json.ts";
import { clampUsage, type Usage } from "../../model/usage.ts";
import type { Target } from "../wire.ts";
import { extraOf, googleOrigin, json, wireId } from "./names.ts";

/** `x_groq.usage` is Groq's place for it in a stream's last chunk. */
export const usageIn = (body: JsonObject): JsonObject | undefined =>
  asObject(body["usage"]) ?? asObject(asObject(body["x_groq"])?.["usage"]);

/** Reasoning that is not counted in the completion: xAI tells both apart, Gemini's endpoint shows it in the total alone. */
const beside = (raw: JsonObject, reasoning: number, target: Target): number => {
  const total = asNumber(raw["total_tokens"]);
  const missing =
    total === undefined
      ? undefined
      : total - (asNumber(raw["prompt_tokens"]) ?? 0) - (asNumber(raw["completion_tokens"]) ?? 0);
  // A total that is the sum of both counts leaves nothing beside them.
  if (missing === 0) return 0;
  if (reasoning > 0) return target.dialect.reasoningOnTop === true || missing === reasoning ? reasoning : 0;
  return target.maker === googleOrigin && missing !== undefined && missing > 0 ? missing : 0;
};

export const decodeUsage = (value: Json | undefined, target: Target): Usage | undefined => {
  const raw = asObject(value);
  if (raw === undefined) return undefined;
  const prompt = asObject(raw["prompt_tokens_details"]);
  const completion = asObject(raw["completion_tokens_details"]);
  const reasoning = asNumber(completion?.["reasoning_tokens"]);
  const onTop = beside(raw, reasoning ?? 0, target);
  return clampUsage(
    compact<Usage>({
      input: asNumber(raw["prompt_tokens"]) ?? 0,
      cachedInput:
        asNumber(prompt?.["cached_tokens"]) ??
        asNumber(raw["prompt_cache_hit_tokens"]) ??
        asNumber(raw["num_cached_tokens"]),
      cacheWrite: asNumber(prompt?.["cache_write_tokens"]),
      output: (asNumber(raw["completion_tokens"]) ?? 0) + onTop,
      reasoning: reasoning ?? (onTop > 0 ? onTop : undefined),
      inputAudio: asNumber(prompt?.["audio_tokens"]),
      outputAudio: asNumber(completion?.["audio_tokens"]),
      extra: extraOf(raw),
    }),
  );
};

export const encodeUsage = (usage: Usage): JsonObject => {
  const raw = usage.extra?.[wireId];
  const told = {
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.input + usage.output,
    prompt_tokens_details: compact<CompletionUsage.PromptTokensDetails>({
      cached_tokens: usage.cachedInput ?? 0,
      cache_write_tokens: usage.cacheWrite,
      audio_tokens: usage.inputAudio,
    }),
    completion_tokens_details: compact<CompletionUsage.CompletionTokensDetails>({
      reasoning_tokens: usage.reasoning ?? 0,
      audio_tokens: usage.outputAudio,
    }),
  } satisfies CompletionUsage;
  if (raw === undefined) return json(told);
  return {
    ...raw,
    ...told,
    prompt_tokens_details: { ...asObject(raw["prompt_tokens_details"]), ...told.prompt_tokens_details },
    completion_tokens_details: { ...asObject(raw["completion_tokens_details"]), ...told.completion_tokens_details },
  };
};
