// Errors, in both directions: Anthropic's envelope, and what stands in for one (Bedrock's, a proxy's HTML, nothing).
import type { ErrorType } from "@anthropic-ai/sdk/resources/shared";
import { GatewayError, errorCodes } from "../../model/error.ts";
import type { ErrorCode, ErrorDetails } from "../../model/error.ts";
import { asObject, asString, isObject, parseJson } from "../../model/json.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Headers } from "../../model/call.ts";
import { passedErrorHeaders, retryAfterMs } from "../../http/retry-after.ts";
import type { EncodedError, Target } from "../wire.ts";
import { wire } from "./common.ts";

/** How each code looks to a client of this wire. The status is the code's own where none stands here. */
const outgoing: Record<ErrorCode, { type: ErrorType | "request_too_large"; status?: number }> = {
  invalid_request: { type: "invalid_request_error" },
  unsupported_field: { type: "invalid_request_error" },
  context_length_exceeded: { type: "invalid_request_error" },
  content_filtered: { type: "invalid_request_error" },
  thread_unsupported: { type: "invalid_request_error" },
  thread_already_continued: { type: "invalid_request_error" },
  thread_continue_in_flight: { type: "invalid_request_error" },
  thread_fingerprint_mismatch: { type: "invalid_request_error" },
  authentication: { type: "authentication_error" },
  billing: { type: "billing_error" },
  permission: { type: "permission_error" },
  previous_response_not_found: { type: "invalid_request_error" },
  not_found: { type: "not_found_error" },
  model_not_found: { type: "not_found_error" },
  thread_not_found: { type: "not_found_error" },
  method_not_allowed: { type: "invalid_request_error" },
  request_timeout: { type: "timeout_error" },
  conflict: { type: "conflict_error" },
  thread_busy: { type: "conflict_error" },
  precondition_failed: { type: "conflict_error" },
  request_too_large: { type: "request_too_large" },
  unsupported_media_type: { type: "invalid_request_error" },
  idempotency_mismatch: { type: "invalid_request_error" },
  rate_limited: { type: "rate_limit_error" },
  quota_exceeded: { type: "rate_limit_error" },
  cancelled: { type: "api_error" },
  internal: { type: "api_error" },
  not_implemented: { type: "api_error" },
  upstream_error: { type: "api_error" },
  upstream_unreachable: { type: "api_error" },
  upstream_authentication: { type: "api_error" },
  overloaded: { type: "overloaded_error", status: 529 },
  storage: { type: "api_error" },
  upstream_timeout: { type: "timeout_error" },
};

const byType: Record<string, ErrorCode> = {
  invalid_request_error: "invalid_request",
  authentication_error: "upstream_authentication",
  billing_error: "billing",
  permission_error: "permission",
  not_found_error: "not_found",
  conflict_error: "conflict",
  request_too_large: "request_too_large",
  rate_limit_error: "rate_limited",
  api_error: "upstream_error",
  overloaded_error: "overloaded",
  timeout_error: "upstream_timeout",
};

/** Bedrock's exceptions, by `x-amzn-errortype` or `__type`. */
const byException: Record<string, ErrorCode> = {
  ValidationException: "invalid_request",
  UnrecognizedClientException: "upstream_authentication",
  ExpiredTokenException: "upstream_authentication",
  InvalidSignatureException: "upstream_authentication",
  IncompleteSignatureException: "upstream_authentication",
  MissingAuthenticationTokenException: "upstream_authentication",
  AccessDeniedException: "permission",
  ResourceNotFoundException: "model_not_found",
  ThrottlingException: "rate_limited",
  ServiceQuotaExceededException: "rate_limited",
  ModelTimeoutException: "upstream_timeout",
  ModelNotReadyException: "overloaded",
  ServiceUnavailableException: "overloaded",
  ModelErrorException: "upstream_error",
  ModelStreamErrorException: "upstream_error",
  InternalServerException: "upstream_error",
};

const byStatus: Record<number, ErrorCode> = {
  401: "upstream_authentication",
  402: "billing",
  403: "permission",
  404: "not_found",
  408: "upstream_timeout",
  409: "conflict",
  413: "request_too_large",
  424: "upstream_error",
  429: "rate_limited",
  503: "overloaded",
  504: "upstream_timeout",
  529: "overloaded",
};

/** What SDKs know message threads' errors by: `error.details.error_code`. */
const threadErrors = {
  thread_unsupported: "thread_unsupported_request",
  thread_already_continued: "thread_already_continued",
  thread_continue_in_flight: "thread_continue_in_flight",
  thread_fingerprint_mismatch: "thread_fingerprint_mismatch",
  thread_not_found: "thread_not_found",
} as const satisfies Partial<Record<ErrorCode, string>>;
const threadErrorOf: Partial<Record<ErrorCode, string>> = threadErrors;
const byThreadError = new Map(
  (Object.keys(threadErrors) as (keyof typeof threadErrors)[]).map((code): [string, ErrorCode] => [
    threadErrors[code],
    code,
  ]),
);

