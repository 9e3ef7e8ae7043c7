// What a client of this wire is streamed, and what the official SDK makes of it.
import { describe, expect, test } from "vitest";
import { APIError } from "openai";
import { GatewayError } from "../../../lib/model/error.ts";
import type { ChatResponse, StreamEvent } from "../../../lib/model/event.ts";
import { asString, type JsonObject } from "../../../lib/model/json.ts";
import type { Part } from "../../../lib/model/message.ts";
import { openaiChat } from "../../../lib/wires/openai-chat/index.ts";
import { fold, unfold } from "../../../lib/wires/shared/fold.ts";
import { seal, unseal } from "../../../lib/wires/shared/seal.ts";
import { chunksOf, contextOf, decode, encode, readBySdk, targetOf } from "./support.ts";

const answer = (parts: Part[], more: Partial<ChatResponse> = {}): ChatResponse => ({
  id: "msg_1",
  model: "m",
  createdAt: 5,
  parts,
  reason: "end",
  usage: { input: 7, output: 3 },
  ...more,
});
const deltasOf = (text: string): JsonObject[] =>
  chunksOf(text).flatMap((chunk) => {
    const choices = (chunk as { choices?: { delta: JsonObject }[] }).choices ?? [];
    return choices.map((choice) => choice.delta);
  });
const textPart = (text: string): Part => ({ type: "text", text });
const callPart = (callId: string, args: string): Part => ({ type: "tool-call", callId, name: "f", arguments: args });

describe("the grammar of a stream", () => {
  test("role, text, finish reason, usage where asked for, [DONE]", () => {
    const chunks = chunksOf(encode(unfold(answer([textPart("hi")]))));
    const base = { id: "chatcmpl-msg_1", object: "chat.completion.chunk", created: 5, model: "m" };
    expect(chunks).toEqual([
      {
        ...base,
        choices: [{ index: 0, delta: { role: "assistant", content: "", refusal: null }, finish_reason: null }],
        usage: null,
      },
      { ...base, choices: [{ index: 0, delta: { content: "hi" }, finish_reason: null }], usage: null },
      { ...base, choices: [{ index: 0, delta: {}, finish_reason: "stop" }], usage: null },
      {
        ...base,
        choices: [],
        usage: {
          prompt_tokens: 7,
          completion_tokens: 3,
          total_tokens: 10,
          prompt_tokens_details: { cached_tokens: 0 },
          completion_tokens_details: { reasoning_tokens: 0 },
        },
      },
      "[DONE]",
    ]);
    expect(encode(unfold(answer([textPart("hi")])), contextOf({ includeUsage: false }))).not.toContain("usage");
  });

  test("ids keep their prefix (F6)", () => {
    for (const [id, expected] of [
      ["chatcmpl-9", "chatcmpl-9"],
      ["", "chatcmpl-abcdefghijklmnopqrstuvwx"],
      ["resp_1", "chatcmpl-resp_1"],
    ])
      expect(openaiChat.encodeResponse(answer([], { id: id ?? "" }), contextOf())["id"]).toBe(expected);
    const unnamed = openaiChat.encodeResponse(answer([callPart("", "{}")]), contextOf());
    expect(JSON.stringify(unnamed)).toContain('"id":"call_abcdefghijklmnopqrstuvwx"');
  });

  test("parallel calls have distinct indexes, and {} where there are no arguments (F1, F2)", async () => {
    const response = answer([textPart("ok"), callPart("toolu_1", '{"x":1}'), callPart("toolu_2", "")]);
    const text = encode(unfold(response));
    expect(deltasOf(text).flatMap((delta) => (delta["tool_calls"] as JsonObject[] | undefined) ?? [])).toEqual([
      { index: 0, id: "toolu_1", type: "function", function: { name: "f", arguments: "" } },
      { index: 0, function: { arguments: '{"x":1}' } },
      { index: 1, id: "toolu_2", type: "function", function: { name: "f", arguments: "" } },
      { index: 1, function: { arguments: "{}" } },
    ]);
    const read = await readBySdk(text);
    expect(read.choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: { content: "ok", tool_calls: [{ id: "toolu_1" }, { id: "toolu_2", function: { arguments: "{}" } }] },
    });
  });

  test.each([
    ["end", [], "stop"],
    ["stop-sequence", [], "stop"],
    ["length", [], "length"],
    ["context-length", [], "length"],
    ["tool-calls", [callPart("a", "{}")], "tool_calls"],
    ["end", [callPart("a", "{}")], "tool_calls"],
    ["length", [callPart("a", '{"x')], "length"],
    ["content-filter", [callPart("a", "{}")], "content_filter"],
    ["pause", [], "stop"],
    ["refusal", [], "content_filter"],
    ["refusal", [{ type: "refusal", text: "no" }], "stop"],
    ["malformed-tool-call", [], "stop"],
    ["compaction", [], "stop"],
    ["other", [], "stop"],
  ] as const)("%s with %j is %s, streamed and whole (F3, F4)", (reason, parts, finish) => {
    const response = answer([...parts] as Part[], { reason });
    const whole = openaiChat.encodeResponse(response, contextOf())["choices"] as JsonObject[];
    expect(whole[0]?.["finish_reason"]).toBe(finish);
    const chunks = chunksOf(encode(unfold(response))) as { choices: { finish_reason: string | null }[] }[];
    expect(chunks.flatMap((chunk) => chunk.choices ?? []).at(-1)?.finish_reason).toBe(finish);
  });

  test("several candidates, each with its role", async () => {
    const response = answer([textPart("a")], { alternatives: [{ parts: [textPart("b")], reason: "length" }] });
    const read = await readBySdk(encode(unfold(response)), { n: 2 });
    expect(read.choices.map((choice) => [choice.message.role, choice.message.content, choice.finish_reason])).toEqual([
      ["assistant", "a", "stop"],
      ["assistant", "b", "length"],
    ]);
  });

  test("an error in the middle: the SDK throws it, and no [DONE] follows (F26)", async () => {
    const events: StreamEvent[] = [
      ...unfold(answer([textPart("hi")])).slice(0, 3),
      { type: "error", error: new GatewayError("overloaded", "busy") },
    ];
    const text = encode(events);
    expect(text).toMatch(
      /data: \{"error":\{"message":"busy","type":"server_error","param":null,"code":"server_overloaded"\}\}\n\n$/,
    );
    await expect(readBySdk(text)).rejects.toBeInstanceOf(APIError);
  });

  test("a heartbeat between events is skipped by the SDK (F9)", async () => {
    const text = encode(unfold(answer([textPart("hi")]))).replaceAll("\n\n", `\n\n${openaiChat.heartbeat}`);
    expect((await readBySdk(text)).choices[0]?.message.content).toBe("hi");
  });

  test("an answer with nothing in it is still whole", async () => {
    const read = await readBySdk(encode(unfold(answer([]))));
    expect(read.choices[0]).toMatchObject({ finish_reason: "stop", message: { role: "assistant" } });
  });

  test("a caller of old is given function_call", async () => {
    const context = contextOf({ tools: [{ type: "function", name: "f", extra: { "openai-chat": { legacy: true } } }] });
    const response = answer([callPart("a", '{"x":1}')], { reason: "tool-calls" });
    const expected = {
      finish_reason: "function_call",
      message: { function_call: { name: "f", arguments: '{"x":1}' } },
    };
    expect((openaiChat.encodeResponse(response, context)["choices"] as JsonObject[])[0]).toMatchObject(expected);
    expect((await readBySdk(encode(unfold(response), context))).choices[0]).toMatchObject(expected);
  });
});

