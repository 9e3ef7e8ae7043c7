// Stored files as parts of a message: the bytes go into the thread, so that a file may be deleted and the conversation stays whole.
import type { Part } from "../../model/message.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import { isObject, type JsonObject } from "../../model/json.ts";
import { findFile, readFile, type StoredFile } from "../../threads/files.ts";
import type { Caller, ThreadStore } from "../../threads/store.ts";
import { type Attachment, textField } from "./shapes.ts";

export type Attached = { attachments: Attachment[]; parts: Part[] };

type Asked = { id: string; mimeType: string | undefined; filename: string | undefined; path: string };

const mostAttachments = 32;

const readAsked = (body: JsonObject): Asked[] => {
  const given = body["attachments"] ?? [];
  if (!Array.isArray(given)) throw invalid("attachments", "expected a list");
  if (given.length > mostAttachments) throw invalid("attachments", `expected at most ${mostAttachments}`);
  return given.map((each, at) => {
    const path = `attachments[${at}]`;
    if (!isObject(each)) throw invalid(path, "expected an object");
    const id = textField(each, "file_id", `${path}.file_id`);
    if (id === undefined || id === "") throw invalid(`${path}.file_id`, "expected the id of a stored file");
    return {
      id,
      mimeType: textField(each, "mime_type", `${path}.mime_type`),
      filename: textField(each, "filename", `${path}.filename`),
      path,
    };
  });
};

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Undefined where the bytes are no text. */
const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
};

const isText = (type: string): boolean =>
  type.startsWith("text/") || /^application\/(?:json|xml|yaml|x-yaml|x-ndjson)$/.test(type) || type.endsWith("+json");

/** What models read: pictures, sounds and films as such, text as text, anything else as a document. */
const partOf = (type: string, filename: string, bytes: Uint8Array): Part => {
  const base64 = (): { kind: "base64"; data: string; mediaType: string } => ({
    kind: "base64",
    data: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64"),
    mediaType: type,
  });
  if (type.startsWith("image/") && type !== "image/svg+xml") return { type: "image", source: base64() };
  if (type.startsWith("audio/")) return { type: "audio", source: base64() };
  if (type.startsWith("video/")) return { type: "video", source: base64() };
  const text = isText(type) || type === "image/svg+xml" ? textOf(bytes) : undefined;
  return {
    type: "document",
    source: text === undefined ? base64() : { kind: "text", text, mediaType: type },
    filename,
  };
};

const bare = (type: string): string => (type.split(";")[0] ?? "").trim().toLowerCase();

/** What the file was stored as counts; where that says nothing, what the message calls it. */
const typeOf = (file: StoredFile, asked: Asked): string => {
  const stored = bare(file.mimeType);
  return stored === "application/octet-stream" ? bare(asked.mimeType ?? stored) || stored : stored;
};

/**
 * The files that a message names. Throws `not_found` for those that are not the caller's, `request_too_large` where they hold more
 * than `maxBytes` together.
 */
export const loadAttachments = async (
  store: ThreadStore,
  caller: Caller,
  body: JsonObject,
  maxBytes: number,
): Promise<Attached> => {
  const asked = readAsked(body);
  let size = 0;
  for (const { id, path } of asked) size += (await findFile(store, caller, id, `${path}.file_id`)).size;
  if (size > maxBytes)
    throw new GatewayError("request_too_large", `The attachments are over ${maxBytes} bytes together.`, {
      param: "attachments",
    });
  const attached: Attached = { attachments: [], parts: [] };
  for (const each of asked) {
    const { file, bytes } = await readFile(store, caller, each.id, `${each.path}.file_id`);
    const type = typeOf(file, each);
    const filename = each.filename ?? file.filename;
    attached.attachments.push({ file_id: file.id, mime_type: each.mimeType ?? file.mimeType, filename });
    attached.parts.push(partOf(type, filename, bytes));
  }
  return attached;
};
