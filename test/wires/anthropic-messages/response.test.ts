import { describe, expect, it } from "vitest";
import { GatewayError } from "../../../lib/model/error.ts";
import type { ChatResponse, StopReason } from "../../../lib/model/event.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import type { Part } from "../../../lib/model/message.ts";
import { anthropicMessages as wire } from "../../../lib/wires/anthropic-messages/index.ts";
import { fold, unfold } from "../../../lib/wires/shared/fold.ts";
import { unseal } from "../../../lib/wires/shared/seal.ts";
import { context, decode, encode, target } from "./tools.ts";

const answer = (parts: Part[], more: Partial<ChatResponse> = {}): ChatResponse => ({
  id: "msg_1",
  model: "claude-sonnet-4-5",
  parts,
  reason: "end",
  native: "end_turn",
  usage: { input: 3, output: 4 },
  ...more,
});
const encoded = (parts: Part[], more: Partial<ChatResponse> = {}): JsonObject =>
  wire.encodeResponse(answer(parts, more), context());
const text = (said: string): Part => ({ type: "text", text: said });
const call = (args: string, callId = "toolu_1"): Part => ({ type: "tool-call", callId, name: "f", arguments: args });

describe("usage", () => {
  const raw = {
    input_tokens: 10,
    cache_read_input_tokens: 100,
    cache_creation_input_tokens: 50,
    cache_creation: { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 20 },
    output_tokens: 9,
    output_tokens_details: { thinking_tokens: 5 },
    server_tool_use: { web_search_requests: 2, web_fetch_requests: 0 },
    service_tier: "standard",
  };

  it("sums the prompt, and splits it again (F36)", () => {
    const body = { type: "message", id: "msg_1", model: "m", content: [], stop_reason: "end_turn", usage: raw };
    const { usage } = wire.decodeResponse(body, target());
    expect(usage).toMatchObject({
      input: 160,
      cachedInput: 100,
      cacheWrite: 50,
      cacheWriteLong: 20,
      output: 9,
      reasoning: 5,
    });
    expect(wire.encodeResponse(answer([], { usage: usage! }), context())["usage"]).toEqual(raw);
  });

  it("is never negative", () => {
    expect(encoded([], { usage: { input: 5, cachedInput: 9, output: 1 } })["usage"]).toMatchObject({ input_tokens: 0 });
  });
});

describe("stop reasons", () => {
  it.each<[string, StopReason]>([
    ["end_turn", "end"],
    ["max_tokens", "length"],
    ["stop_sequence", "stop-sequence"],
    ["tool_use", "tool-calls"],
    ["pause_turn", "pause"],
    ["refusal", "refusal"],
    ["model_context_window_exceeded", "context-length"],
    ["compaction", "compaction"],
    ["brand_new", "other"],
  ])("%s is %s, in both directions (F4)", (native, reason) => {
    const content = reason === "tool-calls" ? [{ type: "tool_use", id: "toolu_1", name: "f", input: {} }] : [];
    const body = { type: "message", id: "msg_1", model: "m", content, stop_reason: native };
    const decoded = wire.decodeResponse(body, target());
    expect(decoded).toMatchObject({ reason, native });
    expect(wire.encodeResponse(decoded, context())["stop_reason"]).toBe(native);
  });

  it.each<[StopReason, string]>([
    ["content-filter", "refusal"],
    ["malformed-tool-call", "end_turn"],
    ["other", "end_turn"],
  ])("%s of another wire is told as %s", (reason, native) => {
    expect(encoded([text("a")], { reason, native: "LANGUAGE" })["stop_reason"]).toBe(native);
  });

  it("says tool_use wherever there is a call, and truncation wins (F3)", () => {
    expect(encoded([call("{}")])["stop_reason"]).toBe("tool_use");
    expect(encoded([call("{}")], { reason: "length" })["stop_reason"]).toBe("max_tokens");
    expect(encoded([text("{}")], { reason: "tool-calls" })["stop_reason"]).toBe("end_turn");
  });

  it("says refusal where the model refused", () => {
    expect(encoded([{ type: "refusal", text: "No." }])).toMatchObject({
      stop_reason: "refusal",
      content: [{ type: "text", text: "No." }],
    });
  });

  it("keeps the details of a refusal", () => {
    const body = {
      type: "message",
      id: "msg_1",
      model: "m",
      content: [],
      stop_reason: "refusal",
      stop_details: { type: "refusal", category: "bio", explanation: null },
    };
    expect(wire.encodeResponse(wire.decodeResponse(body, target()), context())["stop_details"]).toEqual(
      body.stop_details,
    );
  });
});

