// A multipart/form-data body that is whole in memory (RFC 7578), as audio uploads come.
import { GatewayError, invalid } from "../model/error.ts";

export type Multipart = {
  /** Repeated fields become arrays. */
  fields: Record<string, string | string[]>;
  files: { field: string; name: string; type: string; bytes: Uint8Array }[];
};

const parameter = (header: string, name: string): string | undefined => {
  const found = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]+))`, "i").exec(header);
  return found?.[1]?.replaceAll(/\\(.)/g, "$1") ?? found?.[2];
};

/** Throws a 400 where the form is broken, a 415 where it is no form. */
export const parseMultipart = (body: Uint8Array, contentType: string): Multipart => {
  const boundary = parameter(contentType, "boundary");
  if (!/^multipart\/form-data/i.test(contentType) || boundary === undefined)
    throw new GatewayError("unsupported_media_type", "This route takes multipart/form-data with a boundary.");
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const mark = Buffer.from(`--${boundary}`);
  const result: Multipart = { fields: Object.create(null) as Multipart["fields"], files: [] };
  let at = bytes.indexOf(mark);
  for (;;) {
    if (at < 0) throw invalid("body", "the form is cut off");
    at += mark.length;
    if (bytes.subarray(at, at + 2).toString("latin1") === "--") return result;
    const headersFrom = bytes.indexOf("\r\n", at) + 2;
    const headersTo = bytes.indexOf("\r\n\r\n", at);
    const next = headersTo < 0 ? -1 : bytes.indexOf(Buffer.from(`\r\n--${boundary}`), headersTo + 2);
    if (headersFrom < 2 || headersTo < 0 || next < 0) throw invalid("body", "the form is cut off");
    const headers = bytes.subarray(headersFrom, headersTo).toString("utf8");
    const disposition = /^content-disposition:\s*(.*)$/im.exec(headers)?.[1] ?? "";
    const field = parameter(disposition, "name");
    const name = parameter(disposition, "filename");
    const content = bytes.subarray(headersTo + 4, Math.max(headersTo + 4, next));
    if (field !== undefined && name !== undefined)
      result.files.push({
        field,
        name,
        type: /^content-type:\s*(.*)$/im.exec(headers)?.[1]?.trim() ?? "application/octet-stream",
        bytes: content,
      });
    else if (field !== undefined) {
      const key = field.replace(/\[\]$/, "");
      const value = content.toString("utf8");
      const before = result.fields[key];
      result.fields[key] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
    }
    at = next + 2;
  }
};
