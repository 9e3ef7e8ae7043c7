// Errors of OpenAI's wires: what hosts answer, and what clients are told.
import { describe, expect, test } from "vitest";
import { APIError, AuthenticationError, RateLimitError } from "openai";
import { errorCodes, GatewayError, type ErrorCode } from "../../../lib/model/error.ts";
import { openaiChat } from "../../../lib/wires/openai-chat/index.ts";
import { decodeOpenAiError, encodeOpenAiError } from "../../../lib/wires/shared/openai-error.ts";
import { errorBySdk, targetOf } from "./support.ts";

const decoded = (status: number, body: unknown, headers: Record<string, string> = {}): GatewayError =>
  openaiChat.decodeError(status, headers, typeof body === "string" ? body : JSON.stringify(body), targetOf({}, "host"));

describe("of providers", () => {
  test.each([
    [
      "OpenAI, unknown model",
      404,
      {
        error: {
          message: "The model `x` does not exist",
          code: "model_not_found",
          type: "invalid_request_error",
          param: null,
        },
      },
      "model_not_found",
    ],
    [
      "Azure, unknown deployment",
      404,
      { error: { code: "DeploymentNotFound", message: "The API deployment for this resource does not exist." } },
      "model_not_found",
    ],
    ["Azure, wrong path", 404, { error: { code: "404", message: "Resource not found" } }, "not_found"],
    [
      "Azure, filtered",
      400,
      { error: { code: "content_filter", message: "filtered", innererror: { code: "ResponsibleAIPolicyViolation" } } },
      "content_filtered",
    ],
    ["Azure, rate", 429, { error: { code: "RateLimitReached", message: "slow" } }, "rate_limited"],
    [
      "Mistral, unknown model",
      400,
      { object: "error", message: "Invalid model: x", type: "invalid_model", code: "1500" },
      "model_not_found",
    ],
    ["Mistral, key", 401, { detail: "Invalid API Key" }, "upstream_authentication"],
    [
      "xAI, key under 400",
      400,
      { code: "invalid-argument", error: "Incorrect API key provided." },
      "upstream_authentication",
    ],
    ["OpenRouter, credits", 402, { error: { code: 402, message: "more credits" } }, "billing"],
    [
      "DeepSeek, model",
      400,
      { error: { message: "The supported API model names are a or b, but you passed c." } },
      "model_not_found",
    ],
    [
      "Gemini's endpoint, an array",
      429,
      [{ error: { code: 429, message: "quota", status: "RESOURCE_EXHAUSTED" } }],
      "rate_limited",
    ],
    [
      "vLLM, flat",
      400,
      {
        object: "error",
        message: "This model's maximum context length is 10 tokens",
        type: "BadRequestError",
        code: 400,
      },
      "context_length_exceeded",
    ],
    ["FastAPI", 422, { detail: [{ msg: "field required", loc: ["body"] }] }, "invalid_request"],
    [
      "quota",
      429,
      { error: { message: "You exceeded your current quota", type: "insufficient_quota", code: "insufficient_quota" } },
      "billing",
    ],
    [
      "context",
      400,
      { error: { message: "too long", code: "context_length_exceeded", param: "messages" } },
      "context_length_exceeded",
    ],
    [
      "parameter",
      400,
      { error: { message: "Unsupported parameter", code: "unsupported_parameter", param: "max_tokens" } },
      "unsupported_field",
    ],
    ["server", 500, { error: { message: "oops", type: "server_error" } }, "upstream_error"],
    ["down", 503, { error: { message: "oops", type: "server_error" } }, "overloaded"],
    ["overloaded", 529, "", "overloaded"],
    ["gateway timeout, HTML", 504, "<html>secret</html>", "upstream_timeout"],
    ["too large", 413, "", "request_too_large"],
    ["permission", 403, { error: { message: "no", code: "unsupported_country_region_territory" } }, "permission"],
  ])("%s", (_title, status, body, code) => {
    const error = decoded(status, body);
    expect(error.code).toBe(code);
    expect(error.message).not.toMatch(/secret|html/);
    expect(error.details.provider).toBe("host");
  });

  test("a refused credential is told in the gateway's own words (F41)", () => {
    const error = decoded(401, {
      error: { message: "Incorrect API key provided: sk-canary", code: "invalid_api_key" },
    });
    expect(JSON.stringify([error.message, error.details, encodeOpenAiError(error, "r", "chat")])).not.toContain(
      "canary",
    );
  });

  test("advice on when to try again is kept (F29)", () => {
    const error = decoded(
      429,
      { error: { message: "slow" } },
      { "retry-after": "7", "x-ratelimit-remaining-requests": "0", "set-cookie": "x" },
    );
    expect(error.details.retryAfterMs).toBe(7000);
    expect(openaiChat.encodeError(error, "r").headers).toEqual({
      "retry-after": "7",
      "x-ratelimit-remaining-requests": "0",
    });
    expect(decoded(500, "", { "x-should-retry": "false" }).retryable).toBe(false);
  });

  test("a status inside an answer under 200 counts", () => {
    expect(decodeOpenAiError(200, {}, '{"error":{"code":429,"message":"slow"}}', targetOf(), "openai-chat").code).toBe(
      "rate_limited",
    );
    expect(decodeOpenAiError(200, {}, '{"error":{"message":"?"}}', targetOf(), "openai-chat").code).toBe(
      "upstream_error",
    );
  });
});

