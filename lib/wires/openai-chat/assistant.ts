// An assistant message, as a client sends it back in a history and as a provider answers: one reading for both.
import { asObject, asString, compact, isObject, type Json, type JsonObject } from "../../model/json.ts";
import type { AudioPart, Part, ReasoningPart, TextPart } from "../../model/message.ts";
import { decodeCall, decodeLegacyCall } from "./calls.ts";
import { decodeAnnotations } from "./citations.ts";
import { audioType, decodePart, sourceOfUrl } from "./content.ts";
import { keptIn, nativeOrigin, objects, rest, wireId } from "./names.ts";
import { decodeReasoning, thinkingText, thoughtSignature, type Author } from "./reasoning.ts";

export const assistantFields: ReadonlySet<string> = new Set([
  "role",
  "content",
  "refusal",
  "tool_calls",
  "function_call",
  "audio",
  "annotations",
  "images",
  "reasoning_content",
  "reasoning",
  "reasoning_details",
  "extra_content",
  "thought_signature",
]);

/** Where the text of an entry stands. */
const spoken: Readonly<Record<string, string>> = {
  text: "text",
  input_text: "text",
  output_text: "text",
  refusal: "refusal",
};

/** An entry of a `content` array: text, Mistral's thinking, or what has no neutral form. */
export const decodeEntry = (entry: Json): Part | undefined => {
  if (typeof entry === "string") return entry === "" ? undefined : { type: "text", text: entry };
  if (!isObject(entry)) return undefined;
  if (entry["type"] === "thinking") return { type: "reasoning", text: thinkingText(entry) } satisfies ReasoningPart;
  if (entry["type"] === "image_url") return decodeImage(entry);
  // An entry without what its type promises says nothing.
  const promised = spoken[asString(entry["type"]) ?? ""];
  if (promised !== undefined && asString(entry[promised]) === undefined) return undefined;
  return decodePart(entry, "content");
};

/** OpenRouter's `images`. */
export const decodeImage = (entry: JsonObject): Part | undefined => {
  const image = entry["image_url"];
  const url = asString(image) ?? asString(asObject(image)?.["url"]);
  return url === undefined ? undefined : { type: "image", source: sourceOfUrl(url) };
};

/** With data an answer's audio; without, a reference to one in a history. */
export const decodeAudio = (audio: JsonObject, format: string): AudioPart => {
  const id = asString(audio["id"]);
  const data = asString(audio["data"]);
  return compact<AudioPart>({
    type: "audio",
    id,
    source:
      data === undefined && id !== undefined
        ? { kind: "id", id, origin: nativeOrigin }
        : { kind: "base64", data: data ?? "", mediaType: audioType(format) },
    format,
    transcript: asString(audio["transcript"]),
    ...keptIn(rest(audio, new Set(["id", "data", "transcript"]))),
  });
};

/** A signature of the message as a whole belongs to its last text, else to its first call (older models put it there). */
const bindSignature = (parts: Part[], message: JsonObject, author: Author): void => {
  const opaque = thoughtSignature(message, author);
  if (opaque === undefined) return;
  const holder =
    parts.findLast((part): part is TextPart => part.type === "text") ?? parts.find((part) => part.type === "tool-call");
  if (holder === undefined) parts.push({ type: "text", text: "", opaque });
  else holder.opaque ??= opaque;
};

export type AssistantContext = {
  author: Author;
  /** The id of the `at`th call of this message, where the host gave none. */
  callId: (at: number) => string;
  audioFormat?: string;
};

/** Never throws: hosts differ too much. `left`: the fields that have no neutral form. */
export const decodeAssistant = (
  message: JsonObject,
  context: AssistantContext,
): { parts: Part[]; left: JsonObject } => {
  const { author, callId } = context;
  const parts: Part[] = decodeReasoning(message, author);
  const content = message["content"];
  // An empty text says nothing, beside a call or alone (F17).
  if (typeof content === "string") {
    if (content !== "") parts.push({ type: "text", text: content });
  } else if (Array.isArray(content))
    for (const entry of content) {
      const part = decodeEntry(entry);
      if (part !== undefined) parts.push(part);
    }
  const refusal = asString(message["refusal"]);
  if (refusal !== undefined && refusal !== "") parts.push({ type: "refusal", text: refusal });
  const citations = decodeAnnotations(message["annotations"]);
  const text = parts.find((part) => part.type === "text");
  if (citations.length > 0 && text !== undefined) text.citations = citations;
  if (isObject(message["audio"])) parts.push(decodeAudio(message["audio"], context.audioFormat ?? "wav"));
  for (const entry of objects(message["images"])) {
    const image = decodeImage(entry);
    parts.push(image ?? { type: "opaque", wire: wireId, value: entry });
  }
  objects(message["tool_calls"]).forEach((call, at) => parts.push(decodeCall(call, author, callId(at))));
  const legacy = message["function_call"];
  if (isObject(legacy)) parts.push(decodeLegacyCall(legacy, callId(0)));
  bindSignature(parts, message, author);
  return { parts, left: rest(message, assistantFields) };
};
