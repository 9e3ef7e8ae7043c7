// What hosts stream, and what becomes of it: their habits, and their failures under a 200.
import { describe, expect, test } from "vitest";
import type { StreamEvent } from "../../../lib/model/event.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import type { Part } from "../../../lib/model/message.ts";
import { fold } from "../../../lib/wires/shared/fold.ts";
import { chunk, decode, frames, targetOf } from "./support.ts";

const partsOf = (...chunks: (JsonObject | string)[]): Part[] => fold(decode(frames(...chunks))).parts;
const call = (fields: JsonObject): JsonObject => chunk({ tool_calls: [fields] });
const errorOf = (events: readonly StreamEvent[]): StreamEvent | undefined =>
  events.find((event) => event.type === "error");

describe("text", () => {
  test("the plain case, with escapes, in any fragments (F8)", () => {
    const bytes = frames(
      chunk({ role: "assistant", content: "" }),
      ...["Hé", 'l"l', "o\n\\", "🙂", " \u0001."].map((content) => chunk({ content })),
      chunk({}, "stop"),
      "[DONE]",
    );
    const events = decode(bytes);
    expect(fold(events)).toMatchObject({
      id: "chatcmpl-1",
      model: "up",
      parts: [{ type: "text", text: 'Hél"lo\n\\🙂 \u0001.' }],
      reason: "end",
    });
    for (const size of [1, 2, 3, 7, 64]) expect(decode(bytes, targetOf(), size)).toEqual(events);
  });

  test("padding that differs from frame to frame is not read", () => {
    const [part] = partsOf(
      chunk({ role: "assistant", content: "" }, null, { obfuscation: "ab" }),
      chunk({ content: "a" }, null, { obfuscation: "abc" }),
      chunk({ content: "b" }, null, { obfuscation: "x" }),
      chunk({ content: "c" }, "stop", { obfuscation: "" }),
      "[DONE]",
    );
    expect(part).toEqual({ type: "text", text: "abc" });
  });

  test("no role at first, no [DONE] at last, usage with the last content", () => {
    const response = fold(
      decode(
        frames(
          chunk({ content: "hi" }),
          chunk({ content: "!" }, "stop", { usage: { prompt_tokens: 3, completion_tokens: 2 } }),
        ),
      ),
    );
    expect(response).toMatchObject({ parts: [{ text: "hi!" }], reason: "end", usage: { input: 3, output: 2 } });
  });

  test("Azure's frames without choices or delta (F7)", () => {
    const bytes = frames(
      { id: "", model: "", object: "", created: 0, choices: [], prompt_filter_results: [{ prompt_index: 0 }] },
      chunk({ role: "assistant", content: "" }),
      chunk({ content: "hi" }),
      chunk(undefined, null),
      chunk({}, "stop"),
      { id: "chatcmpl-1", choices: [{ index: 0, finish_reason: null, content_filter_offsets: { start: 0 } }] },
      "[DONE]",
    );
    const events = decode(bytes);
    expect(events[0]).toMatchObject({ type: "response-start", id: "chatcmpl-1", model: "up" });
    expect(fold(events).parts).toEqual([{ type: "text", text: "hi" }]);
  });

  test("several candidates", () => {
    const at = (index: number, delta: JsonObject, finish: string | null = null): JsonObject => ({
      id: "c",
      choices: [{ index, delta, finish_reason: finish }],
    });
    const response = fold(
      decode(
        frames(
          at(0, { content: "a" }),
          at(1, { content: "x" }),
          at(0, { content: "b" }),
          at(1, { content: "y" }, "length"),
          at(0, {}, "stop"),
          "[DONE]",
        ),
      ),
    );
    expect(response).toMatchObject({
      parts: [{ text: "ab" }],
      reason: "end",
      alternatives: [{ parts: [{ text: "xy" }], reason: "length" }],
    });
  });

  test("refusals and log probabilities", () => {
    const logprobs = (token: string): JsonObject => ({
      content: [{ token, logprob: -1, bytes: null, top_logprobs: [] }],
      refusal: null,
    });
    const with_ = (token: string): JsonObject => ({
      id: "c",
      choices: [{ index: 0, delta: { content: token }, logprobs: logprobs(token), finish_reason: null }],
    });
    expect(partsOf(with_("a"), with_("b"), chunk({}, "stop"))).toMatchObject([
      { text: "ab", extra: { "openai-chat": { logprobs: [{ token: "a" }, { token: "b" }] } } },
    ]);
    const refused = fold(
      decode(
        frames(
          chunk({ role: "assistant", content: null, refusal: "I " }),
          chunk({ refusal: "can't" }),
          chunk({}, "stop"),
        ),
      ),
    );
    expect(refused).toMatchObject({ parts: [{ type: "refusal", text: "I can't" }], reason: "refusal" });
  });
});

