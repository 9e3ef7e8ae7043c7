// What Cosmos DB's errors say about a call. Lost conditions (404, 409, 412) are told apart before; here are the others.
import { GatewayError } from "../../model/error.ts";
import { withoutToken } from "../../remote/azure.ts";
import { neverSent, type Verdict } from "../../remote/persist.ts";

/** Gone (a partition moves), too many requests, and a conflict between two writes that the service asks to try again. */
const refusals: ReadonlySet<number> = new Set([410, 429, 449]);
const timeout = 408;

/** The status of an error, or of its cause: the SDK wraps those of batches. */
export const codeOf = (error: unknown): number | undefined => {
  if (!(error instanceof Error)) return undefined;
  return "code" in error && typeof error.code === "number" ? error.code : codeOf(error.cause);
};

const tooLarge = (): GatewayError =>
  new GatewayError("request_too_large", "An item or a transaction is larger than the store takes (2 MB).");

/** By the status, of a request or of an operation in a batch. */
export const judgeStatus = (status: number, cause?: unknown): Verdict => {
  if (refusals.has(status)) return "refused";
  if (status === timeout || status >= 500) return "unknown";
  if (status === 413) return { final: tooLarge() };
  return {
    final: new GatewayError("storage", `The Cosmos DB store refused a request: ${status}.`, {
      cause,
      retryable: false,
    }),
  };
};

export const judge = (error: unknown): Verdict => {
  const code = codeOf(error);
  if (code !== undefined) return judgeStatus(code, error);
  return neverSent(error) || withoutToken(error) ? "refused" : "unknown";
};
