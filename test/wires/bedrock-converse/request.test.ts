// Requests of other wires told to Bedrock: what it demands is met, what it can't be told is named.
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../lib/model/json.ts";
import type { Message, Part } from "../../../lib/model/message.ts";
import type { ChatRequest } from "../../../lib/model/request.ts";
import { bedrockConverse, makerOf } from "../../../lib/wires/bedrock-converse/index.ts";

const nova = "us.amazon.nova-2-lite-v1:0";
const sonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const opus = "anthropic.claude-opus-5";
const llama = "meta.llama3-70b-instruct-v1:0";

const encode = (fields: Partial<ChatRequest>, model = sonnet): { body: JsonObject; dropped: string[] } =>
  bedrockConverse.encodeRequest(
    { model, stream: false, system: [], messages: [user("hi")], tools: [], sampling: {}, ...fields },
    { provider: "aws", maker: makerOf(model), model, dialect: {} },
  );

const say = (role: Message["role"], ...parts: (Part | string)[]): Message => ({
  role,
  parts: parts.map((part) => (typeof part === "string" ? { type: "text", text: part } : part)),
});
const user = (...parts: (Part | string)[]): Message => say("user", ...parts);
const assistant = (...parts: (Part | string)[]): Message => say("assistant", ...parts);
const callOf = (callId: string, args = "{}"): Part => ({ type: "tool-call", callId, name: "f", arguments: args });
const resultOf = (callId: string, ...parts: Part[]): Part => ({ type: "tool-result", callId, parts });
const tool = (name: string): ChatRequest["tools"][number] => ({ type: "function", name });
const messagesOf = (...messages: Message[]): JsonObject[] => encode({ messages }).body["messages"] as JsonObject[];

describe("turns", () => {
  it("joins neighbours of one role and begins with the user", () => {
    expect(messagesOf(assistant("welcome"), user("a"), user("b"))).toEqual([
      { role: "user", content: [{ text: "(The assistant speaks first.)" }] },
      { role: "assistant", content: [{ text: "welcome" }] },
      { role: "user", content: [{ text: "a" }, { text: "b" }] },
    ]);
  });

  it("tells an instruction in mid-conversation to the user's turn, marked as one", () => {
    expect(messagesOf(user("a"), say("system", "be brief"))[0]?.["content"]).toEqual([
      { text: "a" },
      { text: "<system>\nbe brief\n</system>" },
    ]);
  });

  it("leaves out empty texts beside calls, and messages of nothing (F17)", () => {
    expect(messagesOf(user("a"), assistant("", callOf("c1")), user(resultOf("c1"), " "), user(""))).toEqual([
      { role: "user", content: [{ text: "a" }] },
      { role: "assistant", content: [{ toolUse: { toolUseId: "c1", name: "f", input: {} } }] },
      { role: "user", content: [{ toolResult: { toolUseId: "c1", content: [] } }] },
    ]);
  });

  it("puts results before all else in their turn, with images in them (F15)", () => {
    const image: Part = { type: "image", source: { kind: "base64", data: "AA==", mediaType: "image/jpg" } };
    const turns = messagesOf(user("a"), assistant(callOf("c1")), user("look"), user(resultOf("c1", image)));
    expect(turns[2]?.["content"]).toEqual([
      { toolResult: { toolUseId: "c1", content: [{ image: { format: "jpeg", source: { bytes: "AA==" } } }] } },
      { text: "look" },
    ]);
  });

  it("maps ids that Bedrock refuses, call and result alike, and no two to one", () => {
    const text = JSON.stringify(
      messagesOf(assistant(callOf("call:1"), callOf("call.1")), user(resultOf("call:1"), resultOf("call.1"))),
    );
    const ids = [...text.matchAll(/"toolUseId":"([^"]+)"/g)].map((match) => match[1]!);
    expect(ids[0]).toBe(ids[2]);
    expect(ids[1]).toBe(ids[3]);
    expect(ids[0]).not.toBe(ids[1]);
    expect(ids[0]).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
  });

  it.each([
    ["", {}],
    ['{"a":1}', { a: 1 }],
    ['{"a":', { input: '{"a":' }],
    ["[1]", { input: "[1]" }],
  ])("arguments %j become an object (F2)", (args, input) => {
    expect(messagesOf(user("a"), assistant(callOf("c", args)))[1]).toMatchObject({ content: [{ toolUse: { input } }] });
  });
});