describe("tool calls", () => {
  test("parallel calls, their deltas mixed (F1)", () => {
    expect(
      partsOf(
        chunk({ role: "assistant", content: null }),
        call({ index: 0, id: "call_a", type: "function", function: { name: "f", arguments: "" } }),
        call({ index: 1, id: "call_b", type: "function", function: { name: "g", arguments: "" } }),
        call({ index: 0, function: { arguments: '{"x"' } }),
        call({ index: 1, function: { arguments: '{"y"' } }),
        call({ index: 0, function: { arguments: ":1}" } }),
        call({ index: 1, function: { arguments: ":2}" } }),
        chunk({}, "tool_calls"),
        "[DONE]",
      ),
    ).toEqual([
      { type: "tool-call", callId: "call_a", name: "f", arguments: '{"x":1}' },
      { type: "tool-call", callId: "call_b", name: "g", arguments: '{"y":2}' },
    ]);
  });

  test.each([
    ["without indexes", [{ id: "a" }, { id: "b" }]],
    [
      "all with index 0",
      [
        { index: 0, id: "a" },
        { index: 0, id: "b" },
      ],
    ],
    ["without ids", [{ index: 0 }, { index: 1 }]],
    ["with neither", [{}, {}]],
  ])("whole calls %s", (_title, heads) => {
    const calls = partsOf(
      chunk({
        tool_calls: heads.map((head, at) => ({
          ...head,
          type: "function",
          function: { name: "f", arguments: `{"n":${at}}` },
        })),
      }),
      chunk({}, "stop"),
    );
    expect(calls.map((part) => part.type === "tool-call" && part.arguments)).toEqual(['{"n":0}', '{"n":1}']);
    expect(new Set(calls.map((part) => part.type === "tool-call" && part.callId)).size).toBe(2);
  });

  test("a name and an id in every chunk", () => {
    const again = { index: 0, id: "a", type: "function" };
    expect(
      partsOf(
        call({ ...again, function: { name: "f", arguments: "{" } }),
        call({ ...again, function: { name: "f", arguments: '"x":1}' } }),
        chunk({}, "tool_calls"),
      ),
    ).toEqual([{ type: "tool-call", callId: "a", name: "f", arguments: '{"x":1}' }]);
  });

  test("a call without arguments is {} (F2), and any call means tool-calls, whatever the host says (F3)", () => {
    const response = fold(
      decode(frames(call({ index: 0, id: "a", function: { name: "f" } }), chunk({}, "stop"), "[DONE]")),
    );
    expect(response).toMatchObject({ parts: [{ arguments: "{}" }], reason: "tool-calls" });
  });

  test.each([
    ["length", "length"],
    ["content_filter", "content-filter"],
  ])("%s wins over calls", (finish, reason) => {
    const response = fold(
      decode(frames(call({ index: 0, id: "a", function: { name: "f", arguments: '{"x' } }), chunk({}, finish))),
    );
    expect(response).toMatchObject({ parts: [{ arguments: '{"x' }], reason });
  });

  test("function_call of old, custom tools, arguments as an object", () => {
    expect(
      partsOf(
        chunk({ function_call: { name: "f", arguments: "" } }),
        chunk({ function_call: { arguments: "{}" } }),
        chunk({}, "function_call"),
      ),
    ).toMatchObject([{ type: "tool-call", name: "f", arguments: "{}", extra: { "openai-chat": { legacy: true } } }]);
    expect(
      partsOf(
        call({ index: 0, id: "a", type: "custom", custom: { name: "c", input: "a" } }),
        call({ index: 0, custom: { input: "b" } }),
        chunk({}, "tool_calls"),
      ),
    ).toMatchObject([{ name: "c", custom: true, arguments: "ab" }]);
    expect(partsOf(call({ id: "a", function: { name: "f", arguments: { x: 1 } } }), chunk({}, "stop"))).toMatchObject([
      { arguments: '{"x":1}' },
    ]);
  });

  test("text before a call ends when the call begins, and a call when the next one does", () => {
    const types = decode(
      frames(
        chunk({ content: "let me see" }),
        call({ index: 0, id: "a", function: { name: "f", arguments: "{}" } }),
        call({ index: 1, id: "b", function: { name: "g", arguments: "{}" } }),
        chunk({}, "tool_calls"),
      ),
    ).map((event) => ("index" in event ? `${event.type} ${event.index}` : event.type));
    expect(types.filter((type) => !type.startsWith("part-delta"))).toEqual([
      "response-start",
      "part-start 0",
      "part-end 0",
      "part-start 1",
      "part-end 1",
      "part-start 2",
      "part-end 2",
      "response-end",
    ]);
  });

  test("Gemini's thought signatures (F14)", () => {
    const extra_content = { google: { thought_signature: "c2ln" } };
    const google = targetOf({}, "google");
    const events = decode(
      frames(call({ id: "a", function: { name: "f", arguments: "{}" }, extra_content }), chunk({}, "stop")),
      google,
    );
    expect(fold(events).parts).toMatchObject([{ opaque: { origin: "google", data: "c2ln" } }]);
    const text = decode(
      frames(chunk({ content: "hi" }), chunk({ content: "", extra_content }), chunk({}, "stop")),
      google,
    );
    expect(fold(text).parts).toEqual([{ type: "text", text: "hi", opaque: { origin: "google", data: "c2ln" } }]);
  });
});

