// Google's error envelope in both directions.
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../lib/model/error.ts";
import { errorCodes, GatewayError } from "../../../lib/model/error.ts";
import { geminiGenerate, wrapStreamError } from "../../../lib/wires/gemini-generate/index.ts";
import { target } from "./support.ts";

const decode = (status: number, body: string, headers: Record<string, string> = {}) =>
  geminiGenerate.decodeError(status, headers, body, target());
const google = (code: number, status: string, message: string, details: object[] = []): string =>
  JSON.stringify({ error: { code, status, message, details } });

describe("errors of a provider", () => {
  it.each([
    [400, "INVALID_ARGUMENT", "Bad field.", "invalid_request"],
    [
      400,
      "INVALID_ARGUMENT",
      "The input token count (9) exceeds the maximum number of tokens allowed (8).",
      "context_length_exceeded",
    ],
    [401, "UNAUTHENTICATED", "Who?", "upstream_authentication"],
    [403, "PERMISSION_DENIED", "No.", "permission"],
    [404, "NOT_FOUND", "models/x is not found", "model_not_found"],
    [404, "NOT_FOUND", "Requested entity was not found.", "not_found"],
    [429, "RESOURCE_EXHAUSTED", "Quota.", "rate_limited"],
    [500, "INTERNAL", "Oops.", "upstream_error"],
    [503, "UNAVAILABLE", "Overloaded.", "overloaded"],
    [504, "DEADLINE_EXCEEDED", "Late.", "upstream_timeout"],
  ] as [number, string, string, ErrorCode][])("%i %s %s", (status, word, message, code) => {
    const body = google(status, word, message);
    const error = decode(status, body);
    expect(error).toMatchObject({ code, details: { provider: "gemini" } });
    // To a Gemini client it goes as it came, but for what concerns the gateway's own key.
    if (code !== "upstream_authentication")
      // oxlint-disable-next-line vitest/no-conditional-expect
      expect(geminiGenerate.encodeError(error, "q").body).toEqual(JSON.parse(body));
  });

  it("reads when to try again, from the details or the headers (F29)", () => {
    const info = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "34.4s" };
    expect(decode(429, google(429, "RESOURCE_EXHAUSTED", "m", [info])).details.retryAfterMs).toBe(34400);
    expect(decode(429, "", { "retry-after": "2" }).details).toMatchObject({
      retryAfterMs: 2000,
      headers: { "retry-after": "2" },
    });
  });

  it("takes API_KEY_INVALID for the gateway's own fault, and keeps it from the client (F41)", () => {
    const info = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" };
    const error = decode(400, google(400, "INVALID_ARGUMENT", "API key not valid: AIzaSECRET", [info]));
    expect(error.code).toBe("upstream_authentication");
    expect(JSON.stringify(geminiGenerate.encodeError(error, "q"))).not.toMatch(/SECRET|API_KEY_INVALID/);
  });

  it("reads errors in an array, and what is no JSON by its status", () => {
    expect(decode(429, `[${google(429, "RESOURCE_EXHAUSTED", "m")}]`).code).toBe("rate_limited");
    expect(decode(502, "<html>nginx SECRET</html>")).toMatchObject({
      code: "upstream_error",
      message: "The provider answered with status 502.",
    });
    expect(decode(503, "").code).toBe("overloaded");
    expect(decode(400, "{}").code).toBe("invalid_request");
  });
});

describe("errors for a client", () => {
  it.each(Object.keys(errorCodes) as ErrorCode[])("%s has Google's envelope (F28)", (code) => {
    const { status, headers, body } = geminiGenerate.encodeError(new GatewayError(code, "Why."), "req_1");
    expect(status).toBe(errorCodes[code].status);
    expect(headers["content-type"]).toContain("application/json");
    expect(body).toMatchObject({
      error: { code: status, message: "Why.", status: expect.stringMatching(/^[A-Z_]+$/) as string },
    });
  });

  it("tells the field, the wait and the request", () => {
    const { headers, body } = geminiGenerate.encodeError(
      new GatewayError("rate_limited", "Slow.", { retryAfterMs: 34400, param: "contents" }),
      "req_1",
    );
    expect(headers["retry-after"]).toBe("35");
    expect(body).toMatchObject({
      error: {
        details: expect.arrayContaining([
          { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "34.4s" },
          { "@type": "type.googleapis.com/google.rpc.RequestInfo", requestId: "req_1" },
          {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            fieldViolations: [{ field: "contents", description: "Slow." }],
          },
        ]) as object[],
      },
    });
    expect(wrapStreamError(body)).toEqual([body]);
  });

  it("is 401 for a refused key of the client, with Google's reason", () => {
    expect(geminiGenerate.encodeError(new GatewayError("authentication", "No."), "q")).toMatchObject({
      status: 401,
      body: { error: { code: 401, status: "UNAUTHENTICATED", details: [{ reason: "API_KEY_INVALID" }, {}] } },
    });
  });
});
