import { APIError } from "openai";
import { describe, expect, it } from "vitest";
import { GatewayError } from "../../../lib/model/error.ts";
import type { StreamEvent } from "../../../lib/model/event.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import type { Part } from "../../../lib/model/message.ts";
import { fold } from "../../../lib/wires/shared/fold.ts";
import {
  bytes,
  context,
  decodeAll,
  emptyRequest,
  encodeAll,
  framesOf,
  sdk,
  sse,
  target,
  typeOf,
  viaSdk,
  wire,
} from "./support.ts";

const start: StreamEvent = { type: "response-start", id: "chatcmpl-1", model: "m", createdAt: 5 };
const end = (reason: Extract<StreamEvent, { type: "response-end" }>["reason"] = "end"): StreamEvent => ({
  type: "response-end",
  reason,
  usage: { input: 3, output: 4, cachedInput: 1, cacheWrite: 1, reasoning: 2 },
});
const text = (index: number, ...pieces: string[]): StreamEvent[] => [
  { type: "part-start", index, part: { type: "text", text: "" } },
  ...pieces.map((piece): StreamEvent => ({ type: "part-delta", index, delta: { type: "text", text: piece } })),
  { type: "part-end", index },
];
const call = (index: number, callId: string, ...pieces: string[]): StreamEvent[] => [
  { type: "part-start", index, part: { type: "tool-call", callId, name: "f", arguments: "" } },
  ...pieces.map((piece): StreamEvent => ({ type: "part-delta", index, delta: { type: "arguments", text: piece } })),
  { type: "part-end", index },
];
const types = (frames: readonly JsonObject[]): string[] => frames.map(typeOf);
const write = (...events: StreamEvent[]): JsonObject[] => framesOf(encodeAll(events));
const last = (frames: readonly JsonObject[]): JsonObject => frames.at(-1)!["response"] as JsonObject;
const outputOf = (frames: readonly JsonObject[]): JsonObject[] => last(frames)["output"] as JsonObject[];