describe("for clients", () => {
  test.each(Object.keys(errorCodes) as ErrorCode[])(
    "%s has the envelope's four fields and is an APIError of the SDK (F28)",
    async (code) => {
      const { status, headers, body } = openaiChat.encodeError(
        new GatewayError(code, "what went wrong", { param: "model" }),
        "req_1",
      );
      expect(body).toEqual({
        error: {
          message: "what went wrong",
          type: expect.any(String),
          param: "model",
          code: expect.toSatisfy((value) => value === null || typeof value === "string"),
        },
      });
      const thrown = await errorBySdk(status, headers, JSON.stringify(body));
      expect(thrown).toBeInstanceOf(APIError);
      expect((thrown as APIError).status).toBe(status);
    },
  );

  test("authentication and rate limits are their own classes in the SDK", async () => {
    for (const [code, kind] of [
      ["authentication", AuthenticationError],
      ["rate_limited", RateLimitError],
    ] as const) {
      const { status, headers, body } = openaiChat.encodeError(
        new GatewayError(code, "no", { retryAfterMs: 1500 }),
        "r",
      );
      expect(await errorBySdk(status, headers, JSON.stringify(body))).toBeInstanceOf(kind);
      expect(headers["retry-after"]).toBe("2");
    }
  });

  test("an unknown model is 404 over Chat and 400 over Responses", () => {
    const error = new GatewayError("model_not_found", "no such model");
    expect(encodeOpenAiError(error, "r", "chat")).toMatchObject({
      status: 404,
      body: { error: { code: "model_not_found", param: null } },
    });
    expect(encodeOpenAiError(error, "r", "responses")).toMatchObject({
      status: 400,
      body: { error: { code: "model_not_found", param: "model" } },
    });
  });

  test("a spent budget and a busy thread are not tried again", () => {
    for (const code of ["quota_exceeded", "billing", "conflict"] as const)
      expect(openaiChat.encodeError(new GatewayError(code, "no"), "r").headers["x-should-retry"]).toBe("false");
  });

  test("a provider's own error goes to a client of its wire as it came", () => {
    const own = {
      message: "Error while downloading",
      type: "invalid_request_error",
      param: null,
      code: "invalid_image_url",
    };
    const error = decoded(422, { error: { ...own, failed_generation: "x" }, user_id: "ours" });
    expect(openaiChat.encodeError(error, "r")).toMatchObject({
      status: 422,
      body: { error: { ...own, failed_generation: "x" } },
    });
    expect(JSON.stringify(openaiChat.encodeError(error, "r"))).not.toContain("ours");
  });
});

describe("answers that are none", () => {
  test.each([[null], ["text"], [{}], [{ choices: [] }], [[]]])("%j is the provider's failure", (body) => {
    expect(() => openaiChat.decodeResponse(body, targetOf())).toThrow(GatewayError);
  });
  test("an error under 200 is thrown as it is (F27)", () => {
    let thrown: unknown;
    try {
      openaiChat.decodeResponse({ error: { message: "slow", code: 429 } }, targetOf());
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "rate_limited" });
  });
});