describe("media", () => {
  const document = (fields: Partial<Extract<Part, { type: "document" }>>): Part => ({
    type: "document",
    source: { kind: "base64", data: "AA==", mediaType: "application/pdf" },
    ...fields,
  });

  it("names documents legally and only once, and gives them a text", () => {
    const content = messagesOf(
      user(document({ filename: "Q3_report (final)!.pdf" }), document({ title: "Q3 report (final)" }), document({})),
    )[0]?.["content"] as JsonObject[];
    expect(content.map((block) => (block["document"] as JsonObject | undefined)?.["name"] ?? block["text"])).toEqual([
      "Q3 report (final)",
      "Q3 report (final) (2)",
      "Document 1",
      "Q3 report (final)",
    ]);
  });

  it("sends text documents as text files, other texts by their type", () => {
    const content = messagesOf(
      user(
        "read",
        document({ source: { kind: "text", text: "hé" } }),
        document({ source: { kind: "text", text: "a,b", mediaType: "text/csv" } }),
      ),
    )[0]?.["content"];
    expect(content).toMatchObject([
      { text: "read" },
      { document: { format: "txt", source: { bytes: "aMOp" } } },
      { document: { format: "csv", source: { bytes: "YSxi" } } },
    ]);
  });

  it("takes S3 addresses, audio and video", () => {
    expect(
      messagesOf(
        user(
          { type: "video", source: { kind: "url", url: "s3://b/film.mov" } },
          { type: "audio", source: { kind: "base64", data: "AA==", mediaType: "audio/mpeg" } },
        ),
      )[0]?.["content"],
    ).toEqual([
      { video: { format: "mov", source: { s3Location: { uri: "s3://b/film.mov" } } } },
      { audio: { format: "mp3", source: { bytes: "AA==" } } },
    ]);
  });

  it.each<[string, Part]>([
    ["an address on the web", { type: "image", source: { kind: "url", url: "https://x.test/a.png" } }],
    ["a file's id", { type: "image", source: { kind: "id", id: "file_1", origin: "openai" } }],
    [
      "an image of an unknown type",
      { type: "image", source: { kind: "base64", data: "AA==", mediaType: "image/tiff" } },
    ],
    [
      "a document of an unknown type",
      { type: "document", source: { kind: "base64", data: "AA==", mediaType: "application/zip" } },
    ],
  ])("refuses %s by its place, and puts nothing in its stead (F16)", (_, part) => {
    expect(() => messagesOf(user("x", part))).toThrow(
      expect.objectContaining({ code: "invalid_request", details: { param: "messages[0].content[1]" } }),
    );
  });
});

describe("tools", () => {
  const loop = [user("a"), assistant(callOf("c")), user(resultOf("c"))];

  it.each<[string, ChatRequest["toolChoice"], JsonObject | undefined]>([
    ["auto", { type: "auto" }, { auto: {} }],
    ["any", { type: "any" }, { any: {} }],
    ["one", { type: "tool", name: "f" }, { tool: { name: "f" } }],
    ["nothing said", undefined, undefined],
  ])("choice: %s", (_, toolChoice, native) => {
    const { body } = encode({ tools: [tool("f")], ...(toolChoice && { toolChoice }) });
    expect((body["toolConfig"] as JsonObject)["toolChoice"]).toEqual(native);
  });

  it("keeps only a subset", () => {
    const { body } = encode({
      tools: [tool("f"), tool("g")],
      toolChoice: { type: "subset", names: ["g"], required: true },
    });
    expect(body["toolConfig"]).toEqual({
      tools: [{ toolSpec: { name: "g", inputSchema: { json: { type: "object", properties: {} } } } }],
      toolChoice: { any: {} },
    });
  });

  it("leaves the tools out with the choice none, unless the history holds calls", () => {
    expect(encode({ tools: [tool("f")], toolChoice: { type: "none" } }).body).not.toHaveProperty("toolConfig");
    const claude = encode({ tools: [tool("f")], toolChoice: { type: "none" }, messages: loop });
    expect(claude.body).toMatchObject({
      toolConfig: { tools: [{}] },
      additionalModelRequestFields: { tool_choice: { type: "none" } },
    });
    expect(claude.dropped).toEqual([]);
    expect(encode({ tools: [tool("f")], toolChoice: { type: "none" }, messages: loop }, llama).dropped).toEqual([
      "toolChoice",
    ]);
  });

  it("declares the tools of the history where the caller no longer does", () => {
    expect(encode({ messages: loop }).body["toolConfig"]).toEqual({
      tools: [{ toolSpec: { name: "f", inputSchema: { json: { type: "object", properties: {} } } } }],
    });
  });

  it("forbids parallel calls in Claude's own words, and names it elsewhere", () => {
    const fields: Partial<ChatRequest> = { tools: [tool("f")], parallelToolCalls: false, toolChoice: { type: "any" } };
    expect(encode(fields).body["additionalModelRequestFields"]).toEqual({
      tool_choice: { type: "any", disable_parallel_tool_use: true },
    });
    expect(encode(fields, nova).dropped).toEqual(["parallelToolCalls"]);
  });

  it("knows Nova's own search, and names hosted tools that are none of Bedrock's (F18)", () => {
    const search: ChatRequest["tools"] = [
      { type: "hosted", wire: "openai-responses", kind: "web-search", value: { type: "web_search" } },
    ];
    expect(encode({ tools: search }, nova).body["toolConfig"]).toEqual({
      tools: [{ systemTool: { name: "nova_grounding" } }],
    });
    expect(encode({ tools: search }).dropped).toEqual(["tools[0]"]);
  });
});

