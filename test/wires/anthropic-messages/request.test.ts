import { describe, expect, it } from "vitest";
import { GatewayError } from "../../../lib/model/error.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import type { Message } from "../../../lib/model/message.ts";
import type { ChatRequest } from "../../../lib/model/request.ts";
import { anthropicMessages as wire, countTokensBody } from "../../../lib/wires/anthropic-messages/index.ts";
import { seal } from "../../../lib/wires/shared/seal.ts";
import { request, target } from "./tools.ts";

const minimal = { model: "claude-sonnet-4-5", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] };
const decode = (more: JsonObject = {}): ChatRequest => wire.decodeRequest({ ...minimal, ...more }, {});
const encode = (more: Partial<ChatRequest> = {}, model = "claude-sonnet-4-5") =>
  wire.encodeRequest(request(more), target(model));
const roundTrip = (more: JsonObject, model = "claude-sonnet-4-5") => wire.encodeRequest(decode(more), target(model));
const user = (...parts: Message["parts"]): Message => ({ role: "user", parts });
const assistant = (...parts: Message["parts"]): Message => ({ role: "assistant", parts });
const text = (said: string) => ({ type: "text", text: said }) as const;
const call = (callId: string, args = "{}") =>
  ({ type: "tool-call", callId, name: "get_weather", arguments: args }) as const;
const result = (callId: string, said = "sun") => ({ type: "tool-result", callId, parts: [text(said)] }) as const;

describe("decodeRequest", () => {
  it("reads strings and blocks alike", () => {
    const decoded = decode({
      system: "Be terse.",
      messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
    });
    expect(decoded.system).toEqual([text("Be terse.")]);
    expect(decoded.messages).toEqual(decode().messages);
  });

  it("keeps instructions in mid-conversation where they stand", () => {
    const decoded = decode({ messages: [...minimal.messages, { role: "system", content: "Now in French." }] });
    expect(decoded.messages[1]).toEqual({ role: "system", parts: [text("Now in French.")] });
  });

  it("carries what it does not know: fields, blocks, tools (PROTOCOLS 14)", () => {
    const decoded = decode({
      context_management: { edits: [] },
      thread: { type: "create" },
      output_config: { effort: "high", task_budget: { total: 5 } },
      messages: [{ role: "user", content: [{ type: "hologram", size: 3 }] }],
      tools: [{ type: "teleport_20270101", name: "teleport" }],
    });
    expect(decoded.extra).toEqual({
      "anthropic-messages": {
        context_management: { edits: [] },
        thread: { type: "create" },
        output_config: { task_budget: { total: 5 } },
      },
    });
    expect(decoded.messages[0]?.parts).toEqual([
      { type: "opaque", wire: "anthropic-messages", value: { type: "hologram", size: 3 } },
    ]);
    expect(decoded.tools).toEqual([
      { type: "hosted", wire: "anthropic-messages", value: { type: "teleport_20270101", name: "teleport" } },
    ]);
    expect(decoded.reasoning?.effort).toBe("high");
  });

  it.each([
    [{ messages: "Hi" }, "messages"],
    [{ messages: [{ role: "tool", content: "x" }] }, "messages[0].role"],
    [{ messages: [{ role: "user", content: 5 }] }, "messages[0].content"],
    [{ messages: [{ role: "user" }] }, "messages[0].content"],
    [{ messages: [{ role: "user", content: [{ type: "text" }] }] }, "messages[0].content[0].text"],
    [{ messages: [{ role: "user", content: [{ type: "image" }] }] }, "messages[0].content[0].source"],
    [{ messages: [{ role: "user", content: [7] }] }, "messages[0].content[0]"],
    [{ max_tokens: "many" }, "max_tokens"],
    [{ model: 5 }, "model"],
    [{ tools: {} }, "tools"],
    [{ tools: [{ description: "no name" }] }, "tools[0].name"],
    [{ tool_choice: "auto" }, "tool_choice"],
    [{ stop_sequences: [1] }, "stop_sequences"],
    [{ system: [{ type: "image", source: { type: "url", url: "https://a/b" } }] }, "system[0].type"],
  ])("refuses %j by name", (body, param) => {
    const attempt = (): unknown => decode(body as JsonObject);
    expect(attempt).toThrow(GatewayError);
    try {
      attempt();
    } catch (error) {
      expect((error as GatewayError).details.param).toBe(param);
      expect((error as GatewayError).code).toBe("invalid_request");
    }
  });

  it("demands no limit, as a request to count tokens has none (F24)", () => {
    const { max_tokens: _limit, ...body } = minimal;
    expect(wire.decodeRequest(body, {}).maxOutputTokens).toBeUndefined();
  });

  it("takes the model from the path where the body has none", () => {
    const { model: _model, ...body } = minimal;
    expect(wire.decodeRequest(body, { model: "claude-3-haiku" }).model).toBe("claude-3-haiku");
    expect(() => wire.decodeRequest(body, {})).toThrow("model");
  });

  it("unseals foreign state, and gives a bound one back to its part (F14, F48)", () => {
    const bound = seal({ origin: "google+next", data: "sig" });
    const decoded = decode({
      messages: [
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "", signature: seal({ origin: "openai", data: "enc" }) },
            { type: "redacted_thinking", data: bound },
            { type: "tool_use", id: "toolu_1", name: "f", input: {} },
          ],
        },
      ],
    });
    expect(decoded.messages[0]?.parts).toEqual([
      { type: "reasoning", text: "", opaque: { origin: "openai", data: "enc" } },
      { type: "tool-call", callId: "toolu_1", name: "f", arguments: "{}", opaque: { origin: "google", data: "sig" } },
    ]);
  });

  it("tells the hosted tools that other wires know by their kind", () => {
    const kinds = decode({
      tools: [
        { type: "web_search_20260318", name: "web_search" },
        { type: "web_fetch_20250910", name: "web_fetch" },
        { type: "code_execution_20260120", name: "code_execution" },
        { type: "memory_20250818", name: "memory" },
      ],
    }).tools.map((tool) => (tool.type === "hosted" ? tool.kind : "function"));
    expect(kinds).toEqual(["web-search", "web-fetch", "code-execution", undefined]);
  });
});

