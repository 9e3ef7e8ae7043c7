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
