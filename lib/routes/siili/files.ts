// Files that messages may name: stored, read and deleted by their owner alone.
import type { Reply } from "../../model/call.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import { parseMultipart } from "../../http/multipart.ts";
import { deleteFile, readFile, storeFile } from "../../threads/files.ts";
import { json, type RouteContext } from "../route.ts";
import { threadsOf, turnCall } from "../turns.ts";

const unknownType = "application/octet-stream";
/** It becomes a header again. */
const typePattern = /^[\w.+-]{1,100}\/[\w.+-]{1,100}(?:\s*;[\x20-\x7e]{0,100})?$/;

/** Without folders and control characters, which some browsers and all attackers send. */
const plainName = (name: string): string =>
  (name.split(/[\\/]/).at(-1) ?? "")
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, "")
    .slice(0, 255);

export const upload = async (context: RouteContext): Promise<Reply> => {
  const { call, services } = context;
  const { store } = await threadsOf(context);
  const { maxBodyBytes } = services.config.server;
  const form = parseMultipart(call.body, call.headers["content-type"] ?? "");
  const file = form.files.find(({ field }) => field === "file");
  if (file === undefined) throw invalid("file", "expected a file in a multipart form");
  if (file.bytes.length > maxBodyBytes)
    throw new GatewayError("request_too_large", `The file is over ${maxBodyBytes} bytes.`, { param: "file" });
  const stored = await storeFile(store, turnCall(context).caller, {
    bytes: file.bytes,
    mimeType: typePattern.test(file.type) ? file.type : unknownType,
    filename: plainName(file.name) || "file",
  });
  return json(200, {
    file_id: stored.id,
    mime_type: stored.mimeType,
    filename: stored.filename,
    size_bytes: stored.size,
  });
};

/** What a browser may show in its place; anything else is saved, as it could be a page with scripts. */
const shown = /^(?:image\/(?!svg)|audio\/|video\/|application\/pdf|text\/plain)/;

export const download = async (context: RouteContext, id: string): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const { file, bytes } = await readFile(store, turnCall(context).caller, id);
  const how = shown.test(file.mimeType) ? "inline" : "attachment";
  const name = encodeURIComponent(file.filename).replaceAll(/['()*]/g, (each) => `%${each.charCodeAt(0).toString(16)}`);
  return {
    status: 200,
    headers: {
      "content-type": file.mimeType,
      "content-disposition": `${how}; filename*=UTF-8''${name}`,
      "content-security-policy": "default-src 'none'; sandbox",
      "x-content-type-options": "nosniff",
      "cache-control": "private",
    },
    body: bytes,
  };
};

export const remove = async (context: RouteContext, id: string): Promise<Reply> => {
  const { store } = await threadsOf(context);
  await deleteFile(store, turnCall(context).caller, id);
  return json(200, { success: true });
};
