// Google's error envelope: {error: {code, message, status, details}}.
import type { Headers } from "../../model/call.ts";
import type { ErrorCode, ErrorDetails } from "../../model/error.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type { EncodedError, Target } from "../wire.ts";
import { GatewayError } from "../../model/error.ts";
import { asArray, asNumber, asObject, asString, compact, isObject, parseJson } from "../../model/json.ts";
import { passedErrorHeaders, retryAfterMs } from "../../http/retry-after.ts";
import { wireId } from "./names.ts";

/**
 * Google's status word for each code. A refused client key is 401 UNAUTHENTICATED here, though Google itself answers it with 400
 * and API_KEY_INVALID: the number is what clients act on, and the reason is told in `details` as Google tells it.
 */
const statuses: Record<ErrorCode, string> = {
  invalid_request: "INVALID_ARGUMENT",
  unsupported_field: "INVALID_ARGUMENT",
  context_length_exceeded: "INVALID_ARGUMENT",
  content_filtered: "INVALID_ARGUMENT",
  thread_unsupported: "INVALID_ARGUMENT",
  thread_already_continued: "INVALID_ARGUMENT",
  thread_continue_in_flight: "INVALID_ARGUMENT",
  thread_fingerprint_mismatch: "INVALID_ARGUMENT",
  authentication: "UNAUTHENTICATED",
  billing: "FAILED_PRECONDITION",
  permission: "PERMISSION_DENIED",
  previous_response_not_found: "INVALID_ARGUMENT",
  not_found: "NOT_FOUND",
  model_not_found: "NOT_FOUND",
  thread_not_found: "NOT_FOUND",
  method_not_allowed: "UNIMPLEMENTED",
  request_timeout: "DEADLINE_EXCEEDED",
  conflict: "ABORTED",
  thread_busy: "ABORTED",
  precondition_failed: "FAILED_PRECONDITION",
  request_too_large: "INVALID_ARGUMENT",
  unsupported_media_type: "INVALID_ARGUMENT",
  idempotency_mismatch: "INVALID_ARGUMENT",
  rate_limited: "RESOURCE_EXHAUSTED",
  quota_exceeded: "RESOURCE_EXHAUSTED",
  cancelled: "CANCELLED",
  internal: "INTERNAL",
  not_implemented: "UNIMPLEMENTED",
  upstream_error: "INTERNAL",
  upstream_unreachable: "UNAVAILABLE",
  upstream_authentication: "INTERNAL",
  overloaded: "UNAVAILABLE",
  storage: "UNAVAILABLE",
  upstream_timeout: "DEADLINE_EXCEEDED",
};

const rpc = "type.googleapis.com/google.rpc.";

const detailsOf = (error: GatewayError, requestId: string): JsonObject[] => {
  const details: JsonObject[] = [
    {
      "@type": `${rpc}ErrorInfo`,
      reason: error.code === "authentication" ? "API_KEY_INVALID" : error.code.toUpperCase(),
      domain: "heddle",
    },
  ];
  const { param, retryAfterMs: retry } = error.details;
  if (param !== undefined)
    details.push({
      "@type": `${rpc}BadRequest`,
      fieldViolations: [{ field: param, description: error.message }],
    });
  if (retry !== undefined) details.push({ "@type": `${rpc}RetryInfo`, retryDelay: `${retry / 1000}s` });
  if (requestId !== "") details.push({ "@type": `${rpc}RequestInfo`, requestId });
  return details;
};

/** The envelope alone, as it also stands inside a stream. A Gemini provider's own error goes to a Gemini client as it came. */
export const errorBody = (error: GatewayError, requestId = ""): JsonObject => {
  const native = error.details.native;
  const code = asNumber(asObject(native?.body["error"])?.["code"]);
  // What the provider says of the gateway's key is not the client's business.
  if (native?.wire === wireId && code !== undefined && code >= 400 && error.code !== "upstream_authentication")
    return native.body;
  return {
    error: {
      code: error.status,
      message: error.message,
      status: statuses[error.code],
      details: detailsOf(error, requestId),
    },
  };
};

export const encodeError = (error: GatewayError, requestId: string): EncodedError => {
  const headers: Headers = { ...error.details.headers, "content-type": "application/json; charset=UTF-8" };
  const retry = error.details.retryAfterMs;
  if (retry !== undefined) headers["retry-after"] ??= String(Math.ceil(retry / 1000));
  return { status: error.status, headers, body: errorBody(error, requestId) };
};