describe("a request's round trip", () => {
  it.each<[string, JsonObject, string?]>([
    [
      "cache hints",
      {
        cache_control: { type: "ephemeral", ttl: "1h" },
        system: [{ type: "text", text: "S", cache_control: { type: "ephemeral" } }],
      },
    ],
    [
      "a scoped cache hint",
      { system: [{ type: "text", text: "S", cache_control: { type: "ephemeral", scope: "global" } }] },
    ],
    [
      "tools",
      {
        tools: [
          {
            name: "f",
            description: "d",
            input_schema: { type: "object", properties: {} },
            strict: true,
            cache_control: { type: "ephemeral" },
            defer_loading: true,
            type: "custom",
          },
        ],
        tool_choice: { type: "tool", name: "f", disable_parallel_tool_use: true },
      },
    ],
    [
      "server tools",
      {
        tools: [
          { type: "web_search_20250305", name: "web_search", max_uses: 2 },
          { type: "bash_20250124", name: "bash" },
        ],
      },
    ],
    ["a budget", { thinking: { type: "enabled", budget_tokens: 2048, display: "omitted" } }],
    ["a budget over the limit (interleaved)", { thinking: { type: "enabled", budget_tokens: 20_000 } }],
    [
      "thinking disabled beside an effort",
      { thinking: { type: "disabled" }, output_config: { effort: "high" } },
      "claude-opus-5",
    ],
    [
      "adaptive thinking",
      { thinking: { type: "adaptive", display: "summarized" }, output_config: { effort: "xhigh" } },
      "claude-opus-5",
    ],
    ["thinking between tools", { thinking: { type: "between_tools" } }, "claude-opus-5"],
    ["an effort alone", { output_config: { effort: "low" } }, "claude-opus-4-6"],
    ["thinking of a new kind", { thinking: { type: "dreaming", depth: 3 } }, "claude-opus-5"],
    ["a schema", { output_config: { format: { type: "json_schema", schema: { type: "object" } } } }],
    [
      "everything else",
      {
        metadata: { user_id: "u" },
        service_tier: "standard_only",
        stop_sequences: ["X"],
        temperature: 0.5,
        top_k: 5,
        container: "c",
        mcp_servers: [{ type: "url", url: "https://m", name: "m" }],
        speed: "fast",
        stream: true,
      },
    ],
  ])("keeps %s", (_name, more, model = "claude-sonnet-4-5") => {
    const { body, dropped } = roundTrip(more, model);
    expect(dropped).toEqual([]);
    expect(body).toEqual({
      ...minimal,
      ...more,
      model,
      messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
    });
  });

  it("keeps every block a user may send", () => {
    const content: JsonObject[] = [
      { type: "tool_result", tool_use_id: "toolu_1", content: "plain" },
      {
        type: "tool_result",
        tool_use_id: "toolu_2",
        is_error: true,
        content: [
          { type: "text", text: "look" },
          { type: "image", source: { type: "base64", media_type: "image/png", data: "AA==" } },
          { type: "document", source: { type: "text", media_type: "text/plain", data: "t" }, title: "T" },
          { type: "search_result", source: "https://s", title: "S", content: [{ type: "text", text: "x" }] },
        ],
      },
      { type: "image", source: { type: "url", url: "https://a/b.png" }, transformations: { oversized_image: "error" } },
      { type: "image", source: { type: "file", file_id: "file_1" } },
      {
        type: "document",
        source: { type: "base64", media_type: "application/pdf", data: "AA==" },
        citations: { enabled: true },
        context: "c",
      },
      { type: "document", source: { type: "content", content: [{ type: "text", text: "one" }] } },
      { type: "container_upload", file_id: "file_2" },
    ];
    const { body, dropped } = roundTrip({ messages: [{ role: "user", content }] });
    expect(dropped).toEqual([]);
    expect(body["messages"]).toEqual([{ role: "user", content }]);
  });

  it("keeps signed, signature-only and redacted thinking byte for byte (F10, F11)", () => {
    const content: JsonObject[] = [
      { type: "thinking", thinking: "Hm.", signature: "c2ln+/==" },
      { type: "thinking", thinking: "", signature: "only" },
      { type: "redacted_thinking", data: "ZGF0YQ==" },
      { type: "tool_use", id: "toolu_1", name: "f", input: { a: 1 }, caller: { type: "direct" } },
    ];
    const { body, dropped } = roundTrip({ messages: [{ role: "assistant", content }] });
    expect(dropped).toEqual([]);
    expect(body["messages"]).toEqual([{ role: "assistant", content }]);
  });

  it("moves the old beta's output_format to where it lives now", () => {
    const format = { type: "json_schema", schema: { type: "object" } };
    const { body } = roundTrip({ output_format: format });
    expect(body["output_config"]).toEqual({ format });
    expect(body["output_format"]).toBeUndefined();
  });

  it("gives the same bytes for the same request (F23)", () => {
    const more = { system: "S", tools: [{ name: "f", input_schema: { type: "object" } }], speed: "fast" };
    expect(JSON.stringify(roundTrip(more))).toBe(JSON.stringify(roundTrip(more)));
  });
});

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
    const tools = [
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
    ] as const;
    expect(encode({ tools: [...tools] }).body["tools"]).toEqual([
      {
        type: "web_search_20250305",
        name: "web_search",
        allowed_domains: ["a.b"],
        user_location: { type: "approximate", city: "Bonn" },
      },
    ]);
    const bedrock = wire.encodeRequest(
      request({ tools: [...tools] }),
      target("claude", { dialect: { bedrockAnthropic: true } }),
    );
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

