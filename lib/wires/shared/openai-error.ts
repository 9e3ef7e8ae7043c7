// Errors of OpenAI's two wires, in both directions: one envelope, and all that stands in for it (Azure, hosts that imitate it, a proxy's HTML, nothing).
import { passedErrorHeaders, retryAfterMs } from "../../http/retry-after.ts";
import type { Headers } from "../../model/call.ts";
import { GatewayError, errorCodes, type ErrorCode, type ErrorDetails } from "../../model/error.ts";
import { asArray, asObject, asString, isObject, parseJson, type Json, type JsonObject } from "../../model/json.ts";
import type { WireId } from "../../model/wire-id.ts";
import type { EncodedError, Target } from "../wire.ts";

export type OpenAiStyle = "chat" | "responses";

const request = "invalid_request_error";

/** How each code looks to a client. The status is the code's own where none stands here. */
const outgoing: Record<ErrorCode, { type: string; code: string | null; status?: number }> = {
  invalid_request: { type: request, code: null },
  unsupported_field: { type: request, code: "unsupported_parameter" },
  context_length_exceeded: { type: request, code: "context_length_exceeded" },
  content_filtered: { type: request, code: "content_filter" },
  thread_unsupported: { type: request, code: "thread_unsupported" },
  thread_already_continued: { type: request, code: "thread_already_continued" },
  thread_continue_in_flight: { type: request, code: "thread_continue_in_flight" },
  thread_fingerprint_mismatch: { type: request, code: "thread_fingerprint_mismatch" },
  authentication: { type: request, code: "invalid_api_key" },
  billing: { type: "insufficient_quota", code: "insufficient_quota", status: 429 },
  permission: { type: request, code: "permission_denied" },
  previous_response_not_found: { type: "invalid_request_error", code: "previous_response_not_found" },
  not_found: { type: request, code: "not_found" },
  model_not_found: { type: request, code: "model_not_found" },
  thread_not_found: { type: request, code: "thread_not_found" },
  method_not_allowed: { type: request, code: "method_not_supported" },
  request_timeout: { type: request, code: "request_timeout" },
  conflict: { type: request, code: "conflict" },
  thread_busy: { type: request, code: "thread_busy" },
  precondition_failed: { type: request, code: "precondition_failed" },
  request_too_large: { type: request, code: "request_too_large" },
  unsupported_media_type: { type: request, code: "unsupported_media_type" },
  idempotency_mismatch: { type: request, code: "idempotency_mismatch" },
  rate_limited: { type: "requests", code: "rate_limit_exceeded" },
  quota_exceeded: { type: "insufficient_quota", code: "insufficient_quota" },
  cancelled: { type: request, code: "cancelled" },
  internal: { type: "server_error", code: null },
  not_implemented: { type: "server_error", code: "not_implemented" },
  upstream_error: { type: "server_error", code: "upstream_error" },
  upstream_unreachable: { type: "server_error", code: "upstream_unreachable" },
  upstream_authentication: { type: "server_error", code: "upstream_authentication" },
  overloaded: { type: "server_error", code: "server_overloaded" },
  storage: { type: "server_error", code: "storage" },
  upstream_timeout: { type: "server_error", code: "upstream_timeout" },
};

/** What providers write into `code`, `type` or `status` (Gemini's compatible endpoint), where it says more than the HTTP status does. */
const byName: Readonly<Record<string, ErrorCode>> = {
  invalid_api_key: "upstream_authentication",
  authentication_error: "upstream_authentication",
  UNAUTHENTICATED: "upstream_authentication",
  insufficient_quota: "billing",
  billing_hard_limit_reached: "billing",
  billing_not_active: "billing",
  insufficient_balance: "billing",
  permission_denied: "permission",
  permission_error: "permission",
  PERMISSION_DENIED: "permission",
  model_not_found: "model_not_found",
  invalid_model: "model_not_found",
  model_not_available: "model_not_found",
  DeploymentNotFound: "model_not_found",
  context_length_exceeded: "context_length_exceeded",
  string_above_max_length: "context_length_exceeded",
  content_filter: "content_filtered",
  content_policy_violation: "content_filtered",
  unsupported_parameter: "unsupported_field",
  request_too_large: "request_too_large",
  rate_limit_exceeded: "rate_limited",
  rate_limit_error: "rate_limited",
  RateLimitReached: "rate_limited",
  RESOURCE_EXHAUSTED: "rate_limited",
  overloaded_error: "overloaded",
  server_overloaded: "overloaded",
  server_is_overloaded: "overloaded",
  engine_overloaded: "overloaded",
  UNAVAILABLE: "overloaded",
  timeout_error: "upstream_timeout",
  DEADLINE_EXCEEDED: "upstream_timeout",
  server_error: "upstream_error",
  api_error: "upstream_error",
};

