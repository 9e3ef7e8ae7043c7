// Calls of Gemini clients read, and calls of any client written for Gemini.
import { assert, dictionary, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { GatewayError } from "../../../lib/model/error.ts";
import type { Json, JsonObject } from "../../../lib/model/json.ts";
import type { Message } from "../../../lib/model/message.ts";
import type { ChatRequest } from "../../../lib/model/request.ts";
import { decodeCountTokens, encodeCountTokens } from "../../../lib/wires/gemini-generate/aux.ts";
import { geminiGenerate } from "../../../lib/wires/gemini-generate/index.ts";
import { seal } from "../../../lib/wires/shared/seal.ts";
import { anyJson, anyKey, decode, model, request, target, user } from "./support.ts";

const encode = (over: Partial<ChatRequest>, to = target()) => geminiGenerate.encodeRequest(request(over), to);
const contents = (messages: Message[], to = target()): Json => encode({ messages }, to).body["contents"] ?? [];
const config = (over: Partial<ChatRequest>, name = "gemini-2.5-flash"): JsonObject =>
  (encode(over, target(name)).body["generationConfig"] ?? {}) as JsonObject;

describe("contents", () => {
  it("takes a text, one content, and contents without a role", () => {
    const expected = [{ role: "user", parts: [{ type: "text", text: "Hi" }] }];
    expect(decode({ contents: "Hi" }).messages).toEqual(expected);
    expect(decode({ contents: { parts: [{ text: "Hi" }] } }).messages).toEqual(expected);
    expect(decode({ contents: [{ parts: { text: "Hi" } }] }).messages).toEqual(expected);
  });

  it("takes the model and the method from the path", () => {
    const decoded = geminiGenerate.decodeRequest(
      { contents: "x", model: "other" },
      { model: "models/m", stream: true },
    );
    expect(decoded).toMatchObject({ model: "m", stream: true });
    expect(geminiGenerate.decodeRequest({ contents: "x", model: "models/m" }, {})).toMatchObject({
      model: "m",
      stream: false,
    });
  });

  it("takes snake case as well as camel case", () => {
    const decoded = decode({
      contents: [
        user(
          { inline_data: { mime_type: "image/png", data: "AA" } },
          { file_data: { file_uri: "gs://b/x.mp4", mime_type: "video/mp4" } },
        ),
        model({ function_call: { name: "f", args: { a_b: 1 } }, thought_signature: "S" }),
        user({ function_response: { name: "f", response: { output: "ok" } } }),
      ],
      system_instruction: { parts: [{ text: "Be brief." }] },
      generation_config: {
        max_output_tokens: 5,
        stop_sequences: ["x"],
        thinking_config: { thinking_budget: 0, include_thoughts: false },
      },
      tools: [
        { function_declarations: [{ name: "f", parameters_json_schema: { type: "object", properties: { a_b: {} } } }] },
      ],
      tool_config: { function_calling_config: { mode: "ANY", allowed_function_names: ["f"] } },
      safety_settings: [{ category: "C", threshold: "T" }],
    });
    expect(decoded).toMatchObject({
      system: [{ type: "text", text: "Be brief." }],
      maxOutputTokens: 5,
      sampling: { stop: ["x"] },
      reasoning: { effort: "none", budgetTokens: 0, show: "none" },
      toolChoice: { type: "tool", name: "f" },
      tools: [{ type: "function", name: "f", parameters: { type: "object", properties: { a_b: {} } } }],
    });
    expect(decoded.messages[0]?.parts).toEqual([
      { type: "image", source: { kind: "base64", mediaType: "image/png", data: "AA" } },
      { type: "video", source: { kind: "id", origin: "google", id: "gs://b/x.mp4", mediaType: "video/mp4" } },
    ]);
    expect(decoded.messages[1]?.parts[0]).toMatchObject({
      arguments: '{"a_b":1}',
      opaque: { origin: "google", data: "S" },
    });
    expect(decoded.messages[2]?.parts[0]).toMatchObject({ type: "tool-result", parts: [{ type: "text", text: "ok" }] });
  });

  it("matches results without ids to their calls by name and order", () => {
    const { messages } = decode({
      contents: [
        user({ text: "?" }),
        model(
          { functionCall: { name: "f", args: { n: 1 } } },
          { functionCall: { name: "g" } },
          { functionCall: { name: "f", args: { n: 2 } } },
        ),
        user(
          { functionResponse: { name: "g", response: { result: "G" } } },
          { functionResponse: { name: "f", response: { result: "F1" } } },
          { functionResponse: { name: "f", response: { result: "F2" } } },
        ),
      ],
    });
    const calls = messages[1]?.parts.map((part) => (part.type === "tool-call" ? part.callId : ""));
    const results = messages[2]?.parts.map((part) => (part.type === "tool-result" ? part.callId : ""));
    expect(new Set(calls).size).toBe(3);
    expect(results).toEqual([calls?.[1], calls?.[0], calls?.[2]]);
    // A call without arguments is `{}` (F2), and a made-up id is never sent (F23: the same on every call).
    expect(messages[1]?.parts[1]).toMatchObject({ arguments: "{}" });
    expect(JSON.stringify(contents(messages))).not.toContain('"id"');
  });

  it("unwraps what clients put into a response, and gives the same wire its own object back", () => {
    const cases: [JsonObject, string, boolean?][] = [
      [{ output: "a" }, "a"],
      [{ result: { n: 1 } }, '{"n":1}'],
      [{ name: "f", content: "c" }, "c"],
      [{ error: "bad" }, "bad", true],
      [{ a: 1, b: 2 }, '{"a":1,"b":2}'],
      [{}, ""],
    ];
    for (const [response, text, isError] of cases) {
      const { messages } = decode({
        contents: [model({ functionCall: { name: "f" } }), user({ functionResponse: { name: "f", response } })],
      });
      const result = messages[1]?.parts[0];
      expect(result).toMatchObject({
        parts: text === "" ? [] : [{ type: "text", text }],
        ...(isError ? { isError } : {}),
      });
      expect(contents(messages)).toMatchObject([{}, { parts: [{ functionResponse: { name: "f", response } }] }]);
    }
  });

  it("joins the chunks of an answer that an SDK chat kept apart, a foreign thought with its signature", () => {
    const sealed = seal({ origin: "anthropic", data: "sig" });
    const { messages } = decode({
      contents: [
        user({ text: "?" }),
        model({ text: "I th", thought: true }),
        model({ text: "ink", thought: true, thoughtSignature: sealed }),
        model({ text: "He" }),
        model({ text: "llo" }),
        model({ text: "", thoughtSignature: "G" }),
      ],
    });
    expect(messages[1]?.parts).toEqual([
      { type: "reasoning", text: "I think", opaque: { origin: "anthropic", data: "sig" } },
      { type: "text", text: "Hello" },
      { type: "text", text: "", opaque: { origin: "google", data: "G" } },
    ]);
    // Foreign state and its thought stay out of a call to Google, its own goes back (F12, F14, F48).
    expect(contents(messages)).toEqual([
      user({ text: "?" }),
      model({ text: "Hello" }, { text: "", thoughtSignature: "G" }),
    ]);
  });

  it("carries parts and fields it does not know", () => {
    const body = {
      contents: [user({ text: "x", partMetadata: { a: 1 } }, { somethingNew: { deep: [1] } })],
      cachedContent: "cachedContents/1",
      labels: { team: "a" },
      newField: { x: true },
      generationConfig: { responseModalities: ["TEXT"], speechConfig: { voice: "v" }, newKnob: 3 },
      toolConfig: { retrievalConfig: { latLng: {} } },
      tools: [{ fileSearch: { stores: ["s"] } }, { googleSearch: { excludeDomains: ["d"] } }],
    };
    const decoded = decode(body);
    expect(decoded.tools).toMatchObject([{ type: "hosted" }, { type: "hosted", kind: "web-search" }]);
    const { body: again, dropped } = geminiGenerate.encodeRequest(decoded, target());
    expect(again).toEqual(body);
    expect(dropped).toEqual([]);
  });

  it.each([
    ["contents", {}],
    ["contents", { contents: 5 }],
    ["contents[0]", { contents: [null] }],
    ["contents[0].role", { contents: [{ role: "assistant", parts: [] }] }],
    ["contents[0].parts[1].text", { contents: [user({ text: "a" }, { text: 1 })] }],
    ["generationConfig.temperature", { contents: "x", generationConfig: { temperature: "hot" } }],
    ["generationConfig.stopSequences[0]", { contents: "x", generationConfig: { stopSequences: [1] } }],
    ["tools[0].functionDeclarations[0].name", { contents: "x", tools: [{ functionDeclarations: [{}] }] }],
    ["systemInstruction.parts", { contents: "x", systemInstruction: 5 }],
    ["toolConfig", { contents: "x", toolConfig: "ANY" }],
  ] as [string, JsonObject][])("names %s where it is wrong", (param, body) => {
    expect(() => decode(body)).toThrow(
      expect.objectContaining({ code: "invalid_request", details: { param } }) as Error,
    );
  });

  it("never fails otherwise, whatever is thrown at it", () => {
    const failed = (body: JsonObject): unknown => {
      try {
        geminiGenerate.encodeRequest(decode(body), target("gemini-3-pro-preview"));
        return undefined;
      } catch (error) {
        return error instanceof GatewayError && error.status === 400 ? undefined : error;
      }
    };
    assert(
      property(dictionary(anyKey, anyJson, { maxKeys: 6 }), (body) => {
        expect(failed(body as JsonObject)).toBeUndefined();
      }),
      { numRuns: 400 },
    );
  });
});

describe("a call for Gemini", () => {
  const call = (callId: string, name: string, args = "{}"): Message["parts"][number] => ({
    type: "tool-call",
    callId,
    name,
    arguments: args,
  });
  const result = (callId: string, text: string, over: object = {}): Message["parts"][number] => ({
    type: "tool-result",
    callId,
    parts: [{ type: "text", text }],
    ...over,
  });

  it("puts results in the order of their calls, in one turn, with the names of the history", () => {
    const messages: Message[] = [
      { role: "user", parts: [{ type: "text", text: "?" }] },
      { role: "assistant", parts: [{ type: "text", text: "" }, call("c1", "f"), call("c2", "g")] },
      { role: "user", parts: [result("c2", "two")] },
      { role: "user", parts: [result("c1", '{"n":1}'), { type: "text", text: "go on" }] },
    ];
    expect(contents(messages)).toEqual([
      user({ text: "?" }),
      // No empty text beside calls (F17).
      model({ functionCall: { id: "c1", name: "f", args: {} } }, { functionCall: { id: "c2", name: "g", args: {} } }),
      user(
        { functionResponse: { id: "c1", name: "f", response: { n: 1 } } },
        { functionResponse: { id: "c2", name: "g", response: { output: "two" } } },
        { text: "go on" },
      ),
    ]);
    expect(JSON.stringify(contents(messages, target("m", { functionIds: false })))).not.toContain('"id"');
  });

  it("tells errors and puts images where the model takes them (F15)", () => {
    const image = { type: "image", source: { kind: "base64", data: "AA", mediaType: "image/png" } } as const;
    const messages: Message[] = [
      { role: "assistant", parts: [call("c1", "f")] },
      {
        role: "user",
        parts: [{ type: "tool-result", callId: "c1", isError: true, parts: [{ type: "text", text: "no" }, image] }],
      },
    ];
    const native = { inlineData: { mimeType: "image/png", data: "AA" } };
    const response = { id: "c1", name: "f", response: { error: "no" } };
    expect(contents(messages)).toMatchObject([{}, { parts: [{ functionResponse: response }, native] }]);
    expect(contents(messages, target("gemini-3-flash-preview"))).toMatchObject([
      {},
      { parts: [{ functionResponse: { ...response, parts: [native] } }] },
    ]);
  });

  it("gives Gemini 3 a signature for calls of other models (F14)", () => {
    const messages: Message[] = [{ role: "assistant", parts: [call("c1", "f"), call("c2", "g")] }];
    expect(contents(messages, target("gemini-3-pro-preview"))).toMatchObject([
      { parts: [{ thoughtSignature: "skip_thought_signature_validator" }, {}] },
    ]);
    expect(JSON.stringify(contents(messages))).not.toContain("thoughtSignature");
    const signed: Message[] = [
      {
        role: "assistant",
        parts: [{ ...call("c1", "f"), opaque: { origin: "google", data: "S" } } as Message["parts"][number]],
      },
    ];
    expect(contents(signed, target("gemini-3-pro-preview"))).toMatchObject([{ parts: [{ thoughtSignature: "S" }] }]);
  });

  it("reads arguments that were cut or are no JSON", () => {
    const args = (text: string) => contents([{ role: "assistant", parts: [call("c", "f", text)] }]);
    const withArgs = (value: JsonObject) => [model({ functionCall: { id: "c", name: "f", args: value } })];
    expect(args("")).toEqual(withArgs({}));
    expect(args('{"a":1,"b":"x')).toEqual(withArgs({ a: 1, b: "x" }));
    expect(args('{"a":[1,2],"b":{"c":tr')).toEqual(withArgs({ a: [1, 2], b: {} }));
    expect(args("what?")).toEqual(withArgs({}));
  });

  it("tags an instruction in mid-conversation in the user's next turn, after results", () => {
    const messages: Message[] = [
      { role: "assistant", parts: [call("c1", "f")] },
      { role: "system", parts: [{ type: "text", text: "Be kind." }] },
      { role: "user", parts: [result("c1", "r")] },
    ];
    expect(contents(messages)).toMatchObject([
      { role: "model" },
      { role: "user", parts: [{ functionResponse: {} }, { text: "<system>\nBe kind.\n</system>" }] },
    ]);
  });

  it("names what it can't say (F18)", () => {
    const { dropped } = encode({
      tools: [
        { type: "hosted", wire: "openai-responses", value: { type: "mcp" } },
        { type: "hosted", wire: "anthropic-messages", kind: "web-search", value: {} },
        { type: "function", name: "f", strict: true },
      ],
      messages: [{ role: "user", parts: [{ type: "image", source: { kind: "id", id: "file-1", origin: "openai" } }] }],
      sampling: { logitBias: {}, stop: ["1", "2", "3", "4", "5", "6"] },
      parallelToolCalls: false,
      verbosity: "low",
      metadata: { userId: "u" },
    });
    expect(dropped).toEqual(
      expect.arrayContaining([
        "tools[0]",
        "tools[1]",
        "tools[2].strict",
        "messages[0].content[0]",
        "logitBias",
        "stop[5]",
        "parallelToolCalls",
        "verbosity",
        "metadata.userId",
      ]),
    );
  });

  it("translates hosted tools of the same meaning", () => {
    const { body } = encode({
      tools: [
        { type: "hosted", wire: "anthropic-messages", kind: "web-search", value: {} },
        { type: "hosted", wire: "openai-responses", kind: "code-execution", value: {} },
      ],
    });
    expect(body["tools"]).toEqual([{ googleSearch: {} }, { codeExecution: {} }]);
  });

  it("drops by name what the host refuses", () => {
    const { body, dropped } = encode({ sampling: { seed: 1, topK: 2 } }, target("m", { refuses: ["topK"] }));
    expect(body["generationConfig"]).toEqual({ seed: 1 });
    expect(dropped).toEqual(["topK"]);
  });
});

describe("tools and schemas", () => {
  it("reads the OpenAPI subset as JSON Schema and gives Gemini its own back (F19)", () => {
    const parameters = {
      type: "OBJECT",
      properties: {
        a_b: { type: "STRING", nullable: true, enum: ["x"] },
        list: { type: "array", items: { type: "INTEGER" }, max_items: "3" },
      },
      propertyOrdering: ["a_b"],
      required: ["a_b"],
    };
    const decoded = decode({ contents: "x", tools: [{ functionDeclarations: [{ name: "f", parameters }] }] });
    expect(decoded.tools[0]).toMatchObject({
      parameters: {
        type: "object",
        properties: {
          a_b: { type: ["string", "null"], enum: ["x", null] },
          list: { type: "array", items: { type: "integer" }, maxItems: 3 },
        },
        required: ["a_b"],
      },
    });
    expect(geminiGenerate.encodeRequest(decoded, target()).body["tools"]).toEqual([
      { functionDeclarations: [{ name: "f", parameters }] },
    ]);
  });

  it("writes JSON Schema into the fields that take `$ref` and unions (F19, F22)", () => {
    const schema = {
      type: "object",
      properties: { a: { $ref: "#/$defs/A" } },
      $defs: { A: { type: ["string", "null"] } },
    };
    const { body } = encode({
      tools: [{ type: "function", name: "f", description: "d", parameters: schema }],
      output: { type: "json-schema", schema, name: "n" },
    });
    expect(body["tools"]).toEqual([
      { functionDeclarations: [{ name: "f", description: "d", parametersJsonSchema: schema }] },
    ]);
    expect(body["generationConfig"]).toEqual({ responseMimeType: "application/json", responseJsonSchema: schema });
  });

  it.each([
    [{ mode: "AUTO" }, { type: "auto" }],
    [{ mode: "NONE" }, { type: "none" }],
    [{ mode: "ANY" }, { type: "any" }],
    [
      { mode: "ANY", allowedFunctionNames: ["f"] },
      { type: "tool", name: "f" },
    ],
    [
      { mode: "ANY", allowedFunctionNames: ["f", "g"] },
      { type: "subset", names: ["f", "g"], required: true },
    ],
    [
      { mode: "VALIDATED", allowedFunctionNames: ["f"] },
      { type: "subset", names: ["f"], required: false },
    ],
    [{ mode: "VALIDATED" }, { type: "auto" }],
  ] as [JsonObject, JsonObject][])("choice %j", (functionCallingConfig, choice) => {
    const decoded = decode({
      contents: "x",
      tools: [{ functionDeclarations: [{ name: "f" }, { name: "g" }] }],
      toolConfig: { functionCallingConfig },
    });
    expect(decoded.toolChoice).toEqual(choice);
    expect(geminiGenerate.encodeRequest(decoded, target()).body["toolConfig"]).toEqual({ functionCallingConfig });
  });
});

describe("thinking", () => {
  it.each([
    ["gemini-3-flash-preview", { effort: "none" }, { thinkingLevel: "MINIMAL" }],
    ["gemini-3-pro-preview", { effort: "medium" }, { thinkingLevel: "HIGH" }],
    ["gemini-3.1-pro-preview", { effort: "medium", show: "auto" }, { thinkingLevel: "MEDIUM", includeThoughts: true }],
    ["gemini-3-flash-preview", { budgetTokens: 4096 }, { thinkingLevel: "MEDIUM" }],
    ["gemini-2.5-flash", { effort: "low" }, { thinkingBudget: 1024 }],
    ["gemini-2.5-pro", { effort: "none" }, { thinkingBudget: 128 }],
    ["gemini-2.5-flash", { budgetTokens: 50000 }, { thinkingBudget: 24576 }],
    ["gemini-2.5-flash", { dynamic: true }, { thinkingBudget: -1 }],
  ] as [string, NonNullable<ChatRequest["reasoning"]>, JsonObject][])("%s: %j", (name, reasoning, expected) => {
    expect(config({ reasoning }, name)["thinkingConfig"]).toEqual(expected);
  });

  it("leaves models that do not think alone, and a client's own form to those that know it", () => {
    expect(config({ reasoning: { effort: "high" } }, "gemini-2.0-flash")).toEqual({});
    const level = decode({ contents: "x", generationConfig: { thinkingConfig: { thinkingLevel: "low" } } });
    expect(config(level, "gemini-3-pro-preview")).toEqual({ thinkingConfig: { thinkingLevel: "low" } });
    expect(config(level, "gemini-2.5-pro")).toEqual({ thinkingConfig: { thinkingBudget: 1024 } });
    const budget = decode({
      contents: "x",
      generationConfig: { thinkingConfig: { thinkingBudget: -1, includeThoughts: true } },
    });
    expect(budget.reasoning).toMatchObject({ dynamic: true, show: "auto" });
    expect(config(budget, "gemini-3-pro-preview")).toEqual({
      thinkingConfig: { thinkingBudget: -1, includeThoughts: true },
    });
  });
});

describe("counting tokens (F24)", () => {
  it("reads both forms of the body", () => {
    expect(decodeCountTokens({ contents: "Hi" }, { model: "m" })).toMatchObject({ model: "m", stream: false });
    const whole = { generateContentRequest: { model: "models/m", contents: "Hi", systemInstruction: "S" } };
    expect(decodeCountTokens(whole, { model: "m" })).toMatchObject({ system: [{ text: "S" }] });
    expect(encodeCountTokens(7)).toMatchObject({ totalTokens: 7 });
  });
});
