// What an AWS service's error says about the call, for all that speak through the SDK with its own retries off.
import { GatewayError } from "../model/error.ts";
import { neverSent, type Verdict } from "./persist.ts";

/** 4xx answers that pass with time: too many calls, and credentials that are about to be replaced by new ones. */
const passing: ReadonlySet<string> = new Set([
  "RequestTimeout",
  "SlowDown",
  "TooManyRequests",
  "TooManyRequestsException",
  "Throttling",
  "ThrottlingException",
  "RequestThrottled",
  "ExpiredToken",
  "ExpiredTokenException",
]);

const statusOf = (error: Error): number | undefined => {
  const metadata: unknown = "$metadata" in error ? error.$metadata : undefined;
  return typeof metadata === "object" && metadata !== null && "httpStatusCode" in metadata
    ? Number(metadata.httpStatusCode)
    : undefined;
};

/** `service` as it is called in messages. */
export const awsJudge =
  (service: string) =>
  (error: unknown): Verdict => {
    if (!(error instanceof Error)) return "unknown";
    const status = statusOf(error);
    if (neverSent(error) || passing.has(error.name) || status === 429) return "refused";
    if (status === undefined || status < 400 || status >= 500) return "unknown";
    return {
      final: new GatewayError("storage", `${service} refused a request: ${error.name}.`, {
        cause: error,
        retryable: false,
      }),
    };
  };
