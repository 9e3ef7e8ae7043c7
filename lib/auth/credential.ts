// The caller's key, from any of the conventions that the SDKs have.
import type { Call } from "../model/call.ts";

const plainHeaders = ["x-api-key", "x-goog-api-key", "api-key"] as const;

/**
 * `Authorization: Bearer`, `x-api-key`, `x-goog-api-key`, `api-key`, or Gemini's `?key=`, the first that is not empty: SDKs send
 * an empty one beside the real one. Undefined where there is none.
 */
export const credentialOf = (call: Call): string | undefined => {
  const { headers, query } = call;
  const bearer = /^bearer +(\S.*)$/i.exec(headers["authorization"] ?? "")?.[1]?.trimEnd();
  if (bearer !== undefined) return bearer;
  for (const name of plainHeaders) {
    const key = headers[name]?.trim();
    if (key !== undefined && key !== "") return key;
  }
  return query.includes("key=") ? new URLSearchParams(query).get("key") || undefined : undefined;
};

/** The beginning of a key of ours says which it is; of a token nothing is told. */
const credentials = /(hdl_(?:dev|stg|live)_[A-Za-z0-9]{16})[A-Za-z0-9_]+|eyJ[\w-]+\.[\w-]+\.[\w-]*/g;

/** The text without keys and tokens that somebody wrote where a name or an id belongs. Of a key its id is left. */
export const withoutCredentials = (text: string): string =>
  text.replaceAll(credentials, (_all, id: string | undefined) => `${id ?? ""}…`);
