import type OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { GatewayError } from "../../../lib/model/error.ts";
import type { ChatResponse } from "../../../lib/model/event.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import { encodeInputTokens } from "../../../lib/wires/openai-responses/aux.ts";
import { fold, unfold } from "../../../lib/wires/shared/fold.ts";
import { context, decodeAll, encodeAll, sdk, target, wire } from "./support.ts";

const answer: ChatResponse = {
  id: "chatcmpl-1",
  model: "m",
  parts: [
    { type: "reasoning", text: "hm" },
    { type: "text", text: "Hello", citations: [{ document: "file_1", title: "a.pdf" }] },
    { type: "tool-call", callId: "call_1", name: "f", arguments: '{"a":1}' },
  ],
  reason: "tool-calls",
  usage: { input: 1, output: 2 },
};

describe("a whole Response to a client", () => {
  it("has every field of the SDK's type, with the request echoed", () => {
    const request = wire.decodeRequest(
      {
        model: "alias",
        instructions: "be brief",
        input: "hi",
        tools: [{ type: "function", name: "f", strict: null }],
        tool_choice: "required",
        text: { format: { type: "json_schema", name: "n", schema: {} } },
        reasoning: { effort: "low" },
        max_output_tokens: 50,
        metadata: { a: "b" },
        temperature: 0.5,
        truncation: "auto",
        user: "u",
        parallel_tool_calls: false,
      },
      {},
    );
    const body = wire.encodeResponse(answer, context(request));
    const { id, output, ...others } = body;
    expect(id).toMatch(/^resp_/);
    expect(output).toHaveLength(3);
    expect(others).toEqual({
      object: "response",
      created_at: 1_790_000_000,
      status: "completed",
      background: false,
      completed_at: 1_790_000_000,
      error: null,
      incomplete_details: null,
      access_programs: null,
      instructions: "be brief",
      max_output_tokens: 50,
      max_tool_calls: null,
      metadata: { a: "b" },
      model: "m",
      parallel_tool_calls: false,
      previous_response_id: null,
      prompt_cache_key: null,
      reasoning: { effort: "low", summary: null },
      safety_identifier: null,
      service_tier: "default",
      store: false,
      temperature: 0.5,
      text: { format: { type: "json_schema", name: "n", schema: {} } },
      tool_choice: "required",
      tools: [{ type: "function", name: "f", description: null, parameters: null, strict: null }],
      top_logprobs: 0,
      top_p: 1,
      truncation: "auto",
      user: "u",
      usage: {
        input_tokens: 1,
        input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
        output_tokens: 2,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 3,
      },
    });
  });

  it("is what the stream ends with", () => {
    const frames = encodeAll(unfold(answer)).trim().split("\n\n");
    const last = JSON.parse(frames.at(-1)!.split("\ndata: ")[1]!) as JsonObject;
    expect(last["response"]).toEqual(wire.encodeResponse(answer, context()));
  });

  it("is read by the official SDK", async () => {
    const body = wire.encodeResponse(answer, context());
    const read: OpenAI.Responses.Response = await sdk(JSON.stringify(body), "application/json").responses.create({
      model: "m",
      input: "x",
    });
    expect(read.output_text).toBe("Hello");
    expect(read.output.map((item) => item.type)).toEqual(["reasoning", "message", "function_call"]);
  });

  it("comes back as it was said", () => {
    const back = wire.decodeResponse(wire.encodeResponse(answer, context()), target());
    expect(back.reason).toBe("tool-calls");
    expect(back.parts).toMatchObject([
      { type: "reasoning", text: "hm" },
      { type: "text", text: "Hello", citations: [{ document: "file_1", title: "a.pdf" }] },
      { type: "tool-call", callId: "call_1", arguments: '{"a":1}' },
    ]);
    expect(fold(unfold(back))).toEqual(back);
  });

  it("counts the tokens of an input", () => {
    expect(encodeInputTokens(7)).toEqual({ object: "response.input_tokens", input_tokens: 7 });
  });
});