describe("reasoning", () => {
  test.each(["reasoning_content", "reasoning"])("as %s", (field) => {
    const parts = partsOf(
      chunk({ role: "assistant", [field]: "h" }),
      chunk({ [field]: "m" }),
      chunk({ content: "yes", [field]: null }),
      chunk({}, "stop"),
    );
    expect(parts).toMatchObject([
      { type: "reasoning", text: "hm" },
      { type: "text", text: "yes" },
    ]);
  });

  test("OpenRouter's details say the text again, and more", () => {
    const detail = (fields: JsonObject): JsonObject => ({
      type: "reasoning.text",
      format: "anthropic-claude-v1",
      index: 0,
      ...fields,
    });
    const router = targetOf({ reasoningEffort: "openrouter" }, "openrouter");
    const { parts } = fold(
      decode(
        frames(
          chunk({ reasoning: "h", reasoning_details: [detail({ text: "h" })] }),
          chunk({ reasoning: "m", reasoning_details: [detail({ text: "m" })] }),
          chunk({ reasoning: null, reasoning_details: [detail({ signature: "c2ln" })] }),
          chunk({ content: "yes" }),
          chunk({ reasoning_details: [{ type: "reasoning.encrypted", data: "ZW5j", index: 1 }] }),
          chunk({}, "stop"),
        ),
        router,
      ),
    );
    expect(parts).toMatchObject([
      { type: "reasoning", text: "hm", opaque: { origin: "openrouter", data: "c2ln" } },
      { type: "text", text: "yes" },
      { type: "reasoning", text: "", redacted: true, opaque: { origin: "openrouter", data: "ZW5j" } },
    ]);
  });

  test("Mistral's, in the content", () => {
    const thinking = (text: string): JsonObject => ({ type: "thinking", thinking: [{ type: "text", text }] });
    expect(
      partsOf(
        chunk({ content: [thinking("h")] }),
        chunk({ content: [thinking("m")] }),
        chunk({ content: [{ type: "text", text: "yes" }] }),
        chunk({ content: "!" }, "stop"),
      ),
    ).toMatchObject([
      { type: "reasoning", text: "hm" },
      { type: "text", text: "yes!" },
    ]);
  });
});

describe("beside the text", () => {
  test("citations, audio, images", () => {
    const annotation = {
      type: "url_citation",
      url_citation: { start_index: 0, end_index: 2, url: "https://example.com", title: "E" },
    };
    const parts = partsOf(
      chunk({ content: "hi" }),
      chunk({ annotations: [annotation] }),
      chunk({ audio: { id: "audio_1", transcript: "h" } }),
      chunk({ audio: { data: "AAAA", transcript: "i" } }),
      chunk({ audio: { expires_at: 9 } }),
      chunk({ images: [{ type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } }] }),
      chunk({}, "stop"),
    );
    expect(parts).toMatchObject([
      { text: "hi", citations: [{ url: "https://example.com", title: "E", start: 0, end: 2 }] },
      {
        type: "audio",
        id: "audio_1",
        source: { data: "AAAA" },
        transcript: "hi",
        extra: { "openai-chat": { expires_at: 9 } },
      },
      { type: "image", source: { kind: "base64", data: "aGk=", mediaType: "image/png" } },
    ]);
  });
});

