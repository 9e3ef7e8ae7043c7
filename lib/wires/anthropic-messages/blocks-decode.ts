// Content blocks to parts: of a client's request, where a wrong type is a 400, and of a provider's answer, where nothing ever throws.
import { invalid } from "../../model/error.ts";
import { asArray, asBoolean, asObject, asString, isObject, parseJson } from "../../model/json.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type {
  DocumentPart,
  ImagePart,
  OpaquePart,
  Part,
  ReasoningPart,
  TextPart,
  ToolResultPart,
} from "../../model/message.ts";
import { mergeExtra } from "../shared/fold.ts";
import { opaqueFrom } from "../shared/seal.ts";
import { rebind } from "./bound.ts";
import { decodeCitations } from "./citations.ts";
import { carried, decodeCache, nativeMaker, wire } from "./common.ts";
import { decodeSource } from "./media.ts";
import { textOf } from "./opaque-text.ts";

/** `client`: the blocks are a caller's, may hold sealed state, and must be well formed. Else they are an answer of `maker`'s. */
export type Reader = { client: true } | { client: false; maker: string };

export const clientReader: Reader = { client: true };

const makerOf = (reader: Reader): string => (reader.client ? nativeMaker : reader.maker);

const known = {
  text: new Set(["type", "text", "citations", "cache_control"]),
  thinking: new Set(["type", "thinking", "signature", "cache_control"]),
  redacted: new Set(["type", "data", "cache_control"]),
  image: new Set(["type", "source", "cache_control"]),
  document: new Set(["type", "source", "title", "context", "cache_control"]),
  toolUse: new Set(["type", "id", "name", "input", "cache_control"]),
  toolResult: new Set(["type", "tool_use_id", "content", "is_error", "cache_control"]),
};

/** A field that must be text: a 400 for a client, "" from a provider. */
const text = (block: JsonObject, name: string, reader: Reader, path: string): string => {
  const value = asString(block[name]);
  if (value === undefined && reader.client) throw invalid(`${path}.${name}`, "expected a string");
  return value ?? "";
};

/** The cache hint and the fields that no part has a name for. */
const finish = <P extends Part>(part: P, block: JsonObject, fields: ReadonlySet<string>): P => {
  const { cache, rest } = decodeCache(block["cache_control"]);
  if (cache !== undefined) part.cache = cache;
  const extra = carried(block, fields)?.extra;
  if (extra !== undefined) part.extra = extra;
  if (rest !== undefined) part.extra = mergeExtra(part.extra, { [wire]: { cache_control: rest } }) ?? {};
  return part;
};

const opaqueBlock = (block: JsonObject, reader: Reader): OpaquePart => {
  const part: OpaquePart = { type: "opaque", wire, value: block };
  if (!reader.client) part.origin = reader.maker;
  else {
    const said = textOf(block);
    if (said !== undefined) part.text = said;
  }
  return part;
};

export const decodeBlock = (block: JsonObject, reader: Reader, path: string): Part => {
  switch (block["type"]) {
    case "text": {
      const part: TextPart = { type: "text", text: text(block, "text", reader, path) };
      const citations = decodeCitations(block["citations"]);
      if (citations !== undefined) part.citations = citations;
      return finish(part, block, known.text);
    }
    case "thinking": {
      const part: ReasoningPart = { type: "reasoning", text: text(block, "thinking", reader, path) };
      const signature = asString(block["signature"]) ?? "";
      if (signature !== "")
        part.opaque = reader.client ? opaqueFrom(signature, nativeMaker) : { origin: reader.maker, data: signature };
      return finish(part, block, known.thinking);
    }
    case "redacted_thinking": {
      const data = text(block, "data", reader, path);
      const opaque = reader.client ? opaqueFrom(data, nativeMaker) : { origin: reader.maker, data };
      return finish({ type: "reasoning", text: "", redacted: true, opaque }, block, known.redacted);
    }
    case "tool_use":
      return finish(
        {
          type: "tool-call",
          callId: text(block, "id", reader, path),
          name: text(block, "name", reader, path),
          arguments: inputText(block["input"]),
        },
        block,
        known.toolUse,
      );
    case "tool_result":
      return decodeToolResult(block, reader, path);
    case "image":
      return decodeMedium(block, "image", reader, path);
    case "document":
      return decodeMedium(block, "document", reader, path);
    default:
      if (reader.client && typeof block["type"] !== "string") throw invalid(`${path}.type`, "expected a string");
      return opaqueBlock(block, reader);
  }
};

/** Never "" (F2). Some hosts send the input as text. */
export const inputText = (input: Json | undefined): string => {
  if (input === undefined || input === null) return "{}";
  if (typeof input === "string" && isObject(parseJson(input))) return input;
  return JSON.stringify(input);
};

const decodeMedium = (block: JsonObject, type: "image" | "document", reader: Reader, path: string): Part => {
  const value = asObject(block["source"]);
  if (value === undefined && reader.client) throw invalid(`${path}.source`, "expected an object");
  const source = value === undefined ? undefined : decodeSource(value, makerOf(reader));
  if (value === undefined || source === undefined) return opaqueBlock(block, reader);
  if (type === "image") {
    const part: ImagePart = { type, source };
    return finish(part, block, known.image);
  }
  const part: DocumentPart = { type, source };
  const title = asString(block["title"]);
  const context = asString(block["context"]);
  if (title !== undefined) part.title = title;
  if (context !== undefined) part.context = context;
  const whole = finish(part, block, known.document);
  // The blocks of a `content` source have no neutral form but their words.
  if (value["type"] === "content") whole.extra = mergeExtra(whole.extra, { [wire]: { source: value } }) ?? {};
  return whole;
};

const decodeToolResult = (block: JsonObject, reader: Reader, path: string): Part => {
  const part: ToolResultPart = {
    type: "tool-result",
    callId: text(block, "tool_use_id", reader, path),
    parts: decodeContent(block["content"], reader, `${path}.content`),
  };
  const isError = asBoolean(block["is_error"]);
  if (isError !== undefined) part.isError = isError;
  return finish(part, block, known.toolResult);
};

/** Text or blocks; absent or "" is no parts (F17). */
export const decodeContent = (content: Json | undefined, reader: Reader, path: string): Part[] => {
  if (content === undefined || content === null || content === "") return [];
  if (typeof content === "string") return [{ type: "text", text: content }];
  const blocks = asArray(content);
  if (blocks === undefined) {
    if (reader.client) throw invalid(path, "expected a string or an array of content blocks");
    return [];
  }
  const parts: Part[] = [];
  blocks.forEach((block, at) => {
    if (isObject(block)) parts.push(decodeBlock(block, reader, `${path}[${at}]`));
    else if (reader.client) throw invalid(`${path}[${at}]`, "expected an object");
  });
  return reader.client ? rebind(parts) : parts;
};