describe("a Responses stream to a client", () => {
  it("is whole: created, added, deltas, done, completed, each with its place (F5)", () => {
    const frames = write(start, ...text(0, "Hel", "lo"), end());
    expect(types(frames)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(frames.map((frame) => frame["sequence_number"])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const id = (frames[2]!["item"] as JsonObject)["id"];
    for (const frame of frames.slice(3, 8))
      expect(frame).toMatchObject({ item_id: id, output_index: 0, content_index: 0 });
    expect(frames[4]).toEqual({
      type: "response.output_text.delta",
      sequence_number: 4,
      item_id: id,
      output_index: 0,
      content_index: 0,
      delta: "Hel",
      logprobs: [],
    });
    expect(frames[8]!["item"]).toEqual({
      id,
      type: "message",
      status: "completed",
      role: "assistant",
      content: [{ type: "output_text", text: "Hello", annotations: [], logprobs: [] }],
    });
    expect(outputOf(frames)).toEqual([frames[8]!["item"]]);
    expect(last(frames)).toMatchObject({
      object: "response",
      status: "completed",
      created_at: 5,
      model: "m",
      error: null,
      incomplete_details: null,
      store: false,
      previous_response_id: null,
      usage: {
        input_tokens: 3,
        input_tokens_details: { cached_tokens: 1, cache_write_tokens: 1 },
        output_tokens: 4,
        output_tokens_details: { reasoning_tokens: 2 },
        total_tokens: 7,
      },
    });
  });

  it("says every event's name on its line, and never [DONE]", () => {
    const raw = encodeAll([start, ...text(0, "a"), end()]);
    expect(raw).toMatch(/^event: response\.created\ndata: \{/);
    expect(raw).not.toContain("[DONE]");
    expect(wire.heartbeat).toBe(": keep-alive\n\n");
  });

  it("gives every id its prefix, and one id to a response in all its events (F6)", () => {
    const frames = write(
      start,
      { type: "part-start", index: 0, part: { type: "reasoning", text: "", id: "thinking_1" } },
      { type: "part-end", index: 0 },
      ...text(1, "a"),
      ...call(2, "toolu_1", "{}"),
      {
        type: "part-start",
        index: 3,
        part: { type: "tool-call", callId: "", name: "c", arguments: "x", custom: true },
      },
      { type: "part-end", index: 3 },
      end("tool-calls"),
    );
    const items = outputOf(frames);
    expect(items.map((item) => (item["id"] as string).replace(/_.*/, ""))).toEqual(["rs", "msg", "fc", "ctc"]);
    expect(items[2]!["call_id"]).toBe("toolu_1");
    expect(items[3]!["call_id"]).toMatch(/^call_/);
    const ids = frames.flatMap((frame) => ("response" in frame ? [(frame["response"] as JsonObject)["id"]] : []));
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^resp_/);
  });

  it("writes parallel calls one after another, also where their deltas come mixed (F1)", async () => {
    const [a0, a1, a2, a3] = call(0, "call_a", '{"a":', "1}");
    const [b0, b1, b2, b3] = call(1, "call_b", '{"b":', "2}");
    const events = [start, a0!, b0!, a1!, b1!, b2!, a2!, b3!, a3!, end("tool-calls")];
    const frames = framesOf(encodeAll(events));
    const calls = outputOf(frames);
    expect(calls.map((item) => item["arguments"])).toEqual(['{"a":1}', '{"b":2}']);
    const added = frames.filter((frame) => typeOf(frame) === "response.output_item.added");
    expect(added.map((frame) => frame["output_index"])).toEqual([0, 1]);
    expect((await viaSdk(encodeAll(events)))["output"]).toMatchObject([{ call_id: "call_a" }, { call_id: "call_b" }]);
  });

  it("gives {} for a call without arguments, in a delta as well (F2)", () => {
    const frames = write(start, ...call(0, "call_1"), end("tool-calls"));
    expect(frames.find((frame) => typeOf(frame) === "response.function_call_arguments.delta")).toMatchObject({
      delta: "{}",
    });
    expect(frames.find((frame) => typeOf(frame) === "response.function_call_arguments.done")).toMatchObject({
      arguments: "{}",
      name: "f",
    });
    expect(outputOf(frames)[0]).toMatchObject({ arguments: "{}", status: "completed" });
  });

  it("writes custom tools with their own events", () => {
    const part: Part = { type: "tool-call", callId: "call_1", name: "sql", arguments: "", custom: true };
    const frames = write(
      start,
      { type: "part-start", index: 0, part },
      { type: "part-delta", index: 0, delta: { type: "arguments", text: "SELECT" } },
      { type: "part-end", index: 0 },
      end("tool-calls"),
    );
    expect(types(frames).slice(2, -1)).toEqual([
      "response.output_item.added",
      "response.custom_tool_call_input.delta",
      "response.custom_tool_call_input.done",
      "response.output_item.done",
    ]);
    expect(outputOf(frames)[0]).toEqual({
      id: expect.stringMatching(/^ctc_/),
      type: "custom_tool_call",
      status: "completed",
      call_id: "call_1",
      name: "sql",
      input: "SELECT",
    });
  });

  it("writes reasoning as a summary, paragraph by paragraph", () => {
    const frames = write(
      start,
      { type: "part-start", index: 0, part: { type: "reasoning", text: "" } },
      { type: "part-delta", index: 0, delta: { type: "text", text: "a", summary: 0 } },
      { type: "part-delta", index: 0, delta: { type: "text", text: "b", summary: 1 } },
      { type: "part-delta", index: 0, delta: { type: "opaque", opaque: { origin: "openai", data: "gA" } } },
      { type: "part-end", index: 0 },
      ...text(1, "x"),
      end(),
    );
    expect(types(frames).slice(2, 12)).toEqual([
      "response.output_item.added",
      "response.reasoning_summary_part.added",
      "response.reasoning_summary_text.delta",
      "response.reasoning_summary_text.done",
      "response.reasoning_summary_part.done",
      "response.reasoning_summary_part.added",
      "response.reasoning_summary_text.delta",
      "response.reasoning_summary_text.done",
      "response.reasoning_summary_part.done",
      "response.output_item.done",
    ]);
    expect(outputOf(frames)[0]).toMatchObject({
      summary: [{ type: "summary_text", text: "a" }, { text: "b" }],
      encrypted_content: "gA",
    });
  });

  it("puts consecutive texts into one message, with citations on the words they are for", async () => {
    const events: StreamEvent[] = [
      start,
      ...text(0, "see "),
      { type: "part-start", index: 1, part: { type: "text", text: "" } },
      { type: "part-delta", index: 1, delta: { type: "citation", citation: { url: "https://a.b", title: "t" } } },
      { type: "part-delta", index: 1, delta: { type: "text", text: "here" } },
      { type: "part-delta", index: 1, delta: { type: "citation", citation: { url: "https://c.d", start: 1, end: 3 } } },
      { type: "part-end", index: 1 },
      { type: "part-start", index: 2, part: { type: "refusal", text: "" } },
      { type: "part-delta", index: 2, delta: { type: "text", text: "no" } },
      { type: "part-end", index: 2 },
      end(),
    ];
    const frames = framesOf(encodeAll(events));
    expect(outputOf(frames)).toHaveLength(1);
    expect(outputOf(frames)[0]!["content"]).toMatchObject([
      { text: "see " },
      {
        text: "here",
        annotations: [
          { type: "url_citation", start_index: 1, end_index: 3, url: "https://c.d", title: "" },
          { type: "url_citation", start_index: 0, end_index: 4, url: "https://a.b", title: "t" },
        ],
      },
      { type: "refusal", refusal: "no" },
    ]);
    expect((await viaSdk(encodeAll(events)))["output_text"]).toBe("see here");
  });

  it.each([
    ["end", "completed", null],
    ["stop-sequence", "completed", null],
    ["tool-calls", "completed", null],
    ["pause", "completed", null],
    ["compaction", "completed", null],
    ["other", "completed", null],
    ["length", "incomplete", { reason: "max_output_tokens" }],
    ["context-length", "incomplete", { reason: "max_output_tokens" }],
    ["content-filter", "incomplete", { reason: "content_filter" }],
    ["refusal", "incomplete", { reason: "content_filter" }],
    ["malformed-tool-call", "failed", null],
  ] as const)("ends on %s as %s (F4)", (reason, status, details) => {
    const frames = write(start, ...text(0, "a"), end(reason));
    expect(typeOf(frames.at(-1)!)).toBe(`response.${status}`);
    expect(last(frames)).toMatchObject({ status, incomplete_details: details });
  });

  it("is incomplete where a call was cut off: the call is kept", async () => {
    const events = [start, ...call(0, "call_1", '{"a":'), end("length")];
    const frames = framesOf(encodeAll(events));
    expect(types(frames).slice(-3)).toEqual([
      "response.function_call_arguments.done",
      "response.output_item.done",
      "response.incomplete",
    ]);
    expect(outputOf(frames)[0]).toMatchObject({ arguments: '{"a":', status: "incomplete" });
    expect(await viaSdk(encodeAll(events))).toMatchObject({ status: "incomplete", output: [{ arguments: '{"a":' }] });
  });

  it("ends a failure with the error event that SDKs throw, and the failed Response that agents wait for (F26)", async () => {
    const error = new GatewayError("overloaded", "Too busy.");
    const raw = encodeAll([start, ...text(0, "a").slice(0, 2), { type: "error", error }]);
    const frames = framesOf(raw);
    expect(types(frames).slice(-2)).toEqual(["error", "response.failed"]);
    expect(frames.at(-2)).toMatchObject({
      code: "server_overloaded",
      message: "Too busy.",
      param: null,
      error: { code: "server_overloaded", message: "Too busy." },
    });
    expect(last(frames)).toMatchObject({
      status: "failed",
      error: { code: "server_overloaded", message: "Too busy." },
    });
    await expect(viaSdk(raw)).rejects.toThrow("Too busy.");
    const plain = await sdk(raw).responses.create({ model: "m", input: "x", stream: true });
    await expect(async () => {
      for await (const _event of plain);
    }).rejects.toThrow(APIError);
  });

  it("gives just the error event where another hand began the stream", () => {
    expect(types(write({ type: "error", error: new GatewayError("upstream_error", "Gone.") }))).toEqual(["error"]);
  });

  it("never ends in silence (F26)", () => {
    const frames = framesOf(encodeAll([start, ...text(0, "a")]));
    expect(types(frames).slice(-2)).toEqual(["error", "response.failed"]);
    expect(wire.encodeEvents(context()).end()).toBe("");
  });

  it("writes nothing after the end", () => {
    const encoder = wire.encodeEvents(context());
    encoder.push([start, end()]);
    expect(encoder.push([...text(0, "late"), end()])).toBe("");
    expect(encoder.end()).toBe("");
  });

  it("shows a picture as the result of a hosted tool, and skips what it has no item for", async () => {
    const events: StreamEvent[] = [
      start,
      ...text(0, "a"),
      {
        type: "part-start",
        index: 1,
        part: { type: "opaque", wire: "anthropic-messages", value: { type: "server_tool_use" } },
      },
      { type: "part-end", index: 1 },
      ...text(2, "b"),
      {
        type: "part-start",
        index: 3,
        part: { type: "image", source: { kind: "base64", data: "QUJD", mediaType: "image/webp" } },
      },
      { type: "part-end", index: 3 },
      { type: "part-start", index: 4, part: { type: "text", text: "other" }, choice: 1 },
      { type: "part-end", index: 4 },
      { type: "choice-end", choice: 1, reason: "end" },
      end(),
    ];
    const result = await viaSdk(encodeAll(events));
    expect(result["output"]).toMatchObject([
      { type: "message", content: [{ text: "a" }, { text: "b" }] },
      { type: "image_generation_call", result: "QUJD", output_format: "webp", status: "completed" },
    ]);
  });
});

const response = (over: JsonObject = {}): JsonObject => ({
  id: "resp_1",
  object: "response",
  created_at: 7,
  model: "gpt-5.4",
  status: "in_progress",
  output: [],
  ...over,
});
const created: JsonObject = { type: "response.created", response: response() };
const completed = (output: JsonObject[], over: JsonObject = {}): JsonObject => ({
  type: "response.completed",
  response: response({ status: "completed", output, ...over }),
});
const message = (content: JsonObject[], over: JsonObject = {}): JsonObject => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  status: "completed",
  content,
  ...over,
});
const outputText = (value: string): JsonObject => ({ type: "output_text", text: value, annotations: [] });

