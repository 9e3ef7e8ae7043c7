// The content parts of messages, both ways: text, images, audio, files, refusals (PROTOCOLS section 9).
import type { ChatCompletionContentPart } from "openai/resources/chat/completions";
import { invalid } from "../../model/error.ts";
import { asObject, asString, compact, isObject, type Json, type JsonObject } from "../../model/json.ts";
import type { AudioPart, CacheHint, DocumentPart, ImagePart, Part, Source } from "../../model/message.ts";
import { json, keptIn, nativeOrigin, own, rest, wireId } from "./names.ts";

const known = {
  text: new Set(["type", "text"]),
  refusal: new Set(["type", "refusal"]),
  image: new Set(["type", "image_url"]),
  audio: new Set(["type", "input_audio"]),
  file: new Set(["type", "file"]),
} as const;

/** OpenAI's hint or, on OpenRouter, Anthropic's. Either stays among the part's own fields too, as it was. */
const cacheOf = (content: JsonObject): { cache?: CacheHint } => {
  const hint = asObject(content["prompt_cache_breakpoint"]) ?? asObject(content["cache_control"]);
  return hint === undefined ? {} : { cache: compact<CacheHint>({ ttl: asString(hint["ttl"]) }) };
};

const percentDecoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray "%": the text is meant as it stands.
    return text;
  }
};

/** Of a `data:` URL or an address. */
export const sourceOfUrl = (url: string): Source => {
  const comma = url.startsWith("data:") ? url.indexOf(",") : -1;
  if (comma < 0) return { kind: "url", url };
  const head = url.slice(5, comma);
  const base64 = head.endsWith(";base64");
  const body = url.slice(comma + 1);
  return {
    kind: "base64",
    data: base64 ? body : Buffer.from(percentDecoded(body), "utf8").toString("base64"),
    mediaType: (base64 ? head.slice(0, -7) : head) || "text/plain",
  };
};

export const dataUrl = (source: Extract<Source, { kind: "base64" }>): string =>
  `data:${source.mediaType};base64,${source.data}`;

/** Media types of audio, by OpenAI's name of the format. */
const audioTypes: Readonly<Record<string, string>> = {
  wav: "audio/wav",
  mp3: "audio/mpeg",
  flac: "audio/flac",
  opus: "audio/opus",
  aac: "audio/aac",
  pcm16: "audio/pcm",
};
export const audioType = (format: string): string => audioTypes[format] ?? `audio/${format}`;

const audioFormat = (mediaType: string): string => {
  const plain = (mediaType.split(";")[0] ?? "").trim().toLowerCase();
  const found = Object.entries(audioTypes).find(([, type]) => type === plain)?.[0];
  return found ?? plain.replace(/^audio\/(?:x-)?/, "").replace(/^mpeg3?$/, "mp3");
};

const typesByExtension: Readonly<Record<string, string>> = {
  pdf: "application/pdf",
  txt: "text/plain",
  md: "text/markdown",
  csv: "text/csv",
  html: "text/html",
  json: "application/json",
};
const typeOfFile = (filename: string | undefined): string =>
  typesByExtension[filename?.split(".").at(-1)?.toLowerCase() ?? ""] ?? "application/pdf";

const decodeImage = (content: JsonObject): ImagePart | undefined => {
  const image = content["image_url"];
  const fields = asObject(image) ?? { url: image };
  const url = asString(fields["url"]);
  if (url === undefined) return undefined;
  const more = rest(fields, new Set(["url", "detail"]));
  const left = rest(content, known.image);
  return compact<ImagePart>({
    type: "image",
    source: sourceOfUrl(url),
    detail: asString(fields["detail"]),
    ...cacheOf(content),
    ...keptIn(Object.keys(more).length === 0 ? left : { ...left, image_url: more }),
  });
};

const decodeFile = (content: JsonObject): DocumentPart | undefined => {
  const file = asObject(content["file"]) ?? {};
  const data = asString(file["file_data"]);
  const id = asString(file["file_id"]);
  const filename = asString(file["filename"]);
  const source: Source | undefined =
    data !== undefined
      ? /^(?:data|https?):/.test(data)
        ? sourceOfUrl(data)
        : { kind: "base64", data, mediaType: typeOfFile(filename) }
      : id === undefined
        ? undefined
        : { kind: "id", id, origin: nativeOrigin };
  if (source === undefined) return undefined;
  return compact<DocumentPart>({
    type: "document",
    source,
    filename,
    ...cacheOf(content),
    ...keptIn(rest(content, known.file)),
  });
};

