// One stream grammar for all wires: response-start, then parts (start, deltas, end), usage, response-end. An error may stand anywhere and ends it.
import type { Json, JsonObject } from "./json.ts";
import type { GatewayError } from "./error.ts";
import type { Citation, Opaque, Part } from "./message.ts";
import type { Usage } from "./usage.ts";
import type { Extra, WireId } from "./wire-id.ts";

/** Why the model stopped. `other` is only for reasons that no table knows; its `native` text goes back to the same wire. */
export type StopReason =
  | "end"
  | "stop-sequence"
  | "length"
  | "context-length"
  | "tool-calls"
  | "pause"
  | "refusal"
  | "content-filter"
  | "malformed-tool-call"
  | "compaction"
  | "other";

export type PartDelta =
  /** Appends to `text` of a text, reasoning or refusal part. `logprobs` and the like ride in `extra`. `summary` numbers the paragraph of a Responses summary. */
  | { type: "text"; text: string; summary?: number; extra?: Extra }
  /** Appends to a tool call's raw arguments. */
  | { type: "arguments"; text: string }
  /** Appends to the opaque data of a part. */
  | { type: "opaque"; opaque: Opaque }
  | { type: "citation"; citation: Citation }
  /** Appends base64 to an image or audio part, or text to an audio part's transcript. */
  | { type: "data"; base64?: string; transcript?: string }
  /** A delta of a wire that has no neutral form; only that wire reads it. */
  | { type: "native"; wire: WireId; value: JsonObject };

/**
 * `index` numbers parts from 0 in order of their start, over the whole response; parts may overlap in time (`sequential` undoes that).
 * `choice` is absent for the first candidate; others exist only where the client asked for more than one.
 * A `part-start` holds the part as far as it is known (text "", arguments ""); `part-end` may hold the finished part's
 * metadata that came last (id, extra, opaque, citations), merged over what was gathered, never repeating the text.
 */
export type StreamEvent =
  | { type: "response-start"; id: string; model: string; createdAt?: number; usage?: Usage; extra?: Extra }
  | { type: "part-start"; index: number; part: Part; choice?: number }
  | { type: "part-delta"; index: number; delta: PartDelta }
  | {
      type: "part-end";
      index: number;
      final?: { id?: string; opaque?: Opaque; citations?: Citation[]; extra?: Extra; value?: JsonObject };
    }
  /** Cumulative: replaces what was told before (F35). */
  | { type: "usage"; usage: Usage }
  | { type: "choice-end"; choice: number; reason: StopReason; native?: string; extra?: Extra }
  | { type: "response-end"; reason: StopReason; native?: string; stopSequence?: string; usage?: Usage; extra?: Extra }
  /** An event of a wire that has no neutral form; only that wire's encoder writes it, others skip it. */
  | { type: "opaque"; wire: WireId; name?: string; value: Json }
  | { type: "error"; error: GatewayError };

/** One finished answer: what the events fold into. */
export type ChatResponse = {
  id: string;
  model: string;
  /** Unix seconds. */
  createdAt?: number;
  parts: Part[];
  reason: StopReason;
  /** The wire's own word for the reason. */
  native?: string;
  stopSequence?: string;
  usage?: Usage;
  /** The second and further candidates. */
  alternatives?: { parts: Part[]; reason: StopReason; native?: string; extra?: Extra }[];
  extra?: Extra;
};
