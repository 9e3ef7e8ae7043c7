// Parts to the content blocks of a request. Nothing is written that the target's maker can't read; what has no place is named (F18).
import { asObject, isObject, parseJson } from "../../model/json.ts";
import type { JsonObject } from "../../model/json.ts";
import type {
  DocumentPart,
  OpaquePart,
  Part,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from "../../model/message.ts";
import type { Role } from "../../model/message.ts";
import { nativeCitation } from "./citations.ts";
import { encodeCache, nativeExtra, toolId, wire } from "./common.ts";
import { encodeDocumentSource, encodeImageSource } from "./media.ts";

/** `maker`: who reads it. `drop` names a path that could not be written. */
export type BlockWriter = { maker: string; drop: (path: string) => void };

/** The block with its cache hint and the fields it was carried with. */
const finish = (block: JsonObject, part: Part): JsonObject => {
  const cache = encodeCache(part.cache);
  if (cache !== undefined) block["cache_control"] = cache;
  const extra = nativeExtra(part.extra);
  return extra === undefined ? block : { ...block, ...extra };
};

const blank = (text: string): boolean => text.trim() === "";

const encodeText = (part: TextPart, writer: BlockWriter, path: string): JsonObject | undefined => {
  if (blank(part.text)) return undefined;
  const block: JsonObject = { type: "text", text: part.text };
  if (part.citations !== undefined) {
    const native = part.citations.map(nativeCitation).filter((citation) => citation !== undefined);
    if (native.length < part.citations.length) writer.drop(`${path}.citations`);
    if (native.length > 0) block["citations"] = native;
  }
  return finish(block, part);
};

/** Only what the target's own maker has signed is replayed (F12, F48), byte for byte (F10). */
const encodeReasoning = (part: ReasoningPart, writer: BlockWriter, path: string): JsonObject | undefined => {
  if (part.opaque?.origin !== writer.maker) {
    if (part.text !== "" || part.opaque !== undefined) writer.drop(path);
    return undefined;
  }
  const data = part.opaque.data;
  const block: JsonObject =
    part.redacted === true
      ? { type: "redacted_thinking", data }
      : { type: "thinking", thinking: part.text, signature: data };
  const extra = nativeExtra(part.extra);
  return extra === undefined ? block : { ...block, ...extra };
};

/** A call's arguments as this wire's object. Text that is no object (free-form, or cut off) is kept under one name. */
const inputOf = (part: ToolCallPart): JsonObject => {
  if (part.arguments.trim() === "") return {};
  const value = part.custom === true ? undefined : parseJson(part.arguments);
  return isObject(value) ? value : { input: part.arguments };
};

const encodeToolResult = (part: ToolResultPart, writer: BlockWriter, path: string): JsonObject => {
  const block: JsonObject = { type: "tool_result", tool_use_id: toolId(part.callId) };
  const content: JsonObject[] = [];
  part.parts.forEach((inner, at) => {
    const encoded = encodeBlock(inner, "user", writer, `${path}.content[${at}]`);
    if (encoded !== undefined) content.push(encoded);
  });
  const [only] = content;
  if (only !== undefined)
    block["content"] =
      content.length === 1 && only["type"] === "text" && Object.keys(only).length === 2 ? only["text"] : content;
  if (part.isError !== undefined) block["is_error"] = part.isError;
  return finish(block, part);
};

const encodeDocument = (part: DocumentPart, writer: BlockWriter): JsonObject | undefined => {
  const source = asObject(nativeExtra(part.extra)?.["source"]) ?? encodeDocumentSource(part.source, writer.maker);
  if (source === undefined) return undefined;
  const block: JsonObject = { type: "document", source };
  const title = part.title ?? part.filename;
  if (title !== undefined) block["title"] = title;
  if (part.context !== undefined) block["context"] = part.context;
  return finish(block, part);
};

const encodeOpaque = (part: OpaquePart, writer: BlockWriter, path: string): JsonObject | undefined => {
  if (part.wire === wire && (part.origin === undefined || part.origin === writer.maker)) return part.value;
  writer.drop(path);
  return part.text === undefined || blank(part.text) ? undefined : { type: "text", text: part.text };
};

/** Undefined where nothing stands for the part; whatever is lost was named. */
export const encodeBlock = (part: Part, role: Role, writer: BlockWriter, path: string): JsonObject | undefined => {
  switch (part.type) {
    case "text":
      return encodeText(part, writer, path);
    case "refusal":
      return blank(part.text) ? undefined : finish({ type: "text", text: part.text }, part);
    case "reasoning":
      return encodeReasoning(part, writer, path);
    case "tool-call":
      return finish({ type: "tool_use", id: toolId(part.callId), name: part.name, input: inputOf(part) }, part);
    case "tool-result":
      return encodeToolResult(part, writer, path);
    case "opaque":
      return encodeOpaque(part, writer, path);
    case "image": {
      const source = role === "user" ? encodeImageSource(part.source, writer.maker) : undefined;
      if (source === undefined) break;
      if (part.detail !== undefined && part.detail !== "auto") writer.drop(`${path}.detail`);
      return finish({ type: "image", source }, part);
    }
    case "document": {
      const block = role === "user" ? encodeDocument(part, writer) : undefined;
      if (block !== undefined) return block;
      break;
    }
    case "audio":
      writer.drop(path);
      return part.transcript === undefined || blank(part.transcript)
        ? undefined
        : { type: "text", text: part.transcript };
    case "video":
      break;
  }
  writer.drop(path);
  return undefined;
};
