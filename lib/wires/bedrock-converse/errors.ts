// Bedrock's errors, as HTTP answers and as exceptions in a stream, and the same codes written back.
import type { Headers } from "../../model/call.ts";
import { GatewayError, type ErrorCode, type ErrorDetails } from "../../model/error.ts";
import { asObject, asString, compact, isObject, parseJson, type JsonObject } from "../../model/json.ts";
import { passedErrorHeaders, retryAfterMs } from "../../http/retry-after.ts";
import type { EncodedError, Target } from "../wire.ts";
import { wireId } from "./names.ts";

/** Exception, code, and the status it comes with. From right to left the first row with a code counts. */
const exceptions: readonly (readonly [string, ErrorCode, number])[] = [
  ["ValidationException", "invalid_request", 400],
  ["ThrottlingException", "rate_limited", 429],
  ["TooManyRequestsException", "rate_limited", 429],
  ["ServiceQuotaExceededException", "quota_exceeded", 400],
  ["AccessDeniedException", "permission", 403],
  ["ResourceNotFoundException", "model_not_found", 404],
  ["UnrecognizedClientException", "upstream_authentication", 403],
  ["ExpiredTokenException", "upstream_authentication", 403],
  ["ExpiredToken", "upstream_authentication", 403],
  ["InvalidSignatureException", "upstream_authentication", 403],
  ["SignatureDoesNotMatch", "upstream_authentication", 403],
  ["IncompleteSignatureException", "upstream_authentication", 400],
  ["MissingAuthenticationTokenException", "upstream_authentication", 403],
  ["InvalidClientTokenId", "upstream_authentication", 403],
  ["ConflictException", "conflict", 409],
  ["ModelNotReadyException", "overloaded", 429],
  ["ServiceUnavailableException", "overloaded", 503],
  ["ServiceUnavailable", "overloaded", 503],
  ["ModelTimeoutException", "upstream_timeout", 408],
  ["ModelErrorException", "upstream_error", 424],
  ["ModelStreamErrorException", "upstream_error", 424],
  ["InternalServerException", "upstream_error", 500],
  ["InternalFailure", "upstream_error", 500],
];

const byStatus: Record<number, ErrorCode> = {
  400: "invalid_request",
  401: "upstream_authentication",
  402: "billing",
  403: "permission",
  404: "model_not_found",
  408: "upstream_timeout",
  409: "conflict",
  413: "request_too_large",
  415: "unsupported_media_type",
  424: "upstream_error",
  429: "rate_limited",
  503: "overloaded",
  504: "upstream_timeout",
};

/** What a message says more exactly than its exception: Bedrock answers most things with the same one. */
const byMessage: readonly (readonly [RegExp, ErrorCode])[] = [
  [
    /security token included in the request|signature we calculated|api key.*(?:invalid|expired)|bearer token/i,
    "upstream_authentication",
  ],
  [/model identifier is invalid|end of its life|could not resolve the foundation model/i, "model_not_found"],
  [
    /input is too long|input tokens exceeded|prompt is too long|too many input tokens|(?:exceeds?|maximum).{0,40}context (?:length|window)|context (?:length|window).{0,40}exceed/i,
    "context_length_exceeded",
  ],
];

/** Stream exceptions are named in lower camel case, HTTP ones perhaps with a namespace or an address around them. */
const exceptionName = (text: string | undefined): string | undefined => {
  const name = text?.split(":")[0]?.split("#").at(-1);
  return name === undefined || name === "" ? undefined : name.charAt(0).toUpperCase() + name.slice(1);
};

const messageOf = (body: JsonObject | undefined): string | undefined =>
  asString(body?.["message"]) ?? asString(body?.["Message"]) ?? asString(asObject(body?.["error"])?.["message"]);

export type Failure = { name?: string; status?: number; message?: string; body?: JsonObject; headers?: Headers };

export const toError = (failure: Failure, target: Target): GatewayError => {
  const { body, headers = {} } = failure;
  const name = exceptionName(failure.name);
  const row = exceptions.find(([exception]) => exception === name);
  const status = failure.status ?? row?.[2] ?? 500;
  const told = failure.message ?? messageOf(body);
  const named = row?.[1] ?? byStatus[status] ?? (status >= 500 || status < 400 ? "upstream_error" : "invalid_request");
  const refined =
    status < 429 && told !== undefined ? byMessage.find(([pattern]) => pattern.test(told))?.[1] : undefined;
  const code = refined ?? named;
  const details: ErrorDetails = { provider: target.provider };
  const retry = retryAfterMs(headers);
  if (retry !== undefined) details.retryAfterMs = retry;
  const passed = passedErrorHeaders(headers);
  if (Object.keys(passed).length > 0) details.headers = passed;
  // A refused signature is told with the whole signed request, tokens among it: none of that may go out (F41).
  if (code === "upstream_authentication")
    return new GatewayError(code, "The provider refused the gateway's credentials.", details);
  if (body !== undefined) details.native = { wire: wireId, status, body };
  return new GatewayError(code, told ?? `The provider answered with status ${status}.`, details);
};

export const decodeError = (status: number, headers: Headers, body: string, target: Target): GatewayError => {
  const value = parseJson(body);
  const fields = isObject(value) ? value : undefined;
  const name = headers["x-amzn-errortype"] ?? asString(fields?.["__type"]) ?? asString(fields?.["code"]);
  return toError(compact<Failure>({ name, status, body: fields, headers, message: undefined }), target);
};

export const encodeError = (error: GatewayError, requestId: string): EncodedError => {
  const row = exceptions.find(([, code]) => code === error.code);
  const status = row?.[2] ?? error.status;
  const name = row?.[0] ?? (status >= 500 ? "InternalServerException" : "ValidationException");
  const native = error.details.native;
  return {
    status: native?.wire === wireId ? native.status : status,
    headers: {
      "content-type": "application/json",
      ...error.details.headers,
      "x-amzn-errortype": name,
      "x-amzn-requestid": requestId,
    },
    body: native?.wire === wireId ? native.body : { message: error.message },
  };
};