describe("a provider's Responses stream", () => {
  it("is read without sequence numbers, and without parts being announced", () => {
    const item = message([outputText("Hello")]);
    const events = decodeAll(
      sse([
        created,
        { type: "response.output_item.added", output_index: 0, item: { ...item, content: [] } },
        { type: "response.output_text.delta", item_id: "msg_1", output_index: 0, content_index: 0, delta: "Hel" },
        { type: "response.output_text.delta", item_id: "msg_1", output_index: 0, content_index: 0, delta: "lo" },
        completed([item]),
      ]),
    );
    expect(fold(events)).toMatchObject({
      id: "resp_1",
      parts: [{ type: "text", text: "Hello", id: "msg_1" }],
      reason: "end",
    });
  });

  it.each([
    [
      "only in the `.done` events",
      [
        { type: "response.output_item.added", output_index: 0, item: message([]) },
        { type: "response.output_text.done", output_index: 0, content_index: 0, text: "Hello" },
      ],
    ],
    [
      "only in the item that is done",
      [{ type: "response.output_item.done", output_index: 0, item: message([outputText("Hello")]) }],
    ],
    ["only in the last event", []],
  ] as const)("takes a text that stands %s", (_where, middle) => {
    const events = decodeAll(sse([created, ...middle, completed([message([outputText("Hello")])])]));
    expect(fold(events).parts).toMatchObject([{ type: "text", text: "Hello" }]);
    expect(events.filter((event) => event.type === "part-start")).toHaveLength(1);
  });

  it("takes a call, a summary and a citation that no delta told", () => {
    const output = [
      {
        type: "reasoning",
        id: "rs_1",
        summary: [
          { type: "summary_text", text: "a" },
          { type: "summary_text", text: "b" },
        ],
        encrypted_content: "gA",
      },
      { type: "function_call", id: "fc_1", call_id: "call_1", name: "f", arguments: "", status: "completed" },
      message([{ ...outputText("x"), annotations: [{ type: "url_citation", url: "https://a.b" }] }]),
    ];
    const folded = fold(decodeAll(sse([created, completed(output)])));
    expect(folded.parts).toMatchObject([
      { type: "reasoning", text: "a\n\nb", summaries: ["a", "b"], opaque: { origin: "openai", data: "gA" } },
      { type: "tool-call", arguments: "{}" },
      { type: "text", citations: [{ url: "https://a.b" }] },
    ]);
    expect(folded.reason).toBe("tool-calls");
  });

  it("follows items that overlap (OpenRouter)", () => {
    const events = decodeAll(
      sse([
        created,
        { type: "response.output_item.added", output_index: 0, item: message([]) },
        { type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "a" },
        { type: "response.output_item.added", output_index: 1, item: { type: "reasoning", id: "rs_1", summary: [] } },
        { type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "b" },
        { type: "response.output_item.done", output_index: 0, item: message([outputText("ab")]) },
        {
          type: "response.output_item.done",
          output_index: 1,
          item: { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gA" },
        },
        completed([]),
      ]),
    );
    expect(fold(events).parts).toMatchObject([{ type: "text", text: "ab" }, { type: "reasoning" }]);
    expect(outputOf(framesOf(encodeAll(events)))).toMatchObject([
      { id: "msg_1" },
      { id: "rs_1", encrypted_content: "gA" },
    ]);
  });

  it("carries hosted items, their own events, and events it has never heard of", () => {
    const item = { type: "web_search_call", id: "ws_1", status: "in_progress" };
    const sent: JsonObject[] = [
      { ...created },
      { type: "response.in_progress", response: response() },
      { type: "response.output_item.added", output_index: 0, item },
      { type: "response.web_search_call.searching", output_index: 0, item_id: "ws_1" },
      {
        type: "response.output_item.done",
        output_index: 0,
        item: { ...item, status: "completed", action: { type: "search", query: "q" } },
      },
      { type: "response.brand_new", value: { a: 1 } },
      completed([{ ...item, status: "completed", action: { type: "search", query: "q" } }]),
    ];
    sent.forEach((event, at) => {
      event["sequence_number"] = at;
    });
    const events = decodeAll(sse(sent));
    expect(events.filter((event) => event.type === "opaque")).toEqual([
      {
        type: "opaque",
        wire: "openai-responses",
        name: "response.brand_new",
        value: { type: "response.brand_new", value: { a: 1 } },
      },
    ]);
    const frames = framesOf(encodeAll(events));
    expect(types(frames)).toEqual(sent.map(typeOf));
    expect(frames[3]).toEqual({ ...sent[3], sequence_number: 3 });
    expect(outputOf(frames)).toEqual((sent.at(-1)!["response"] as JsonObject)["output"]);
  });

  it("keeps queued before in_progress, as background answers have it", () => {
    const queued = { type: "response.queued", response: response({ status: "queued" }) };
    const sent = [
      { ...created, response: response({ status: "queued" }) },
      queued,
      { type: "response.in_progress", response: response() },
      completed([]),
    ];
    expect(types(framesOf(encodeAll(decodeAll(sse(sent)))))).toEqual(sent.map(typeOf));
  });

  it("keeps log probabilities on the same wire", () => {
    const logprobs = [{ token: "a", logprob: -1, bytes: [97], top_logprobs: [] }];
    const item = message([{ ...outputText("a"), logprobs }]);
    const events = decodeAll(
      sse([
        created,
        { type: "response.output_item.added", output_index: 0, item: message([]) },
        { type: "response.content_part.added", output_index: 0, content_index: 0, part: outputText("") },
        { type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "a", logprobs },
        {
          type: "response.content_part.done",
          output_index: 0,
          content_index: 0,
          part: { ...outputText("a"), logprobs },
        },
        { type: "response.output_item.done", output_index: 0, item },
        completed([item]),
      ]),
    );
    const frames = framesOf(encodeAll(events));
    expect(frames.find((frame) => typeOf(frame) === "response.output_text.delta")).toMatchObject({ logprobs });
    expect(outputOf(frames)).toEqual([item]);
  });

  it.each([
    ["flat", { type: "error", code: "server_error", message: "Boom.", param: null }],
    ["nested", { type: "error", error: { type: "server_error", code: "server_error", message: "Boom.", param: null } }],
    [
      "a failed Response",
      {
        type: "response.failed",
        response: response({ status: "failed", error: { code: "server_error", message: "Boom." } }),
      },
    ],
    ["without a type (F27)", { error: { message: "Boom.", code: 500 } }],
  ])("reads an error that is %s", (_form, event) => {
    const raw = `data: ${JSON.stringify(created)}\n\ndata: ${JSON.stringify(event)}\n\n`;
    const events = decodeAll(raw);
    expect(events.at(-1)).toMatchObject({ type: "error" });
    expect(() => fold(events)).toThrow("Boom.");
  });

  it.each([
    ["rate_limit_exceeded", "rate_limited"],
    ["server_error", "upstream_error"],
    ["context_length_exceeded", "context_length_exceeded"],
    ["invalid_prompt", "invalid_request"],
  ])("knows the error code %s", (code, expected) => {
    const events = decodeAll(sse([created, { type: "error", error: { code, message: "m" } }]));
    expect(events.at(-1)).toMatchObject({ error: { code: expected } });
  });

  it.each([
    ["is cut off", sse([created])],
    ["is empty", ""],
    ["holds what is not JSON", `${sse([created])}data: {"type":\n\n`],
    ["is HTML", "<html><body>Bad gateway</body></html>"],
  ])("is an error where it %s (F26, F27)", (_how, raw) => {
    const events = decodeAll(raw);
    expect(events.at(-1)).toMatchObject({ type: "error", error: { code: "upstream_error" } });
  });

  it("bears comments, CRLF, `data:` without a space, [DONE], and any fragments (F8)", () => {
    const item = message([outputText("héllo ☃")]);
    const raw = `: hi\r\n\r\ndata:${JSON.stringify(created)}\r\n\r\ndata:${JSON.stringify({ type: "response.output_item.done", output_index: 0, item })}\r\n\r\ndata: ${JSON.stringify(completed([item]))}\r\n\r\ndata: [DONE]\r\n\r\n`;
    const whole = decodeAll(raw);
    expect(fold(whole).parts).toMatchObject([{ text: "héllo ☃" }]);
    const decoder = wire.decodeEvents(target());
    const pieces = [...bytes(raw)].flatMap((byte) => decoder.push(new Uint8Array([byte])));
    expect([...pieces, ...decoder.end()]).toEqual(whole);
  });

  it("reads usage, clamped to what can be", () => {
    const usage = {
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 12, cache_write_tokens: 0, odd: 1 },
      output_tokens: 5,
      output_tokens_details: { reasoning_tokens: 3 },
      total_tokens: 15,
      cost: 0.1,
    };
    const folded = fold(decodeAll(sse([created, completed([], { usage })])));
    expect(folded.usage).toMatchObject({ input: 10, cachedInput: 10, output: 5, reasoning: 3 });
    expect(wire.encodeResponse(folded, context(emptyRequest))["usage"]).toMatchObject({
      cost: 0.1,
      input_tokens_details: { odd: 1 },
    });
  });
});
