// The form of an error, by the path it is told on: a wire's own, a problem document on Heddle's own routes, a `detail` on the threads
// API of the Siili Agent SDK.
import type { Call, Headers } from "../model/call.ts";
import type { GatewayError } from "../model/error.ts";
import type { EncodedError } from "../wires/wire.ts";

export type Envelope = (error: GatewayError, requestId: string) => EncodedError & { contentType: string };

const retryHeaders = ({ details }: GatewayError): Headers =>
  details.retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(details.retryAfterMs / 1_000)) };

/** RFC 9457. `type` is a name, not an address: nothing is to be fetched. */
export const problem: Envelope = (error, requestId) => ({
  status: error.status,
  headers: retryHeaders(error),
  contentType: "application/problem+json",
  body: {
    type: `urn:heddle:error:${error.code}`,
    title: error.code.replaceAll("_", " "),
    status: error.status,
    detail: error.message,
    code: error.code,
    ...(error.details.param === undefined ? {} : { param: error.details.param }),
    request_id: requestId,
  },
});

/** 401, 403, 404 and 501 mean what they say; clients of this API know few others. */
const detail: Envelope = (error) => ({
  status: error.status,
  headers: retryHeaders(error),
  contentType: "application/json",
  body: { detail: error.message },
});

const native = /^\/v1\/(?:threads|jobs|admin)(?:\/|$)/;
const siili = /^\/(?:threads|files|audio\/(?:speech|transcribe))(?:\/|$)/;

/** Undefined where the caller's wire has the word. `prefix`: where the Siili Agent SDK's API is served beside the root, or "". */
export const envelopeOf = ({ path }: Call, prefix: string): Envelope | undefined => {
  if (native.test(path)) return problem;
  return siili.test(path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path) ? detail : undefined;
};
