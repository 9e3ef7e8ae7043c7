// Token counts under one convention; the lenses convert (PROTOCOL: input and output are totals, the others are parts of them).
import type { Extra } from "./wire-id.ts";

/** Tokens of one call. Every number is a whole one, never negative. Absent means that the provider did not say. */
export type Usage = {
  /** All prompt tokens, the cached ones and those written to the cache among them. */
  input: number;
  /** Of `input`: read from the provider's cache. */
  cachedInput?: number;
  /** Of `input`: written to the provider's cache. */
  cacheWrite?: number;
  /** Of `cacheWrite`: with a life of one hour (Anthropic prices it apart). */
  cacheWriteLong?: number;
  /** All generated tokens, reasoning among them. */
  output: number;
  /** Of `output`: reasoning. */
  reasoning?: number;
  /** Of `input` and `output`: audio tokens, where told. */
  inputAudio?: number;
  outputAudio?: number;
  /** The same counts as the wire wrote them, for that wire alone. */
  extra?: Extra;
};

export const noUsage: Usage = { input: 0, output: 0 };

/** No call has more: what is more is no count. */
const mostTokens = 1e10;
const whole = (value: number): number =>
  Number.isFinite(value) && value > 0 ? Math.min(Math.round(value), mostTokens) : 0;

/** A usage of nothing says nothing: no call is without tokens. */
export const isTold = (usage: Usage | undefined): usage is Usage =>
  usage !== undefined && (usage.input > 0 || usage.output > 0);

/** The same counts made consistent: parts are never larger than their total (hosts report cached tokens above the prompt's), nothing is negative. */
export const clampUsage = (usage: Usage): Usage => {
  const input = whole(usage.input);
  const output = whole(usage.output);
  const result: Usage = { input, output };
  if (usage.cachedInput !== undefined) result.cachedInput = Math.min(whole(usage.cachedInput), input);
  if (usage.cacheWrite !== undefined)
    result.cacheWrite = Math.min(whole(usage.cacheWrite), input - (result.cachedInput ?? 0));
  if (usage.cacheWriteLong !== undefined)
    result.cacheWriteLong = Math.min(whole(usage.cacheWriteLong), result.cacheWrite ?? 0);
  if (usage.reasoning !== undefined) result.reasoning = Math.min(whole(usage.reasoning), output);
  if (usage.inputAudio !== undefined) result.inputAudio = Math.min(whole(usage.inputAudio), input);
  if (usage.outputAudio !== undefined) result.outputAudio = Math.min(whole(usage.outputAudio), output);
  if (usage.extra !== undefined) result.extra = usage.extra;
  return result;
};