describe("usage (F36)", () => {
  const usageOf = (usage: JsonObject, target = targetOf(), more: JsonObject = {}): unknown => {
    const { extra: _extra, ...counts } = fold(
      decode(frames(chunk({ content: "a" }, "stop"), { id: "c", choices: [], usage, ...more }, "[DONE]"), target),
    ).usage ?? { input: 0, output: 0 };
    return counts;
  };
  test.each([
    [
      "OpenAI",
      {
        prompt_tokens: 10,
        completion_tokens: 5,
        prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 2 },
        completion_tokens_details: { reasoning_tokens: 3 },
      },
      { input: 10, output: 5, cachedInput: 4, cacheWrite: 2, reasoning: 3 },
    ],
    [
      "DeepSeek",
      { prompt_tokens: 10, completion_tokens: 5, prompt_cache_hit_tokens: 6, prompt_cache_miss_tokens: 4 },
      { input: 10, output: 5, cachedInput: 6 },
    ],
    [
      "Mistral",
      { prompt_tokens: 10, completion_tokens: 5, num_cached_tokens: 8 },
      { input: 10, output: 5, cachedInput: 8 },
    ],
    [
      "Grok on Azure: more cached than there was",
      { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 64 } },
      { input: 10, output: 5, cachedInput: 10 },
    ],
    [
      "xAI: reasoning on top",
      {
        prompt_tokens: 10,
        completion_tokens: 5,
        total_tokens: 35,
        completion_tokens_details: { reasoning_tokens: 20 },
      },
      { input: 10, output: 25, reasoning: 20 },
    ],
  ])("%s", (_host, usage, expected) => {
    expect(usageOf(usage)).toEqual(expected);
  });
  test("xAI by its dialect, Groq in its own field, Gemini's hidden thoughts in the total", () => {
    const onTop = { prompt_tokens: 1, completion_tokens: 2, completion_tokens_details: { reasoning_tokens: 3 } };
    expect(usageOf(onTop, targetOf({ reasoningOnTop: true }))).toEqual({ input: 1, output: 5, reasoning: 3 });
    const groq = fold(
      decode(
        frames(
          chunk({ content: "a" }),
          chunk({}, "stop", { x_groq: { usage: { prompt_tokens: 1, completion_tokens: 2 } } }),
        ),
      ),
    );
    expect(groq.usage).toMatchObject({ input: 1, output: 2 });
    expect(usageOf({ prompt_tokens: 66, completion_tokens: 6, total_tokens: 100 }, targetOf({}, "google"))).toEqual({
      input: 66,
      output: 34,
      reasoning: 28,
    });
  });
});

describe("failures under a 200", () => {
  const begun = frames(chunk({ role: "assistant", content: "" }), chunk({ content: "hi" }));
  const after = (text: string): StreamEvent[] => decode(Buffer.concat([begun, Buffer.from(text)]));

  test.each([
    ["an error chunk", 'data: {"error":{"message":"overloaded","code":503}}\n\n', "overloaded"],
    [
      "an error chunk in a choice",
      'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"code":429,"message":"slow"}}]}\n\n',
      "rate_limited",
    ],
    ["an error event", 'event: error\ndata: {"message":"no","code":500}\n\n', "upstream_error"],
    ["plain JSON behind the events", '{"error":{"message":"oops","type":"server_error"}}', "upstream_error"],
    ["garbage", "data: {nonsense\n\n", "upstream_error"],
    ["HTML", "<html><body>Bad gateway</body></html>", "upstream_error"],
    ["a cut in mid-event", 'data: {"id":"chatcmpl-1","cho', "upstream_error"],
    ["nothing more", "", "upstream_error"],
  ])("%s (F26, F27)", (_title, text, code) => {
    const events = after(text);
    expect(errorOf(events)).toMatchObject({ error: { code } });
    expect(events.at(-1)).toBe(errorOf(events));
    expect(events.filter((event) => event.type === "error")).toHaveLength(1);
    const bytes = Buffer.concat([begun, Buffer.from(text)]);
    for (const size of [1, 7])
      expect(decode(bytes, targetOf(), size).map((event) => event.type)).toEqual(events.map((event) => event.type));
  });

  test.each(["", "<html></html>", "data: [DONE]\n\n", ": keep-alive\n\n"])("a stream of %j holds no answer", (text) => {
    expect(decode(text)).toMatchObject([{ type: "error", error: { code: "upstream_error" } }]);
  });

  test("an error behind a finished answer is one all the same, but not behind [DONE]", () => {
    const done = 'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n';
    expect(errorOf(after(`${done}{"error":{"message":"x"}}`))).toBeDefined();
    expect(errorOf(after(`${done}data: [DONE]\n\n{"error":{"message":"x"}}`))).toBeUndefined();
  });

  test("a whole answer in place of a stream is its events", () => {
    const whole = {
      id: "c",
      model: "m",
      choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
    };
    expect(fold(decode(JSON.stringify(whole, null, 2)))).toMatchObject({
      id: "c",
      parts: [{ text: "hi" }],
      reason: "end",
    });
  });

  test("an error's message never quotes what is no error", () => {
    expect(JSON.stringify(after("<html>secret</html>"))).not.toContain("secret");
  });
});
