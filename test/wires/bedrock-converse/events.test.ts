// Streams and errors of Converse, by hand: what recordings don't show.
import { describe, expect, it } from "vitest";
import { encodeEventStreamFrame } from "../../../lib/http/eventstream.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import type { StreamEvent } from "../../../lib/model/event.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import { bedrockConverse } from "../../../lib/wires/bedrock-converse/index.ts";
import { fold } from "../../../lib/wires/shared/fold.ts";
import type { Target } from "../../../lib/wires/wire.ts";

const target: Target = { provider: "aws", maker: "anthropic", model: "anthropic.claude-opus-5", dialect: {} };

const event = (name: string, value: JsonObject): Uint8Array =>
  encodeEventStreamFrame({ ":event-type": name, ":message-type": "event" }, JSON.stringify({ ...value, p: "abcd" }));
const delta = (at: number, value: JsonObject): Uint8Array =>
  event("contentBlockDelta", { contentBlockIndex: at, delta: value });
const start = (at: number, value: JsonObject): Uint8Array =>
  event("contentBlockStart", { contentBlockIndex: at, start: value });
const stop = (at: number): Uint8Array => event("contentBlockStop", { contentBlockIndex: at });
const ending = (stopReason: string): Uint8Array => event("messageStop", { stopReason });
const usage = event("metadata", {
  usage: {
    inputTokens: 5,
    outputTokens: 7,
    totalTokens: 24,
    cacheReadInputTokens: 4,
    cacheWriteInputTokens: 8,
    cacheDetails: [{ ttl: "1h", inputTokens: 3 }],
  },
  metrics: { latencyMs: 9 },
});
const begin = event("messageStart", { role: "assistant" });

const decode = (...frames: Uint8Array[]): StreamEvent[] => {
  const decoder = bedrockConverse.decodeEvents(target);
  return [...frames.flatMap((frame) => decoder.push(frame)), ...decoder.end()];
};