describe("reasoning", () => {
  const thought: Part = { type: "reasoning", text: "hm", opaque: { origin: "anthropic", data: "sig" } };

  it("gives signed thoughts back to Claude byte for byte, redacted ones too (F10, F11)", () => {
    const redacted: Part = {
      type: "reasoning",
      text: "",
      redacted: true,
      opaque: { origin: "anthropic", data: "EmwKAh" },
    };
    expect(messagesOf(user("a"), assistant(thought, redacted, "b"))[1]?.["content"]).toEqual([
      { reasoningContent: { reasoningText: { text: "hm", signature: "sig" } } },
      { reasoningContent: { redactedContent: Buffer.from("EmwKAh").toString("base64") } },
      { text: "b" },
    ]);
  });

  it("keeps unsigned and foreign thoughts back (F12, F48)", () => {
    const foreign: Part = { type: "reasoning", text: "hm", opaque: { origin: "openai", data: "x" } };
    expect(messagesOf(user("a"), assistant({ type: "reasoning", text: "hm" }, foreign, "b"))[1]?.["content"]).toEqual([
      { text: "b" },
    ]);
    expect(JSON.stringify(encode({ messages: [user("a"), assistant(thought, "b")] }, nova).body)).not.toContain("sig");
  });

  it.each<[string, string, Partial<ChatRequest>, JsonObject, JsonObject | undefined, string[]]>([
    [
      "older Claude: a budget below the limit",
      sonnet,
      { reasoning: { effort: "high" }, maxOutputTokens: 8000 },
      { thinking: { type: "enabled", budget_tokens: 7999 } },
      undefined,
      [],
    ],
    [
      "newer Claude: an effort",
      opus,
      { reasoning: { effort: "xhigh" } },
      { thinking: { type: "adaptive" } },
      { effort: "xhigh" },
      [],
    ],
    [
      "Claude 4.6 knows no xhigh",
      "anthropic.claude-opus-4-6-v1",
      { reasoning: { effort: "xhigh" } },
      { thinking: { type: "adaptive" } },
      { effort: "high" },
      [],
    ],
    [
      "Nova",
      nova,
      { reasoning: { effort: "low" } },
      { reasoningConfig: { type: "enabled", maxReasoningEffort: "low" } },
      undefined,
      [],
    ],
    [
      "gpt-oss",
      "openai.gpt-oss-120b-1:0",
      { reasoning: { effort: "max" } },
      { reasoning_effort: "high" },
      undefined,
      [],
    ],
    [
      "no temperature beside a budget",
      sonnet,
      { reasoning: { budgetTokens: 2000 }, sampling: { temperature: 0.2, topK: 3 } },
      { thinking: { type: "enabled", budget_tokens: 2000 } },
      undefined,
      ["temperature", "topK"],
    ],
  ])("%s", (_, model, fields, native, outputConfig, dropped) => {
    const encoded = encode(fields, model);
    expect(encoded.body["additionalModelRequestFields"]).toEqual(native);
    expect(encoded.body["outputConfig"]).toEqual(outputConfig);
    expect(encoded.dropped).toEqual(dropped);
  });

  it.each<[string, string, Partial<ChatRequest>]>([
    ["a model that can't think", llama, {}],
    ["a forced choice", sonnet, { tools: [tool("f")], toolChoice: { type: "any" } }],
    [
      "a loop whose call came without a thought",
      sonnet,
      { messages: [user("a"), assistant(callOf("c")), user(resultOf("c"))] },
    ],
    ["no room for it", sonnet, { maxOutputTokens: 1000 }],
  ])("is named as dropped with %s (F18)", (_, model, fields) => {
    const { body, dropped } = encode({ reasoning: { effort: "high" }, ...fields }, model);
    expect(JSON.stringify(body)).not.toContain("thinking");
    expect(dropped).toEqual(["reasoning"]);
  });
});

