// Cursors: the strings that say where a page ended, in a form that survives a URL.
import { GatewayError } from "../../model/error.ts";
import { parseJson } from "../../model/json.ts";

export const badCursor = (): GatewayError =>
  new GatewayError("invalid_request", "The cursor is not one that this gateway gave out.", { param: "cursor" });

export const encodeCursor = (parts: readonly string[]): string =>
  Buffer.from(JSON.stringify(parts)).toString("base64url");

/** Throws where it isn't `length` strings. */
export const decodeCursor = (cursor: string, length: number): string[] => {
  const value = parseJson(Buffer.from(cursor, "base64url").toString());
  if (!Array.isArray(value) || value.length !== length || !value.every((part) => typeof part === "string"))
    throw badCursor();
  return value;
};
