// Messages and their parts: what was said, in the one form that every wire maps to and from.
import type { Json, JsonObject } from "./json.ts";
import type { Extra, WireId } from "./wire-id.ts";

/**
 * `system` inside `messages` is an instruction in mid-conversation; the opening ones live in `ChatRequest.system`.
 * Tool results are parts of `user` messages, as they come from the caller.
 */
export type Role = "system" | "user" | "assistant";

export type Message = {
  role: Role;
  parts: Part[];
  /** The wire's own id of this message or item, where it has one. */
  id?: string;
  /** Chat's `name` of a participant. */
  name?: string;
  extra?: Extra;
};

/** A provider's cache hint: everything up to and including this part may be cached. `ttl` as the wire wrote it (`5m`, `1h`, `30m`). */
export type CacheHint = { ttl?: string };

/**
 * State that only its maker can read: a signature, encrypted reasoning, a thought signature.
 * `origin` names the maker (`anthropic`, `google`, `openai`, or a provider's id); nobody else is ever sent it (F12, F48).
 * `data` is the text as the maker wrote it, byte for byte (F10).
 */
export type Opaque = { origin: string; data: string };

/** Where the bytes of a medium are. `base64` has no `data:` prefix and no line breaks. `id` is a file id known to `origin` alone. */
export type Source =
  | { kind: "base64"; data: string; mediaType: string }
  | { kind: "url"; url: string; mediaType?: string }
  | { kind: "text"; text: string; mediaType?: string }
  | { kind: "id"; id: string; origin: string; mediaType?: string };

type PartBase = {
  /** The wire's own id of this block or item (`rs_…`, `msg_…`, `fc_…`), where it has one. */
  id?: string;
  cache?: CacheHint;
  extra?: Extra;
};

export type TextPart = PartBase & {
  type: "text";
  text: string;
  citations?: Citation[];
  /** A thought signature that is bound to this very part (Gemini). */
  opaque?: Opaque;
};
export type ImagePart = PartBase & { type: "image"; source: Source; detail?: string; opaque?: Opaque };
export type DocumentPart = PartBase & {
  type: "document";
  source: Source;
  title?: string;
  filename?: string;
  context?: string;
};
export type AudioPart = PartBase & { type: "audio"; source: Source; format?: string; transcript?: string };
export type VideoPart = PartBase & { type: "video"; source: Source };

/** What the model thought. `text` is what may be shown ("" where hidden); `redacted` means that `opaque` holds all there is. */
export type ReasoningPart = PartBase & {
  type: "reasoning";
  text: string;
  /** Whether `text` is the provider's summary of its reasoning, or the reasoning itself. Absent: not known. */
  form?: "summary" | "full";
  /** The separate paragraphs of a Responses summary, joined by "\n\n" in `text`; absent where there is just one. */
  summaries?: string[];
  opaque?: Opaque;
  redacted?: boolean;
};

/** A call of a client-side tool. `arguments` is the raw text: JSON for a function (`{}` when empty, F2; may be cut off at `length`), free text when `custom`. */
export type ToolCallPart = PartBase & {
  type: "tool-call";
  callId: string;
  name: string;
  arguments: string;
  custom?: boolean;
  opaque?: Opaque;
};

export type ToolResultPart = PartBase & {
  type: "tool-result";
  callId: string;
  /** The tool's name, where the wire or the history tells (Gemini needs it). */
  name?: string;
  parts: Part[];
  isError?: boolean;
  custom?: boolean;
};

export type RefusalPart = PartBase & { type: "refusal"; text: string };

/** A wire's item that has no neutral form (hosted tool calls and their results, unknown blocks), kept whole and given back only to that wire. */
export type OpaquePart = PartBase & {
  type: "opaque";
  wire: WireId;
  /** Who made it, as in `Opaque.origin`; absent where a client wrote it on its own wire. */
  origin?: string;
  value: JsonObject;
  /** What it says in plain text, for wires that can't carry it; absent where it says nothing by itself. */
  text?: string;
};

export type Part =
  | TextPart
  | ImagePart
  | DocumentPart
  | AudioPart
  | VideoPart
  | ReasoningPart
  | ToolCallPart
  | ToolResultPart
  | RefusalPart
  | OpaquePart;

/**
 * A source for a span of a text part. `start` and `end` are UTF-16 offsets into that part's text, `end` exclusive;
 * absent, the whole part is the span (Anthropic). `native` is the wire's own citation, given back to that wire as it was.
 */
export type Citation = {
  url?: string;
  title?: string;
  /** The words of the source that are cited. */
  quote?: string;
  /** A file's id or a document's index, as text. */
  document?: string;
  start?: number;
  end?: number;
  native?: { wire: WireId; value: Json };
};
