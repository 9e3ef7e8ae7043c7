import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../lib/model/json.ts";
import type { Message } from "../../../lib/model/message.ts";
import type { ChatRequest } from "../../../lib/model/request.ts";
import { seal } from "../../../lib/wires/shared/seal.ts";
import type { Target } from "../../../lib/wires/wire.ts";
import { context, emptyRequest, meaning, target, wire } from "./support.ts";

const decode = (body: JsonObject): ChatRequest => wire.decodeRequest({ model: "m", ...body }, {});
const encode = (request: Partial<ChatRequest>, at: Partial<Target> = {}) =>
  wire.encodeRequest({ ...emptyRequest, stream: false, ...request }, target(at));
const again = (body: JsonObject): JsonObject => {
  const full = { model: "gpt-5.4", ...body };
  return wire.encodeRequest(wire.decodeRequest(full, {}), target()).body;
};

describe("input of a Responses request", () => {
  it("reads a string as one user message", () => {
    expect(decode({ input: "hi" }).messages).toEqual([{ role: "user", parts: [{ type: "text", text: "hi" }] }]);
  });

  it("reads opening instructions from the field and from system and developer items, and gives each back its place", () => {
    const body = {
      instructions: "be brief",
      input: [
        { role: "developer", content: "no jokes" },
        {
          role: "system",
          content: [
            { type: "input_text", text: "a" },
            { type: "input_text", text: "b" },
          ],
        },
        { role: "user", content: "hi" },
        { role: "developer", content: "now jokes" },
      ],
    };
    const request = decode(body);
    expect(request.system.map((part) => part.text)).toEqual(["be brief", "no jokes", "a", "b"]);
    expect(request.messages.map((message) => message.role)).toEqual(["user", "system"]);
    expect(meaning(again(body))).toEqual(meaning({ model: "gpt-5.4", ...body }));
  });

  it("makes one assistant message of the items of a turn, and one user message of its results", () => {
    const { messages } = decode({
      input: [
        { role: "user", content: "hi" },
        { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "hm" }], encrypted_content: "gAAA" },
        {
          type: "message",
          role: "assistant",
          id: "msg_1",
          phase: "commentary",
          content: [{ type: "output_text", text: "let me see" }],
        },
        { type: "function_call", id: "fc_1", call_id: "call_1", name: "f", arguments: "" },
        { type: "function_call", id: "fc_2", call_id: "call_2", name: "g", arguments: '{"a":1}' },
        { type: "function_call_output", call_id: "call_1", output: "1" },
        {
          type: "custom_tool_call_output",
          call_id: "call_2",
          output: [{ type: "input_image", image_url: "data:image/png;base64,QUJD" }],
        },
        { role: "user", content: "go on" },
      ],
    });
    expect(messages.map(({ role, parts }) => [role, parts.map((part) => part.type)])).toEqual([
      ["user", ["text"]],
      ["assistant", ["reasoning", "text", "tool-call", "tool-call"]],
      ["user", ["tool-result", "tool-result"]],
      ["user", ["text"]],
    ]);
    expect(messages[1]!.parts[0]).toMatchObject({ text: "hm", opaque: { origin: "openai", data: "gAAA" } });
    expect(messages[1]!.parts[2]).toMatchObject({ callId: "call_1", id: "fc_1", arguments: "{}" });
    expect(messages[2]!.parts[0]).toMatchObject({ callId: "call_1", name: "f" });
    expect(messages[2]!.parts[1]).toMatchObject({
      custom: true,
      parts: [{ type: "image", source: { kind: "base64", mediaType: "image/png", data: "QUJD" } }],
    });
  });

  const items: readonly [string, JsonObject][] = [
    ["an easy message", { role: "assistant", content: "yes" }],
    ["two easy assistant messages", { role: "assistant", content: "a" }],
    [
      "an output message",
      {
        type: "message",
        role: "assistant",
        id: "msg_1",
        status: "incomplete",
        phase: "final_answer",
        content: [
          { type: "output_text", text: "a", annotations: [{ type: "file_path", file_id: "f", index: 1 }] },
          { type: "refusal", refusal: "no" },
        ],
      },
    ],
    [
      "an unknown content part",
      {
        type: "message",
        role: "assistant",
        id: "msg_1",
        content: [
          { type: "output_text", text: "a" },
          { type: "output_hologram", x: 1 },
        ],
      },
    ],
    [
      "images and files",
      {
        role: "user",
        content: [
          { type: "input_image", image_url: "https://a.b/c.png", detail: "high" },
          { type: "input_image", file_id: "file_1" },
          { type: "input_file", file_url: "https://a.b/c.pdf" },
          { type: "input_file", file_id: "file_2" },
          { type: "input_file", filename: "c.pdf", file_data: "data:application/pdf;base64,QUJD" },
          { type: "input_audio", input_audio: { data: "QUJD", format: "mp3" } },
          { type: "input_text", text: "x", prompt_cache_breakpoint: { mode: "explicit", ttl: "30m" } },
        ],
      },
    ],
    ["a custom tool call", { type: "custom_tool_call", id: "ctc_1", call_id: "call_1", name: "sql", input: "SELECT" }],
    [
      "a call in a namespace",
      {
        type: "function_call",
        id: "fc_1",
        call_id: "call_1",
        name: "f",
        namespace: "n",
        arguments: "{}",
        status: "incomplete",
      },
    ],
    [
      "an output with files",
      {
        type: "function_call_output",
        call_id: "call_1",
        output: [
          { type: "input_text", text: "a" },
          { type: "input_file", file_url: "https://a.b/c.pdf" },
        ],
      },
    ],
    [
      "reasoning with its text",
      {
        type: "reasoning",
        id: "rs_1",
        summary: [],
        content: [
          { type: "reasoning_text", text: "a" },
          { type: "reasoning_text", text: "b" },
        ],
        encrypted_content: "gA",
      },
    ],
    [
      "reasoning with both",
      {
        type: "reasoning",
        id: "rs_1",
        summary: [
          { type: "summary_text", text: "a" },
          { type: "summary_text", text: "b" },
        ],
        content: [{ type: "reasoning_text", text: "c" }],
      },
    ],
    ...[
      "web_search_call",
      "file_search_call",
      "code_interpreter_call",
      "image_generation_call",
      "mcp_call",
      "mcp_list_tools",
      "mcp_approval_request",
      "mcp_approval_response",
      "computer_call",
      "computer_call_output",
      "local_shell_call",
      "local_shell_call_output",
      "shell_call",
      "shell_call_output",
      "apply_patch_call",
      "apply_patch_call_output",
      "tool_search_call",
      "tool_search_output",
      "compaction",
      "compaction_trigger",
      "configuration_update",
      "additional_tools",
      "item_reference",
      "program",
      "something_new",
    ].map((type): [string, JsonObject] => [type, { type, id: "x_1", status: "completed", anything: { a: [1, null] } }]),
  ];
  it.each(items)("carries %s without loss", (_name, item) => {
    const input = [{ role: "user", content: "hi" }, item, { role: "assistant", content: "b" }];
    expect(meaning(again({ input }))).toEqual(meaning({ model: "gpt-5.4", input }));
  });

  it.each([
    [{ input: 5 }, "input"],
    [{ input: [5] }, "input[0]"],
    [{ input: [{ role: "robot", content: "x" }] }, "input[0].role"],
    [{ input: [{ role: "user", content: 5 }] }, "input[0].content"],
    [{ input: [{ role: "user", content: [{ type: "input_text" }] }] }, "input[0].content[0].text"],
    [{ input: [{ foo: 1 }] }, "input[0].type"],
    [{ input: [{ type: "function_call", name: "f", arguments: "{}" }] }, "input[0].call_id"],
    [{ input: [{ type: "function_call_output", output: "x" }] }, "input[0].call_id"],
    [{ input: [{ type: "function_call_output", call_id: "c", output: 1 }] }, "input[0].output"],
    [{ input: "x", temperature: "hot" }, "temperature"],
    [{ input: "x", stream: "yes" }, "stream"],
    [{ input: "x", tools: {} }, "tools"],
    [{ input: "x", tools: [{ type: "function" }] }, "tools[0].name"],
    [{ input: "x", tool_choice: "maybe" }, "tool_choice"],
    [{ input: "x", max_output_tokens: 0 }, "max_output_tokens"],
    [{ input: "x", text: { format: { type: "json_schema", name: "n" } } }, "text.format.schema"],
    [{ input: "x", model: "" }, "model"],
  ])("refuses %j, naming %s", (body, param) => {
    expect(() => decode(body)).toThrow(
      expect.objectContaining({ code: "invalid_request", details: expect.objectContaining({ param }) }),
    );
  });
});