describe("thinking", () => {
  const thinking = (reasoning: ChatRequest["reasoning"] & {}, model: string, more: Partial<ChatRequest> = {}) => {
    const { body, dropped } = encode({ reasoning, maxOutputTokens: 32_000, ...more }, model);
    return {
      thinking: body["thinking"],
      effort: (body["output_config"] as JsonObject | undefined)?.["effort"],
      dropped,
      body,
    };
  };

  it.each([
    ["claude-opus-5", "none", { type: "disabled" }, undefined],
    ["claude-opus-5", "minimal", { type: "adaptive" }, "low"],
    ["claude-opus-5", "medium", { type: "adaptive" }, "medium"],
    ["claude-opus-5", "xhigh", { type: "adaptive" }, "xhigh"],
    ["claude-opus-4-6", "xhigh", { type: "adaptive" }, "high"],
    ["claude-opus-4-6", "max", { type: "adaptive" }, "max"],
    ["claude-sonnet-4-5", "none", { type: "disabled" }, undefined],
    ["claude-sonnet-4-5", "low", { type: "enabled", budget_tokens: 1024 }, undefined],
    ["claude-sonnet-4-5", "medium", { type: "enabled", budget_tokens: 8192 }, undefined],
    ["claude-sonnet-4-5", "high", { type: "enabled", budget_tokens: 24_576 }, undefined],
    ["claude-sonnet-4-5", "max", { type: "enabled", budget_tokens: 25_600 }, undefined],
  ] as const)("%s at effort %s", (model, effort, expected, level) => {
    const told = thinking({ effort }, model);
    expect(told).toMatchObject({ thinking: expected, dropped: [] });
    expect(told.effort).toBe(level);
  });

  it("turns budgets into efforts where the model takes none, and keeps them in bounds where it does", () => {
    expect(thinking({ budgetTokens: 2000 }, "claude-opus-5")).toMatchObject({
      thinking: { type: "adaptive" },
      effort: "low",
    });
    expect(thinking({ budgetTokens: 2000 }, "claude-opus-4-6")).toMatchObject({
      thinking: { type: "enabled", budget_tokens: 2000 },
    });
    expect(thinking({ budgetTokens: 99_999 }, "claude-sonnet-4-5")).toMatchObject({
      thinking: { budget_tokens: 31_999 },
    });
    expect(thinking({ budgetTokens: 5 }, "claude-sonnet-4-5")).toMatchObject({ thinking: { budget_tokens: 1024 } });
    expect(thinking({ effort: "low" }, "claude-sonnet-4-5", { maxOutputTokens: 500 })).toMatchObject({
      thinking: undefined,
      dropped: ["reasoning"],
    });
  });

  it("turns a client's adaptive thinking into a budget for an older model, and a budget into adaptive for a newer", () => {
    const adaptive = decode({ max_tokens: 32_000, thinking: { type: "adaptive" }, output_config: { effort: "high" } });
    expect(wire.encodeRequest(adaptive, target("claude-sonnet-4-5")).body).toMatchObject({
      thinking: { type: "enabled", budget_tokens: 24_576 },
    });
    const enabled = decode({ max_tokens: 32_000, thinking: { type: "enabled", budget_tokens: 10_000 } });
    expect(wire.encodeRequest(enabled, target("claude-opus-5")).body).toMatchObject({
      thinking: { type: "adaptive" },
      output_config: { effort: "medium" },
    });
  });

  it("lets the host's dialect overrule the model's name", () => {
    const at = target("my-deployment", { dialect: { adaptiveThinking: true } });
    expect(wire.encodeRequest(request({ reasoning: { effort: "high" } }), at).body["thinking"]).toEqual({
      type: "adaptive",
    });
  });

  it("shows what the caller asked to see", () => {
    expect(thinking({ effort: "low", show: "detailed" }, "claude-opus-5").thinking).toEqual({
      type: "adaptive",
      display: "summarized",
    });
    expect(thinking({ effort: "low", show: "none" }, "claude-opus-5").thinking).toEqual({
      type: "adaptive",
      display: "omitted",
    });
  });

  it("gives way to a forced call, and takes no sampling beside it", () => {
    const tools = [{ type: "function", name: "f" } as const];
    expect(thinking({ effort: "low" }, "claude-sonnet-4-5", { tools, toolChoice: { type: "any" } })).toMatchObject({
      thinking: undefined,
      dropped: ["reasoning"],
    });
    expect(thinking({ effort: "low" }, "claude-opus-5", { tools, toolChoice: { type: "any" } })).toMatchObject({
      thinking: undefined,
      effort: "low",
      dropped: [],
    });
    const sampled = thinking({ effort: "low" }, "claude-sonnet-4-5", { sampling: { temperature: 0.2, topK: 5 } });
    expect(sampled.dropped).toEqual(["temperature", "topK"]);
    expect(sampled.body).not.toHaveProperty("temperature");
  });

  it("pauses in a tool loop that began without it, on models with budgets", () => {
    const messages = [user(text("x")), assistant(call("a")), user(result("a"))];
    expect(thinking({ effort: "low" }, "claude-sonnet-4-5", { messages })).toMatchObject({
      thinking: undefined,
      dropped: ["reasoning"],
    });
    expect(thinking({ effort: "low" }, "claude-opus-5", { messages }).thinking).toEqual({ type: "adaptive" });
  });

  it("drops sampling that a model refuses, and what is out of range", () => {
    expect(encode({ sampling: { temperature: 0.3, topP: 0.9 } }, "claude-opus-5").dropped).toEqual([
      "temperature",
      "topP",
    ]);
    const both = encode({ sampling: { temperature: 0.3, topP: 0.9 } }, "claude-sonnet-4-5");
    expect(both).toMatchObject({ body: { temperature: 0.3 }, dropped: ["topP"] });
    expect(encode({ sampling: { temperature: 1.7 } }, "claude-sonnet-4-5")).toMatchObject({
      body: { temperature: 1 },
      dropped: ["temperature"],
    });
  });
});
