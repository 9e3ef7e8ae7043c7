// Sources of images and documents, in both directions.
import { asArray, asString, isObject } from "../../model/json.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Source } from "../../model/message.ts";

/** Undefined where the source is of a kind without a neutral form. `maker` is who knows a file's id. */
export const decodeSource = (source: JsonObject, maker: string): Source | undefined => {
  const mediaType = asString(source["media_type"]);
  switch (source["type"]) {
    case "base64": {
      const data = asString(source["data"]);
      return data === undefined ? undefined : { kind: "base64", data, mediaType: mediaType ?? "" };
    }
    case "url": {
      const url = asString(source["url"]);
      return url === undefined ? undefined : { kind: "url", url };
    }
    case "file": {
      const id = asString(source["file_id"]);
      return id === undefined ? undefined : { kind: "id", id, origin: maker };
    }
    case "text": {
      const text = asString(source["data"]);
      return text === undefined ? undefined : { kind: "text", text, mediaType: mediaType ?? "text/plain" };
    }
    case "content":
      return { kind: "text", text: contentText(source) };
    default:
      return undefined;
  }
};

/** What a `content` source says in words; its blocks themselves are carried beside it. */
const contentText = (source: JsonObject): string => {
  const content = source["content"];
  if (typeof content === "string") return content;
  return (asArray(content) ?? [])
    .map((block) => (isObject(block) ? (asString(block["text"]) ?? "") : ""))
    .filter((text) => text !== "")
    .join("\n");
};

const dataUrl = /^data:([^;,]*)(?:;[^;,]*)*;base64,/;

/** A `data:` address is bytes, whatever slot it came in. */
const inlined = (source: Source): Source => {
  if (source.kind !== "url") return source;
  const match = dataUrl.exec(source.url);
  return match === null
    ? source
    : { kind: "base64", mediaType: match[1] ?? "", data: source.url.slice(match[0].length) };
};

export const encodeImageSource = (given: Source, maker: string): JsonObject | undefined => {
  const source = inlined(given);
  switch (source.kind) {
    case "base64":
      return {
        type: "base64",
        media_type: source.mediaType === "image/jpg" ? "image/jpeg" : source.mediaType,
        data: source.data,
      };
    case "url":
      return { type: "url", url: source.url };
    case "id":
      return source.origin === maker ? { type: "file", file_id: source.id } : undefined;
    default:
      return undefined;
  }
};

const textual = /^(?:text\/|application\/(?:json|xml|yaml|x-yaml|javascript|typescript)\b)/;

/** PDF bytes, addresses, file ids and text; anything else has no place on this wire. */
export const encodeDocumentSource = (given: Source, maker: string): JsonObject | undefined => {
  const source = inlined(given);
  switch (source.kind) {
    case "base64":
      if (source.mediaType === "application/pdf")
        return { type: "base64", media_type: "application/pdf", data: source.data };
      return textual.test(source.mediaType)
        ? { type: "text", media_type: "text/plain", data: Buffer.from(source.data, "base64").toString("utf8") }
        : undefined;
    case "url":
      return { type: "url", url: source.url };
    case "id":
      return source.origin === maker ? { type: "file", file_id: source.id } : undefined;
    default:
      return { type: "text", media_type: "text/plain", data: source.text };
  }
};