describe("parameters of a Responses request", () => {
  it("loses none, known or not", () => {
    const body: JsonObject = {
      input: "hi",
      stream: true,
      store: false,
      include: ["reasoning.encrypted_content"],
      previous_response_id: "resp_1",
      conversation: { id: "conv_1" },
      background: false,
      client_metadata: { a: 1 },
      prompt: { id: "pmpt_1", variables: { a: "b" } },
      stream_options: { include_obfuscation: false },
      truncation: "auto",
      user: "u",
      safety_identifier: "s",
      prompt_cache_key: "k",
      prompt_cache_options: { mode: "explicit" },
      service_tier: "flex",
      metadata: { a: "b" },
      max_output_tokens: 5,
      max_tool_calls: 3,
      temperature: 0.5,
      top_p: 0.9,
      top_logprobs: 2,
      parallel_tool_calls: false,
      reasoning: { effort: "xhigh", summary: "detailed", context: "all", mode: "deep" },
      text: {
        format: { type: "json_schema", name: "n", schema: { type: "object" }, strict: true, extra: 1 },
        verbosity: "low",
        other: 2,
      },
      tools: [
        {
          type: "function",
          name: "f",
          description: "d",
          parameters: { type: "object" },
          strict: true,
          defer_loading: true,
        },
        { type: "function", name: "g", parameters: null, strict: null },
        { type: "custom", name: "c", format: { type: "grammar", syntax: "lark", definition: "x" } },
        { type: "web_search", filters: { allowed_domains: ["a.b"] } },
        { type: "namespace", name: "n", tools: [{ type: "function", name: "h" }] },
        { type: "brand_new", x: 1 },
      ],
      tool_choice: {
        type: "allowed_tools",
        mode: "required",
        tools: [
          { type: "function", name: "f" },
          { type: "custom", name: "c" },
        ],
      },
      brand_new: { deep: [1] },
    };
    const request = decode(body);
    expect(request.metadata).toEqual({ userId: "s", labels: { a: "b" } });
    expect(request.toolChoice).toEqual({ type: "subset", names: ["f", "c"], required: true });
    expect(request.tools.map((tool) => tool.type)).toEqual([
      "function",
      "function",
      "custom",
      "hosted",
      "hosted",
      "hosted",
    ]);
    expect(request.reasoning).toMatchObject({ effort: "xhigh", show: "detailed" });
    expect(again(body)).toEqual({
      model: "gpt-5.4",
      ...body,
      input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] }],
    });
  });

  it.each([
    "auto",
    "none",
    "required",
    { type: "function", name: "f" },
    { type: "custom", name: "c" },
    { type: "mcp", server_label: "s", name: "t" },
    { type: "web_search_preview" },
    { type: "allowed_tools", mode: "auto", tools: [{ type: "mcp", server_label: "s" }] },
  ])("keeps the tool choice %j", (choice) => {
    const tools = [
      { type: "function", name: "f" },
      { type: "custom", name: "c" },
    ];
    expect(again({ input: "x", tools, tool_choice: choice })["tool_choice"]).toEqual(choice);
  });

  it("serialises the same request to the same bytes (F23)", () => {
    const body = {
      input: [{ role: "user", content: "a" }],
      tools: [{ type: "function", name: "f" }],
      metadata: { b: "1", a: "2" },
    };
    expect(JSON.stringify(again(body))).toBe(JSON.stringify(again(structuredClone(body))));
  });
});