describe("a provider's whole Response", () => {
  const body = (over: JsonObject): JsonObject => ({
    id: "resp_1",
    object: "response",
    model: "m",
    created_at: 1,
    status: "completed",
    output: [],
    ...over,
  });
  const call = { type: "function_call", id: "fc_1", call_id: "call_1", name: "f", arguments: "{" };
  const refusal = {
    type: "message",
    id: "msg_1",
    role: "assistant",
    status: "completed",
    content: [{ type: "refusal", refusal: "no" }],
  };

  it.each<[JsonObject, string, string]>([
    [{ output: [call] }, "tool-calls", "completed"],
    [
      { output: [call], status: "incomplete", incomplete_details: { reason: "max_output_tokens" } },
      "length",
      "max_output_tokens",
    ],
    [{ output: [refusal] }, "refusal", "completed"],
    [{ status: "incomplete", incomplete_details: { reason: "content_filter" } }, "content-filter", "content_filter"],
    [{ status: "incomplete", incomplete_details: { reason: "steered" } }, "other", "steered"],
    [{ status: "queued" }, "other", "queued"],
    [{ status: "cancelled" }, "other", "cancelled"],
    [{ status: "complete" }, "end", "completed"],
  ])("ends %j as %s, and so again (F3, F4)", (over, reason, native) => {
    const decoded = wire.decodeResponse(body(over), target());
    expect(decoded).toMatchObject({ reason, native });
    const encoded = wire.encodeResponse(decoded, context());
    const status = over["status"] ?? "completed";
    expect(encoded["status"]).toBe(status === "complete" ? "completed" : status);
    expect(encoded["incomplete_details"] ?? undefined).toEqual(over["incomplete_details"]);
  });

  it.each([
    ["a failed one", body({ status: "failed", error: { code: "server_error", message: "Boom." } }), "Boom."],
    ["an error in its place", { error: { message: "Boom.", code: 500 } }, "Boom."],
    ["another wire's answer", { object: "chat.completion", choices: [] }, "not a Response"],
    ["no object at all", "hello", "not a Response"],
  ])("throws for %s (F27)", (_what, value, words) => {
    expect(() => wire.decodeResponse(value, target())).toThrow(GatewayError);
    expect(() => wire.decodeResponse(value, target())).toThrow(words);
  });

  it("keeps two messages apart, and the phase of each", () => {
    const message = (id: string, phase: string) => ({
      type: "message",
      id,
      role: "assistant",
      status: "completed",
      phase,
      content: [{ type: "output_text", text: id, annotations: [], logprobs: [] }],
    });
    const output = [message("msg_1", "commentary"), message("msg_2", "final_answer")];
    const decoded = wire.decodeResponse(body({ output }), target());
    expect(wire.encodeResponse(decoded, context())["output"]).toEqual(output);
    expect(
      wire.encodeRequest({ ...context().request, messages: [{ role: "assistant", parts: decoded.parts }] }, target())
        .body["input"],
    ).toMatchObject([
      { id: "msg_1", phase: "commentary" },
      { id: "msg_2", phase: "final_answer" },
    ]);
  });

  it("seals another maker's state for the client, and leaves OpenAI's as it is (F48)", () => {
    const output = [{ type: "reasoning", id: "rs_1", summary: [], encrypted_content: "S" }];
    const through = (maker: string) =>
      (
        wire.encodeResponse(wire.decodeResponse(body({ output }), target({ maker })), context())[
          "output"
        ] as JsonObject[]
      )[0]!["encrypted_content"];
    expect(through("openai")).toBe("S");
    expect(through("xai")).not.toBe("S");
  });
});

describe("errors", () => {
  it("wear the wire's envelope and keep retry headers (F28, F29)", () => {
    const error = wire.decodeError(
      429,
      { "retry-after": "3", "x-ratelimit-remaining-requests": "0" },
      '{"error":{"message":"Slow down.","type":"requests","code":"rate_limit_exceeded","param":null}}',
      target(),
    );
    expect(error.code).toBe("rate_limited");
    const encoded = wire.encodeError(error, "req_1");
    expect(encoded).toMatchObject({
      status: 429,
      body: { error: { message: "Slow down.", code: "rate_limit_exceeded" } },
    });
    expect(encoded.headers["retry-after"]).toBe("3");
  });

  it("are made of anything a host may answer", () => {
    for (const text of ["", "<html>", '{"code":"x","error":"words"}', "[]"])
      expect(wire.decodeError(500, {}, text, target()).code).toBe("upstream_error");
  });

  it("reach a stream that never began", () => {
    expect(decodeAll('data: {"type":"error","message":"x"}\n\n')).toMatchObject([{ type: "error" }]);
  });
});
