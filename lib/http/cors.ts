// Cross-origin access by configuration: only listed origins, never `*` together with credentials.
import type { Call, Headers, Reply } from "../model/call.ts";

export type CorsRules = { origins: string[]; headers: string[]; exposeHeaders: string[]; maxAgeSeconds: number; credentials: boolean };

const allows = (rules: CorsRules, origin: string): boolean => rules.origins.includes(origin) || (rules.origins.includes("*") && !rules.credentials);

/** The headers of an actual answer. */
export const corsHeaders = (rules: CorsRules, origin: string | undefined): Headers => {
  if (origin === undefined || !allows(rules, origin)) return { vary: "Origin" };
  const anyone = rules.origins.includes("*");
  return {
    "access-control-allow-origin": anyone ? "*" : origin,
    ...(rules.credentials ? { "access-control-allow-credentials": "true" } : {}),
    "access-control-expose-headers": rules.exposeHeaders.join(", "),
    vary: "Origin",
  };
};

/** The answer to a preflight; undefined where the call is none. */
export const preflight = (rules: CorsRules, call: Call): Reply | undefined => {
  const { origin } = call.headers;
  if (call.method !== "OPTIONS" || origin === undefined || call.headers["access-control-request-method"] === undefined) return undefined;
  const headers: Headers = allows(rules, origin)
    ? {
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-allow-headers": rules.headers.includes("*")
          ? (call.headers["access-control-request-headers"] ?? "*")
          : rules.headers.join(", "),
        "access-control-max-age": String(rules.maxAgeSeconds),
      }
    : {};
  return { status: 204, headers, body: "" };
};
