import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../lib/model/json.ts";
import type { Tool } from "../../../lib/model/request.ts";
import { anthropicMessages as wire, countTokensBody } from "../../../lib/wires/anthropic-messages/index.ts";
import { assistant, call, encode, result, text, user } from "./builders.ts";
import { request, target } from "./tools.ts";

describe("encodeRequest", () => {
  it("fills max_tokens where the client left it out, from the target, else from the model", () => {
    expect(encode().body["max_tokens"]).toBe(64_000);
    expect(wire.encodeRequest(request(), target("x", { maxOutputTokens: 777 })).body["max_tokens"]).toBe(777);
    expect(
      wire.encodeRequest(request({ maxOutputTokens: 9000 }), target("x", { maxOutputTokens: 777 })).body["max_tokens"],
    ).toBe(777);
  });

  it("never replays thinking that is unsigned or signed by another (F12, F48)", () => {
    const { body, dropped } = encode({
      messages: [
        assistant({ type: "reasoning", text: "mine" }, text("a")),
        user(text("b")),
        assistant({ type: "reasoning", text: "", opaque: { origin: "openai", data: "enc" } }, text("c")),
        user(text("d")),
      ],
    });
    expect(JSON.stringify(body)).not.toMatch(/mine|enc/);
    expect(dropped).toEqual(["messages[0].content[0]", "messages[2].content[0]"]);
  });

  it("replays a signature to another host of the same maker (F13)", () => {
    const messages = [
      assistant({ type: "reasoning", text: "t", opaque: { origin: "anthropic", data: "s" } }, text("a")),
      user(text("b")),
    ];
    const bedrock = wire.encodeRequest(
      request({ messages }),
      target("anthropic.claude-sonnet-4-5-v1:0", { provider: "bedrock", dialect: { bedrockAnthropic: true } }),
    );
    expect(bedrock.body).toMatchObject({
      anthropic_version: "bedrock-2023-05-31",
      messages: [{ role: "assistant", content: [{ type: "thinking", signature: "s" }, { type: "text" }] }, {}],
    });
    expect(bedrock.body).not.toHaveProperty("model");
    expect(bedrock.body).not.toHaveProperty("stream");
  });

  it("merges turns, and puts every result right behind its call and first in its turn", () => {
    const { body } = encode({
      messages: [
        user(text("go")),
        assistant(call("a")),
        assistant(call("b")),
        { role: "system", parts: [text("hurry")] },
        user(text("and?")),
        user(result("a")),
        user(result("b")),
      ],
    });
    expect(body["messages"]).toMatchObject([
      { role: "user" },
      { role: "assistant", content: [{ id: "a" }, { id: "b" }] },
      {
        role: "user",
        content: [
          { tool_use_id: "a", content: "sun" },
          { tool_use_id: "b" },
          { text: "and?" },
          { text: "<system>\nhurry\n</system>" },
        ],
      },
    ]);
  });

  it("keeps instructions as turns of their own where the model takes them", () => {
    const { body } = encode(
      { messages: [user(text("a")), { role: "system", parts: [text("s")] }, assistant(text("b")), user(text("c"))] },
      "claude-opus-4-8",
    );
    expect((body["messages"] as JsonObject[]).map((message) => message["role"])).toEqual([
      "user",
      "system",
      "assistant",
      "user",
    ]);
  });

  it("makes no empty text block beside a call (F17), and no trailing whitespace", () => {
    const { body } = encode({
      messages: [user(text("x")), assistant(text(""), call("a")), user(result("a")), assistant(text("so \n"))],
    });
    expect(body["messages"]).toMatchObject([
      {},
      { content: [{ type: "tool_use", input: {} }] },
      {},
      { content: [{ type: "text", text: "so" }] },
    ]);
  });

  it("makes ids legal, the same for call and result, and keeps legal ones (F6)", () => {
    const { body } = encode({
      messages: [assistant(call("call.1:x"), call("call_2")), user(result("call.1:x"), result("call_2"))],
    });
    const [first, second] = body["messages"] as { content: { id?: string; tool_use_id?: string }[] }[];
    expect(first!.content[0]!.id).toMatch(/^[a-zA-Z0-9_-]+$/);
    expect(second!.content[0]!.tool_use_id).toBe(first!.content[0]!.id);
    expect(first!.content[1]!.id).toBe("call_2");
  });

  it("gives cut-off and free-form arguments as an object", () => {
    const { body } = encode({
      messages: [
        assistant(call("a", '{"x":'), { ...call("b", "ls"), custom: true }, call("c", "")),
        user(result("a"), result("b"), result("c")),
      ],
    });
    expect((body["messages"] as JsonObject[])[0]).toMatchObject({
      content: [{ input: { input: '{"x":' } }, { input: { input: "ls" } }, { input: {} }],
    });
  });

  it("sends images as bytes, addresses and ids of its own maker (F15)", () => {
    const { body, dropped } = encode({
      messages: [
        user(
          { type: "image", source: { kind: "url", url: "data:image/png;base64,AA==" } },
          { type: "image", source: { kind: "base64", data: "BB==", mediaType: "image/jpg" }, detail: "high" },
          { type: "image", source: { kind: "id", id: "file-1", origin: "openai" } },
          { type: "document", source: { kind: "base64", data: "aGk=", mediaType: "text/markdown" }, filename: "a.md" },
          { type: "document", source: { kind: "base64", data: "AA==", mediaType: "application/msword" } },
          { type: "audio", source: { kind: "base64", data: "AA==", mediaType: "audio/wav" } },
          { type: "video", source: { kind: "url", url: "https://v" } },
        ),
      ],
    });
    expect((body["messages"] as JsonObject[])[0]).toEqual({
      role: "user",
      content: [
        { type: "image", source: { type: "base64", media_type: "image/png", data: "AA==" } },
        { type: "image", source: { type: "base64", media_type: "image/jpeg", data: "BB==" } },
        { type: "document", source: { type: "text", media_type: "text/plain", data: "hi" }, title: "a.md" },
      ],
    });
    expect(dropped).toEqual([1, 2, 4, 5, 6].map((at) => `messages[0].content[${at}]${at === 1 ? ".detail" : ""}`));
  });

  it("names every field it has no word for (F18)", () => {
    const { dropped } = encode({
      sampling: {
        seed: 1,
        presencePenalty: 1,
        frequencyPenalty: 1,
        logprobs: true,
        topLogprobs: 2,
        logitBias: {},
        candidates: 2,
      },
      verbosity: "low",
      cacheKey: "k",
      serviceTier: "flex",
      metadata: { labels: { a: "b" } },
      output: { type: "json" },
      tools: [
        { type: "custom", name: "c" },
        { type: "hosted", wire: "openai-responses", value: { type: "computer" } },
      ],
      toolChoice: { type: "any" },
    });
    expect([...dropped].sort()).toEqual(
      [
        "cacheKey",
        "candidates",
        "frequencyPenalty",
        "logitBias",
        "logprobs",
        "metadata.labels",
        "output",
        "presencePenalty",
        "seed",
        "serviceTier",
        "toolChoice",
        "tools[0]",
        "tools[1]",
        "topLogprobs",
        "verbosity",
      ].sort(),
    );
  });

  it("sends none, one, a subset, and one at a time", () => {
    const tools = ["a", "b"].map((name) => ({ type: "function", name }) as const);
    expect(encode({ tools, toolChoice: { type: "none" }, parallelToolCalls: false }).body["tool_choice"]).toEqual({
      type: "none",
    });
    expect(encode({ tools, parallelToolCalls: false }).body["tool_choice"]).toEqual({
      type: "auto",
      disable_parallel_tool_use: true,
    });
    const subset = encode({ tools, toolChoice: { type: "subset", names: ["b"], required: true } }).body;
    expect(subset).toMatchObject({
      tools: [{ name: "b", input_schema: { type: "object" } }],
      tool_choice: { type: "any" },
    });
  });

  it("translates the hosted tools it has itself, but not on Bedrock", () => {
    const tools: Tool[] = [
      {
        type: "hosted",
        wire: "openai-responses",
        kind: "web-search",
        value: {
          type: "web_search",
          filters: { allowed_domains: ["a.b"] },
          user_location: { type: "approximate", city: "Bonn" },
        },
      },
    ];
    expect(encode({ tools }).body["tools"]).toEqual([
      {
        type: "web_search_20250305",
        name: "web_search",
        allowed_domains: ["a.b"],
        user_location: { type: "approximate", city: "Bonn" },
      },
    ]);
    const bedrock = wire.encodeRequest(request({ tools }), target("claude", { dialect: { bedrockAnthropic: true } }));
    expect(bedrock.dropped).toEqual(["tools[0]"]);
  });

  it("drops what the host's dialect refuses, by name", () => {
    const { body, dropped } = wire.encodeRequest(
      request({ sampling: { topK: 3 } }),
      target("x", { dialect: { refuses: ["top_k"] } }),
    );
    expect(body).not.toHaveProperty("top_k");
    expect(dropped).toEqual(["top_k"]);
  });

  it("keeps native citations in a history and names the others", () => {
    const value = {
      type: "char_location",
      cited_text: "q",
      document_index: 0,
      document_title: null,
      start_char_index: 0,
      end_char_index: 1,
    };
    const { body, dropped } = encode({
      messages: [
        assistant({
          ...text("a"),
          citations: [{ native: { wire: "anthropic-messages", value } }, { url: "https://x" }],
        }),
        user(text("b")),
      ],
    });
    expect((body["messages"] as JsonObject[])[0]).toMatchObject({ content: [{ citations: [value] }] });
    expect(dropped).toEqual(["messages[0].content[0].citations"]);
  });

  it("says in words what another wire's item says", () => {
    const { body, dropped } = encode({
      messages: [
        assistant({ type: "opaque", wire: "openai-responses", value: {}, text: "ran ls" }, text("done")),
        user(text("b")),
      ],
    });
    expect((body["messages"] as JsonObject[])[0]).toMatchObject({ content: [{ text: "ran ls" }, { text: "done" }] });
    expect(dropped).toEqual(["messages[0].content[0]"]);
  });

  it("strips a request to count tokens to what counts", () => {
    const { body } = encode({ sampling: { temperature: 0.5 }, metadata: { userId: "u" }, stream: true });
    expect(Object.keys(countTokensBody(body)).sort()).toEqual(["messages", "model"]);
  });
});
