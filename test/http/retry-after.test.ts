import { describe, expect, it } from "vitest";
import { passedErrorHeaders, retryAfterMs } from "../../lib/http/retry-after.ts";

const now = Date.parse("2026-11-21T12:00:00Z");

describe("retryAfterMs", () => {
  it.each([
    [{ "retry-after": "7" }, 7000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after": "0" }, 0],
    [{ "retry-after-ms": "250", "retry-after": "7" }, 250],
    [{ "retry-after-ms": "soon", "retry-after": "7" }, 7000],
    [{ "retry-after": "Sat, 21 Nov 2026 12:00:30 GMT" }, 30_000],
    [{ "retry-after": "Sat, 21 Nov 2026 11:00:00 GMT" }, 0],
    [{ "retry-after": "-3" }, undefined],
    [{ "retry-after": "later" }, undefined],
    [{ "retry-after": "" }, undefined],
    [{}, undefined],
    [{ "retry-after": "99999999" }, 24 * 3600 * 1000],
  ])("reads %j", (headers, expected) => {
    expect(retryAfterMs(headers as Record<string, string>, now)).toBe(expected);
  });
});

describe("passedErrorHeaders", () => {
  it("keeps retry advice and rate limits, and nothing else (F29)", () => {
    expect(
      passedErrorHeaders({
        "retry-after": "1",
        "X-Should-Retry": "false",
        "x-ratelimit-remaining-tokens": "0",
        "anthropic-ratelimit-requests-reset": "x",
        "set-cookie": "a=b",
        "anthropic-organization-id": "org",
        server: "cloudflare",
      }),
    ).toEqual({
      "retry-after": "1",
      "x-should-retry": "false",
      "x-ratelimit-remaining-tokens": "0",
      "anthropic-ratelimit-requests-reset": "x",
    });
  });
});