describe("reasoning for a client", () => {
  const thought = (text: string, opaque: string, more: object = {}): Part => ({
    type: "reasoning",
    text,
    opaque: { origin: "anthropic", data: opaque },
    ...more,
  });

  test("visible text as it comes, state sealed at the end of its part (F10, F11, F14)", () => {
    const response = answer([
      thought("hm", "c2ln"),
      thought("", "ZW5j", { redacted: true }),
      thought("", "b25seQ=="),
      textPart("yes"),
    ]);
    const text = encode(unfold(response));
    expect(
      deltasOf(text)
        .map((delta) => delta["reasoning_content"])
        .filter(Boolean),
    ).toEqual(["hm"]);
    const details = deltasOf(text).flatMap((delta) => (delta["reasoning_details"] as JsonObject[] | undefined) ?? []);
    expect(details.map(({ type, signature, data }) => [type, unseal(asString(signature ?? data) ?? "")])).toEqual([
      ["reasoning.text", { origin: "anthropic", data: "c2ln" }],
      ["reasoning.encrypted", { origin: "anthropic", data: "ZW5j" }],
      ["reasoning.text", { origin: "anthropic", data: "b25seQ==" }],
    ]);
    const whole = openaiChat.encodeResponse(response, contextOf());
    const { message } = (whole["choices"] as { message: JsonObject }[])[0]!;
    expect(message["reasoning_content"]).toBe("hm");
    expect(message["reasoning_details"]).toMatchObject(details.map(({ index: _index, ...detail }) => detail));
  });

  test("what the client sends back is what was made, byte for byte (F10)", () => {
    const parts = [thought("hm", "c2ln", { id: "x" }), thought("", "ZW5j", { redacted: true }), textPart("yes")];
    const whole = openaiChat.encodeResponse(answer(parts), contextOf());
    const { message } = (whole["choices"] as { message: JsonObject }[])[0]!;
    const request = openaiChat.decodeRequest({ model: "m", messages: [{ role: "user", content: "hi" }, message] }, {});
    expect(request.messages[1]?.parts).toMatchObject(parts);
  });

  test("several thoughts are set off by an empty line, streamed and whole", () => {
    const response = answer([
      { type: "reasoning", text: "a" },
      { type: "reasoning", text: "b", summaries: ["b", "c"] },
      textPart("x"),
    ]);
    const streamed = deltasOf(encode(unfold(response)))
      .map((delta) => asString(delta["reasoning_content"]) ?? "")
      .join("");
    expect(streamed).toBe("a\n\nb\n\nc");
  });

  test("signatures on calls and texts: native from Google, sealed from others (F14)", () => {
    const signed = (origin: string): ChatResponse =>
      answer([
        { type: "text", text: "t", opaque: { origin, data: "dGV4dA==" } },
        { type: "tool-call", callId: "a", name: "f", arguments: "{}", opaque: { origin, data: "c2ln" } },
      ]);
    const expected = (data: string, origin: string): string => (origin === "google" ? data : seal({ origin, data }));
    for (const origin of ["google", "other"]) {
      const message = (
        openaiChat.encodeResponse(signed(origin), contextOf())["choices"] as { message: JsonObject }[]
      )[0]!.message;
      expect(message["extra_content"]).toEqual({ google: { thought_signature: expected("dGV4dA==", origin) } });
      expect((message["tool_calls"] as JsonObject[])[0]?.["extra_content"]).toEqual({
        google: { thought_signature: expected("c2ln", origin) },
      });
      const { parts } = fold(decode(encode(unfold(signed(origin))), targetOf({}, "google")));
      expect(parts.map((part) => "opaque" in part && part.opaque?.data)).toEqual([
        expected("dGV4dA==", origin),
        expected("c2ln", origin),
      ]);
    }
  });
});

