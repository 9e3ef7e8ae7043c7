// Parts written as content blocks.
import type { Json, JsonObject } from "../../model/json.ts";
import type { OpaquePart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart } from "../../model/message.ts";
import { asObject, compact, isObject, parseJson } from "../../model/json.ts";
import type { DocumentNames } from "./media.ts";
import { encodeMedia, isMedia } from "./media.ts";
import type { Family } from "./models.ts";
import { caches } from "./models.ts";
import { own, wireId } from "./names.ts";

/** What the encoding of one request's content needs to know. */
export type Writer = {
  maker: string;
  family: Family;
  names: DocumentNames;
  /** A legal, stable id for a call, whatever the client's wire named it. */
  callId: (id: string) => string;
  /** Names what Bedrock can't be told (F18). */
  drop: (path: string) => void;
};

/** Bedrock takes ids of [a-zA-Z0-9_-], 64 at most: others are rewritten, the same id always to the same text. */
export const legalCallId = (id: string): string => {
  if (/^[a-zA-Z0-9_-]{1,64}$/.test(id)) return id;
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return `${id.replace(/[^a-zA-Z0-9_-]/g, "_").slice(0, 50)}_${(hash >>> 0).toString(36)}`;
};

/** Arguments as the object that Bedrock wants; free text and what was cut off stand under `input`. */
export const argumentsToJson = (text: string, custom = false): Json => {
  if (custom) return { input: text };
  if (text.trim() === "") return {};
  const value = parseJson(text);
  return isObject(value) ? value : { input: text };
};

/** Bedrock refuses a text block of nothing but space (F17). */
const isBlank = (text: string): boolean => text.trim() === "";

const encodeText = (part: TextPart, writer: Writer | undefined, path: string): JsonObject[] => {
  const { block, cited, content, json, guard: _guard, ...rest } = own(part.extra) ?? {};
  if (json === true) return [{ json: parseJson(part.text) ?? part.text }];
  const native = (part.citations ?? []).map((citation) =>
    citation.native?.wire === wireId ? citation.native.value : undefined,
  );
  const whole = native.every((citation) => citation !== undefined);
  if (cited !== undefined || (native.length > 0 && whole)) {
    const texts = Array.isArray(content) ? content : [{ text: part.text }];
    return [
      {
        ...asObject(block),
        citationsContent: compact<JsonObject>({
          content: cited === "bare" || (part.text === "" && content === undefined) ? undefined : texts,
          citations: native.length === 0 ? undefined : (native as Json[]),
          ...rest,
        }),
      },
    ];
  }
  if (!whole) writer?.drop(`${path}.citations`);
  return [{ ...asObject(block), text: part.text }];
};

/** Redacted reasoning as the bytes Bedrock wants (see `redactedData`). */
const redactedBytes = (data: string, maker: string): string =>
  maker === "anthropic" ? Buffer.from(data, "utf8").toString("base64") : data;

/**
 * Reasoning goes back only to who made it, and unsigned reasoning never to Claude (F12, F48): Nova alone is given its own
 * unsigned reasoning again.
 */
const encodeReasoning = (part: ReasoningPart, maker: string, family: Family): JsonObject | undefined => {
  const { unsigned, ...rest } = own(part.extra) ?? {};
  if (part.opaque !== undefined) {
    if (part.opaque.origin !== maker) return undefined;
    return part.redacted === true
      ? { reasoningContent: { redactedContent: redactedBytes(part.opaque.data, maker) } }
      : { reasoningContent: { reasoningText: { text: part.text, signature: part.opaque.data, ...rest } } };
  }
  const replayed = unsigned === true && (family === "nova-2" || family === "unknown") && part.text !== "";
  return replayed ? { reasoningContent: { reasoningText: { text: part.text, ...rest } } } : undefined;
};

const encodeCall = (part: ToolCallPart, callId: (id: string) => string): JsonObject => {
  const { block, ...rest } = own(part.extra) ?? {};
  const input = argumentsToJson(part.arguments, part.custom);
  return { ...asObject(block), toolUse: { toolUseId: callId(part.callId), name: part.name, input, ...rest } };
};