describe("streams", () => {
  it("keeps parallel calls apart, even where their pieces come mixed (F1)", () => {
    const { parts, reason } = fold(
      decode(
        begin,
        start(0, { toolUse: { toolUseId: "a", name: "f" } }),
        start(1, { toolUse: { toolUseId: "b", name: "g" } }),
        delta(0, { toolUse: { input: '{"x"' } }),
        delta(1, { toolUse: { input: '{"y":2}' } }),
        delta(0, { toolUse: { input: ":1}" } }),
        stop(1),
        stop(0),
        ending("tool_use"),
        usage,
      ),
    );
    expect(parts).toMatchObject([
      { type: "tool-call", callId: "a", name: "f", arguments: '{"x":1}' },
      { type: "tool-call", callId: "b", name: "g", arguments: '{"y":2}' },
    ]);
    expect(reason).toBe("tool-calls");
  });

  it("a call without arguments has {} (F2), and means tool-calls whatever the reason says (F3)", () => {
    const answer = fold(
      decode(
        begin,
        start(0, { toolUse: { toolUseId: "a", name: "f" } }),
        delta(0, { toolUse: { input: "" } }),
        stop(0),
        ending("end_turn"),
        usage,
      ),
    );
    expect(answer).toMatchObject({ reason: "tool-calls", native: "end_turn", parts: [{ arguments: "{}" }] });
  });

  it("a cut-off call stays cut off: the limit is the reason", () => {
    const answer = fold(
      decode(
        begin,
        start(0, { toolUse: { toolUseId: "a", name: "f" } }),
        delta(0, { toolUse: { input: '{"x' } }),
        stop(0),
        ending("max_tokens"),
        usage,
      ),
    );
    expect(answer).toMatchObject({ reason: "length", parts: [{ arguments: '{"x' }] });
  });

  it("keeps each thought's signature, and redacted ones whole (F10, F11)", () => {
    const secret = Buffer.from("EmwKAh=").toString("base64");
    const { parts } = fold(
      decode(
        begin,
        delta(0, { reasoningContent: { text: "hm" } }),
        delta(0, { reasoningContent: { signature: "sig" } }),
        stop(0),
        delta(1, { reasoningContent: { signature: "only" } }),
        stop(1),
        delta(2, { reasoningContent: { redactedContent: secret } }),
        stop(2),
        ending("end_turn"),
        usage,
      ),
    );
    expect(parts).toEqual([
      { type: "reasoning", text: "hm", opaque: { origin: "anthropic", data: "sig" } },
      { type: "reasoning", text: "", opaque: { origin: "anthropic", data: "only" } },
      { type: "reasoning", text: "", redacted: true, opaque: { origin: "anthropic", data: "EmwKAh=" } },
    ]);
  });

  it("joins an image of several pieces by its bytes", () => {
    const answer = fold(
      decode(
        begin,
        start(0, { image: { format: "png" } }),
        delta(0, { image: { source: { bytes: Buffer.from("ab").toString("base64") } } }),
        delta(0, { image: { source: { bytes: Buffer.from("cde").toString("base64") } } }),
        stop(0),
        ending("end_turn"),
        usage,
      ),
    );
    const data = Buffer.from("abcde").toString("base64");
    expect(answer.parts).toEqual([{ type: "image", source: { kind: "base64", data, mediaType: "image/png" } }]);
  });

  it.each([
    ["reason first", [ending("end_turn"), usage]],
    ["counts first", [usage, ending("end_turn")]],
  ])("counts what the cache held beside the prompt (F36): %s", (_, last) => {
    const answer = fold(decode(begin, delta(0, { text: "a" }), stop(0), ...last));
    expect(answer.usage).toMatchObject({ input: 17, cachedInput: 4, cacheWrite: 8, cacheWriteLong: 3, output: 7 });
    expect(answer.extra).toEqual({ "bedrock-converse": { metrics: { latencyMs: 9 } } });
  });

  it("ends well without counts, and without a role at the start", () => {
    const events = decode(delta(0, { text: "a" }), ending("stop_sequence"));
    expect(events.map((one) => one.type)).toEqual([
      "response-start",
      "part-start",
      "part-delta",
      "part-end",
      "response-end",
    ]);
    expect(fold(events).reason).toBe("stop-sequence");
  });

  it("carries events, deltas and blocks that nobody knows yet", () => {
    const events = decode(
      begin,
      event("weather", { sunny: true }),
      delta(0, { hologram: 1 }),
      start(1, { hologram: { size: 2 } }),
      delta(1, { hologram: 3 }),
      stop(1),
      delta(2, { text: "a" }),
      delta(2, { hologram: 4 }),
      stop(2),
      ending("because"),
      usage,
    );
    expect(events).toContainEqual({
      type: "opaque",
      wire: "bedrock-converse",
      name: "weather",
      value: { sunny: true },
    });
    expect(fold(events)).toMatchObject({
      reason: "other",
      native: "because",
      parts: [
        { type: "opaque", value: { hologram: { size: 2 } } },
        { type: "text", text: "a" },
      ],
    });
  });

  it.each([
    ["end_turn", "end"],
    ["stop_sequence", "stop-sequence"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "context-length"],
    ["tool_use", "tool-calls"],
    ["content_filtered", "content-filter"],
    ["guardrail_intervened", "content-filter"],
    ["malformed_tool_use", "malformed-tool-call"],
    ["malformed_model_output", "malformed-tool-call"],
  ])("%s means %s (F4)", (native, reason) => {
    expect(fold(decode(begin, delta(0, { text: "a" }), stop(0), ending(native), usage)).reason).toBe(reason);
  });

  const exception = (name: string): Uint8Array =>
    encodeEventStreamFrame({ ":message-type": "exception", ":exception-type": name }, '{"message":"Told."}');
  it.each([
    ["throttlingException", "rate_limited"],
    ["validationException", "invalid_request"],
    ["serviceUnavailableException", "overloaded"],
    ["internalServerException", "upstream_error"],
    ["modelStreamErrorException", "upstream_error"],
    ["modelTimeoutException", "upstream_timeout"],
    ["neverHeardOfException", "upstream_error"],
  ])("%s in the stream is its one and last error (F26, F27)", (name, code) => {
    const events = decode(begin, exception(name), delta(0, { text: "a" }), ending("end_turn"), usage);
    expect(events.map((one) => one.type)).toEqual(["response-start", "error"]);
    expect(() => fold(events)).toThrow(expect.objectContaining({ code, message: "Told." }));
  });

  it.each<[string, Uint8Array[]]>([
    ["HTML", [Buffer.from("<html>Bad gateway, or so it seems</html>")]],
    ["nothing at all", []],
    ["an event that is not JSON", [encodeEventStreamFrame({ ":event-type": "messageStart" }, "{")]],
    ["a stream that stops before its reason", [begin, delta(0, { text: "a" })]],
    ["a stream that breaks inside its last frame", [begin, ending("end_turn"), usage.subarray(0, 20)]],
  ])("%s is an upstream_error (F26)", (_, frames) => {
    const last = decode(...frames).at(-1);
    expect(last).toMatchObject({ type: "error", error: { code: "upstream_error", details: {} } });
  });
});

