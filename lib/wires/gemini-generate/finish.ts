// Stop reasons (PROTOCOLS section 3), one table read in both directions.
import type { FinishReason } from "@google/generative-ai";
import type { StopReason } from "../../model/event.ts";
import type { Json } from "../../model/json.ts";

/** Gemini's words. Those that the SDK's types know must be here, or this file does not compile (F4). */
const meanings = {
  STOP: "end",
  MAX_TOKENS: "length",
  SAFETY: "content-filter",
  RECITATION: "content-filter",
  BLOCKLIST: "content-filter",
  PROHIBITED_CONTENT: "content-filter",
  SPII: "content-filter",
  MODEL_ARMOR: "content-filter",
  IMAGE_SAFETY: "content-filter",
  IMAGE_PROHIBITED_CONTENT: "content-filter",
  IMAGE_RECITATION: "content-filter",
  MALFORMED_FUNCTION_CALL: "malformed-tool-call",
  UNEXPECTED_TOOL_CALL: "malformed-tool-call",
  TOO_MANY_TOOL_CALLS: "malformed-tool-call",
  MALFORMED_RESPONSE: "malformed-tool-call",
  MISSING_THOUGHT_SIGNATURE: "malformed-tool-call",
  FINISH_REASON_UNSPECIFIED: "end",
  OTHER: "end",
  LANGUAGE: "end",
  NO_IMAGE: "end",
  IMAGE_OTHER: "end",
  CONTINUATION: "end",
} as const satisfies Record<`${FinishReason}`, StopReason> & Record<string, StopReason>;

/** What a neutral reason is called here, where the answer did not come from Gemini. */
const words: Record<StopReason, keyof typeof meanings> = {
  end: "STOP",
  "stop-sequence": "STOP",
  length: "MAX_TOKENS",
  "context-length": "MAX_TOKENS",
  "tool-calls": "STOP",
  pause: "STOP",
  refusal: "SAFETY",
  "content-filter": "SAFETY",
  "malformed-tool-call": "MALFORMED_FUNCTION_CALL",
  compaction: "STOP",
  other: "OTHER",
};

/** With `$alt=json;enum-encoding=int` Vertex writes numbers. */
const numbers: readonly (keyof typeof meanings)[] = [
  "FINISH_REASON_UNSPECIFIED",
  "STOP",
  "MAX_TOKENS",
  "SAFETY",
  "RECITATION",
  "OTHER",
  "BLOCKLIST",
  "PROHIBITED_CONTENT",
  "SPII",
  "MALFORMED_FUNCTION_CALL",
];

/** The wire's word; undefined while the candidate has not stopped. */
export const finishWord = (value: Json | undefined): string | undefined =>
  typeof value === "number" ? (numbers[value] ?? String(value)) : typeof value === "string" ? value : undefined;

const meaningOf = (word: string): StopReason => (meanings as Record<string, StopReason>)[word] ?? "other";

/** `pendingCalls`: whether the candidate holds a function call that nobody has answered; Gemini says STOP then (F3). */
export const decodeFinish = (word: string, pendingCalls: boolean): StopReason => {
  const reason = meaningOf(word);
  return reason === "end" && pendingCalls ? "tool-calls" : reason;
};

/** Gemini's own word goes back as it was; the words of other wires are translated. */
export const encodeFinish = (reason: StopReason, native: string | undefined): string => {
  if (native === undefined || !/^[A-Z][A-Z_]*$/.test(native)) return words[reason];
  const meant = meaningOf(native);
  return meant === reason || (meant === "end" && reason === "tool-calls") ? native : words[reason];
};
