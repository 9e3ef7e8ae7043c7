// Reasoning over Chat, both ways. OpenAI has no slot for it; hosts agree on `reasoning_content` or `reasoning` for what may be shown, and
// OpenRouter's `reasoning_details` also holds what only the maker can read. A client of ours is given that state sealed (F10, F48).
import { asObject, asString, compact, type Json, type JsonObject } from "../../model/json.ts";
import type { Opaque, Part, ReasoningPart } from "../../model/message.ts";
import { opaqueTo, seal, unseal } from "../shared/seal.ts";
import type { Target } from "../wire.ts";
import { googleOrigin, keptIn, objects, own, rest, unsealedOrigin } from "./names.ts";

/** Who wrote what is decoded: a client, whose state may be sealed, or a provider, named by its maker. */
export type Author = { client: true } | { client: false; maker: string };

const stateOf = (text: string, author: Author, native: string): Opaque =>
  author.client ? (unseal(text) ?? { origin: native, data: text }) : { origin: author.maker, data: text };

/** The visible text of a message or delta, and the field it came in where that is not the usual one. */
export const visible = (message: JsonObject): { text: string; field?: string } | undefined => {
  for (const field of ["reasoning_content", "reasoning"]) {
    const text = asString(message[field]);
    if (text !== undefined && text !== "") return field === "reasoning" ? { text, field } : { text };
  }
  return undefined;
};

const detailFields = new Set(["text", "summary", "signature", "data", "id"]);

/** One entry of `reasoning_details`. */
export const decodeDetail = (detail: JsonObject, author: Author): ReasoningPart => {
  const encrypted = detail["type"] === "reasoning.encrypted";
  const summary = asString(detail["summary"]);
  const state = asString(detail[encrypted ? "data" : "signature"]);
  return compact<ReasoningPart>({
    type: "reasoning",
    text: summary ?? asString(detail["text"]) ?? "",
    form: summary === undefined ? undefined : "summary",
    id: asString(detail["id"]),
    opaque: state === undefined || state === "" ? undefined : stateOf(state, author, unsealedOrigin),
    redacted: encrypted ? true : undefined,
    ...keptIn({ detail: rest(detail, detailFields) }),
  });
};

/** All reasoning of a whole message. The details say the visible text again, and more exactly. */
export const decodeReasoning = (message: JsonObject, author: Author): ReasoningPart[] => {
  const parts = objects(message["reasoning_details"]).map((detail) => decodeDetail(detail, author));
  const shown = visible(message);
  if (shown !== undefined && parts.every((part) => part.text === "")) {
    const first = parts.find((part) => part.redacted !== true);
    // A signature without its text belongs to the text beside it.
    if (first !== undefined && parts.length === 1) first.text = shown.text;
    else parts.unshift({ type: "reasoning", text: shown.text });
  }
  const first = parts.find((part) => part.text !== "");
  if (first !== undefined && shown?.field !== undefined)
    first.extra = { "openai-chat": { ...own(first), field: shown.field } };
  return parts;
};

export const isReasoning = (part: Part): part is ReasoningPart => part.type === "reasoning";

/** What stands between the texts of two reasoning parts in the one visible field. */
export const betweenParts = "\n\n";

const visibleText = (parts: readonly ReasoningPart[]): string =>
  parts
    .map((part) => part.text)
    .filter((text) => text !== "")
    .join(betweenParts);

const fieldOf = (parts: readonly ReasoningPart[]): string => {
  const named = parts.find((part) => own(part)?.["field"] !== undefined);
  return asString(named === undefined ? undefined : own(named)?.["field"]) ?? "reasoning_content";
};

/** The field for the visible text of an answer's part. */
export const visibleField = (part: ReasoningPart): string => fieldOf([part]);

const encodeDetail = (part: ReasoningPart, index: number, state: string | undefined): JsonObject => {
  const detail: JsonObject = { type: "reasoning.text", ...asObject(own(part)?.["detail"]) };
  if (part.redacted === true) {
    detail["type"] = "reasoning.encrypted";
    detail["data"] = state ?? "";
  } else {
    if (part.form === "summary") detail["type"] = "reasoning.summary";
    detail[part.form === "summary" ? "summary" : "text"] = part.text;
    if (state !== undefined) detail["signature"] = state;
  }
  if (part.id !== undefined) detail["id"] = part.id;
  detail["index"] = detail["index"] ?? index;
  return detail;
};

/** `reasoning_details` of an answer: only where there is state to be given back, or the host itself sent details. */
export const encodeDetails = (parts: readonly ReasoningPart[]): JsonObject[] | undefined =>
  parts.some((part) => part.opaque !== undefined || own(part)?.["detail"] !== undefined)
    ? parts.map((part, index) =>
        encodeDetail(part, index, part.opaque === undefined ? undefined : opaqueTo(part.opaque, unsealedOrigin)),
      )
    : undefined;

/** The fields of an assistant message of an answer. */
export const encodeReasoning = (parts: readonly ReasoningPart[]): JsonObject => {
  const text = visibleText(parts);
  const details = encodeDetails(parts);
  return {
    ...(text === "" ? {} : { [fieldOf(parts)]: text }),
    ...(details === undefined ? {} : { reasoning_details: details }),
  };
};

/** The fields of an assistant message in a history: what this target reads, and of state only its own (F12, F48). */
export const replayReasoning = (parts: readonly ReasoningPart[], target: Target): JsonObject => {
  const fields: JsonObject = {};
  const { replayReasoning: field, reasoningEffort } = target.dialect;
  const text = visibleText(parts);
  if (field !== undefined && text !== "") fields[field] = text;
  const details = parts.filter((part) => {
    const told = own(part)?.["detail"] !== undefined;
    if (part.opaque === undefined) return told && reasoningEffort === "openrouter";
    const mine = part.opaque.origin === target.maker;
    return (mine && told) || ((mine || part.opaque.origin === unsealedOrigin) && reasoningEffort === "openrouter");
  });
  // Without any state there is nothing that the visible text does not say.
  if (details.some((part) => part.opaque !== undefined))
    fields["reasoning_details"] = details.map((part, index) => encodeDetail(part, index, part.opaque?.data));
  return fields;
};

/** Gemini's thought signature in `extra_content.google`, or beside it where older models put it. */
export const thoughtSignature = (holder: JsonObject, author: Author): Opaque | undefined => {
  const google = asObject(asObject(holder["extra_content"])?.["google"]);
  const text = asString(google?.["thought_signature"]) ?? asString(holder["thought_signature"]);
  return text === undefined || text === "" ? undefined : stateOf(text, author, googleOrigin);
};

const inGoogle = (signature: string): JsonObject => ({ google: { thought_signature: signature } });

/** `extra_content` for a client: native where Google made the state, sealed where another did (F14). */
export const extraContent = (opaque: Opaque | undefined): JsonObject | undefined =>
  opaque === undefined ? undefined : inGoogle(opaque.origin === googleOrigin ? opaque.data : seal(opaque));

/** `extra_content` for a provider: its own state alone. */
export const extraContentFor = (opaque: Opaque | undefined, maker: string): JsonObject | undefined =>
  opaque === undefined || opaque.origin !== maker ? undefined : inGoogle(opaque.data);

/** Mistral's reasoning, a part of `content`: its text. */
export const thinkingText = (content: JsonObject): string => {
  const thinking: Json | undefined = content["thinking"];
  return (
    asString(thinking) ??
    objects(thinking)
      .map((entry) => asString(entry["text"]) ?? "")
      .join("")
  );
};