const byStatus: Readonly<Record<number, ErrorCode>> = {
  401: "upstream_authentication",
  402: "billing",
  403: "permission",
  404: "not_found",
  408: "upstream_timeout",
  409: "conflict",
  413: "request_too_large",
  429: "rate_limited",
  503: "overloaded",
  504: "upstream_timeout",
  529: "overloaded",
};

const overflow =
  /maximum context length|context[ _](?:window|length)|prompt is too long|input is too long|too many (?:input )?tokens|input token count .* exceeds/i;
const unknownModel =
  /\bmodel\b.*(?:does not exist|not found|is not supported|not a valid model)|not a valid model id|invalid model|supported api model names|deployment .* does not exist/i;
const badCredential =
  /(?:incorrect|invalid|missing|no) (?:api[ -]?key|authentication)|api key (?:not valid|is invalid)/i;

/** The messages say more than statuses and types do. */
const refine = (code: ErrorCode, message: string): ErrorCode => {
  if (code === "invalid_request" || code === "not_found" || code === "permission" || code === "unsupported_field") {
    if (overflow.test(message)) return "context_length_exceeded";
    if (badCredential.test(message)) return "upstream_authentication";
    if (code !== "permission" && unknownModel.test(message)) return "model_not_found";
  }
  return code;
};

/** The fields of an error, wherever a host puts them: `{error: {…}}`, the same in an array, flat (Mistral, vLLM), `{error: "…"}` (xAI), `{detail}` (FastAPI). */
const errorFields = (value: Json | undefined): { fields: JsonObject; message?: string } => {
  const body = asObject(asArray(value)?.[0] ?? value);
  if (body === undefined) return { fields: {} };
  const nested = asObject(body["error"]);
  const fields = nested ?? body;
  const detail = asArray(body["detail"])?.[0];
  const message =
    asString(fields["message"]) ??
    asString(body["error"]) ??
    asString(body["detail"]) ??
    asString(asObject(detail)?.["msg"]) ??
    asString(fields["Message"]);
  return message === undefined || message === "" ? { fields } : { fields, message };
};

const httpStatus = (value: Json | undefined): number | undefined => {
  const number = typeof value === "string" && /^\d{3}$/.test(value) ? Number(value) : value;
  return typeof number === "number" && number >= 400 && number < 600 ? number : undefined;
};

const codeOf = (status: number, fields: JsonObject, message: string): ErrorCode => {
  const inner = asObject(fields["innererror"]);
  for (const name of [fields["code"], inner?.["code"], fields["type"], fields["status"]]) {
    const known = typeof name === "string" && Object.hasOwn(byName, name) ? byName[name] : undefined;
    // A vague name must not hide a status that says more (`server_error` with a 503).
    if (known !== undefined && known !== "upstream_error") return known;
  }
  if (inner?.["code"] === "ResponsibleAIPolicyViolation") return "content_filtered";
  return refine(byStatus[status] ?? (status >= 400 && status < 500 ? "invalid_request" : "upstream_error"), message);
};

const longestMessage = 2000;

/** What the provider said; about its credential nothing, as that is the gateway's own affair and may quote the key. */
const messageFor = (code: ErrorCode, said: string | undefined, status: number): string => {
  if (code === "upstream_authentication") return "The provider refused the gateway's credential.";
  if (said !== undefined) return said.slice(0, longestMessage);
  return status >= 400
    ? `The provider answered with status ${status}.`
    : "The provider reported an error in its answer.";
};