describe("the rest", () => {
  it("puts cache points where the hints are, and none where the model takes none (F23)", () => {
    const fields: Partial<ChatRequest> = {
      system: [{ type: "text", text: "s", cache: { ttl: "1h" } }],
      messages: [user({ type: "text", text: "a", cache: {} })],
      tools: [{ type: "function", name: "f", cache: {} }],
    };
    const { body } = encode(fields);
    expect(body["system"]).toEqual([{ text: "s" }, { cachePoint: { type: "default", ttl: "1h" } }]);
    expect(body["messages"]).toMatchObject([{ content: [{ text: "a" }, { cachePoint: { type: "default" } }] }]);
    expect(body["toolConfig"]).toMatchObject({ tools: [{}, { cachePoint: { type: "default" } }] });
    expect(encode(fields, nova).dropped).toEqual(["tools[0].cache"]);
    const none = encode(fields, llama);
    expect(JSON.stringify(none.body)).not.toContain("cachePoint");
    expect(none.dropped).toEqual(["system[0].cache", "messages[0].content[0].cache", "tools[0].cache"]);
  });

  it("sends a schema as Bedrock's own, as text (F22)", () => {
    const { body } = encode({ output: { type: "json-schema", name: "n", schema: { type: "object" }, strict: true } });
    expect(body["outputConfig"]).toEqual({
      textFormat: { type: "json_schema", structure: { jsonSchema: { schema: '{"type":"object"}', name: "n" } } },
    });
  });

  it("names every field that Bedrock can't be told (F18)", () => {
    const { body, dropped } = encode(
      {
        sampling: { seed: 1, logprobs: true, candidates: 2, temperature: 1.5, stop: [""], topK: 4 },
        output: { type: "json" },
        verbosity: "low",
        cacheKey: "k",
        serviceTier: "scale",
        metadata: { userId: "{}", labels: { team: "x" } },
        extra: { "openai-chat": { store: true } },
      },
      llama,
    );
    expect(dropped.sort()).toEqual(
      [
        "seed",
        "logprobs",
        "candidates",
        "temperature",
        "topK",
        "output",
        "verbosity",
        "cacheKey",
        "serviceTier",
        "metadata.userId",
        "store",
      ].sort(),
    );
    expect(body).toEqual({
      messages: [{ role: "user", content: [{ text: "hi" }] }],
      inferenceConfig: { temperature: 1 },
      requestMetadata: { team: "x" },
    });
  });

  it.each<[string, JsonObject, string]>([
    ["messages", { messages: 1 }, "messages"],
    ["a message", { messages: ["x"] }, "messages[0]"],
    ["a role", { messages: [{ role: "tool", content: [] }] }, "messages[0].role"],
    ["a block", { messages: [{ role: "user", content: ["x"] }] }, "messages[0].content[0]"],
    ["a text", { messages: [{ role: "user", content: [{ text: 1 }] }] }, "messages[0].content[0].text"],
    ["a number", { messages: [], inferenceConfig: { maxTokens: "x" } }, "inferenceConfig.maxTokens"],
    ["a tool", { messages: [], toolConfig: { tools: [1] } }, "toolConfig.tools[0]"],
  ])("a wrong type of %s is a 400 that names it", (_, body, param) => {
    expect(() => bedrockConverse.decodeRequest(body, {})).toThrow(
      expect.objectContaining({ code: "invalid_request", details: { param } }),
    );
  });
});
