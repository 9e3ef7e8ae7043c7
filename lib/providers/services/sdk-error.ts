// A vendor SDK's error as one of ours: status, headers and body kept, nothing of the SDK's own prose.
import { upstreamFailure } from "../../http/upstream-error.ts";
import type { Headers } from "../../model/call.ts";
import { GatewayError } from "../../model/error.ts";
import type { Target, Wire } from "../../wires/wire.ts";

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;

const headersOf = (value: unknown): Headers =>
  value instanceof globalThis.Headers ? Object.fromEntries(value.entries()) : {};

/** The answer's body as far as the SDK kept it: openai's `error` is the inner object, Anthropic's the whole body, Google's is in the message and `errorDetails`. */
const bodyOf = (error: unknown, status: number): string => {
  const message = field(error, "message");
  const text = typeof message === "string" ? message : "";
  const google = /\[\d{3}[^\]]*\] ([\s\S]*)$/.exec(text)?.[1];
  if (google !== undefined) {
    const details = field(error, "errorDetails");
    // The SDK writes the details behind the message; they stand in their own field.
    const plain = details === undefined ? google : google.replace(` ${JSON.stringify(details)}`, "");
    return JSON.stringify({ error: { code: status, message: plain, details } });
  }
  const inner = field(error, "error");
  // What was no JSON is the SDK's message, behind the status.
  if (inner === undefined || inner === null) return text.replace(/^\d{3} /, "");
  const whole = field(inner, "type") === "error" || field(inner, "error") !== undefined;
  return JSON.stringify(whole ? inner : { error: inner });
};

const timedOut = (signal: AbortSignal): boolean => field(signal.reason, "name") === "TimeoutError";

/** Connections that failed: an API error without a status (OpenAI, Anthropic), or fetch's own failure (Google). By shape, as bundling renames classes. */
const isConnection = (error: unknown): boolean =>
  error instanceof Error &&
  (("status" in error && error.status === undefined) ||
    /fetch failed|terminated|^\[GoogleGenerativeAI Error\]: Error fetching from/.test(error.message));

/** `decode` is the wire's own reading of an error answer. */
export const sdkError = (
  error: unknown,
  provider: string,
  decode: Wire["decodeError"],
  signal: AbortSignal,
): GatewayError => {
  if (error instanceof GatewayError) return error;
  if (signal.aborted && timedOut(signal))
    return new GatewayError("upstream_timeout", "The provider sent no answer in time.", { provider });
  if (signal.aborted) return upstreamFailure(error, "connect", signal);
  const status = field(error, "status");
  const target: Target = { provider, maker: provider, model: "", dialect: {} };
  if (typeof status === "number")
    return decode(status, headersOf(field(error, "headers")), bodyOf(error, status), target);
  if (isConnection(error)) return upstreamFailure(error, "connect", signal);
  return new GatewayError("upstream_error", "The provider's answer could not be read.", { provider, cause: error });
};