/** Kinds of block that a tool's result may hold. */
const encodeResultPart = (part: Part, writer: Writer, path: string): JsonObject[] => {
  if (part.type === "text") return encodeText(part, writer, path);
  if (part.type === "audio" || part.type === "reasoning" || part.type === "tool-call" || part.type === "tool-result") {
    writer.drop(path);
    return [];
  }
  return encodePart(part, writer, path);
};

const encodeResult = (part: ToolResultPart, writer: Writer, path: string): JsonObject => ({
  toolResult: compact<JsonObject>({
    toolUseId: writer.callId(part.callId),
    content: part.parts.flatMap((entry, at) => encodeResultPart(entry, writer, `${path}.content[${at}]`)),
    status: part.isError === undefined ? undefined : part.isError ? "error" : "success",
    ...own(part.extra),
  }),
});

const encodeOpaque = (part: OpaquePart, writer: Writer, path: string): JsonObject[] => {
  if (part.wire === wireId && (part.origin === undefined || part.origin === writer.maker)) return [part.value];
  if (part.text !== undefined && !isBlank(part.text)) return [{ text: part.text }];
  writer.drop(path);
  return [];
};

/** The blocks of one part, without its cache point; none where there is nothing to say. */
const encodePart = (part: Part, writer: Writer, path: string): JsonObject[] => {
  if (isMedia(part)) {
    if (
      part.type === "audio" &&
      part.source.kind === "base64" &&
      part.source.data === "" &&
      part.transcript !== undefined
    )
      return [{ text: part.transcript }];
    const block = own(part.extra)?.["block"];
    return [{ ...asObject(block), [part.type]: encodeMedia(part, writer.names, path) }];
  }
  switch (part.type) {
    case "text":
      return isBlank(part.text) && part.citations === undefined ? [] : encodeText(part, writer, path);
    case "refusal":
      return isBlank(part.text) ? [] : [{ text: part.text }];
    case "reasoning": {
      const block = encodeReasoning(part, writer.maker, writer.family);
      return block === undefined ? [] : [block];
    }
    case "tool-call":
      return [encodeCall(part, writer.callId)];
    case "tool-result":
      return [encodeResult(part, writer, path)];
    default:
      return encodeOpaque(part, writer, path);
  }
};

export const cachePoint = (ttl: string | undefined, family: Family): JsonObject => ({
  // Nova keeps what it keeps for five minutes and takes no other wish.
  cachePoint: ttl === undefined || family.startsWith("nova") ? { type: "default" } : { type: "default", ttl },
});

/** A part's blocks, and the cache point that its hint asks for where the model takes one. */
export const encodeContentPart = (part: Part, writer: Writer, path: string): JsonObject[] => {
  const blocks = encodePart(part, writer, path);
  if (part.cache === undefined) return blocks;
  if (!caches(writer.family)) {
    writer.drop(`${path}.cache`);
    return blocks;
  }
  // A cache point stands after a text: it is refused right after a document or a film, and a blank text is taken there as a line end.
  const bare = part.type === "document" || part.type === "video" || (part.type === "text" && blocks.length === 0);
  if (!bare && blocks.length === 0) return blocks;
  return [...blocks, ...(bare ? [{ text: "\n" }] : []), cachePoint(part.cache.ttl, writer.family)];
};

/** The parts of an answer, for the side that speaks Converse to a client. */
export const encodeAnswerPart = (part: Part, maker: string): JsonObject[] => {
  switch (part.type) {
    case "text":
      return encodeText(part, undefined, "");
    case "refusal":
      return [{ text: part.text }];
    case "reasoning": {
      const block = encodeReasoning(part, part.opaque?.origin ?? maker, "unknown");
      return block === undefined
        ? part.text === ""
          ? []
          : [{ reasoningContent: { reasoningText: { text: part.text } } }]
        : [block];
    }
    case "tool-call":
      return [encodeCall(part, legalCallId)];
    case "opaque":
      return part.wire === wireId ? [part.value] : part.text === undefined ? [] : [{ text: part.text }];
    default:
      return [];
  }
};
