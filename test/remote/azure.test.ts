// What Azure's errors mean for a call.
import { expect, test } from "vitest";
import { azureJudge } from "../../lib/remote/azure.ts";

const judge = azureJudge("Key Vault");
const failure = (parts: object): Error => Object.assign(new Error("words"), parts);

test.each([
  [{ statusCode: 429 }, "refused"],
  [{ code: "ECONNREFUSED" }, "refused"],
  [{ code: "ENOTFOUND" }, "refused"],
  [{ name: "CredentialUnavailableError" }, "refused"],
  // The identity endpoint's status, not the service's.
  [{ name: "AuthenticationError", statusCode: 400 }, "refused"],
  [{ cause: failure({ name: "AggregateAuthenticationError" }) }, "refused"],
  [{ statusCode: 408 }, "unknown"],
  [{ statusCode: 500 }, "unknown"],
  [{ statusCode: 503, code: "ServerBusy" }, "unknown"],
  // An answer that could not be read to its end.
  [{ statusCode: 200, code: "PARSE_ERROR" }, "unknown"],
  [{ code: "ECONNRESET" }, "unknown"],
  [{}, "unknown"],
])("%o: %s", (parts, verdict) => expect(judge(failure(parts))).toBe(verdict));

test.each([
  [{ statusCode: 403, code: "Forbidden" }, "Key Vault refused a request: Forbidden."],
  [{ statusCode: 404 }, "Key Vault refused a request: 404."],
  [{ statusCode: 413, code: "RequestBodyTooLarge" }, "Key Vault refused a request: RequestBodyTooLarge."],
])("%o: for good", (parts, message) => {
  expect(judge(failure(parts))).toMatchObject({ final: { code: "storage", message, retryable: false } });
});

test("what is no error says nothing", () => expect(judge("words")).toBe("unknown"));