describe("citations", () => {
  test("offsets count over the whole message; a part without any is cited whole", async () => {
    const response = answer([
      { type: "text", text: "See 🙂 " },
      { type: "text", text: "this", citations: [{ url: "https://a.example", title: "A" }] },
      {
        type: "text",
        text: " and that",
        citations: [{ url: "https://b.example", start: 5, end: 9 }, { document: "0" }],
      },
    ]);
    const expected = [
      { type: "url_citation", url_citation: { start_index: 7, end_index: 11, url: "https://a.example", title: "A" } },
      { type: "url_citation", url_citation: { start_index: 16, end_index: 20, url: "https://b.example", title: "" } },
    ];
    const { message } = (openaiChat.encodeResponse(response, contextOf())["choices"] as { message: JsonObject }[])[0]!;
    expect(message).toMatchObject({ content: "See 🙂 this and that", annotations: expected });
    expect((await readBySdk(encode(unfold(response)))).choices[0]?.message.annotations).toEqual(expected);
  });
});

describe("media", () => {
  test("images and audio of an answer", () => {
    const response = answer([
      { type: "image", source: { kind: "base64", data: "aGk=", mediaType: "image/png" } },
      { type: "audio", source: { kind: "base64", data: "AAAA", mediaType: "audio/wav" }, transcript: "hi" },
      { type: "opaque", wire: "anthropic-messages", value: {}, text: "ran code" },
    ]);
    const { message } = (openaiChat.encodeResponse(response, contextOf())["choices"] as { message: JsonObject }[])[0]!;
    expect(message).toMatchObject({
      content: "ran code",
      images: [{ type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } }],
      audio: { data: "AAAA", transcript: "hi" },
    });
    const deltas = deltasOf(encode(unfold(response)));
    expect(deltas).toContainEqual({
      images: [{ type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } }],
    });
    expect(deltas).toContainEqual({ audio: { id: "audio_abcdefghijklmnopqrstuvwx", data: "AAAA", transcript: "hi" } });
  });
});

describe("usage", () => {
  test("totals, with what is known of their parts, and the host's own fields on the same wire", () => {
    const usage = {
      input: 10,
      output: 5,
      cachedInput: 4,
      cacheWrite: 2,
      reasoning: 3,
      extra: { "openai-chat": { cost: 0.1 } },
    };
    expect(openaiChat.encodeResponse(answer([], { usage }), contextOf())["usage"]).toEqual({
      cost: 0.1,
      prompt_tokens: 10,
      completion_tokens: 5,
      total_tokens: 15,
      prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 2 },
      completion_tokens_details: { reasoning_tokens: 3 },
    });
  });
});
