// What makes a call the same call: method, path, query, Heddle's own headers and the body. Who calls is in the key, not here.
import type { Call, Headers } from "../model/call.ts";

/** Headers that say what is to be done. */
const means = /^(?:heddle-.+|prefer)$/;

/** A credential in the query is who calls, not what. */
const queryOf = (query: string): string =>
  query
    .split("&")
    .filter((pair) => pair !== "" && !/^key(?:=|$)/.test(pair))
    .join("&");

const headersOf = (headers: Headers): [string, string][] =>
  Object.entries(headers)
    .filter(([name]) => means.test(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));

/** A form gets a new boundary every time it is sent: the parts between are what was said. */
const bodyOf = ({ headers, body }: Call): Uint8Array => {
  const [, quoted, bare] =
    /^multipart\/form-data\b.*;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(headers["content-type"] ?? "") ?? [];
  const boundary = quoted ?? bare;
  if (boundary === undefined) return body;
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
  return Buffer.from(text.replaceAll(`--${boundary}`, "--"), "latin1");
};

/** SHA-256, in hexadecimal. */
export const callHash = (call: Call): string => {
  const head = JSON.stringify([call.method, call.path, queryOf(call.query), headersOf(call.headers)]);
  const hash = process.getBuiltinModule("node:crypto").createHash("sha256");
  return hash.update(`${head}\n`).update(bodyOf(call)).digest("hex");
};