const overflow =
  /prompt is too long|input is too long|input tokens exceeded|exceeds? (?:the )?(?:maximum )?context|context (?:window|length)/i;
const unknownModel = /^model:|model identifier is invalid|model .*(?:not found|does not exist)/i;
const badCredential = /security token|api key|x-api-key/i;

/** The messages say more than the types do. */
const refine = (code: ErrorCode, message: string, body: JsonObject): ErrorCode => {
  const detail = asString(asObject(asObject(body["error"])?.["details"])?.["error_code"]);
  const thread = detail === undefined ? undefined : byThreadError.get(detail);
  if (thread !== undefined) return thread;
  if (code === "invalid_request" && overflow.test(message)) return "context_length_exceeded";
  if ((code === "invalid_request" || code === "not_found") && unknownModel.test(message)) return "model_not_found";
  if (code === "permission" && badCredential.test(message)) return "upstream_authentication";
  return code;
};

const longestMessage = 2000;

/** An error body as this wire's answer. `status` is absent for an error inside a stream. */
export const errorFromBody = (
  status: number | undefined,
  headers: Headers,
  body: JsonObject,
  target: Target,
): GatewayError => {
  const error = asObject(body["error"]);
  const type = asString(error?.["type"]);
  const exception = (headers["x-amzn-errortype"] ?? asString(body["__type"]))
    ?.split(/[:#]/)
    .find((part) => part.endsWith("Exception"));
  const said =
    asString(error?.["message"]) ?? asString(body["message"]) ?? asString(body["Message"]) ?? asString(body["error"]);
  const first =
    (type === undefined ? undefined : byType[type]) ??
    (exception === undefined ? undefined : byException[exception]) ??
    (status === undefined ? undefined : byStatus[status]) ??
    (status !== undefined && status >= 400 && status < 500 ? "invalid_request" : "upstream_error");
  const code = refine(first, said ?? "", body);
  const details: ErrorDetails = { provider: target.provider };
  const kept = passedErrorHeaders(headers);
  if (Object.keys(kept).length > 0) details.headers = kept;
  const wait = retryAfterMs(headers);
  if (wait !== undefined) details.retryAfterMs = wait;
  const advice = headers["x-should-retry"];
  if (advice === "true" || advice === "false") details.retryable = advice === "true";
  if (type !== undefined && asString(error?.["message"]) !== undefined)
    details.native = { wire, status: status ?? outgoing[code].status ?? errorCodes[code].status, body };
  return new GatewayError(code, messageFor(code, said, status), details);
};

/** What the provider said; about its credential nothing, as that is the gateway's own affair and may quote the key. */
const messageFor = (code: ErrorCode, said: string | undefined, status: number | undefined): string => {
  if (code === "upstream_authentication") return "The provider refused the gateway's credential.";
  if (said !== undefined && said !== "") return said.slice(0, longestMessage);
  return status === undefined
    ? "The provider reported an error in its answer."
    : `The provider answered with status ${status}.`;
};

export const decodeError = (status: number, headers: Headers, body: string, target: Target): GatewayError => {
  const value = parseJson(body);
  return errorFromBody(status, headers, isObject(value) ? value : {}, target);
};

/** Errors about the gateway itself are told in its own words, whatever the provider's were. */
const own = new Set<ErrorCode>(["upstream_authentication", "upstream_unreachable"]);

const nativeError = (error: GatewayError): { status: number; error: JsonObject } | undefined => {
  const { native } = error.details;
  const body = native?.wire === wire && !own.has(error.code) ? asObject(native.body["error"]) : undefined;
  return native === undefined || body === undefined ? undefined : { status: native.status, error: body };
};

/** The `error` object of the envelope; in a stream's `event: error` it is the whole of what is told. */
export const errorObject = (error: GatewayError): JsonObject => {
  const native = nativeError(error);
  if (native !== undefined) return native.error;
  const told: JsonObject = { type: outgoing[error.code].type, message: error.message };
  const detail = threadErrorOf[error.code];
  if (detail !== undefined) told["details"] = { error_code: detail };
  return told;
};

/** An SDK retries every 409 and 429; these two stay as they are until something else happens. */
const final = new Set<ErrorCode>(["conflict", "quota_exceeded"]);

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

export const encodeError = (error: GatewayError, requestId: string): EncodedError => ({
  status:
    error.details.status ?? nativeError(error)?.status ?? outgoing[error.code].status ?? errorCodes[error.code].status,
  headers: retryHeaders(error),
  body: { type: "error", error: errorObject(error), request_id: requestId },
});