describe("errors", () => {
  it.each<[number, string | undefined, string, string]>([
    [400, "ValidationException", "Input is too long for requested model.", "context_length_exceeded"],
    [400, "ValidationException", "Input Tokens Exceeded: 200000", "context_length_exceeded"],
    [400, "ValidationException", "topK: bad", "invalid_request"],
    [400, "ServiceQuotaExceededException", "quota", "quota_exceeded"],
    [403, "AccessDeniedException", "You don't have access to the model with the specified model ID.", "permission"],
    [
      403,
      "UnrecognizedClientException",
      "The security token included in the request is invalid.",
      "upstream_authentication",
    ],
    [403, undefined, "The security token included in the request is expired", "upstream_authentication"],
    [404, "ResourceNotFoundException", "no such model", "model_not_found"],
    [408, "ModelTimeoutException", "slow", "upstream_timeout"],
    [424, "ModelErrorException", "broken", "upstream_error"],
    [429, "ThrottlingException", "Too many tokens, please wait before trying again.", "rate_limited"],
    [429, "ModelNotReadyException", "warming up", "overloaded"],
    [500, "InternalServerException", "oops", "upstream_error"],
    [503, "ServiceUnavailableException", "busy", "overloaded"],
    [502, undefined, "x", "upstream_error"],
  ])("%i %s: %s is %s", (status, type, message, code) => {
    const headers = type === undefined ? {} : { "x-amzn-errortype": `${type}:http://internal.amazon.com/` };
    const error = bedrockConverse.decodeError(status, headers, JSON.stringify({ message }), target);
    expect(error.code).toBe(code);
    const byBody = bedrockConverse.decodeError(
      status,
      {},
      JSON.stringify({ __type: `com.amazon#${type ?? ""}`, message }),
      target,
    );
    expect(byBody.code).toBe(code);
  });

  it("keeps when to come back (F29)", () => {
    const headers = { "x-amzn-errortype": "ThrottlingException", "retry-after": "3" };
    const error = bedrockConverse.decodeError(429, headers, "{}", target);
    expect(error.details).toMatchObject({ retryAfterMs: 3000, headers: { "retry-after": "3" }, provider: "aws" });
    expect(error.retryable).toBe(true);
  });

  it.each([
    [503, "<html>busy</html>", "overloaded"],
    [403, "", "permission"],
    [429, "slow down", "rate_limited"],
  ])("reads a %i whose body is no JSON: %j", (status, body, code) => {
    expect(bedrockConverse.decodeError(status, {}, body, target)).toMatchObject({
      code,
      message: `The provider answered with status ${status}.`,
    });
  });

  it("goes back as it came, and others as AWS would tell them (F28)", () => {
    const came = bedrockConverse.decodeError(
      424,
      { "x-amzn-errortype": "ModelErrorException" },
      '{"message":"m","originalStatusCode":400}',
      target,
    );
    expect(bedrockConverse.encodeError(came, "r1")).toMatchObject({
      status: 424,
      body: { message: "m", originalStatusCode: 400 },
    });
    expect(bedrockConverse.encodeError(new GatewayError("rate_limited", "slow"), "r1")).toEqual({
      status: 429,
      headers: {
        "content-type": "application/json",
        "x-amzn-errortype": "ThrottlingException",
        "x-amzn-requestid": "r1",
      },
      body: { message: "slow" },
    });
  });

  it("refuses an answer that is none of Converse's, and writes no streams for clients", () => {
    expect(() => bedrockConverse.decodeResponse({ choices: [] }, target)).toThrow("not a Converse response");
    expect(() => bedrockConverse.encodeEvents(undefined as never)).toThrow("read from providers");
  });
});
