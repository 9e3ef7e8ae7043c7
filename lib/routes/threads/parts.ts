// The parts of messages as this API writes and reads them: the neutral parts with their fields in snake_case.
// What only a provider can read (opaque data, its ids, its own fields) never leaves, and is never taken.
import { invalid } from "../../model/error.ts";
import { compact, isObject, type Json, type JsonObject, parseJson } from "../../model/json.ts";
import type { CacheHint, Citation, Part, Role, Source } from "../../model/message.ts";
import { type Fields, fieldsOf } from "./fields.ts";

const encodeSource = (source: Source): JsonObject => {
  const { mediaType, ...rest } = source;
  return compact<JsonObject>({ ...rest, media_type: mediaType });
};

export const encodeCitation = ({ native: _native, ...citation }: Citation): JsonObject => ({ ...citation });

/** Without what is its maker's own: `opaque` tells whose state there is, not what it says. */
export const encodePart = (part: Part): JsonObject => {
  const opaque = "opaque" in part && part.opaque !== undefined ? { origin: part.opaque.origin } : undefined;
  const common = { cache: part.cache === undefined ? undefined : { ...part.cache }, opaque };
  const { type } = part;
  switch (part.type) {
    case "text":
      return compact<JsonObject>({ type, text: part.text, citations: part.citations?.map(encodeCitation), ...common });
    case "refusal":
      return compact<JsonObject>({ type, text: part.text, ...common });
    case "image":
      return compact<JsonObject>({ type, source: encodeSource(part.source), detail: part.detail, ...common });
    case "document": {
      const { title, filename, context } = part;
      return compact<JsonObject>({ type, source: encodeSource(part.source), title, filename, context, ...common });
    }
    case "audio": {
      const { format, transcript } = part;
      return compact<JsonObject>({ type, source: encodeSource(part.source), format, transcript, ...common });
    }
    case "video":
      return compact<JsonObject>({ type, source: encodeSource(part.source), ...common });
    case "reasoning": {
      const { text, form, summaries, redacted } = part;
      return compact<JsonObject>({ type, text, form, summaries, redacted, ...common });
    }
    case "tool-call": {
      const { callId, name, arguments: args, custom } = part;
      return compact<JsonObject>({ type, call_id: callId, name, arguments: args, custom, ...common });
    }
    case "tool-result": {
      const { callId, name, custom } = part;
      const parts = part.parts.map(encodePart);
      return compact<JsonObject>({ type, call_id: callId, name, parts, is_error: part.isError, custom, ...common });
    }
    case "opaque":
      return compact<JsonObject>({ type, wire: part.wire, origin: part.origin, text: part.text, ...common });
  }
};

const mediaType = (fields: Fields): string | undefined => fields.text("media_type", { min: 1, max: 200 });

const needMediaType = (fields: Fields): string => {
  const type = mediaType(fields);
  if (type === undefined) throw invalid(fields.at("media_type"), "expected a media type");
  return type;
};

const kinds = ["base64", "url", "text", "id"] as const;

const decodeSource = (part: Fields): Source => {
  const source = part.object("source", ["kind", "data", "url", "text", "id", "origin", "media_type"]);
  if (source === undefined) throw invalid(part.at("source"), "expected an object");
  const kind = source.oneOf("kind", kinds);
  switch (kind) {
    case undefined:
      throw invalid(source.at("kind"), `expected one of ${kinds.join(", ")}`);
    case "base64": {
      const data = source.needText("data");
      if (!/^[A-Za-z0-9+/]+={0,2}$/.test(data)) throw invalid(source.at("data"), "expected base64");
      return { kind, data, mediaType: needMediaType(source) };
    }
    case "url": {
      const url = source.needText("url");
      if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
        throw invalid(source.at("url"), "expected an http or https address");
      return compact<Source>({ kind, url, mediaType: mediaType(source) });
    }
    case "text":
      return compact<Source>({ kind, text: source.needText("text"), mediaType: mediaType(source) });
    case "id":
      return compact<Source>({
        kind,
        id: source.needText("id"),
        origin: source.needText("origin"),
        mediaType: mediaType(source),
      });
  }
};

const decodeCitations = (part: Fields): Citation[] | undefined =>
  part.list("citations", { max: 1000 })?.map(({ value, path }) => {
    const fields = fieldsOf(value, path, ["url", "title", "quote", "document", "start", "end"]);
    return compact<Citation>({
      url: fields.text("url"),
      title: fields.text("title"),
      quote: fields.text("quote"),
      document: fields.text("document"),
      start: fields.whole("start", 0),
      end: fields.whole("end", 0),
    });
  });

