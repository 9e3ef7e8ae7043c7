// The content parts of messages and tool outputs, both ways: text, refusals, images, files, audio (PROTOCOLS section 9).
import { asArray, asObject, asString, compact, isObject, type Json, type JsonObject } from "../../model/json.ts";
import { invalid } from "../../model/error.ts";
import type { CacheHint, DocumentPart, Part, Source, TextPart } from "../../model/message.ts";
import { decodeAnnotation, encodeAnnotation } from "./citations.ts";
import { extraOf, isEmpty, nativeOrigin, own, rest, wireId } from "./names.ts";

const known = {
  text: new Set(["type", "text", "annotations", "logprobs"]),
  refusal: new Set(["type", "refusal"]),
  image: new Set(["type", "image_url", "file_id", "detail"]),
  file: new Set(["type", "file_data", "file_url", "file_id", "filename"]),
  audio: new Set(["type", "input_audio"]),
} as const;

const cacheOf = (content: JsonObject): CacheHint | undefined => {
  const breakpoint = asObject(content["prompt_cache_breakpoint"]);
  return breakpoint === undefined ? undefined : compact<CacheHint>({ ttl: asString(breakpoint["ttl"]) });
};

const percentDecoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray "%": the text is meant as it stands.
    return text;
  }
};

/** The source that a data URL holds, or undefined where `url` is not one. */
const dataSource = (url: string): Source | undefined => {
  if (!url.startsWith("data:")) return undefined;
  const comma = url.indexOf(",");
  if (comma < 0) return undefined;
  const head = url.slice(5, comma);
  const body = url.slice(comma + 1);
  const base64 = head.endsWith(";base64");
  const mediaType = (base64 ? head.slice(0, -7) : head) || "text/plain";
  return {
    kind: "base64",
    data: base64 ? body : Buffer.from(percentDecoded(body), "utf8").toString("base64"),
    mediaType,
  };
};

const urlSource = (url: string): Source => dataSource(url) ?? { kind: "url", url };

const fileTypes: Readonly<Record<string, string>> = {
  pdf: "application/pdf",
  txt: "text/plain",
  md: "text/markdown",
  csv: "text/csv",
  html: "text/html",
  json: "application/json",
};

const typeOfFile = (filename: string | undefined): string =>
  fileTypes[filename?.split(".").at(-1)?.toLowerCase() ?? ""] ?? "application/pdf";

const imageSource = (content: JsonObject): Source | undefined => {
  const url = asString(content["image_url"]);
  if (url !== undefined) return urlSource(url);
  const id = asString(content["file_id"]);
  return id === undefined ? undefined : { kind: "id", id, origin: nativeOrigin };
};

const fileSource = (content: JsonObject): Source | undefined => {
  const data = asString(content["file_data"]);
  if (data !== undefined)
    return dataSource(data) ?? { kind: "base64", data, mediaType: typeOfFile(asString(content["filename"])) };
  const url = asString(content["file_url"]);
  if (url !== undefined) return { kind: "url", url };
  const id = asString(content["file_id"]);
  return id === undefined ? undefined : { kind: "id", id, origin: nativeOrigin };
};

/** A content part; one without a neutral form is opaque. With a `path` (a client's request) a field of a wrong type is refused. */
export const decodeContent = (content: Json, path?: string): Part => {
  if (!isObject(content)) {
    if (path !== undefined) throw invalid(path, "expected an object");
    return { type: "opaque", wire: wireId, value: { value: content } };
  }
  const make = <T extends Part>(part: T, fields: ReadonlySet<string>, more: JsonObject = {}): T => {
    const left = rest(content, fields);
    const kept = isEmpty(left) ? more : { ...more, content: left };
    const cache = cacheOf(content);
    if (!isEmpty(kept)) part.extra = extraOf(kept);
    if (cache !== undefined) part.cache = cache;
    return part;
  };
  switch (content["type"]) {
    case "input_text":
    case "output_text":
    case "text": {
      const text = asString(content["text"]);
      if (text === undefined && path !== undefined) throw invalid(`${path}.text`, "expected a string");
      const part: TextPart = { type: "text", text: text ?? "" };
      const citations = (asArray(content["annotations"]) ?? []).map(decodeAnnotation);
      if (citations.length > 0) part.citations = citations;
      const logprobs = asArray(content["logprobs"]);
      return make(part, known.text, logprobs === undefined || logprobs.length === 0 ? {} : { logprobs });
    }
    case "refusal":
      return make({ type: "refusal", text: asString(content["refusal"]) ?? "" }, known.refusal);
    case "input_image": {
      const source = imageSource(content);
      if (source === undefined) break;
      return make(compact<Part>({ type: "image", source, detail: asString(content["detail"]) }), known.image);
    }
    case "input_file": {
      const source = fileSource(content);
      if (source === undefined) break;
      return make(compact<Part>({ type: "document", source, filename: asString(content["filename"]) }), known.file);
    }
    case "input_audio": {
      const audio = asObject(content["input_audio"]);
      const data = asString(audio?.["data"]);
      if (data === undefined) break;
      const format = asString(audio?.["format"]) ?? "wav";
      const mediaType = format === "mp3" ? "audio/mpeg" : `audio/${format}`;
      return make({ type: "audio", source: { kind: "base64", data, mediaType }, format }, known.audio);
    }
    default:
  }
  return { type: "opaque", wire: wireId, value: content };
};

