// Images, documents, audio and video: Bedrock names formats, the model names media types; bytes are base64, other places are S3.
import type { JsonObject } from "../../model/json.ts";
import type { AudioPart, DocumentPart, ImagePart, Part, Source, VideoPart } from "../../model/message.ts";
import { invalid } from "../../model/error.ts";
import { asObject, asString, compact, unknownFields } from "../../model/json.ts";
import { asExtra, own } from "./names.ts";

export type MediaPart = ImagePart | DocumentPart | AudioPart | VideoPart;
export type MediaKind = MediaPart["type"];

export const isMedia = (part: Part): part is MediaPart =>
  part.type === "image" || part.type === "document" || part.type === "audio" || part.type === "video";

/** Bedrock's format and its media types, the usual one first. */
const formats: Record<MediaKind, readonly (readonly [string, ...string[]])[]> = {
  image: [
    ["png", "image/png"],
    ["jpeg", "image/jpeg", "image/jpg"],
    ["gif", "image/gif"],
    ["webp", "image/webp"],
  ],
  document: [
    ["pdf", "application/pdf"],
    ["txt", "text/plain"],
    ["md", "text/markdown", "text/x-markdown"],
    ["html", "text/html"],
    ["csv", "text/csv"],
    ["doc", "application/msword"],
    ["docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"],
    ["xls", "application/vnd.ms-excel"],
    ["xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"],
  ],
  audio: [
    ["mp3", "audio/mpeg", "audio/mp3"],
    ["wav", "audio/wav", "audio/x-wav", "audio/wave"],
    ["flac", "audio/flac"],
    ["ogg", "audio/ogg"],
    ["opus", "audio/opus"],
    ["aac", "audio/aac"],
    ["x-aac", "audio/x-aac"],
    ["m4a", "audio/m4a", "audio/x-m4a"],
    ["mp4", "audio/mp4"],
    ["webm", "audio/webm"],
    ["pcm", "audio/pcm", "audio/l16"],
    ["mka", "audio/x-matroska"],
    ["mpeg"],
    ["mpga"],
    ["mkv"],
  ],
  video: [
    ["mp4", "video/mp4"],
    ["mov", "video/quicktime"],
    ["webm", "video/webm"],
    ["mkv", "video/x-matroska"],
    ["flv", "video/x-flv"],
    ["mpeg", "video/mpeg"],
    ["mpg", "video/mpg"],
    ["wmv", "video/x-ms-wmv"],
    ["three_gp", "video/3gpp"],
  ],
};

const mediaTypeOf = (kind: MediaKind, format: string | undefined): string | undefined =>
  format === undefined
    ? undefined
    : (formats[kind].find(([name]) => name === format)?.[1] ??
      `${kind === "document" ? "application" : kind}/${format}`);

/** By media type, else by a format's or file's name, else (documents) any text as plain text. */
const formatOf = (kind: MediaKind, mediaType: string | undefined, name: string | undefined): string | undefined => {
  const type = mediaType?.split(";")[0]?.trim().toLowerCase();
  const table = formats[kind];
  const byType =
    type === undefined
      ? undefined
      : table.find(([format, ...types]) => types.includes(type) || type === `${kind}/${format}`);
  if (byType !== undefined) return byType[0];
  const ending = name?.toLowerCase().split(".").at(-1);
  const byName = table.find(([format]) => format === ending || (format === "jpeg" && ending === "jpg"));
  if (byName !== undefined) return byName[0];
  return kind === "document" && (type === undefined ? false : type.startsWith("text/") || type === "application/json")
    ? "txt"
    : undefined;
};

const knownOfMedia = new Set(["format", "source", "name", "context"]);
const knownOfSource = new Set(["bytes", "text", "s3Location"]);
const knownOfLocation = new Set(["uri"]);

const decodeSource = (source: JsonObject, mediaType: string | undefined): Source => {
  const location = asObject(source["s3Location"]);
  if (location !== undefined) return compact<Source>({ kind: "url", url: asString(location["uri"]) ?? "", mediaType });
  const text = asString(source["text"]) ?? joinedText(source["content"]);
  if (text !== undefined) return compact<Source>({ kind: "text", text, mediaType });
  return { kind: "base64", data: asString(source["bytes"]) ?? "", mediaType: mediaType ?? "application/octet-stream" };
};

