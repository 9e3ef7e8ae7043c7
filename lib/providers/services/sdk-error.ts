// A vendor SDK's error as one of ours: status, headers and body kept, nothing of the SDK's own prose.
import { GatewayError } from "../../model/error.ts";
import type { Headers } from "../../model/call.ts";
import type { Target, Wire } from "../../wires/wire.ts";

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;

const headersOf = (value: unknown): Headers => {
  const headers: Headers = {};
  if (value instanceof Headers_) value.forEach((text, name) => (headers[name] = text));
  return headers;
};
const Headers_ = globalThis.Headers;

/** `decode` is the wire's own reading of an error answer. */
export const sdkError = (error: unknown, provider: string, decode: Wire["decodeError"], signal: AbortSignal): GatewayError => {
  if (error instanceof GatewayError) return error;
  if (signal.aborted)
    return signal.reason instanceof GatewayError ? signal.reason : new GatewayError("cancelled", "The caller has gone.");
  const status = field(error, "status");
  const target: Target = { provider, maker: provider, model: "", dialect: {} };
  if (typeof status === "number") {
    const inner = field(error, "error");
    // openai's `error` is the inner object; Anthropic's is the whole body.
    const body = field(inner, "type") === "error" || field(inner, "error") !== undefined ? inner : { error: inner };
    return decode(status, headersOf(field(error, "headers")), JSON.stringify(body ?? {}), target);
  }
  return new GatewayError("upstream_unreachable", "The provider could not be reached.", { provider, cause: error });
};
