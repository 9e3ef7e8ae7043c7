// Why the model stopped: one table, read in both directions (F4).
import type { BetaStopReason } from "@anthropic-ai/sdk/resources/beta/messages";
import type { StopReason } from "../../model/event.ts";

const table = {
  end_turn: "end",
  max_tokens: "length",
  stop_sequence: "stop-sequence",
  tool_use: "tool-calls",
  pause_turn: "pause",
  refusal: "refusal",
  model_context_window_exceeded: "context-length",
  compaction: "compaction",
} as const satisfies Record<BetaStopReason, StopReason>;

/** Reasons of other wires, by the nearest of this one. */
const nearest: Partial<Record<StopReason, string>> = {
  "content-filter": "refusal",
  "malformed-tool-call": "end_turn",
  other: "end_turn",
};

const decoding = new Map<string, StopReason>(Object.entries(table));
const encoding = new Map<StopReason, string>([...decoding].map(([native, reason]) => [reason, native]));

/** Calls win over a plain end, whatever the host says (F3). */
export const decodeStop = (native: string | undefined, hasCalls: boolean): StopReason => {
  const reason = native === undefined ? "other" : (decoding.get(native) ?? "other");
  return hasCalls && (reason === "end" || native === undefined) ? "tool-calls" : reason;
};

export const knownStop = (native: string): boolean => decoding.has(native);

export const encodeStop = (reason: StopReason, has: { calls: boolean; refusal: boolean }): string => {
  if (has.calls && reason === "end") return "tool_use";
  if (!has.calls && reason === "tool-calls") return "end_turn";
  if (has.refusal && reason === "end") return "refusal";
  return encoding.get(reason) ?? nearest[reason] ?? "end_turn";
};