/** Documents given as blocks of text. */
const joinedText = (content: JsonObject[string]): string | undefined =>
  Array.isArray(content) ? content.map((block) => asString(asObject(block)?.["text"]) ?? "").join("\n") : undefined;

/** `value` is what stands under `image`, `document`, `audio` or `video`. */
export const decodeMedia = (kind: MediaKind, value: JsonObject): MediaPart => {
  const native = asObject(value["source"]) ?? {};
  const mediaType = mediaTypeOf(kind, asString(value["format"]));
  const source = decodeSource(native, mediaType);
  const fields: JsonObject = { ...unknownFields(value, knownOfMedia) };
  const besideUri = unknownFields(asObject(native["s3Location"]) ?? {}, knownOfLocation);
  if (besideUri !== undefined) fields["s3Location"] = besideUri;
  if (source.kind === "text")
    fields["source"] = native["content"] === undefined ? { text: true } : { content: native["content"] };
  else if (unknownFields(native, knownOfSource) !== undefined) fields["source"] = unknownFields(native, knownOfSource);
  const extra = asExtra(fields);
  switch (kind) {
    case "image":
      return compact<ImagePart>({ type: "image", source, extra });
    case "video":
      return compact<VideoPart>({ type: "video", source, extra });
    case "audio":
      return compact<AudioPart>({ type: "audio", source, format: asString(value["format"]), extra });
    default:
      return compact<DocumentPart>({
        type: "document",
        source,
        title: asString(value["name"]),
        context: asString(value["context"]),
        extra,
      });
  }
};

const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");

const encodeSource = (part: MediaPart, rest: JsonObject, path: string): JsonObject => {
  const { source } = part;
  switch (source.kind) {
    case "base64":
      return { bytes: source.data, ...asObject(rest["source"]) };
    case "text": {
      // Text is sent as the bytes of a text file, which every model takes; as `text` only where it came so.
      const native = asObject(rest["source"]);
      if (native?.["content"] !== undefined) return { content: native["content"] };
      return native?.["text"] === true ? { text: source.text } : { bytes: base64(source.text) };
    }
    case "url":
      if (source.url.startsWith("s3://")) return { s3Location: { uri: source.url, ...asObject(rest["s3Location"]) } };
      throw invalid(path, "Bedrock reads media from base64 data or an s3:// address only");
    default:
      throw invalid(path, "a file's id means nothing to Bedrock; send the data itself or an s3:// address");
  }
};

/** Names of documents within one request: Bedrock allows few characters and no name twice. */
export type DocumentNames = { name: (wanted: string | undefined) => string };

export const createDocumentNames = (): DocumentNames => {
  const used = new Set<string>();
  let unnamed = 0;
  return {
    name: (wanted) => {
      const clean = (wanted ?? "")
        .replace(/[^A-Za-z0-9\s\-()[\]]/g, " ")
        .replace(/\s+/g, " ")
        .trim()
        .slice(0, 180);
      const base = clean === "" ? `Document ${(unnamed += 1)}` : clean;
      let name = base;
      for (let copy = 2; used.has(name); copy += 1) name = `${base} (${copy})`;
      used.add(name);
      return name;
    },
  };
};

/** The value under the part's kind. Throws `invalid_request` for media that Bedrock can't be given (F16). */
export const encodeMedia = (part: MediaPart, names: DocumentNames, path: string): JsonObject => {
  const { source: _source, s3Location: _location, block: _block, ...rest } = own(part.extra) ?? {};
  const source = encodeSource(part, own(part.extra) ?? {}, path);
  const filename =
    part.type === "document" ? (part.filename ?? part.title) : part.type === "audio" ? part.format : undefined;
  const place = part.source.kind === "url" ? part.source.url : undefined;
  const format =
    formatOf(part.type, part.source.mediaType, filename) ??
    formatOf(part.type, undefined, place) ??
    (part.type === "document" && part.source.kind === "text" ? "txt" : undefined);
  if (part.type !== "document") {
    if (format === undefined) throw invalid(path, `expected ${part.type} data of a type that Bedrock reads`);
    return { format, source, ...rest };
  }
  const bare = source["bytes"] === undefined && part.source.mediaType === undefined;
  if (format === undefined && !bare) throw invalid(path, "expected a document of a type that Bedrock reads");
  return compact<JsonObject>({
    format: bare && place === undefined ? undefined : format,
    name: names.name(part.title ?? part.filename?.replace(/\.[A-Za-z0-9]+$/, "")),
    source,
    context: part.context,
    ...rest,
  });
};
