// Token counts (PROTOCOLS section 4): Gemini's candidates exclude thoughts, its prompt excludes what tools read.
import type { JsonObject } from "../../model/json.ts";
import type { Usage } from "../../model/usage.ts";
import { asNumber, asObject, isObject } from "../../model/json.ts";
import { asExtra, own } from "./names.ts";
import { clampUsage } from "../../model/usage.ts";

const audioIn = (details: unknown): number | undefined => {
  if (!Array.isArray(details)) return undefined;
  let total: number | undefined;
  for (const entry of details)
    if (isObject(entry) && entry["modality"] === "AUDIO") total = (total ?? 0) + (asNumber(entry["tokenCount"]) ?? 0);
  return total;
};

/** Undefined where no count is told yet: Vertex's early chunks only name the traffic type. */
export const decodeUsage = (value: unknown): Usage | undefined => {
  const native = asObject(value);
  if (native === undefined) return undefined;
  const prompt = asNumber(native["promptTokenCount"]);
  const candidates = asNumber(native["candidatesTokenCount"]);
  const thoughts = asNumber(native["thoughtsTokenCount"]);
  const total = asNumber(native["totalTokenCount"]);
  if (prompt === undefined && candidates === undefined && thoughts === undefined && total === undefined)
    return undefined;
  const usage: Usage = {
    input: (prompt ?? 0) + (asNumber(native["toolUsePromptTokenCount"]) ?? 0),
    output: (candidates ?? 0) + (thoughts ?? 0),
  };
  const cached = asNumber(native["cachedContentTokenCount"]);
  if (cached !== undefined) usage.cachedInput = cached;
  if (thoughts !== undefined) usage.reasoning = thoughts;
  const inputAudio = audioIn(native["promptTokensDetails"]);
  if (inputAudio !== undefined) usage.inputAudio = inputAudio;
  const outputAudio = audioIn(native["candidatesTokensDetails"]);
  if (outputAudio !== undefined) usage.outputAudio = outputAudio;
  const extra = asExtra(native);
  if (extra !== undefined) usage.extra = extra;
  return clampUsage(usage);
};

export const encodeUsage = (usage: Usage): JsonObject => {
  const native = own(usage.extra);
  if (native !== undefined) {
    const told = decodeUsage(native);
    if (told !== undefined && told.input === usage.input && told.output === usage.output) return native;
  }
  const reasoning = usage.reasoning ?? 0;
  const result: JsonObject = {
    promptTokenCount: usage.input,
    candidatesTokenCount: Math.max(0, usage.output - reasoning),
    totalTokenCount: usage.input + usage.output,
  };
  if (usage.cachedInput !== undefined && usage.cachedInput > 0) result["cachedContentTokenCount"] = usage.cachedInput;
  if (reasoning > 0) result["thoughtsTokenCount"] = reasoning;
  if (usage.inputAudio !== undefined && usage.inputAudio > 0)
    result["promptTokensDetails"] = [
      { modality: "TEXT", tokenCount: Math.max(0, usage.input - usage.inputAudio) },
      { modality: "AUDIO", tokenCount: usage.inputAudio },
    ];
  if (usage.outputAudio !== undefined && usage.outputAudio > 0)
    result["candidatesTokensDetails"] = [
      { modality: "TEXT", tokenCount: Math.max(0, usage.output - reasoning - usage.outputAudio) },
      { modality: "AUDIO", tokenCount: usage.outputAudio },
    ];
  return result;
};
