// No secret leaves in an error (F41).
import { describe, expect, it } from "vitest";
import { GatewayError } from "../../lib/model/error.ts";
import { secretsOf } from "../../lib/providers/credentials.ts";
import { redact, redactError } from "../../lib/providers/redact.ts";
import { configOf } from "./upstream.ts";

const secrets = ["canary/one+two", "short"];

describe("redaction (F41)", () => {
  it("takes out secrets, as they are and percent-encoded", () => {
    expect(redact("a canary/one+two b canary%2Fone%2Btwo", secrets)).toBe("a [redacted] b [redacted]");
  });

  it("leaves words alone that are too short to be secrets", () => {
    expect(redact("a short word", secrets)).toBe("a short word");
  });

  it.each([
    [`key ${["sk", "x".repeat(24)].join("-")} was`, "key [redacted] was"],
    [`AIza${"x".repeat(35)}`, "[redacted]"],
    ["GET /v1beta/models?key=whatever&alt=sse", "GET /v1beta/models?key=[redacted]&alt=sse"],
    ["Authorization: Bearer abcdefghijklmnopqrst==", "Authorization: Bearer [redacted]"],
    ["the task-force asked for risk-free bearer bonds", "the task-force asked for risk-free bearer bonds"],
  ])("takes out what looks like anybody's key: %s", (text, clean) => {
    expect(redact(text, [])).toBe(clean);
  });

  it("cleans every part of an error, and keeps what it means", () => {
    const error = new GatewayError("rate_limited", "no canary/one+two", {
      param: "canary/one+two",
      provider: "p",
      retryAfterMs: 5,
      headers: { "x-ratelimit-key": "canary/one+two" },
      native: {
        wire: "openai-chat",
        status: 429,
        body: { error: { message: "canary/one+two", list: [1, null, "canary/one+two"], deep: { ok: true } } },
      },
      cause: new Error("because canary/one+two"),
    });
    const clean = redactError(error, secrets);
    expect(clean).toMatchObject({ code: "rate_limited", message: "no [redacted]" });
    expect(clean.details).toMatchObject({
      provider: "p",
      retryAfterMs: 5,
      native: { status: 429, body: { error: { list: [1, null, "[redacted]"], deep: { ok: true } } } },
    });
    const cause = clean.details.cause as Error;
    expect(JSON.stringify([clean.message, clean.details, cause.message, cause.stack])).not.toContain("canary");
  });

  it("knows which configured values are secrets", () => {
    const headers = {
      Authorization: "Bearer proxy-canary",
      "OpenAI-Organization": "org-1",
      "X-Api-Key": "other-canary",
    };
    expect(secretsOf(configOf("openai", { apiKey: "key-canary", headers }))).toEqual([
      "key-canary",
      "Bearer proxy-canary",
      "proxy-canary",
      "other-canary",
    ]);
  });
});
