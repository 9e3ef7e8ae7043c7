// Why an answer ended: Chat's `finish_reason` and the neutral stop reason, both ways (PROTOCOLS section 3).
import type { ChatCompletion } from "openai/resources/chat/completions";
import type { StopReason } from "../../model/event.ts";

export type FinishReason = ChatCompletion.Choice["finish_reason"];

/** OpenAI's own words and those of hosts that imitate it (Mistral, TGI, vLLM, proxies). */
const reasons: Readonly<Record<string, StopReason>> = {
  stop: "end",
  length: "length",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
  content_filter: "content-filter",
  model_length: "context-length",
  max_tokens: "length",
  eos: "end",
  eos_token: "end",
  end_turn: "end",
  stop_sequence: "stop-sequence",
  tool_use: "tool-calls",
  refusal: "refusal",
  safety: "content-filter",
  pause_turn: "pause",
};

/** What an answer holds decides where the reason is vague. */
export type Contents = { calls: boolean; refusal: boolean; text: boolean };

export type Ending = { reason: StopReason; native?: string };

const yields: ReadonlySet<StopReason> = new Set(["end", "stop-sequence", "tool-calls", "other", "pause"]);

/** Any call means `tool-calls`, whatever the host says (F3): OpenAI says `stop` for a forced one. Truncation and filters win over calls. */
export const decodeFinish = (native: string | undefined, contents: Contents): Ending => {
  const known = native === undefined ? "end" : (reasons[native.toLowerCase()] ?? "other");
  const told = native === undefined ? {} : { native };
  if (contents.calls && yields.has(known)) return { reason: "tool-calls", ...told };
  if (known === "tool-calls") return { reason: "end", ...told };
  if (known === "end" && contents.refusal && !contents.text) return { reason: "refusal", ...told };
  return { reason: known, ...told };
};

/** Words that say that the host failed, not that the model stopped. */
const failures: ReadonlySet<string> = new Set(["error", "insufficient_system_resource"]);
export const isFailure = (native: string): boolean => failures.has(native);

const finishes: Readonly<Record<StopReason, FinishReason>> = {
  end: "stop",
  "stop-sequence": "stop",
  length: "length",
  "context-length": "length",
  "tool-calls": "stop",
  pause: "stop",
  refusal: "content_filter",
  "content-filter": "content_filter",
  "malformed-tool-call": "stop",
  compaction: "stop",
  other: "stop",
};

/** `legacy`: the caller knows only `function_call`. */
export const encodeFinish = (reason: StopReason, contents: Contents, legacy: boolean): FinishReason => {
  if (reason === "refusal" && contents.refusal) return "stop";
  const finish = finishes[reason];
  return finish === "stop" && contents.calls ? (legacy ? "function_call" : "tool_calls") : finish;
};