describe("encodeResponse", () => {
  it("gives ids their prefixes, and keeps legal ones (F6)", () => {
    expect(encoded([], { id: "chatcmpl-1" })["id"]).toBe("msg_chatcmpl-1");
    expect(encoded([], { id: "" })["id"]).toMatch(/^msg_A+$/);
    expect(encoded([call("{}", "call_9")])["content"]).toMatchObject([{ id: "call_9" }]);
    expect(encoded([call("{}", "")])["content"]).toMatchObject([{ id: expect.stringMatching(/^toolu_A+$/) as string }]);
  });

  it("gives {} for a call without arguments, and for one that was cut off (F2)", () => {
    expect(encoded([call(""), call('{"a":')])["content"]).toMatchObject([{ input: {} }, { input: {} }]);
  });

  it("seals what others made into the slots for signatures (F48)", () => {
    const [thinking] = encoded([{ type: "reasoning", text: "sum", opaque: { origin: "openai", data: "enc" } }])[
      "content"
    ] as JsonObject[];
    expect(thinking).toMatchObject({ type: "thinking", thinking: "sum" });
    expect(unseal(thinking!["signature"] as string)).toEqual({ origin: "openai", data: "enc" });
  });

  it("carries a signature that is bound to a call, and finds it again in the history (F14)", () => {
    const parts: Part[] = [
      { type: "text", text: "a", opaque: { origin: "google", data: "of text" } },
      {
        type: "tool-call",
        callId: "toolu_1",
        name: "f",
        arguments: "{}",
        opaque: { origin: "google", data: "of call" },
      },
    ];
    const whole = encoded(parts)["content"];
    const streamed = wire.encodeResponse(
      fold(decode([new TextEncoder().encode(encode(unfold(answer(parts))))])),
      context(),
    )["content"];
    expect(streamed).toEqual(whole);
    const decoded = wire.decodeRequest({ model: "m", messages: [{ role: "assistant", content: whole! }] }, {});
    expect(decoded.messages[0]?.parts).toEqual(parts);
  });

  it("tells another wire's citations where they have an address", () => {
    expect(
      encoded([{ type: "text", text: "a", citations: [{ url: "https://x", title: "X" }, { document: "file-1" }] }])[
        "content"
      ],
    ).toEqual([
      {
        type: "text",
        text: "a",
        citations: [
          { type: "web_search_result_location", url: "https://x", title: "X", cited_text: "", encrypted_index: "" },
        ],
      },
    ]);
  });

  it("leaves out what has no slot, and empty text", () => {
    const image: Part = { type: "image", source: { kind: "base64", data: "AA==", mediaType: "image/png" } };
    expect(encoded([image, text(""), { type: "reasoning", text: "" }, text("b")])["content"]).toEqual([
      { type: "text", text: "b" },
    ]);
  });
});

describe("decodeResponse", () => {
  it("keeps the five kinds of citation whole", () => {
    const citations = [
      {
        type: "char_location",
        cited_text: "c",
        document_index: 0,
        document_title: "D",
        start_char_index: 0,
        end_char_index: 1,
        file_id: null,
      },
      {
        type: "page_location",
        cited_text: "p",
        document_index: 1,
        document_title: null,
        start_page_number: 1,
        end_page_number: 2,
      },
      {
        type: "content_block_location",
        cited_text: "b",
        document_index: 0,
        document_title: null,
        start_block_index: 0,
        end_block_index: 1,
      },
      { type: "web_search_result_location", cited_text: "w", url: "https://w", title: "W", encrypted_index: "x" },
      {
        type: "search_result_location",
        cited_text: "s",
        source: "https://s",
        title: "S",
        search_result_index: 0,
        start_block_index: 0,
        end_block_index: 1,
      },
    ];
    const content = [{ type: "text", text: "a", citations }];
    const decoded = wire.decodeResponse(
      { type: "message", id: "msg_1", model: "m", content, stop_reason: "end_turn" },
      target(),
    );
    expect(decoded.parts).toMatchObject([
      {
        citations: [
          { document: "0", title: "D", quote: "c" },
          { quote: "p" },
          { quote: "b" },
          { url: "https://w" },
          { url: "https://s" },
        ],
      },
    ]);
    expect(wire.encodeResponse(decoded, context())["content"]).toEqual(content);
  });

  it("carries hosted calls, their results and unknown blocks whole", () => {
    const content = [
      { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "q" } },
      { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [] },
      { type: "hologram", size: 3 },
    ];
    const decoded = wire.decodeResponse(
      { type: "message", id: "msg_1", model: "m", content, stop_reason: "end_turn" },
      target(),
    );
    expect(decoded.parts.map((part) => part.type)).toEqual(["opaque", "opaque", "opaque"]);
    expect(wire.encodeResponse(decoded, context())["content"]).toEqual(content);
  });

  it.each([
    [null],
    ["text"],
    [[]],
    [{ choices: [] }],
    [{ type: "error", error: { type: "overloaded_error", message: "busy" } }],
  ])("refuses %j (F27)", (body) => {
    expect(() => wire.decodeResponse(body as never, target())).toThrow(GatewayError);
  });
});
