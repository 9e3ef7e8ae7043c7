// What DynamoDB's errors say about a call: lost conditions are told apart before, here are the others.
import { GatewayError } from "../../model/error.ts";
import { notANumber } from "../shared/semantics.ts";
import { neverSent, type Verdict } from "../../remote/persist.ts";

/** Nothing was done; with time it may be. */
const refusals: ReadonlySet<string> = new Set([
  "ProvisionedThroughputExceededException",
  "ThrottlingException",
  "RequestLimitExceeded",
  "LimitExceededException",
  "TransactionConflictException",
  "TransactionInProgressException",
  "ReplicatedWriteConflictException",
  "CredentialsProviderError",
]);

/** The same among the reasons of a cancelled transaction. */
export const passingReasons: ReadonlySet<string> = new Set([
  "TransactionConflict",
  "ThrottlingError",
  "ProvisionedThroughputExceeded",
]);

const tooLarge = (limit: string): GatewayError =>
  new GatewayError("request_too_large", `An item is larger than the store takes (${limit}).`);

/** An error that another try gives again. The service's own message may repeat keys, so that only its name is told. */
const refusal = (error: Error): GatewayError => {
  if (/item size/i.test(error.message)) return tooLarge("400 KB");
  if (/incorrect data type/i.test(error.message)) return notANumber();
  return new GatewayError("storage", `The DynamoDB store refused a request: ${error.name}.`, {
    cause: error,
    retryable: false,
  });
};

/** The error of a reason by its message. */
export const reasonError = (code: string, message: string): GatewayError => {
  const error = new Error(message);
  error.name = code;
  return refusal(error);
};

export const judge = (error: unknown): Verdict => {
  if (!(error instanceof Error)) return "unknown";
  if (refusals.has(error.name) || neverSent(error)) return "refused";
  const metadata: unknown = "$metadata" in error ? error.$metadata : undefined;
  const status =
    typeof metadata === "object" && metadata !== null && "httpStatusCode" in metadata
      ? metadata.httpStatusCode
      : undefined;
  // No answer, a broken one, or the service's own failure: 4xx alone is certain.
  return typeof status === "number" && status >= 400 && status < 500 ? { final: refusal(error) } : "unknown";
};
