// Cross-origin access by configuration: only listed origins, never `*` together with credentials.
import type { Call, Headers, Reply } from "../model/call.ts";

export type CorsRules = {
  /** `*` is anyone, but not together with `credentials`. */
  origins: string[];
  /** Request headers that may be sent; `*` is whatever is asked for. */
  headers: string[];
  exposeHeaders: string[];
  maxAgeSeconds: number;
  credentials: boolean;
};

/** The origin that an answer names; undefined where this one may not read it. */
const allowedOrigin = (rules: CorsRules, origin: string): string | undefined => {
  if (!rules.credentials && rules.origins.includes("*")) return "*";
  return rules.origins.includes(origin) ? origin : undefined;
};

/** The headers of an actual answer. It differs by origin even where this one gets nothing, and caches are told so. */
export const corsHeaders = (rules: CorsRules, origin: string | undefined): Headers => {
  const headers: Headers = { vary: "Origin" };
  const allowed = origin === undefined ? undefined : allowedOrigin(rules, origin);
  if (allowed === undefined) return headers;
  headers["access-control-allow-origin"] = allowed;
  if (rules.credentials) headers["access-control-allow-credentials"] = "true";
  if (rules.exposeHeaders.length > 0) headers["access-control-expose-headers"] = rules.exposeHeaders.join(", ");
  return headers;
};

/** The answer to a preflight; undefined where the call is none. An origin that is not listed gets an answer that allows nothing. */
export const preflight = (rules: CorsRules, call: Call): Reply | undefined => {
  const { origin, "access-control-request-method": method, "access-control-request-headers": asked } = call.headers;
  if (call.method !== "OPTIONS" || origin === undefined || method === undefined) return undefined;
  const headers = corsHeaders(rules, origin);
  delete headers["access-control-expose-headers"];
  if (headers["access-control-allow-origin"] === undefined) return { status: 204, headers, body: "" };
  headers["access-control-allow-methods"] = "GET, POST, PUT, PATCH, DELETE";
  // A plain * never covers `authorization`: what is asked for is named.
  const allowed = rules.headers.includes("*") ? asked : rules.headers.join(", ");
  if (allowed !== undefined && allowed !== "") headers["access-control-allow-headers"] = allowed;
  headers["access-control-max-age"] = String(rules.maxAgeSeconds);
  return { status: 204, headers, body: "" };
};