describe("a request from another wire", () => {
  const user: Message = { role: "user", parts: [{ type: "text", text: "hi" }] };

  it("keeps no state upstream and asks for sealed reasoning instead", () => {
    const { body, dropped } = encode({
      messages: [user],
      system: [
        { type: "text", text: "a" },
        { type: "text", text: "b" },
      ],
    });
    expect(body).toEqual({
      model: "gpt-5.4",
      instructions: "a\n\nb",
      input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] }],
      store: false,
      include: ["reasoning.encrypted_content"],
    });
    expect(dropped).toEqual([]);
  });

  it("leaves out what the host refuses, without blame for what nobody asked", () => {
    const { body, dropped } = encode(
      { messages: [user], sampling: { temperature: 1 } },
      { dialect: { refuses: ["store", "include", "temperature"] } },
    );
    expect(Object.keys(body)).toEqual(["model", "input"]);
    expect(dropped).toEqual(["temperature"]);
  });

  it("names what can't be said (F18)", () => {
    const { body, dropped } = encode({
      messages: [
        {
          role: "user",
          parts: [
            { type: "video", source: { kind: "url", url: "https://a.b" } },
            { type: "text", text: "x" },
          ],
        },
      ],
      tools: [{ type: "hosted", wire: "anthropic-messages", value: { type: "memory" } }],
      toolChoice: { type: "native", wire: "gemini-generate", value: {} },
      sampling: {
        topK: 1,
        stop: ["x"],
        seed: 1,
        presencePenalty: 1,
        frequencyPenalty: 1,
        logitBias: {},
        candidates: 2,
      },
      serviceTier: "standard_only",
      metadata: { userId: "u".repeat(65) },
    });
    expect(dropped).toEqual([
      "messages[0].content[0]",
      "tools[0]",
      "toolChoice",
      "topK",
      "stop",
      "seed",
      "presencePenalty",
      "frequencyPenalty",
      "logitBias",
      "candidates",
      "metadata.userId",
      "serviceTier",
    ]);
    expect(body).not.toHaveProperty("tools");
  });

  it("asks OpenAI for at least 16 tokens", () => {
    expect(encode({ messages: [user], maxOutputTokens: 1 }).body["max_output_tokens"]).toBe(16);
    expect(encode({ messages: [user], maxOutputTokens: 1 }, { maker: "xai" }).body["max_output_tokens"]).toBe(1);
  });

  it("enforces a schema: strict where it qualifies, named always (F22)", () => {
    const open = { type: "object", properties: { a: { type: "string" } } } as const;
    const closed = { ...open, required: ["a"], additionalProperties: false };
    const format = (schema: JsonObject) =>
      (encode({ messages: [user], output: { type: "json-schema", schema } }).body["text"] as JsonObject)["format"];
    expect(format(closed)).toEqual({ type: "json_schema", name: "response", schema: closed, strict: true });
    expect(format(open)).toMatchObject({ strict: false });
    expect(format({ type: "array", items: open })).toMatchObject({ strict: false });
  });

  it("says aloud that a function is lax, as absent means strict here", () => {
    const { body } = encode({
      messages: [user],
      tools: [
        { type: "function", name: "f", parameters: { type: "object" } },
        { type: "function", name: "g" },
      ],
    });
    expect(body["tools"]).toEqual([
      { type: "function", name: "f", parameters: { type: "object" }, strict: false },
      { type: "function", name: "g", parameters: { type: "object", properties: {} }, strict: false },
    ]);
  });

  it("translates web search and code execution", () => {
    const { body } = encode({
      messages: [user],
      tools: [
        {
          type: "hosted",
          wire: "anthropic-messages",
          kind: "web-search",
          value: {
            type: "web_search_20250305",
            allowed_domains: ["a.b"],
            user_location: { type: "approximate", city: "Bonn" },
          },
        },
        { type: "hosted", wire: "gemini-generate", kind: "code-execution", value: { codeExecution: {} } },
      ],
    });
    expect(body["tools"]).toEqual([
      {
        type: "web_search",
        filters: { allowed_domains: ["a.b"] },
        user_location: { type: "approximate", city: "Bonn" },
      },
      { type: "code_interpreter", container: { type: "auto" } },
    ]);
  });

  it.each([
    [{ effort: "minimal" }, { effort: "minimal" }],
    [{ budgetTokens: 1024 }, { effort: "low" }],
    [
      { budgetTokens: 5000, show: "auto" },
      { effort: "medium", summary: "auto" },
    ],
    [{ budgetTokens: 20_000 }, { effort: "high" }],
    [{ effort: "none", show: "auto" }, { effort: "none" }],
    [{ dynamic: true }, undefined],
  ] as const)("turns reasoning %j into %j", (reasoning, expected) => {
    expect(encode({ messages: [user], reasoning }).body["reasoning"]).toEqual(expected);
  });

  it("sends a tool loop with images in results (F15) and marks a failed tool", () => {
    const { body } = encode({
      messages: [
        {
          role: "assistant",
          parts: [
            { type: "text", text: "a" },
            { type: "text", text: "b" },
            { type: "tool-call", callId: "toolu_1", id: "toolu_1", name: "f", arguments: "" },
            { type: "tool-call", callId: "toolu_2", name: "g", arguments: "x", custom: true },
          ],
        },
        {
          role: "user",
          parts: [
            {
              type: "tool-result",
              callId: "toolu_1",
              parts: [
                { type: "text", text: "a" },
                { type: "image", source: { kind: "base64", data: "QUJD", mediaType: "image/png" } },
              ],
            },
            {
              type: "tool-result",
              callId: "toolu_2",
              custom: true,
              isError: true,
              parts: [{ type: "text", text: "no" }],
            },
            { type: "text", text: "go on" },
          ],
        },
      ],
    });
    expect(body["input"]).toEqual([
      {
        type: "message",
        role: "assistant",
        content: [
          { type: "output_text", text: "a", annotations: [] },
          { type: "output_text", text: "b", annotations: [] },
        ],
      },
      { type: "function_call", call_id: "toolu_1", name: "f", arguments: "{}" },
      { type: "custom_tool_call", call_id: "toolu_2", name: "g", input: "x" },
      {
        type: "function_call_output",
        call_id: "toolu_1",
        output: [
          { type: "input_text", text: "a" },
          { type: "input_image", image_url: "data:image/png;base64,QUJD" },
        ],
      },
      { type: "custom_tool_call_output", call_id: "toolu_2", output: "Error: no" },
      { type: "message", role: "user", content: [{ type: "input_text", text: "go on" }] },
    ]);
  });

  it("gives state back to its maker alone, and never replays visible text as reasoning (F12, F48)", () => {
    const parts: Message["parts"] = [
      { type: "reasoning", text: "mine", id: "rs_1", opaque: { origin: "openai", data: "gA" } },
      { type: "reasoning", text: "theirs", opaque: { origin: "anthropic", data: "sig" } },
      { type: "reasoning", text: "nobody's" },
      { type: "text", text: "a" },
    ];
    const { body, dropped } = encode({ messages: [{ role: "assistant", parts }] });
    expect(body["input"]).toEqual([
      { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "mine" }], encrypted_content: "gA" },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "a", annotations: [] }] },
    ]);
    expect(dropped).toEqual([]);
  });

  it("leaves a reasoning item behind that nothing of the model's follows", () => {
    const reasoning = { type: "reasoning", text: "", id: "rs_1", opaque: { origin: "openai", data: "gA" } } as const;
    expect(encode({ messages: [{ role: "assistant", parts: [reasoning] }, user] }).body["input"]).toHaveLength(1);
    expect(encode({ messages: [user, { role: "assistant", parts: [reasoning] }] }).body["input"]).toHaveLength(1);
  });
});

