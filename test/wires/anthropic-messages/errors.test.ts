import { describe, expect, it } from "vitest";
import { GatewayError, errorCodes, invalid } from "../../../lib/model/error.ts";
import type { ErrorCode } from "../../../lib/model/error.ts";
import { anthropicMessages as wire } from "../../../lib/wires/anthropic-messages/index.ts";
import { target } from "./tools.ts";

const body = (type: string, message: string, details?: unknown): string =>
  JSON.stringify({
    type: "error",
    error: { type, message, ...(details === undefined ? {} : { details }) },
    request_id: "req_up",
  });

describe("decodeError", () => {
  it.each<[number, string, ErrorCode]>([
    [400, body("invalid_request_error", "max_tokens: too high"), "invalid_request"],
    [
      400,
      body("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
      "context_length_exceeded",
    ],
    [400, body("invalid_request_error", "no", { error_code: "thread_unsupported_request" }), "thread_unsupported"],
    [401, body("authentication_error", "invalid x-api-key"), "upstream_authentication"],
    [402, body("billing_error", "no credit"), "billing"],
    [403, body("permission_error", "not for you"), "permission"],
    [404, body("not_found_error", "model: claude-x"), "model_not_found"],
    [404, body("not_found_error", "no such thing"), "not_found"],
    [413, body("request_too_large", "big"), "request_too_large"],
    [429, body("rate_limit_error", "slow down"), "rate_limited"],
    [500, body("api_error", "oops"), "upstream_error"],
    [504, body("timeout_error", "late"), "upstream_timeout"],
    [529, body("overloaded_error", "Overloaded"), "overloaded"],
    [502, "<html><h1>Bad gateway</h1></html>", "upstream_error"],
    [503, "", "overloaded"],
    [418, "", "invalid_request"],
    [400, '{"message":"The provided model identifier is invalid."}', "model_not_found"],
    [400, '{"message":"Input is too long for requested model."}', "context_length_exceeded"],
    [403, '{"message":"The security token included in the request is expired"}', "upstream_authentication"],
  ])("reads %i %s as %s", (status, text, code) => {
    const error = wire.decodeError(status, {}, text, target());
    expect(error.code).toBe(code);
    expect(error.details.provider).toBe("anthropic");
  });

  it("reads Bedrock's exceptions by their header", () => {
    const headers = { "x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/coral/" };
    expect(wire.decodeError(429, headers, '{"message":"Too many"}', target()).code).toBe("rate_limited");
    expect(wire.decodeError(424, { "x-amzn-errortype": "ModelErrorException" }, "{}", target()).code).toBe(
      "upstream_error",
    );
  });

  it("keeps retry advice and rate limits (F29)", () => {
    const headers = {
      "retry-after": "3",
      "anthropic-ratelimit-tokens-remaining": "0",
      "x-should-retry": "false",
      "set-cookie": "s",
    };
    const error = wire.decodeError(429, headers, body("rate_limit_error", "slow"), target());
    expect(error.details).toMatchObject({ retryAfterMs: 3000, retryable: false });
    const told = wire.encodeError(error, "req_1");
    expect(told.headers).toEqual({
      "retry-after": "3",
      "anthropic-ratelimit-tokens-remaining": "0",
      "x-should-retry": "false",
    });
    expect(told).toMatchObject({
      status: 429,
      body: { error: { type: "rate_limit_error", message: "slow" }, request_id: "req_1" },
    });
  });

  it("tells clients nothing of the gateway's own credential (F41)", () => {
    const error = wire.decodeError(401, {}, body("authentication_error", "invalid x-api-key: sk-ant-123"), target());
    const told = wire.encodeError(error, "req_1");
    expect(told.status).toBe(502);
    expect(JSON.stringify(told)).not.toContain("sk-ant");
  });
});

describe("encodeError", () => {
  it("wears Anthropic's envelope for every code (F28)", () => {
    for (const code of Object.keys(errorCodes) as ErrorCode[]) {
      const { status, body: told } = wire.encodeError(new GatewayError(code, "why"), "req_1");
      expect(told).toMatchObject({ type: "error", error: { message: "why" }, request_id: "req_1" });
      expect(status).toBe(code === "overloaded" ? 529 : errorCodes[code].status);
    }
  });

  it("makes the SDK fall back from threads", () => {
    expect(wire.encodeError(new GatewayError("thread_unsupported", "no"), "r")).toMatchObject({
      status: 400,
      body: { error: { type: "invalid_request_error", details: { error_code: "thread_unsupported_request" } } },
    });
  });

  it("tells when to come back, and when not to", () => {
    const soon = wire.encodeError(new GatewayError("rate_limited", "slow", { retryAfterMs: 1500 }), "r");
    expect(soon.headers).toEqual({ "retry-after": "2", "retry-after-ms": "1500" });
    expect(wire.encodeError(new GatewayError("quota_exceeded", "spent"), "r").headers).toEqual({
      "x-should-retry": "false",
    });
  });

  it("names the field", () => {
    expect(wire.encodeError(invalid("messages[0].role", "expected a role"), "r").body).toMatchObject({
      error: { type: "invalid_request_error", message: "messages[0].role: expected a role" },
    });
  });

  it("leaves another wire's native error to that wire", () => {
    const error = new GatewayError("rate_limited", "slow", {
      native: { wire: "openai-chat", status: 429, body: { error: { type: "tokens" } } },
    });
    expect(wire.encodeError(error, "r").body).toMatchObject({ error: { type: "rate_limit_error" } });
  });
});