/** The provider that reads what is encoded: ids of others mean nothing to it. `same`: the request came on this very wire. */
export type Reader = { maker: string; same: boolean };

const dataUrl = (source: Extract<Source, { kind: "base64" }>): string =>
  `data:${source.mediaType};base64,${source.data}`;

const readsId = (source: Extract<Source, { kind: "id" }>, reader: Reader): boolean =>
  reader.same || source.origin === reader.maker;

const encodeDocument = (part: DocumentPart, reader: Reader): JsonObject | undefined => {
  const { source } = part;
  const filename = part.filename ?? part.title;
  const named: JsonObject = filename === undefined ? {} : { filename };
  switch (source.kind) {
    case "base64": {
      const type = source.mediaType;
      const extension = Object.keys(fileTypes).find((key) => fileTypes[key] === type) ?? "pdf";
      // OpenAI wants a name; the caller on this wire knows what it sends.
      const name = filename ?? `document.${extension}`;
      return { type: "input_file", ...(reader.same ? named : { filename: name }), file_data: dataUrl(source) };
    }
    case "url":
      return { type: "input_file", file_url: source.url, ...named };
    case "text":
      return { type: "input_text", text: source.text };
    default:
      return readsId(source, reader) ? { type: "input_file", file_id: source.id, ...named } : undefined;
  }
};

/** A part as content of an `input` (user, system, tool output) or `output` (assistant) message; undefined where there is no such thing. */
export const encodeContent = (part: Part, side: "input" | "output", reader: Reader): JsonObject | undefined => {
  const left = asObject(own(part)?.["content"]);
  const bare = encodeBare(part, side, reader);
  return bare === undefined || left === undefined ? bare : { ...bare, ...left };
};

const encodeBare = (part: Part, side: "input" | "output", reader: Reader): JsonObject | undefined => {
  switch (part.type) {
    case "text":
      return side === "input" ? { type: "input_text", text: part.text } : encodeOutputText(part);
    case "refusal":
      return side === "input" ? { type: "input_text", text: part.text } : { type: "refusal", refusal: part.text };
    case "image": {
      if (side === "output" || part.source.kind === "text") return undefined;
      const detail: JsonObject = part.detail === undefined ? {} : { detail: part.detail };
      if (part.source.kind === "base64") return { type: "input_image", image_url: dataUrl(part.source), ...detail };
      if (part.source.kind === "url") return { type: "input_image", image_url: part.source.url, ...detail };
      return readsId(part.source, reader) ? { type: "input_image", file_id: part.source.id, ...detail } : undefined;
    }
    case "document":
      return side === "input" ? encodeDocument(part, reader) : undefined;
    case "audio": {
      if (side === "output" || part.source.kind !== "base64") return undefined;
      const format = part.format ?? (part.source.mediaType === "audio/mpeg" ? "mp3" : part.source.mediaType.slice(6));
      return { type: "input_audio", input_audio: { data: part.source.data, format } };
    }
    case "opaque":
      if (part.wire === wireId) return part.value;
      return part.text === undefined ? undefined : { type: `${side}_text`, text: part.text };
    default:
      return undefined;
  }
};

const encodeOutputText = (part: TextPart): JsonObject => {
  const logprobs = asArray(own(part)?.["logprobs"]);
  const annotations = (part.citations ?? []).map((citation) => encodeAnnotation(citation, part.text.length));
  return logprobs === undefined
    ? { type: "output_text", text: part.text, annotations }
    : { type: "output_text", text: part.text, annotations, logprobs };
};