describe("sealed state of other makers", () => {
  const replay = (response: Parameters<typeof wire.encodeResponse>[0]): Message => {
    const { output } = wire.encodeResponse(response, context()) as { output: JsonObject[] };
    return decode({ input: [{ role: "user", content: "x" }, ...output] }).messages[1]!;
  };
  const answer = { id: "msg_1", model: "m", reason: "end" } as const;

  it("survives a Responses client byte for byte: signatures, redacted blocks, text (F10, F11)", () => {
    const parts: Message["parts"] = [
      { type: "reasoning", text: "first\n\nsecond", opaque: { origin: "anthropic", data: "c2ln+/=" } },
      { type: "reasoning", text: "", opaque: { origin: "anthropic", data: "only" } },
      { type: "reasoning", text: "", redacted: true, opaque: { origin: "anthropic", data: "hidden" } },
      { type: "reasoning", text: "plain" },
      { type: "text", text: "a" },
    ];
    const back = replay({ ...answer, parts }).parts;
    expect(
      back.map((part) => [
        part.type,
        "text" in part ? part.text : "",
        "opaque" in part ? part.opaque : undefined,
        "redacted" in part,
      ]),
    ).toEqual([
      ["reasoning", "first\n\nsecond", { origin: "anthropic", data: "c2ln+/=" }, false],
      ["reasoning", "", { origin: "anthropic", data: "only" }, false],
      ["reasoning", "", { origin: "anthropic", data: "hidden" }, true],
      ["reasoning", "plain", undefined, false],
      ["text", "a", undefined, false],
    ]);
    // None of it is sent to OpenAI, not even as an id to look for.
    expect(encode({ messages: [{ role: "assistant", parts: back }] }).body["input"]).toHaveLength(1);
  });

  it("keeps a signature that is bound to a call or a text with it (F14)", () => {
    const parts: Message["parts"] = [
      { type: "text", text: "a", opaque: { origin: "google", data: "T1" } },
      { type: "tool-call", callId: "call_1", name: "f", arguments: "{}", opaque: { origin: "google", data: "T2" } },
      { type: "tool-call", callId: "call_2", name: "g", arguments: "{}" },
    ];
    const back = replay({ ...answer, reason: "tool-calls", parts }).parts;
    expect(back.map((part) => [part.type, "opaque" in part ? part.opaque?.data : undefined])).toEqual([
      ["text", "T1"],
      ["tool-call", "T2"],
      ["tool-call", undefined],
    ]);
  });

  it("opens what is sealed for the target, and sends nothing else", () => {
    const sealed = seal({ origin: "xai", data: "S" });
    const input = [
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content: sealed },
      { role: "assistant", content: "a" },
    ];
    const request = decode({ input });
    const sent = (maker: string) => wire.encodeRequest(request, target({ maker })).body["input"] as JsonObject[];
    expect(sent("xai")[0]).toMatchObject({ type: "reasoning", encrypted_content: "S" });
    expect(sent("openai")).toHaveLength(1);
  });
});
