// What a socket's failure means. The messages name no host, no key, no path.
import { GatewayError } from "../model/error.ts";

const codeOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  return "cause" in error ? codeOf(error.cause) : "";
};

/** `phase`: before the response headers, or while the body was read. */
export const upstreamFailure = (error: unknown, phase: "connect" | "body", signal: AbortSignal): GatewayError => {
  if (error instanceof GatewayError) return error;
  if (signal.aborted) return signal.reason instanceof GatewayError ? signal.reason : cancelled();
  const code = codeOf(error);
  if (code === "UND_ERR_HEADERS_TIMEOUT")
    return new GatewayError("upstream_timeout", "The provider sent no answer in time.", { cause: error });
  if (code === "UND_ERR_BODY_TIMEOUT")
    return new GatewayError("upstream_timeout", "The provider stopped sending in the middle of its answer.", {
      cause: error,
    });
  if (code === "UND_ERR_CONNECT_TIMEOUT")
    return new GatewayError("upstream_unreachable", "The provider could not be reached in time.", { cause: error });
  const detail = /^[A-Z0-9_]{1,40}$/.test(code) ? ` (${code})` : "";
  return phase === "connect"
    ? new GatewayError("upstream_unreachable", `The provider could not be reached${detail}.`, { cause: error })
    : new GatewayError("upstream_error", `The provider's connection broke in the middle of its answer${detail}.`, {
        cause: error,
      });
};

export const cancelled = (): GatewayError => new GatewayError("cancelled", "The caller has gone.");