/** One content part; a kind without a neutral form is opaque. */
export const decodePart = (content: Json, path: string): Part => {
  if (typeof content === "string") return { type: "text", text: content };
  if (!isObject(content)) throw invalid(path, "expected an object");
  switch (content["type"]) {
    case "text":
    case "input_text":
    case "output_text": {
      const text = asString(content["text"]);
      if (text === undefined) throw invalid(`${path}.text`, "expected a string");
      return { type: "text", text, ...cacheOf(content), ...keptIn(rest(content, known.text)) };
    }
    case "refusal": {
      const text = asString(content["refusal"]);
      if (text === undefined) throw invalid(`${path}.refusal`, "expected a string");
      return { type: "refusal", text, ...keptIn(rest(content, known.refusal)) };
    }
    case "image_url": {
      const image = decodeImage(content);
      if (image === undefined) throw invalid(`${path}.image_url`, "expected an object with url");
      return image;
    }
    case "input_audio": {
      const audio = asObject(content["input_audio"]);
      const data = asString(audio?.["data"]);
      if (data === undefined) break;
      const format = asString(audio?.["format"]) ?? "wav";
      return {
        type: "audio",
        source: { kind: "base64", data, mediaType: audioType(format) },
        format,
        ...cacheOf(content),
        ...keptIn(rest(content, known.audio)),
      };
    }
    case "file": {
      const file = decodeFile(content);
      if (file !== undefined) return file;
      break;
    }
    default:
  }
  const text = asString(content["text"]);
  return compact<Part>({ type: "opaque", wire: wireId, value: content, text });
};

/** `content` of a message: none where it is empty or absent. */
export const decodeContent = (value: Json | undefined, path: string): Part[] => {
  if (value === undefined || value === null || value === "") return [];
  if (typeof value === "string") return [{ type: "text", text: value }];
  if (!Array.isArray(value)) throw invalid(path, "expected a string or an array");
  return value.map((entry, at) => decodePart(entry, `${path}[${at}]`));
};

/** Who reads the parts: its maker's ids mean something to it; `same`: the request came on this wire; `cacheControl`: hints in Anthropic's form are read. */
export type Reader = { maker: string; same: boolean; cacheControl: boolean };

const encodeAudio = (part: AudioPart): JsonObject | undefined => {
  const { source } = part;
  if (source.kind !== "base64") return undefined;
  const audio = { data: source.data, format: part.format ?? audioFormat(source.mediaType) };
  return { type: "input_audio", input_audio: audio };
};

const encodeDocument = (part: DocumentPart, reader: Reader): JsonObject | undefined => {
  const { source } = part;
  switch (source.kind) {
    case "base64": {
      const plain = source.mediaType.split(";")[0] ?? "";
      const extension = Object.keys(typesByExtension).find((name) => typesByExtension[name] === plain) ?? "pdf";
      const title = part.filename ?? part.title ?? "document";
      // Hosts tell the kind of a file by its name.
      const filename = /\.\w{1,5}$/.test(title) ? title : `${title}.${extension}`;
      return json({ type: "file", file: { filename, file_data: dataUrl(source) } } satisfies ChatCompletionContentPart);
    }
    case "id":
      return reader.same || source.origin === reader.maker ? { type: "file", file: { file_id: source.id } } : undefined;
    case "text": {
      const head = [part.title ?? part.filename, part.context].filter((line) => line !== undefined);
      return { type: "text", text: [...head, source.text].join("\n\n") };
    }
    default:
      // Only OpenRouter and Gemini's endpoint know an address here: what came on this wire goes as it came.
      return reader.same
        ? { type: "file", file: compact<JsonObject>({ filename: part.filename, file_data: source.url }) }
        : undefined;
  }
};

const encodeBare = (part: Part, reader: Reader): JsonObject | undefined => {
  switch (part.type) {
    case "text":
      return { type: "text", text: part.text };
    case "refusal":
      return { type: "text", text: part.text };
    case "image": {
      const { source } = part;
      if (source.kind !== "base64" && source.kind !== "url") return undefined;
      const url = source.kind === "base64" ? dataUrl(source) : source.url;
      const detail: JsonObject = part.detail === undefined ? {} : { detail: part.detail };
      return { type: "image_url", image_url: { url, ...detail, ...asObject(own(part)?.["image_url"]) } };
    }
    case "audio":
      return encodeAudio(part);
    case "document":
      return encodeDocument(part, reader);
    case "opaque":
      if (part.wire === wireId) return part.value;
      return part.text === undefined || part.text === "" ? undefined : { type: "text", text: part.text };
    default:
      return undefined;
  }
};

/** A part as content of a user's or system message; undefined where this wire has no such thing. */
export const encodePart = (part: Part, reader: Reader): JsonObject | undefined => {
  const bare = encodeBare(part, reader);
  if (bare === undefined || part.type === "opaque") return bare;
  const { image_url: _image, logprobs: _logprobs, start: _start, ...left } = own(part) ?? {};
  const encoded = { ...bare, ...left };
  if (part.cache !== undefined && reader.cacheControl && encoded["cache_control"] === undefined)
    encoded["cache_control"] = compact<JsonObject>({ type: "ephemeral", ttl: part.cache.ttl });
  return encoded;
};

/** One string where nothing but text is in it: some hosts take nothing else. */
export const contentOf = (parts: readonly JsonObject[]): JsonObject[] | string => {
  if (parts.length === 0) return "";
  const [only] = parts;
  if (parts.length > 1 || only === undefined || only["type"] !== "text" || Object.keys(only).length !== 2)
    return [...parts];
  return asString(only["text"]) ?? [...parts];
};
