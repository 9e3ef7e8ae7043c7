// What an Azure service's error says about the call, for all that speak through the SDKs with their own retries off.
import { GatewayError } from "../model/error.ts";
import { neverSent, type Verdict } from "./persist.ts";

/** A member of an SDK's error, as `RestError` has them: `statusCode` (a number) and `code` (the service's own name of it). */
export const partOf = (error: unknown, part: "statusCode" | "code"): unknown =>
  error instanceof Error && part in error ? (error as unknown as Record<string, unknown>)[part] : undefined;

/** What `@azure/identity` throws. It has statuses of its own, the identity endpoint's: they say nothing of the service. */
const tokenless: ReadonlySet<string> = new Set([
  "AuthenticationError",
  "AuthenticationRequiredError",
  "AggregateAuthenticationError",
  "CredentialUnavailableError",
]);

/**
 * Whether a call never left because there was no token for it. It passes: an identity endpoint is down, throttles, or doesn't
 * know yet of an identity that was just given.
 */
export const withoutToken = (error: unknown): boolean =>
  error instanceof Error && (tokenless.has(error.name) || withoutToken(error.cause));

/** `service` as it is called in messages. */
export const azureJudge =
  (service: string) =>
  (error: unknown): Verdict => {
    const status = partOf(error, "statusCode");
    if (neverSent(error) || withoutToken(error) || status === 429) return "refused";
    if (typeof status !== "number" || status < 400 || status === 408 || status >= 500) return "unknown";
    const code = partOf(error, "code");
    const name = typeof code === "string" ? code : String(status);
    return {
      final: new GatewayError("storage", `${service} refused a request: ${name}.`, { cause: error, retryable: false }),
    };
  };
