import { describe, expect, it } from "vitest";
import { GatewayError } from "../../../lib/model/error.ts";
import type { StreamEvent } from "../../../lib/model/event.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import { anthropicMessages as wire } from "../../../lib/wires/anthropic-messages/index.ts";
import { fold, unfold } from "../../../lib/wires/shared/fold.ts";
import { block, delta, stop, utf8 } from "./builders.ts";
import { context, decode, encode, frames } from "./tools.ts";

describe("encodeEvents", () => {
  const begin: StreamEvent = { type: "response-start", id: "resp_1", model: "gpt-5" };
  const finish: StreamEvent = {
    type: "response-end",
    reason: "end",
    usage: { input: 11, cachedInput: 4, output: 3, reasoning: 1 },
  };
  const types = (events: readonly StreamEvent[]): string[] =>
    frames(encode(events)).map((frame) => frame["type"] as string);

  it("writes the whole grammar of a text", () => {
    const told = frames(
      encode([
        begin,
        { type: "part-start", index: 0, part: { type: "text", text: "" } },
        { type: "part-delta", index: 0, delta: { type: "text", text: 'a"\n' } },
        { type: "part-end", index: 0 },
        finish,
      ]),
    );
    expect(told).toEqual([
      {
        type: "message_start",
        message: {
          id: "msg_resp_1",
          type: "message",
          role: "assistant",
          model: "gpt-5",
          content: [],
          stop_reason: null,
          stop_sequence: null,
          stop_details: null,
          usage: { input_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 0 },
        },
      },
      block(0, { type: "text", text: "" }),
      { type: "ping" },
      delta(0, { type: "text_delta", text: 'a"\n' }),
      stop(0),
      {
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null, stop_details: null },
        usage: {
          input_tokens: 7,
          cache_creation_input_tokens: 0,
          cache_read_input_tokens: 4,
          output_tokens: 3,
          output_tokens_details: { thinking_tokens: 1 },
        },
      },
      { type: "message_stop" },
    ]);
  });

  it("writes an empty answer", () => {
    expect(types([begin, finish])).toEqual(["message_start", "message_delta", "message_stop"]);
  });

  it("writes interleaved calls one after another (F1)", () => {
    const part = (callId: string) => ({ type: "tool-call", callId, name: "f", arguments: "" }) as const;
    const told = frames(
      encode([
        begin,
        { type: "part-start", index: 0, part: part("call_a") },
        { type: "part-start", index: 1, part: part("call_b") },
        { type: "part-delta", index: 1, delta: { type: "arguments", text: '{"b":' } },
        { type: "part-delta", index: 0, delta: { type: "arguments", text: '{"a":1}' } },
        { type: "part-delta", index: 1, delta: { type: "arguments", text: "2}" } },
        { type: "part-end", index: 1 },
        { type: "part-end", index: 0 },
        { type: "response-end", reason: "end" },
      ]),
    );
    expect(told.filter((frame) => "index" in frame)).toEqual([
      block(0, { type: "tool_use", id: "call_a", name: "f", input: {} }),
      delta(0, { type: "input_json_delta", partial_json: '{"a":1}' }),
      stop(0),
      block(1, { type: "tool_use", id: "call_b", name: "f", input: {} }),
      delta(1, { type: "input_json_delta", partial_json: '{"b":' }),
      delta(1, { type: "input_json_delta", partial_json: "2}" }),
      stop(1),
    ]);
    expect(told.at(-2)).toMatchObject({ delta: { stop_reason: "tool_use" } });
  });

  it.each(["", "{}"])("writes one empty delta for a call with arguments %j (F2)", (args) => {
    const told = frames(
      encode([
        begin,
        { type: "part-start", index: 0, part: { type: "tool-call", callId: "c", name: "f", arguments: "" } },
        { type: "part-delta", index: 0, delta: { type: "arguments", text: args } },
        { type: "part-end", index: 0 },
        finish,
      ]),
    );
    expect(told.filter((frame) => frame["type"] === "content_block_delta")).toEqual([
      delta(0, { type: "input_json_delta", partial_json: "" }),
    ]);
  });

  it("writes each block's own signature, also where its thinking is hidden (F11)", () => {
    const told = frames(
      encode(
        unfold({
          id: "msg_1",
          model: "m",
          reason: "end",
          parts: [
            { type: "reasoning", text: "one", opaque: { origin: "anthropic", data: "s1" } },
            { type: "reasoning", text: "", opaque: { origin: "anthropic", data: "s2" } },
            { type: "reasoning", text: "", redacted: true, opaque: { origin: "anthropic", data: "r" } },
            { type: "text", text: "a" },
          ],
        }),
      ),
    );
    expect(told.filter((frame) => "index" in frame).slice(0, 10)).toEqual([
      block(0, { type: "thinking", thinking: "", signature: "" }),
      delta(0, { type: "thinking_delta", thinking: "one" }),
      delta(0, { type: "signature_delta", signature: "s1" }),
      stop(0),
      block(1, { type: "thinking", thinking: "", signature: "" }),
      delta(1, { type: "signature_delta", signature: "s2" }),
      stop(1),
      block(2, { type: "redacted_thinking", data: "r" }),
      stop(2),
      block(3, { type: "text", text: "" }),
    ]);
  });

  it("parts the paragraphs of a summary", () => {
    const summary = (text: string, at: number): StreamEvent => ({
      type: "part-delta",
      index: 0,
      delta: { type: "text", text, summary: at },
    });
    const events: StreamEvent[] = [
      begin,
      { type: "part-start", index: 0, part: { type: "reasoning", text: "" } },
      summary("a", 0),
      summary("b", 0),
      summary("c", 1),
      { type: "part-end", index: 0 },
      finish,
    ];
    expect(fold(decode([utf8(encode(events))])).parts).toEqual([{ type: "reasoning", text: "ab\n\nc" }]);
  });

  it("writes a hosted call as Anthropic streams it, and compaction too", () => {
    const value = (more: JsonObject): JsonObject => ({ type: "server_tool_use", id: "s", name: "web_search", ...more });
    const told = frames(
      encode(
        unfold({
          id: "msg_1",
          model: "m",
          reason: "end",
          parts: [
            { type: "opaque", wire: "anthropic-messages", value: value({ input: { query: "q" } }) },
            { type: "opaque", wire: "anthropic-messages", value: { type: "compaction", content: "short" } },
          ],
        }),
      ),
    );
    expect(told.filter((frame) => "index" in frame)).toEqual([
      block(0, value({ input: {} })),
      delta(0, { type: "input_json_delta", partial_json: '{"query":"q"}' }),
      stop(0),
      block(1, { type: "compaction", content: null }),
      delta(1, { type: "compaction_delta", content: "short" }),
      stop(1),
    ]);
  });

  it("skips further candidates, images, audio and empty text", () => {
    expect(
      types([
        begin,
        { type: "part-start", index: 0, part: { type: "text", text: "" } },
        { type: "part-start", index: 1, part: { type: "text", text: "" }, choice: 1 },
        { type: "part-delta", index: 1, delta: { type: "text", text: "other" } },
        { type: "part-end", index: 1 },
        { type: "part-end", index: 0 },
        {
          type: "part-start",
          index: 2,
          part: { type: "image", source: { kind: "base64", data: "", mediaType: "image/png" } },
        },
        { type: "part-delta", index: 2, delta: { type: "data", base64: "AA==" } },
        { type: "part-end", index: 2 },
        { type: "choice-end", choice: 1, reason: "end" },
        finish,
      ]),
    ).toEqual(["message_start", "message_delta", "message_stop"]);
  });

  it("ends in the wire's own error where the answer fails midway (F26), and says nothing after it", () => {
    const encoder = wire.encodeEvents(context());
    const text =
      encoder.push([begin, { type: "error", error: new GatewayError("overloaded", "busy") }, finish]) +
      encoder.push([finish]) +
      encoder.end();
    expect(frames(text).slice(1)).toEqual([{ type: "error", error: { type: "overloaded_error", message: "busy" } }]);
    expect(frames(encode([begin])).at(-1)).toMatchObject({ type: "error", error: { type: "api_error" } });
  });

  it("closes parts that were left open", () => {
    expect(
      types([begin, { type: "part-start", index: 0, part: { type: "text", text: "a" } }, finish]).slice(-3),
    ).toEqual(["content_block_stop", "message_delta", "message_stop"]);
  });

  it("has a heartbeat that the SDK skips (F9)", () => {
    expect(wire.heartbeat).toBe('event: ping\ndata: {"type": "ping"}\n\n');
  });
});