/** Without `alt=sse` a streaming method answers with an array, its errors too. */
export const wrapStreamError = (body: EncodedError["body"]): Json[] => (Array.isArray(body) ? body : [body]);

/** First match wins: HTTP status or Google's word, with a pattern over message and reasons where one number means several things. */
const rules: readonly { status?: number; word?: string; pattern?: RegExp; code: ErrorCode }[] = [
  {
    pattern: /API_KEY_INVALID|API_KEY_EXPIRED|API_KEY_SERVICE_BLOCKED|ACCESS_TOKEN_|CREDENTIALS_MISSING/,
    code: "upstream_authentication",
  },
  { status: 401, code: "upstream_authentication" },
  { status: 402, code: "billing" },
  { status: 403, code: "permission" },
  { status: 404, pattern: /model/i, code: "model_not_found" },
  { status: 404, code: "not_found" },
  { status: 408, code: "upstream_timeout" },
  { status: 413, code: "request_too_large" },
  { status: 429, code: "rate_limited" },
  { word: "RESOURCE_EXHAUSTED", code: "rate_limited" },
  { status: 499, code: "upstream_error" },
  { status: 503, code: "overloaded" },
  { status: 529, code: "overloaded" },
  { word: "UNAVAILABLE", code: "overloaded" },
  { status: 504, code: "upstream_timeout" },
  { word: "DEADLINE_EXCEEDED", code: "upstream_timeout" },
  {
    status: 400,
    pattern: /input token count.*exceed|exceeds the maximum number of tokens|too many tokens/i,
    code: "context_length_exceeded",
  },
  { status: 400, word: "FAILED_PRECONDITION", pattern: /billing/i, code: "billing" },
];

const codeOf = (status: number, word: string, text: string): ErrorCode =>
  rules.find(
    (rule) =>
      (rule.status === undefined || rule.status === status) &&
      (rule.word === undefined || rule.word === word) &&
      (rule.pattern === undefined || rule.pattern.test(text)),
  )?.code ?? (status >= 400 && status < 500 ? "invalid_request" : "upstream_error");

/** "34.4s" */
const durationMs = (value: Json | undefined): number | undefined => {
  const seconds = typeof value === "string" ? /^(\d+(?:\.\d+)?)s$/.exec(value)?.[1] : undefined;
  return seconds === undefined ? undefined : Math.round(Number(seconds) * 1000);
};

const messageLimit = 2000;

/** The body of an error, whole or in a stream: `{error}`, or that in an array. Undefined where it is something else. */
export const errorIn = (value: Json | undefined): JsonObject | undefined => {
  const body = Array.isArray(value) ? value.find((entry) => isObject(entry) && entry["error"] !== undefined) : value;
  return isObject(body) && body["error"] !== undefined && body["error"] !== null ? body : undefined;
};

/** `status` is the HTTP status; inside a stream it was 200, and the envelope's own code counts. */
export const errorFrom = (body: JsonObject, status: number, headers: Headers, target: Target): GatewayError => {
  const error = asObject(body["error"]) ?? {};
  const shown = status >= 400 ? status : (asNumber(error["code"]) ?? 502);
  const message =
    asString(error["message"]) ?? asString(body["error"]) ?? `The provider answered with status ${shown}.`;
  const details = (asArray(error["details"]) ?? []).filter(isObject);
  const reasons = details.map((detail) => asString(detail["reason"]) ?? "").join(" ");
  const retry =
    details.map((detail) => durationMs(detail["retryDelay"])).find((found) => found !== undefined) ??
    retryAfterMs(headers);
  const code = codeOf(shown, asString(error["status"]) ?? "", `${message} ${reasons}`);
  return new GatewayError(
    code,
    code === "upstream_authentication"
      ? "The provider refused the gateway's credential."
      : message.slice(0, messageLimit),
    compact<ErrorDetails>({
      provider: target.provider,
      retryAfterMs: retry,
      headers: passedErrorHeaders(headers),
      native: { wire: wireId, status: shown, body },
    }),
  );
};

/** HTML and empty bodies count by their status alone; what they say is not repeated. */
export const decodeError = (status: number, headers: Headers, body: string, target: Target): GatewayError => {
  // A streaming call is refused in the form of a stream, too.
  const native = errorIn(parseJson(body.replace(/^data:/, "")));
  if (native !== undefined) return errorFrom(native, status, headers, target);
  return new GatewayError(
    codeOf(status, "", ""),
    `The provider answered with status ${status}.`,
    compact<ErrorDetails>({
      provider: target.provider,
      retryAfterMs: retryAfterMs(headers),
      headers: passedErrorHeaders(headers),
    }),
  );
};
