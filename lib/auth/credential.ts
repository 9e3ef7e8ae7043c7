// The caller's key, from any of the conventions that the SDKs have.
import type { Call } from "../model/call.ts";

/** `Authorization: Bearer`, `x-api-key`, `x-goog-api-key`, `api-key`, or Gemini's `?key=`; undefined where there is none. */
export const credentialOf = (call: Call): string | undefined => {
  const { headers } = call;
  const bearer = headers["authorization"];
  if (bearer !== undefined && /^bearer /i.test(bearer)) return bearer.slice(7).trim();
  const plain = headers["x-api-key"] ?? headers["x-goog-api-key"] ?? headers["api-key"];
  if (plain !== undefined) return plain;
  return call.query.includes("key=") ? (new URLSearchParams(call.query).get("key") ?? undefined) : undefined;
};