/**
 * A provider's error. `body` may be anything: JSON of any host, HTML, "". `status` under 400, or a 502 that stands for one, means that
 * the error came inside an answer: a status in the error itself then decides.
 */
export const decodeOpenAiError = (
  status: number,
  headers: Headers,
  body: string,
  target: Target,
  wire: WireId,
): GatewayError => {
  const { fields, message } = errorFields(parseJson(body));
  const inside = status < 400 || status === 502 ? httpStatus(fields["code"]) : undefined;
  const told = inside ?? (status < 400 ? 502 : status);
  const code = codeOf(told, fields, message ?? "");
  const details: ErrorDetails = { provider: target.provider };
  const param = asString(fields["param"]);
  if (param !== undefined) details.param = param;
  const kept = passedErrorHeaders(headers);
  if (Object.keys(kept).length > 0) details.headers = kept;
  const wait = retryAfterMs(headers);
  if (wait !== undefined) details.retryAfterMs = wait;
  const advice = headers["x-should-retry"];
  if (advice === "true" || advice === "false") details.retryable = advice === "true";
  if (message !== undefined && code !== "upstream_authentication")
    details.native = { wire, status: told, body: { error: { ...errorObjectOf(fields), message } } };
  return new GatewayError(code, messageFor(code, message, status), details);
};

/** The error's own fields: a flat body may hold things beside them that are no client's affair. */
const errorObjectOf = (fields: JsonObject): JsonObject => {
  const { object: _object, raw_status_code: _raw, error: _error, detail: _detail, user_id: _user, ...rest } = fields;
  return rest;
};

const nativeError = (error: GatewayError): { status: number; error: JsonObject } | undefined => {
  const { native } = error.details;
  if (native === undefined || (native.wire !== "openai-chat" && native.wire !== "openai-responses")) return undefined;
  const body = native.body["error"];
  return isObject(body) ? { status: native.status, error: body } : undefined;
};

/** SDKs retry every 409 and 429; these stay as they are until something else happens. */
const final: ReadonlySet<ErrorCode> = new Set(["conflict", "quota_exceeded", "billing"]);

const retryHeaders = (error: GatewayError): Headers => {
  const headers = passedErrorHeaders(error.details.headers ?? {});
  const wait = error.details.retryAfterMs;
  if (wait !== undefined && headers["retry-after"] === undefined) {
    headers["retry-after"] = String(Math.ceil(wait / 1000));
    headers["retry-after-ms"] ??= String(wait);
  }
  if (final.has(error.code) && !error.retryable) headers["x-should-retry"] ??= "false";
  return headers;
};

/** The `error` object: the provider's own where it came on one of OpenAI's wires, with the four fields that clients read. */
export const openAiErrorObject = (error: GatewayError, style: OpenAiStyle): JsonObject => {
  const facts = outgoing[error.code];
  const native = nativeError(error)?.error;
  const param = error.details.param ?? (error.code === "model_not_found" && style === "responses" ? "model" : null);
  if (native !== undefined)
    return {
      ...native,
      message: asString(native["message"]) ?? error.message,
      type: asString(native["type"]) ?? facts.type,
      param: native["param"] ?? param,
      code: native["code"] === undefined ? facts.code : native["code"],
    };
  return { message: error.message, type: facts.type, param, code: facts.code };
};

/** In the envelope of Chat or Responses; they differ in the status of an unknown model. */
export const encodeOpenAiError = (error: GatewayError, _requestId: string, style: OpenAiStyle): EncodedError => {
  const facts = outgoing[error.code];
  const own =
    error.code === "model_not_found" ? (style === "chat" ? 404 : 400) : (facts.status ?? errorCodes[error.code].status);
  const native = error.code === "model_not_found" ? undefined : nativeError(error)?.status;
  return {
    status: error.details.status ?? native ?? own,
    headers: retryHeaders(error),
    body: { error: openAiErrorObject(error, style) },
  };
};
