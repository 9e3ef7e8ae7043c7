// The one error class. A code is stable and the whole of its meaning; each wire renders it in its own envelope.
import type { JsonObject } from "./json.ts";
import type { WireId } from "./wire-id.ts";

type CodeFacts = { status: number; retryable: boolean };

/** Every way a call can fail: the HTTP status a client sees by default, and whether another try or another target may succeed. */
export const errorCodes = {
  invalid_request: { status: 400, retryable: false },
  /** The target can't express a field, and the caller asked for strictness (F18). */
  unsupported_field: { status: 400, retryable: false },
  context_length_exceeded: { status: 400, retryable: false },
  content_filtered: { status: 400, retryable: false },
  /** Anthropic message threads where nothing is kept: the error the SDK falls back on. */
  thread_unsupported: { status: 400, retryable: false },
  /** The answer that a message thread is to go on from was gone on from before: each is once. */
  thread_already_continued: { status: 400, retryable: false },
  /** Another call goes on from the same answer at this moment. */
  thread_continue_in_flight: { status: 400, retryable: false },
  /** A field that stays the same in a message thread is another than before. */
  thread_fingerprint_mismatch: { status: 400, retryable: false },
  authentication: { status: 401, retryable: false },
  billing: { status: 402, retryable: false },
  permission: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  model_not_found: { status: 404, retryable: false },
  /** Responses: what is to be continued is not there. */
  previous_response_not_found: { status: 400, retryable: false },
  /** No answer of this id to go on from: the caller begins anew with the whole history. */
  thread_not_found: { status: 404, retryable: false },
  method_not_allowed: { status: 405, retryable: false },
  request_timeout: { status: 408, retryable: false },
  conflict: { status: 409, retryable: false },
  /** Another run holds the thread (F49). */
  thread_busy: { status: 409, retryable: false },
  /** `If-Match` names another version than the stored one. */
  precondition_failed: { status: 412, retryable: false },
  request_too_large: { status: 413, retryable: false },
  unsupported_media_type: { status: 415, retryable: false },
  /** An Idempotency-Key was used again with another body. */
  idempotency_mismatch: { status: 422, retryable: false },
  rate_limited: { status: 429, retryable: true },
  quota_exceeded: { status: 429, retryable: false },
  cancelled: { status: 499, retryable: false },
  internal: { status: 500, retryable: false },
  not_implemented: { status: 501, retryable: false },
  /** The upstream answered 5xx, broke off, or sent what is not its protocol. */
  upstream_error: { status: 502, retryable: true },
  upstream_unreachable: { status: 502, retryable: true },
  /** The gateway's own credential for the provider is missing or refused. */
  upstream_authentication: { status: 502, retryable: true },
  overloaded: { status: 503, retryable: true },
  /** The store can't be reached, or doesn't say whether a write was done. */
  storage: { status: 503, retryable: true },
  upstream_timeout: { status: 504, retryable: true },
} as const satisfies Record<string, CodeFacts>;

export type ErrorCode = keyof typeof errorCodes;

export type ErrorDetails = {
  /** The status a client sees, where it is not the code's own. */
  status?: number;
  retryable?: boolean;
  /** The request field at fault, as a path: `messages[2].content`. */
  param?: string;
  /** Milliseconds after which another try may succeed. */
  retryAfterMs?: number;
  /** Response headers worth passing on: rate limits (F29), `x-should-retry`. Lower-case names. */
  headers?: Record<string, string>;
  /** The provider whose answer this is. */
  provider?: string;
  /** The upstream's own error, for the same wire alone: its body as it came. */
  native?: { wire: WireId; status: number; body: JsonObject };
  cause?: unknown;
};

/** Never put a secret or a prompt into `message`: it reaches clients and logs. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "GatewayError";
    this.code = code;
    this.details = details;
  }

  /** The HTTP status for the client. */
  get status(): number {
    return this.details.status ?? errorCodes[this.code].status;
  }

  /** Whether another try or target may succeed. */
  get retryable(): boolean {
    return this.details.retryable ?? errorCodes[this.code].retryable;
  }
}

/** A 400 that names the field. */
export const invalid = (param: string, expected: string): GatewayError =>
  new GatewayError("invalid_request", `${param}: ${expected}`, { param });

/** Any thrown value as a GatewayError; a stranger's message stays out, as it may hold anything. */
export const toGatewayError = (error: unknown): GatewayError =>
  error instanceof GatewayError
    ? error
    : new GatewayError("internal", "The gateway failed to handle this request.", { cause: error });
