import { describe, expect, it } from "vitest";
import { GatewayError } from "../../../lib/model/error.ts";
import type { StreamEvent } from "../../../lib/model/event.ts";
import { anthropicMessages as wire } from "../../../lib/wires/anthropic-messages/index.ts";
import { fold } from "../../../lib/wires/shared/fold.ts";
import { fragments } from "../../recorded.ts";
import { block, delta, end, start, stop, utf8 } from "./builders.ts";
import { decode, encode, frames, sse, target } from "./tools.ts";

const last = (events: readonly StreamEvent[]): StreamEvent | undefined => events.at(-1);

describe("decodeEvents", () => {
  it("reads text, thinking, calls and hosted calls", () => {
    const events = decode([
      sse(
        start(),
        block(0, { type: "thinking", thinking: "", signature: "" }),
        { type: "ping" },
        delta(0, { type: "thinking_delta", thinking: "Hm" }),
        delta(0, { type: "signature_delta", signature: "sig==" }),
        stop(0),
        block(1, { type: "text", text: "" }),
        delta(1, { type: "text_delta", text: "Grüße" }),
        stop(1),
        block(2, { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} }),
        delta(2, { type: "input_json_delta", partial_json: '{"query":' }),
        delta(2, { type: "input_json_delta", partial_json: '"q"}' }),
        stop(2),
        block(3, { type: "tool_use", id: "toolu_1", name: "a", input: {} }),
        delta(3, { type: "input_json_delta", partial_json: "" }),
        stop(3),
        block(4, { type: "tool_use", id: "toolu_2", name: "b", input: {} }),
        delta(4, { type: "input_json_delta", partial_json: "" }),
        delta(4, { type: "input_json_delta", partial_json: '{"x":1}' }),
        stop(4),
        ...end("tool_use"),
      ),
    ]);
    expect(fold(events)).toEqual({
      id: "msg_1",
      model: "claude-x",
      reason: "tool-calls",
      native: "tool_use",
      usage: { input: 5, output: 7 },
      parts: [
        { type: "reasoning", text: "Hm", opaque: { origin: "anthropic", data: "sig==" } },
        { type: "text", text: "Grüße" },
        {
          type: "opaque",
          wire: "anthropic-messages",
          origin: "anthropic",
          value: { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "q" } },
        },
        { type: "tool-call", callId: "toolu_1", name: "a", arguments: "{}" },
        { type: "tool-call", callId: "toolu_2", name: "b", arguments: '{"x":1}' },
      ],
    });
  });

  it("takes the last word of every count, and null for none (F35)", () => {
    const events = decode([
      sse(
        start({ input_tokens: 5, cache_read_input_tokens: 10, output_tokens: 1 }),
        { type: "message_delta", delta: { stop_reason: null }, usage: { output_tokens: 3 } },
        {
          type: "message_delta",
          delta: { stop_reason: "end_turn" },
          usage: { input_tokens: null, cache_read_input_tokens: 20, output_tokens: 8 },
        },
        { type: "message_stop" },
      ),
    ]);
    expect(fold(events).usage).toEqual({ input: 25, cachedInput: 20, output: 8 });
  });

  it("survives CRLF, comments, data without a space, and UTF-8 cut anywhere (F8)", () => {
    const text = `: hello\r\nevent:message_start\r\ndata:${JSON.stringify(start())}\r\n\r\n${[
      block(0, { type: "text", text: "" }),
      delta(0, { type: "text_delta", text: "日本 🎉" }),
      stop(0),
      ...end(),
    ]
      .map((value) => `data: ${JSON.stringify(value)}\r\n\r\n`)
      .join("")}`;
    for (const size of [1, 2, 3, 1000])
      expect(fold(decode(fragments(utf8(text), size))).parts).toEqual([{ type: "text", text: "日本 🎉" }]);
  });

  it("carries events, blocks and deltas nobody knows", () => {
    const events = decode([
      sse(
        start(),
        { type: "weather_report", sun: true },
        block(0, { type: "hologram" }),
        delta(0, { type: "hologram_delta", size: 2 }),
        stop(0),
        ...end(),
      ),
    ]);
    expect(events[1]).toEqual({
      type: "opaque",
      wire: "anthropic-messages",
      name: "weather_report",
      value: { type: "weather_report", sun: true },
    });
    expect(fold(events).parts).toMatchObject([{ value: { type: "hologram", size: 2 } }]);
    const told = frames(encode(events));
    expect(told).toContainEqual({ type: "weather_report", sun: true });
    expect(told).toContainEqual(delta(0, { type: "hologram_delta", size: 2 }));
  });

  it("keeps what came at the end: refusal details, container, edits", () => {
    const details = { type: "refusal", category: "cyber", explanation: "why" };
    const events = decode([
      sse(
        start(),
        {
          type: "message_delta",
          delta: { stop_reason: "refusal", stop_details: details, container: { id: "c" } },
          usage: { output_tokens: 1 },
          context_management: { applied_edits: [] },
        },
        { type: "message_stop" },
      ),
    ]);
    expect(last(events)).toMatchObject({
      reason: "refusal",
      extra: { "anthropic-messages": { stop_details: details, container: { id: "c" } } },
    });
    expect(frames(encode(events)).at(-2)).toMatchObject({
      delta: { stop_reason: "refusal", stop_details: details, container: { id: "c" } },
      context_management: { applied_edits: [] },
    });
  });

  it.each([
    [
      "a stream that breaks off (F26)",
      sse(start(), block(0, { type: "text", text: "" }), delta(0, { type: "text_delta", text: "a" })),
    ],
    ["a stream without message_stop", sse(start(), ...end().slice(0, 1))],
    ["an error event", sse(start(), { type: "error", error: { type: "overloaded_error", message: "busy" } })],
    ["an error without a type of its own (F27)", utf8('data: {"error":{"message":"boom","type":"api_error"}}\n\n')],
    ["a JSON error under a 200 (F27)", utf8('{"type":"error","error":{"type":"api_error","message":"boom"}}')],
    ["raw JSON behind a stream (F27)", utf8(`${new TextDecoder().decode(sse(start()))}{"error":{"message":"boom"}}`)],
    ["an HTML page", utf8("<html>busy</html>")],
    ["garbage in an event", utf8("data: {not json\n\n")],
    ["nothing", utf8("")],
    ["a second answer inside the first", sse(start(), block(0, { type: "text", text: "" }), start())],
  ])("ends %s in an error", (_name, bytes) => {
    for (const size of [1, 1000]) {
      const events = decode(fragments(bytes, size));
      expect(last(events)?.type).toBe("error");
      expect(() => fold(events)).toThrow(GatewayError);
    }
  });

  it("tells an overloaded provider from a broken one", () => {
    const events = decode([sse(start(), { type: "error", error: { type: "overloaded_error", message: "busy" } })]);
    expect(last(events)).toMatchObject({ error: { code: "overloaded", message: "busy" } });
  });

  it("reads the whole answer of a host that does not stream", () => {
    const body = {
      type: "message",
      id: "msg_1",
      model: "m",
      content: [{ type: "text", text: "a" }],
      stop_reason: "end_turn",
    };
    expect(fold(decode(fragments(utf8(JSON.stringify(body)), 5)))).toEqual(wire.decodeResponse(body, target()));
  });

  it("bears hosts that leave out starts and stops, or send the input whole", () => {
    const events = decode([
      sse(
        start(),
        delta(0, { type: "text_delta", text: "a" }),
        block(1, { type: "tool_use", id: "t", name: "f", input: { x: 1 } }),
        ...end(),
      ),
    ]);
    expect(fold(events)).toMatchObject({
      reason: "tool-calls",
      parts: [
        { type: "text", text: "a" },
        { type: "tool-call", arguments: '{"x":1}' },
      ],
    });
  });
});
