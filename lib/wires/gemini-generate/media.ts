// Bytes and files in a part: `inlineData` and `fileData`.
import type { JsonObject } from "../../model/json.ts";
import type { AudioPart, DocumentPart, ImagePart, Part, Source, VideoPart } from "../../model/message.ts";
import { asObject, asString, compact, unknownFields } from "../../model/json.ts";
import { asExtra, camel, nativeOrigin, own } from "./names.ts";

export type MediaPart = ImagePart | DocumentPart | AudioPart | VideoPart;

export const isMedia = (part: Part): part is MediaPart =>
  part.type === "image" || part.type === "document" || part.type === "audio" || part.type === "video";

const typesByEnding: Record<string, string> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  webp: "image/webp",
  gif: "image/gif",
  heic: "image/heic",
  pdf: "application/pdf",
  txt: "text/plain",
  md: "text/markdown",
  html: "text/html",
  csv: "text/csv",
  mp3: "audio/mp3",
  wav: "audio/wav",
  ogg: "audio/ogg",
  flac: "audio/flac",
  mp4: "video/mp4",
  webm: "video/webm",
  mov: "video/quicktime",
};

const typeOfUrl = (url: string): string | undefined =>
  typesByEnding[/\.([a-z0-9]+)(?:[?#].*)?$/i.exec(url)?.[1]?.toLowerCase() ?? ""];

/** Addresses that only Google's models can open: its storage, its files API, and films it knows by their page. */
const googleOnly =
  /^gs:\/\/|^https:\/\/generativelanguage\.googleapis\.com\/|^(?:https:\/\/)?(?:www\.)?(?:youtube\.com|youtu\.be)\/|^files\//;

const decodeSource = (inline: JsonObject | undefined, file: JsonObject | undefined): Source => {
  if (inline !== undefined)
    return {
      kind: "base64",
      data: asString(inline["data"]) ?? "",
      mediaType: asString(inline["mimeType"]) ?? "application/octet-stream",
    };
  const uri = asString(file?.["fileUri"]) ?? "";
  const mediaType = asString(file?.["mimeType"]);
  return compact<Source>(
    googleOnly.test(uri)
      ? { kind: "id", id: uri, origin: nativeOrigin, mediaType }
      : { kind: "url", url: uri, mediaType },
  );
};

const formatOf = (mediaType: string): string => mediaType.replace(/^audio\/(?:x-|l)?/, "").replace(/;.*$/, "");

const knownOfMedia = new Set(["data", "mimeType", "fileUri"]);
const knownOfPart = new Set(["inlineData", "fileData"]);

/** A part with `inlineData` or `fileData`; fields beside them ride in `extra`. */
export const decodeMedia = (part: JsonObject): MediaPart => {
  const inline = asObject(part["inlineData"]);
  const file = asObject(part["fileData"]);
  const native = camel(inline ?? file ?? {});
  const source = decodeSource(inline && native, file && native);
  const fields = unknownFields(part, knownOfPart);
  const detail = unknownFields(native, knownOfMedia);
  const extra = asExtra(detail === undefined ? fields : { ...fields, media: detail });
  const uri = source.kind === "url" ? source.url : source.kind === "id" ? source.id : "";
  const type = source.mediaType ?? (/youtu/.test(uri) ? "video/mp4" : typeOfUrl(uri)) ?? "";
  if (type.startsWith("image/")) return compact<ImagePart>({ type: "image", source, extra });
  if (type.startsWith("audio/")) return compact<AudioPart>({ type: "audio", source, format: formatOf(type), extra });
  if (type.startsWith("video/")) return compact<VideoPart>({ type: "video", source, extra });
  return compact<DocumentPart>({ type: "document", source, filename: asString(native["displayName"]), extra });
};

const fallbackTypes: Record<MediaPart["type"], string> = {
  image: "image/png",
  document: "application/pdf",
  audio: "audio/wav",
  video: "video/mp4",
};

const typeOf = (part: MediaPart): string => {
  const told = part.source.mediaType;
  if (told !== undefined && told !== "" && told !== "application/octet-stream") return told;
  if (part.type === "audio" && part.format !== undefined) return `audio/${part.format}`;
  if (part.type !== "document") return fallbackTypes[part.type];
  return typeOfUrl(part.filename ?? "") ?? (told === undefined || told === "" ? fallbackTypes.document : told);
};

/** Undefined where the medium can't be had: a file id of another maker. `maker` is who reads the part. */
export const encodeMedia = (part: MediaPart, maker: string): JsonObject | undefined => {
  const source = part.source;
  const { media, ...fields } = own(part.extra) ?? {};
  const detail = asObject(media) ?? {};
  switch (source.kind) {
    case "text":
      return { text: source.text };
    case "base64": {
      const mimeType = own(part.extra) === undefined ? typeOf(part) : source.mediaType;
      return { ...fields, inlineData: { mimeType, data: source.data, ...detail } };
    }
    case "url": {
      const mimeType = source.mediaType ?? typeOfUrl(source.url);
      return {
        ...fields,
        fileData: compact<JsonObject>({ fileUri: source.url, mimeType, ...detail }),
      };
    }
    case "id":
      break;
  }
  return source.origin === maker
    ? { ...fields, fileData: compact<JsonObject>({ fileUri: source.id, mimeType: source.mediaType, ...detail }) }
    : undefined;
};