const decodeCache = (part: Fields): CacheHint | undefined => {
  const cache = part.object("cache", ["ttl"]);
  return cache === undefined ? undefined : compact<CacheHint>({ ttl: cache.text("ttl", { min: 1, max: 10 }) });
};

const decodeArguments = (part: Fields, custom: boolean | undefined): string => {
  const text = part.text("arguments") ?? "";
  if (custom === true) return text;
  if (text.trim() === "") return "{}";
  if (!isObject(parseJson(text))) throw invalid(part.at("arguments"), "expected a JSON object, as text");
  return text;
};

/** What each kind of part may say. */
const partFields = {
  text: ["type", "text", "citations", "cache"],
  image: ["type", "source", "detail", "cache"],
  document: ["type", "source", "title", "filename", "context", "cache"],
  audio: ["type", "source", "format", "transcript", "cache"],
  video: ["type", "source", "cache"],
  reasoning: ["type", "text"],
  refusal: ["type", "text"],
  "tool-call": ["type", "call_id", "name", "arguments", "custom", "cache"],
  "tool-result": ["type", "call_id", "name", "content", "parts", "is_error", "custom", "cache"],
} as const;

type InputType = keyof typeof partFields;

const media = ["text", "image", "document", "audio", "video"] as const;

/** Who may say what. */
const typesOf: Record<Role | "output", readonly InputType[]> = {
  system: ["text"],
  user: [...media, "tool-result"],
  assistant: [...media, "reasoning", "refusal", "tool-call"],
  output: media,
};

const decodePart = (value: Json, path: string, role: Role | "output"): Part => {
  if (!isObject(value)) throw invalid(path, "expected an object");
  const types = typesOf[role];
  const type = types.find((each) => each === value["type"]);
  if (type === undefined) throw invalid(`${path}.type`, `expected one of ${types.join(", ")}`);
  const part = fieldsOf(value, path, partFields[type]);
  const cache = "cache" in value ? decodeCache(part) : undefined;
  switch (type) {
    case "text":
      return compact<Part>({ type, text: part.needText("text"), citations: decodeCitations(part), cache });
    case "reasoning":
    case "refusal":
      return { type, text: part.needText("text") };
    case "image":
      return compact<Part>({ type, source: decodeSource(part), detail: part.text("detail", { max: 20 }), cache });
    case "document":
      return compact<Part>({
        type,
        source: decodeSource(part),
        title: part.text("title"),
        filename: part.text("filename"),
        context: part.text("context"),
        cache,
      });
    case "audio":
      return compact<Part>({
        type,
        source: decodeSource(part),
        format: part.text("format", { max: 20 }),
        transcript: part.text("transcript"),
        cache,
      });
    case "video":
      return compact<Part>({ type, source: decodeSource(part), cache });
    case "tool-call": {
      const custom = part.flag("custom");
      return compact<Part>({
        type,
        callId: part.needText("call_id", { min: 1, max: 256 }),
        name: part.needText("name", { min: 1, max: 256 }),
        arguments: decodeArguments(part, custom),
        custom,
        cache,
      });
    }
    case "tool-result":
      return compact<Part>({
        type,
        callId: part.needText("call_id", { min: 1, max: 256 }),
        name: part.text("name", { min: 1, max: 256 }),
        parts: decodeContent(part, "output"),
        isError: part.flag("is_error"),
        custom: part.flag("custom"),
        cache,
      });
  }
};

/** Text, or a list of parts: an output may say nothing, a message may not. */
export const decodeParts = (value: Json, path: string, role: Role | "output"): Part[] => {
  if (typeof value === "string") {
    if (value === "" && role !== "output") throw invalid(path, "expected text that is not empty");
    return [{ type: "text", text: value }];
  }
  if (!Array.isArray(value)) throw invalid(path, "expected text or a list of parts");
  if (value.length === 0 && role !== "output") throw invalid(path, "expected at least one part");
  return value.map((each, index) => decodePart(each, `${path}[${index}]`, role));
};

/** `content` or `parts`, one of them. */
export const decodeContent = (fields: Fields, role: Role | "output"): Part[] => {
  const content = fields.given("content") ?? undefined;
  const parts = fields.given("parts") ?? undefined;
  if (content !== undefined && parts !== undefined)
    throw invalid(fields.at("parts"), "expected content or parts, not both");
  if (parts !== undefined) {
    if (!Array.isArray(parts)) throw invalid(fields.at("parts"), "expected a list of parts");
    return decodeParts(parts, fields.at("parts"), role);
  }
  if (content === undefined) throw invalid(fields.at("content"), "expected text or a list of parts");
  return decodeParts(content, fields.at("content"), role);
};
