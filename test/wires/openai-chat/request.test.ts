// What clients say over Chat, and what each dialect of host is told.
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../lib/model/error.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import type { ChatRequest, Tool } from "../../../lib/model/request.ts";
import { openaiChat } from "../../../lib/wires/openai-chat/index.ts";
import { seal } from "../../../lib/wires/shared/seal.ts";
import type { Target } from "../../../lib/wires/wire.ts";
import { decodeRequest, foreign, targetOf } from "./support.ts";

const again = (body: JsonObject, target: Target = targetOf()): JsonObject =>
  openaiChat.encodeRequest(decodeRequest(body), target).body;
const sent = (
  request: Partial<ChatRequest>,
  target: Target = targetOf(),
): ReturnType<typeof openaiChat.encodeRequest> => openaiChat.encodeRequest(foreign(request), target);
const messagesOf = (body: JsonObject): JsonObject[] => body["messages"] as JsonObject[];
const image = { type: "image", source: { kind: "base64", data: "aGk=", mediaType: "image/png" } } as const;

describe("messages", () => {
  test("opening instructions leave the history, and come back message by message", () => {
    const messages = [
      { role: "developer", content: "a" },
      { role: "system", content: "b", name: "boss" },
      { role: "user", content: "hi" },
    ];
    const request = decodeRequest({ messages });
    expect(request.system.map((part) => part.text)).toEqual(["a", "b"]);
    expect(request.messages).toHaveLength(1);
    expect(again({ messages })["messages"]).toEqual(messages);
    expect(messagesOf(again({ messages }, targetOf({ systemRole: "system" })))[0]).toEqual({
      role: "system",
      content: "a",
    });
  });

  test("an instruction in mid-conversation stays where it is", () => {
    const messages = [
      { role: "user", content: "hi" },
      { role: "developer", content: "be brief" },
      { role: "user", content: "go" },
    ];
    expect(decodeRequest({ messages }).messages[1]).toMatchObject({ role: "system", parts: [{ text: "be brief" }] });
    expect(again({ messages })["messages"]).toEqual(messages);
  });

  test("system blocks of another wire are one message", () => {
    const { body } = sent({
      system: [
        { type: "text", text: "a", cache: {} },
        { type: "text", text: "b" },
      ],
    });
    expect(messagesOf(body)[0]).toEqual({ role: "system", content: "a\n\nb" });
  });

  test("content parts: image with detail, audio, file, unknown kinds, cache hints", () => {
    const content = [
      { type: "text", text: "look", prompt_cache_breakpoint: { mode: "explicit" } },
      { type: "image_url", image_url: { url: "data:image/png;base64,aGk=", detail: "low" } },
      { type: "image_url", image_url: { url: "https://example.com/a.png" } },
      { type: "input_audio", input_audio: { data: "aGk=", format: "mp3" } },
      { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,aGk=" } },
      { type: "file", file: { file_id: "file-1" } },
      { type: "video_url", video_url: { url: "https://example.com/a.mp4" } },
    ];
    const messages = [{ role: "user", content }];
    expect(decodeRequest({ messages }).messages[0]?.parts.map((part) => part.type)).toEqual([
      "text",
      "image",
      "image",
      "audio",
      "document",
      "document",
      "opaque",
    ]);
    expect(again({ messages })["messages"]).toEqual(messages);
  });

  test("calls and results of one turn, with ids and an empty text beside the call (F6, F17)", () => {
    const messages = [
      { role: "user", content: "hi" },
      {
        role: "assistant",
        content: "",
        tool_calls: [
          { id: "call_a", type: "function", function: { name: "f", arguments: '{"x":1}' } },
          { id: "call_b", type: "custom", custom: { name: "g", input: "text" } },
        ],
      },
      { role: "tool", tool_call_id: "call_a", content: "1" },
      {
        role: "tool",
        tool_call_id: "call_b",
        content: [
          { type: "text", text: "2" },
          { type: "text", text: "3" },
        ],
      },
    ];
    const decoded = decodeRequest({ messages }).messages;
    expect(decoded[1]?.parts.map((part) => part.type)).toEqual(["tool-call", "tool-call"]);
    expect(decoded).toHaveLength(3);
    expect(decoded[2]?.parts).toMatchObject([
      { callId: "call_a", name: "f" },
      { callId: "call_b", name: "g" },
    ]);
    const [, call, ...results] = messagesOf(again({ messages }));
    expect(call).toEqual({ ...messages[1], content: null });
    expect(results).toEqual(messages.slice(2));
  });

  test("function_call and functions of old", () => {
    const messages = [
      { role: "user", content: "hi" },
      { role: "assistant", content: null, function_call: { name: "f", arguments: "{}" } },
      { role: "function", name: "f", content: "1" },
    ];
    const functions = [{ name: "f", parameters: { type: "object", properties: {} } }];
    const request = decodeRequest({ messages, functions, function_call: { name: "f" } });
    const [call, result] = request.messages.slice(1).map((message) => message.parts[0]);
    expect(call?.type === "tool-call" && result?.type === "tool-result" && call.callId === result.callId).toBe(true);
    const body = again({ messages, functions, function_call: { name: "f" } });
    expect(body["messages"]).toEqual(messages);
    expect(body["functions"]).toEqual(functions);
    expect(body["function_call"]).toEqual({ name: "f" });
  });

  test("images in tool results follow in a user message, behind all results of the turn (F15)", () => {
    const { body } = sent({
      messages: [
        {
          role: "assistant",
          parts: [
            { type: "tool-call", callId: "a", name: "shot", arguments: "{}" },
            { type: "tool-call", callId: "b", name: "f", arguments: "" },
          ],
        },
        {
          role: "user",
          parts: [
            { type: "tool-result", callId: "a", parts: [image] },
            { type: "tool-result", callId: "b", parts: [{ type: "text", text: "boom" }], isError: true },
            { type: "text", text: "and now?" },
          ],
        },
      ],
    });
    const [call, first, second, user] = messagesOf(body);
    expect(call).toMatchObject({
      content: null,
      tool_calls: [{ id: "a" }, { id: "b", function: { arguments: "{}" } }],
    });
    expect(first).toMatchObject({ role: "tool", tool_call_id: "a" });
    expect(second).toEqual({ role: "tool", tool_call_id: "b", content: "Error: boom" });
    expect(user).toMatchObject({
      role: "user",
      content: [
        { type: "text" },
        { type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } },
        { text: "and now?" },
      ],
    });
  });

  test("what this wire can't say is named by its path (F18)", () => {
    const { dropped, body } = sent({
      messages: [
        {
          role: "user",
          parts: [
            { type: "text", text: "see" },
            { type: "video", source: { kind: "url", url: "https://example.com/v" } },
            { type: "image", source: { kind: "id", id: "file_1", origin: "anthropic" } },
          ],
        },
      ],
    });
    expect(dropped).toEqual(["messages[0].content[1]", "messages[0].content[2]"]);
    expect(messagesOf(body)).toEqual([{ role: "user", content: "see" }]);
  });

  test.each([
    [{ messages: "x" }, "messages"],
    [{ messages: [3] }, "messages[0]"],
    [{ messages: [{ role: "robot", content: "" }] }, "messages[0].role"],
    [{ messages: [{ role: "user", content: 3 }] }, "messages[0].content"],
    [{ messages: [{ role: "user", content: [{ type: "text" }] }] }, "messages[0].content[0].text"],
    [{ messages: [{ role: "tool", content: "" }] }, "messages[0].tool_call_id"],
    [{ messages: [{ role: "assistant", tool_calls: [{ id: "a" }] }] }, "messages[0].tool_calls[0].function"],
    [{ tools: [{ type: "function" }] }, "tools[0].function"],
    [{ max_tokens: 0 }, "max_tokens"],
    [{ temperature: "hot" }, "temperature"],
    [{ tool_choice: "perhaps" }, "tool_choice"],
    [{ stop: [1] }, "stop"],
    [{ response_format: "json" }, "response_format"],
    [{ model: 3 }, "model"],
  ])("%j is refused by name", (body, param) => {
    let thrown: unknown;
    try {
      decodeRequest(body);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(GatewayError);
    expect((thrown as GatewayError).details.param).toBe(param);
    expect((thrown as GatewayError).status).toBe(400);
  });
});

describe("reasoning in histories", () => {
  const history = (opaque: JsonObject): JsonObject => ({
    messages: [
      { role: "user", content: "hi" },
      { role: "assistant", content: "yes", ...opaque },
      { role: "user", content: "go" },
    ],
  });
  const assistantOf = (body: JsonObject): JsonObject => messagesOf(body)[1] as JsonObject;

  test("sealed state is opened for its maker alone (F10, F12, F48)", () => {
    const signature = seal({ origin: "anthropic", data: "c2lnbmF0dXJl" });
    const data = seal({ origin: "anthropic", data: "cmVkYWN0ZWQ=" });
    const parts = decodeRequest(
      history({
        reasoning_content: "hm",
        reasoning_details: [
          { type: "reasoning.text", text: "hm", signature },
          { type: "reasoning.encrypted", data },
        ],
      }),
    ).messages[1]?.parts;
    expect(parts).toMatchObject([
      { type: "reasoning", text: "hm", opaque: { origin: "anthropic", data: "c2lnbmF0dXJl" } },
      { type: "reasoning", text: "", redacted: true, opaque: { origin: "anthropic", data: "cmVkYWN0ZWQ=" } },
      { type: "text", text: "yes" },
    ]);
    expect(
      assistantOf(again(history({ reasoning_details: [{ type: "reasoning.text", text: "hm", signature }] }))),
    ).toEqual({
      role: "assistant",
      content: "yes",
    });
  });

  test("a signature-only thought is no redacted one (F10)", () => {
    const signature = seal({ origin: "anthropic", data: "AAAA" });
    const [part] =
      decodeRequest(history({ reasoning_details: [{ type: "reasoning.text", text: "", signature }] })).messages[1]
        ?.parts ?? [];
    expect(part).toMatchObject({ type: "reasoning", text: "", opaque: { data: "AAAA" } });
    expect(part).not.toHaveProperty("redacted");
  });

  test.each(["reasoning_content", "reasoning"] as const)(
    "visible reasoning goes back as %s where the host takes it",
    (field) => {
      expect(assistantOf(again(history({ reasoning: "hm" }), targetOf({ replayReasoning: field })))[field]).toBe("hm");
      expect(assistantOf(again(history({ reasoning_content: "hm" })))).toEqual({ role: "assistant", content: "yes" });
    },
  );

  test("OpenRouter's details go back to it as they were", () => {
    const details = [
      { type: "reasoning.text", text: "hm", signature: "c2ln", format: "anthropic-claude-v1", index: 0 },
    ];
    const router = targetOf({ reasoningEffort: "openrouter" }, "openrouter");
    expect(assistantOf(again(history({ reasoning_details: details }), router))["reasoning_details"]).toEqual(details);
  });

  test("Gemini's thought signatures on calls and texts reach Google alone (F14)", () => {
    const google = { google: { thought_signature: "c2ln" } };
    const body = {
      messages: [
        { role: "user", content: "hi" },
        {
          role: "assistant",
          content: "ok",
          extra_content: { google: { thought_signature: "dGV4dA==" } },
          tool_calls: [
            { id: "call_1", type: "function", function: { name: "f", arguments: "{}" }, extra_content: google },
          ],
        },
        { role: "tool", tool_call_id: "call_1", content: "1" },
      ],
    };
    expect(decodeRequest(body).messages[1]?.parts).toMatchObject([
      { opaque: { origin: "google", data: "dGV4dA==" } },
      { opaque: { origin: "google", data: "c2ln" } },
    ]);
    expect(again(body, targetOf({}, "google"))["messages"]).toEqual(body.messages);
    expect(JSON.stringify(again(body))).not.toContain("thought_signature");
    const sealed = structuredClone(body);
    sealed.messages[1]!.tool_calls![0]!.extra_content.google.thought_signature = seal({
      origin: "anthropic",
      data: "x",
    });
    expect(decodeRequest(sealed).messages[1]?.parts[1]).toMatchObject({ opaque: { origin: "anthropic", data: "x" } });
  });
});

describe("tools", () => {
  const tools: Tool[] = [
    { type: "function", name: "f", parameters: { type: "object", properties: {} }, strict: true },
    { type: "function", name: "g" },
  ];

  test("functions, custom tools and hosted ones are kept", () => {
    const declared = [
      { type: "function", function: { name: "f", description: "d", parameters: { type: "object" }, strict: true } },
      {
        type: "custom",
        custom: { name: "c", format: { type: "grammar", grammar: { syntax: "lark", definition: "start: A" } } },
      },
      { type: "openrouter:web_search", parameters: { max_uses: 1 } },
    ];
    const request = decodeRequest({ tools: declared });
    expect(request.tools[1]).toMatchObject({ type: "custom", format: { type: "grammar", syntax: "lark" } });
    expect(again({ tools: declared, web_search_options: { search_context_size: "low" } })).toMatchObject({
      tools: declared,
      web_search_options: { search_context_size: "low" },
    });
  });

  test("web search of another wire", () => {
    const { body } = sent({
      tools: [
        {
          type: "hosted",
          wire: "anthropic-messages",
          kind: "web-search",
          value: { type: "web_search_20250305", user_location: { type: "approximate", city: "Bern" } },
        },
        { type: "hosted", wire: "anthropic-messages", value: { type: "memory" } },
      ],
    });
    expect(body["web_search_options"]).toEqual({
      user_location: { type: "approximate", approximate: { city: "Bern" } },
    });
    expect(body).not.toHaveProperty("tools");
  });

  test.each([
    ["auto", "auto"],
    ["none", "none"],
    ["required", "required"],
    [
      { type: "function", function: { name: "f" } },
      { type: "function", function: { name: "f" } },
    ],
    [
      {
        type: "allowed_tools",
        allowed_tools: { mode: "auto", tools: [{ type: "function", function: { name: "f" } }] },
      },
      {
        type: "allowed_tools",
        allowed_tools: { mode: "auto", tools: [{ type: "function", function: { name: "f" } }] },
      },
    ],
  ])("choice %j", (choice, expected) => {
    const declared = [{ type: "function", function: { name: "f" } }];
    expect(again({ tools: declared, tool_choice: choice })["tool_choice"]).toEqual(expected);
  });

  test("a choice among some is a shorter list for hosts that don't know it", () => {
    const { body } = sent(
      { tools, toolChoice: { type: "subset", names: ["g"], required: true } },
      targetOf({}, "groq"),
    );
    expect(body).toMatchObject({ tools: [{ function: { name: "g" } }], tool_choice: "required" });
    expect(body["tools"]).toHaveLength(1);
  });

  test("dialects without required choices, parallel calls and strict schemas name what they drop (F18)", () => {
    const { body, dropped } = sent(
      { tools, toolChoice: { type: "any" }, parallelToolCalls: false },
      targetOf({ toolChoiceRequired: false, parallelToolCalls: false, strictTools: false }),
    );
    expect(body["tool_choice"]).toBe("auto");
    expect(body).not.toHaveProperty("parallel_tool_calls");
    expect(JSON.stringify(body["tools"])).not.toContain("strict");
    expect(dropped.sort()).toEqual(["parallel_tool_calls", "tool_choice", "tools[0].strict"]);
  });

  test("no choice is sent without tools", () => {
    expect(sent({ toolChoice: { type: "auto" }, parallelToolCalls: true }).body).not.toHaveProperty("tool_choice");
  });
});

describe("structured output (F22)", () => {
  const schema = {
    type: "object",
    properties: { a: { type: "string" } },
    required: ["a"],
    additionalProperties: false,
  };

  test("a client's own format stays as it is", () => {
    const format = { type: "json_schema", json_schema: { name: "x", schema: { type: "object" } } };
    expect(again({ response_format: format })["response_format"]).toEqual(format);
    expect(again({ response_format: { type: "json_object" } })["response_format"]).toEqual({ type: "json_object" });
  });

  test("from another wire a name is made up, and strict only where the schema qualifies", () => {
    expect(sent({ output: { type: "json-schema", schema } }).body["response_format"]).toEqual({
      type: "json_schema",
      json_schema: { name: "response", schema, strict: true },
    });
    const open = { type: "object", properties: { a: {} } };
    expect(sent({ output: { type: "json-schema", schema: open, name: "my answer" } }).body["response_format"]).toEqual({
      type: "json_schema",
      json_schema: { name: "my_answer", schema: open },
    });
  });

  test.each([
    ["json_object", { type: "json_object" }, "response_format.json_schema"],
    ["none", undefined, "response_format"],
  ] as const)("a schema that a host with %s can't enforce is named", (structuredOutput, format, name) => {
    const { body, dropped } = sent({ output: { type: "json-schema", schema } }, targetOf({ structuredOutput }));
    expect(body["response_format"]).toEqual(format);
    expect(dropped).toEqual([name]);
  });
});

describe("parameters", () => {
  test("all of them survive on their own wire", () => {
    const body: JsonObject = {
      temperature: 0.5,
      top_p: 0.9,
      n: 2,
      seed: 7,
      presence_penalty: 0.1,
      frequency_penalty: 0.2,
      logprobs: true,
      top_logprobs: 3,
      logit_bias: { "50256": -100 },
      stop: ["a", "b"],
      user: "u",
      safety_identifier: "s",
      prompt_cache_key: "k",
      prompt_cache_options: { mode: "explicit" },
      prompt_cache_retention: "24h",
      verbosity: "low",
      service_tier: "flex",
      modalities: ["text", "audio"],
      audio: { voice: "alloy", format: "mp3" },
      prediction: { type: "content", content: "x" },
      metadata: { a: "b" },
      store: true,
      reasoning_effort: "low",
      max_completion_tokens: 100,
      some_new_field: { deep: [1] },
    };
    expect(again(body)).toMatchObject(body);
    expect(openaiChat.encodeRequest(decodeRequest(body), targetOf()).dropped).toEqual([]);
  });

  test("the output limit goes under the host's name, and not above what the model can make", () => {
    expect(again({ max_tokens: 9 })).toMatchObject({ max_completion_tokens: 9 });
    const target = { ...targetOf({ maxTokensField: "max_tokens" }), maxOutputTokens: 50 };
    expect(sent({ maxOutputTokens: 99 }, target).body).toMatchObject({ max_tokens: 50 });
  });

  test("usage is always asked for in a stream, where the host allows it", () => {
    expect(again({ stream: true })["stream_options"]).toEqual({ include_usage: true });
    expect(again({ stream: true }, targetOf({ streamOptions: false }))).not.toHaveProperty("stream_options");
    expect(decodeRequest({ stream: true }).includeUsage).toBeUndefined();
  });

  test("how much to reason, by dialect", () => {
    const reasoning = { budgetTokens: 5000 };
    expect(sent({ reasoning }).body["reasoning_effort"]).toBe("medium");
    expect(sent({ reasoning }, targetOf({ reasoningEffort: "openrouter" })).body["reasoning"]).toEqual({
      max_tokens: 5000,
    });
    const refused = sent({ reasoning }, targetOf({ reasoningEffort: false }));
    expect(refused.body).not.toHaveProperty("reasoning_effort");
    expect(refused.dropped).toEqual(["reasoning_effort"]);
    expect(decodeRequest({ reasoning: { effort: "high", exclude: true } }).reasoning).toMatchObject({
      effort: "high",
      show: "none",
    });
  });

  test("what Chat has no word for, and what the host refuses, is named (F18)", () => {
    const { dropped, body } = sent(
      {
        sampling: { topK: 5, seed: 1, stop: ["1", "2", "3", "4", "5"] },
        metadata: { userId: "x".repeat(65) },
        serviceTier: "odd",
        cache: {},
      },
      targetOf({ refuses: ["seed"] }),
    );
    expect(dropped.sort()).toEqual(["cache", "metadata.userId", "seed", "serviceTier", "stop", "topK"]);
    expect(body["stop"]).toHaveLength(4);
  });

  test("the same request is the same text every time (F23)", () => {
    const request = foreign({ system: [{ type: "text", text: "s" }], sampling: { temperature: 1 } });
    const text = (): string => JSON.stringify(openaiChat.encodeRequest(request, targetOf()).body);
    expect(text()).toBe(text());
  });

  test("cache hints reach OpenRouter (F23)", () => {
    const { body } = sent(
      { system: [{ type: "text", text: "s", cache: { ttl: "1h" } }] },
      targetOf({ reasoningEffort: "openrouter" }, "openrouter"),
    );
    expect(messagesOf(body)[0]).toEqual({
      role: "system",
      content: [{ type: "text", text: "s", cache_control: { type: "ephemeral", ttl: "1h" } }],
    });
  });
});
