// Content blocks read: each a union object (`{text}`, `{toolUse}`, …); what has no neutral form is kept whole.
import type { Json, JsonObject } from "../../model/json.ts";
import type {
  Citation,
  OpaquePart,
  Part,
  ReasoningPart,
  Role,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from "../../model/message.ts";
import { invalid } from "../../model/error.ts";
import { asArray, asNumber, asObject, asString, compact, isObject, unknownFields } from "../../model/json.ts";
import { decodeMedia, type MediaKind } from "./media.ts";
import { asExtra, memberOf, wireId } from "./names.ts";

/** Whose content it is. `strict`: a request, whose wrong types are refused; an answer is taken as it comes. */
export type Reader = { maker: string; role: Role; strict: boolean };

const members = new Set([
  "text",
  "image",
  "document",
  "video",
  "audio",
  "toolUse",
  "toolResult",
  "reasoningContent",
  "citationsContent",
  "cachePoint",
  "json",
]);

/** Anthropic's own text for redacted reasoning travels as the bytes of that text; other makers' bytes stay base64. */
export const redactedData = (bytes: string, maker: string): string => {
  if (maker !== "anthropic") return bytes;
  const text = Buffer.from(bytes, "base64").toString("utf8");
  return Buffer.from(text, "utf8").toString("base64") === bytes ? text : bytes;
};

const opaqueBlock = (value: JsonObject, reader: Reader, text?: string): OpaquePart =>
  compact<OpaquePart>({ type: "opaque", wire: wireId, origin: reader.strict ? undefined : reader.maker, value, text });

/** Bedrock counts documents and their pages, not the answer's own characters: a block's citations are for its whole text. */
export const decodeCitation = (value: JsonObject): Citation => {
  const location = asObject(value["location"]) ?? {};
  const quote = (asArray(value["sourceContent"]) ?? [])
    .map((entry) => asString(asObject(entry)?.["text"]) ?? "")
    .join("");
  const web = asObject(location["web"]);
  const place = Object.values(location).find(isObject);
  const source = asString(value["source"]);
  const index = asNumber(place?.["documentIndex"]) ?? asNumber(place?.["searchResultIndex"]);
  return compact<Citation>({
    url: asString(web?.["url"]) ?? (source !== undefined && /^https?:/.test(source) ? source : undefined),
    title: asString(value["title"]) ?? asString(web?.["domain"]),
    quote: quote === "" ? undefined : quote,
    document: index === undefined ? undefined : String(index),
    native: { wire: wireId, value },
  });
};

const knownOfCited = new Set(["content", "citations"]);

const decodeCited = (value: JsonObject, beside: JsonObject | undefined): TextPart => {
  const content = asArray(value["content"]);
  const texts = (content ?? []).map((entry) => asString(asObject(entry)?.["text"]) ?? "");
  const citations = (asArray(value["citations"]) ?? []).filter(isObject).map(decodeCitation);
  const rest: JsonObject = { ...unknownFields(value, knownOfCited) };
  // The exact blocks are kept only where they are more than one text.
  if (texts.length > 1) rest["content"] = content;
  if (citations.length === 0) rest["cited"] = content === undefined ? "bare" : true;
  else if (content !== undefined && texts.join("") === "") rest["content"] = content;
  if (beside !== undefined) rest["block"] = beside;
  return compact<TextPart>({
    type: "text",
    text: texts.join(""),
    citations: citations.length === 0 ? undefined : citations,
    extra: asExtra(rest),
  });
};

const knownOfReasoning = new Set(["text", "signature"]);

const decodeReasoning = (value: JsonObject, reader: Reader): ReasoningPart | undefined => {
  const redacted = asString(value["redactedContent"]);
  if (redacted !== undefined)
    return {
      type: "reasoning",
      text: "",
      redacted: true,
      opaque: { origin: reader.maker, data: redactedData(redacted, reader.maker) },
    };
  const native = asObject(value["reasoningText"]);
  if (native === undefined) return undefined;
  const signature = asString(native["signature"]);
  return compact<ReasoningPart>({
    type: "reasoning",
    text: asString(native["text"]) ?? "",
    opaque: signature === undefined ? undefined : { origin: reader.maker, data: signature },
    extra: asExtra({
      ...unknownFields(native, knownOfReasoning),
      ...(signature === undefined ? { unsigned: true } : {}),
    }),
  });
};

const knownOfCall = new Set(["toolUseId", "name", "input"]);

export const isServerCall = (value: JsonObject): boolean => value["type"] === "server_tool_use";

const decodeCall = (value: JsonObject, beside: JsonObject | undefined): ToolCallPart =>
  compact<ToolCallPart>({
    type: "tool-call",
    callId: asString(value["toolUseId"]) ?? "",
    name: asString(value["name"]) ?? "",
    arguments: JSON.stringify(value["input"] ?? {}),
    extra: asExtra({ ...unknownFields(value, knownOfCall), ...(beside === undefined ? {} : { block: beside }) }),
  });

const knownOfResult = new Set(["toolUseId", "content", "status"]);

const decodeResult = (value: JsonObject, reader: Reader, path: string): ToolResultPart => {
  const status = asString(value["status"]);
  return compact<ToolResultPart>({
    type: "tool-result",
    callId: asString(value["toolUseId"]) ?? "",
    parts: decodeBlocks(asArray(value["content"]) ?? [], reader, `${path}.content`),
    isError: status === undefined ? undefined : status === "error",
    extra: asExtra(unknownFields(value, knownOfResult)),
  });
};

const searchText = (value: Json | undefined): string | undefined => {
  const content = asArray(asObject(value)?.["content"]);
  return content === undefined
    ? undefined
    : content.map((entry) => asString(asObject(entry)?.["text"]) ?? "").join("\n");
};

/** What an unknown block says in plain text, for wires that can't carry it. */
const plainText = (block: JsonObject): string | undefined =>
  searchText(block["searchResult"]) ?? asString(asObject(asObject(block["guardContent"])?.["text"])?.["text"]);

const decodeBlock = (block: JsonObject, reader: Reader, path: string): Part => {
  const member = memberOf(block, members);
  if (member === undefined) return opaqueBlock(block, reader, plainText(block));
  const { kind, value, beside } = member;
  if (kind === "text") {
    const text = asString(value);
    if (text === undefined && reader.strict) throw invalid(`${path}.text`, "expected a string");
    return compact<TextPart>({ type: "text", text: text ?? "", extra: asExtra(beside && { block: beside }) });
  }
  if (kind === "json")
    return compact<TextPart>({ type: "text", text: JSON.stringify(value), extra: asExtra({ json: true }) });
  if (!isObject(value)) {
    if (reader.strict) throw invalid(`${path}.${kind}`, "expected an object");
    return opaqueBlock(block, reader);
  }
  switch (kind) {
    case "toolUse":
      return isServerCall(value) ? opaqueBlock(block, reader) : decodeCall(value, beside);
    case "toolResult":
      // In an answer a result is of a tool that Bedrock ran itself.
      return reader.role === "user" ? decodeResult(value, reader, `${path}.toolResult`) : opaqueBlock(block, reader);
    case "reasoningContent":
      return decodeReasoning(value, reader) ?? opaqueBlock(block, reader);
    case "citationsContent":
      return decodeCited(value, beside);
    case "cachePoint":
      return opaqueBlock(block, reader);
    default: {
      const part = decodeMedia(kind as MediaKind, value);
      const extra = asExtra(beside && { block: beside });
      return extra === undefined ? part : { ...part, extra: { [wireId]: { ...part.extra?.[wireId], block: beside } } };
    }
  }
};

const knownOfCachePoint = new Set(["type", "ttl"]);

/** The hint that a cache point is for what stands before it; undefined where it says more than that. */
export const cacheHintOf = (block: JsonObject): { ttl?: string } | undefined => {
  const point = asObject(block["cachePoint"]);
  if (point === undefined || point["type"] !== "default" || unknownFields(point, knownOfCachePoint) !== undefined)
    return undefined;
  return compact<{ ttl?: string }>({ ttl: asString(point["ttl"]) });
};

export const decodeBlocks = (blocks: readonly Json[], reader: Reader, path: string): Part[] => {
  const parts: Part[] = [];
  for (const [at, block] of blocks.entries()) {
    if (!isObject(block)) {
      if (reader.strict) throw invalid(`${path}[${at}]`, "expected a content block");
      continue;
    }
    const hint = cacheHintOf(block);
    const last = parts.at(-1);
    if (hint !== undefined && last !== undefined && last.cache === undefined && last.type !== "opaque")
      last.cache = hint;
    else parts.push(decodeBlock(block, reader, `${path}[${at}]`));
  }
  return parts;
};
