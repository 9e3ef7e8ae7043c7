// What is said and asked, through the gateway: images, empty texts, schemas, the prompt cache, usage and its price.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isObject, type Json, type JsonObject } from "../../lib/model/json.ts";
import type { Message, Part } from "../../lib/model/message.ts";
import type { FunctionTool } from "../../lib/model/request.ts";
import { type ClientWireId, clientWireIds } from "../../lib/model/wire-id.ts";
import { type Exchange, hostOfWire, say, startExchange } from "../support/exchange.ts";
import { until } from "../support/gateway.ts";
import { rawWires } from "../support/wires.ts";

let exchange: Exchange;
beforeAll(async () => {
  exchange = await startExchange();
});
afterAll(() => exchange.stop());
beforeEach(() => exchange.says(say({ type: "text", text: "Hello" })));

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const text = (said: string): Part => ({ type: "text", text: said });
const user = (...parts: Part[]): Message => ({ role: "user", parts });
const image: Part = { type: "image", source: { kind: "base64", data: png, mediaType: "image/png" } };
const tools: FunctionTool[] = [
  { type: "function", name: "look", parameters: { type: "object", properties: { at: { type: "string" } } } },
];
const call: Part = { type: "tool-call", callId: "toolu_1", name: "look", arguments: '{"at":"sky"}' };
const pairs = clientWireIds.flatMap((client) => clientWireIds.map((host) => ({ client, host })));

/** Every object in `value`, whatever it is in. */
const objectsIn = (value: Json | undefined): JsonObject[] =>
  Array.isArray(value)
    ? value.flatMap(objectsIn)
    : isObject(value)
      ? [value, ...Object.values(value).flatMap(objectsIn)]
      : [];

describe("images", () => {
  /** How many pictures each wire's own way of saying one occurs in a body. */
  const pictures: Record<ClientWireId, (object: JsonObject) => boolean> = {
    "anthropic-messages": (object) => object["type"] === "image" && JSON.stringify(object).includes(png),
    "openai-chat": (object) =>
      object["type"] === "image_url" && JSON.stringify(object).includes(`data:image/png;base64,${png}`),
    "openai-responses": (object) =>
      object["type"] === "input_image" && object["image_url"] === `data:image/png;base64,${png}`,
    "gemini-generate": (object) => isObject(object["inlineData"]) && object["inlineData"]["data"] === png,
  };
  test.each(pairs)(
    "of a $client client reach a $host host, from its turn and from a tool's result (F15)",
    async ({ client, host }) => {
      const messages = [
        user(text("Look at"), image),
        { role: "assistant", parts: [call] } satisfies Message,
        user({ type: "tool-result", callId: "toolu_1", name: "look", parts: [text("RESULT"), image] }),
      ];
      const got = await exchange.ask(client, { model: `${hostOfWire[host]}/gemini-3-pro-preview`, messages, tools });
      expect(got.text).toContain("Hello");
      const [heard] = exchange.heard();
      expect(objectsIn(heard?.body).filter(pictures[host])).toHaveLength(2);
      expect(heard?.text).toContain("RESULT");
      expect(got.headers.get("heddle-dropped")).toBeNull();
    },
  );
});

describe("an empty text beside a call", () => {
  const history = (assistant: object): object => ({
    tools: [{ type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } }],
    messages: [
      { role: "user", content: "go" },
      {
        role: "assistant",
        ...assistant,
        tool_calls: [{ id: "call_1", type: "function", function: { name: "look", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "RESULT" },
    ],
  });
  test.each(
    ["anthropic", "openai", "google"].flatMap((host) =>
      [{ content: "" }, { content: null }, {}, { content: [] }, { content: [{ type: "text", text: "" }] }].map(
        (content) => ({ host, content }),
      ),
    ),
  )("is no block at $host: $content (F17)", async ({ host, content }) => {
    const got = await exchange.ask("openai-chat", { model: `${host}/up` }, { body: history(content) as JsonObject });
    expect(got.status).toBe(200);
    const empty = objectsIn(exchange.heard()[0]?.body).filter((object) => object["text"] === "");
    expect(empty).toEqual([]);
    expect(exchange.heard()[0]?.text).toContain("RESULT");
  });
});

describe("schemas that Gemini's own fields don't know", () => {
  const parameters: JsonObject = {
    type: "object",
    properties: {
      node: { $ref: "#/$defs/node" },
      either: { anyOf: [{ type: "string" }, { type: "null" }] },
      many: { type: ["string", "integer"] },
      fixed: { const: "x" },
    },
    required: ["node"],
    additionalProperties: false,
    $defs: { node: { type: "object", properties: { next: { $ref: "#/$defs/node" } } } },
  };
  test.each(clientWireIds.filter((client) => client !== "gemini-generate"))(
    "of a %s client go where JSON Schema is read, or are spelt out (F19)",
    async (client) => {
      const deep: FunctionTool[] = [{ type: "function", name: "look", parameters }];
      const output = { type: "json-schema", schema: parameters, name: "deep" } as const;
      const got = await exchange.ask(client, {
        model: "google/gemini-2.5-pro",
        messages: [user(text("go"))],
        tools: deep,
        output,
      });
      expect(got.status).toBe(200);
      const body = exchange.heard()[0]?.body;
      const declared = objectsIn(body).find((object) => object["name"] === "look");
      expect(declared).toMatchObject({ parametersJsonSchema: parameters });
      expect(declared).not.toHaveProperty("parameters");
      expect(body?.["generationConfig"]).toMatchObject({ responseJsonSchema: parameters });
      expect(body?.["generationConfig"]).not.toHaveProperty("responseSchema");
    },
  );
});

describe("the provider's prompt cache", () => {
  const cached: Message[] = [
    user({ type: "text", text: "LONG", cache: {} }),
    { role: "assistant", parts: [text("ok"), call] },
    user(
      { type: "tool-result", callId: "toolu_1", name: "look", parts: [text("RESULT")], cache: { ttl: "1h" } },
      text("go on"),
    ),
  ];
  const system = [{ type: "text" as const, text: "RULES", cache: {} }];
  const request = { messages: cached, system, tools };

  test.each(pairs)(
    "is hit by a $client client's same request to $host: the same bytes (F23)",
    async ({ client, host }) => {
      const sent: string[] = [];
      for (let times = 0; times < 2; times += 1) {
        await exchange.ask(client, { ...request, model: `${hostOfWire[host]}/up` });
        sent.push(exchange.heard()[0]?.text ?? "");
      }
      expect(sent[0]).not.toBe("");
      expect(sent[1]).toBe(sent[0]);
    },
  );

  test.each(pairs)(
    "is hit by a $client client's longer history to $host: what was sent before begins it again (F23)",
    async ({ client, host }) => {
      const turns = async (messages: Message[]): Promise<string[]> => {
        await exchange.ask(client, { ...request, messages, model: `${hostOfWire[host]}/up` });
        const body = exchange.heard()[0]?.body ?? {};
        const list = body["messages"] ?? body["input"] ?? body["contents"];
        return Array.isArray(list) ? list.map((entry) => JSON.stringify(entry)) : [];
      };
      const before = await turns(cached);
      const after = await turns([...cached, { role: "assistant", parts: [text("well")] }, user(text("and now?"))]);
      expect(before.length).toBeGreaterThan(2);
      expect(after.slice(0, before.length)).toEqual(before);
    },
  );

  test.each(["anthropic-messages"] as const)(
    "keeps its marks from a %s client to Anthropic, byte for byte (F23)",
    async (client) => {
      await exchange.ask(client, { ...request, model: "anthropic/claude-sonnet-4-5" });
      const marks = objectsIn(exchange.heard()[0]?.body).flatMap((object) =>
        object["cache_control"] === undefined ? [] : [object["cache_control"]],
      );
      expect(marks).toEqual([{ type: "ephemeral" }, { type: "ephemeral" }, { type: "ephemeral", ttl: "1h" }]);
    },
  );

  test("keeps marks that a Chat client wrote, on the way to Anthropic (F23)", async () => {
    const content = [{ type: "text", text: "LONG", cache_control: { type: "ephemeral", ttl: "1h" } }];
    await exchange.ask(
      "openai-chat",
      { model: "anthropic/claude-sonnet-4-5" },
      { body: { messages: [{ role: "user", content }] } },
    );
    expect(exchange.heard()[0]?.text).toContain('"cache_control":{"type":"ephemeral","ttl":"1h"}');
  });
});

describe("usage", () => {
  const record = async (): Promise<Record<string, unknown>> => {
    const found = (): Record<string, unknown> | undefined =>
      exchange.gateway.logs.find((line) => line["message"] === "call");
    await until(() => found() !== undefined, "the call's record");
    return found() ?? {};
  };
  beforeEach(() => {
    exchange.gateway.logs.length = 0;
  });

  const frame = (value: { type: string } & Record<string, unknown>): string =>
    `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
  const cumulative = [
    frame({
      type: "message_start",
      message: {
        id: "msg_1",
        type: "message",
        role: "assistant",
        model: "up",
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 10, cache_read_input_tokens: 90, cache_creation_input_tokens: 0, output_tokens: 1 },
      },
    }),
    frame({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
    frame({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello" } }),
    frame({ type: "content_block_stop", index: 0 }),
    frame({ type: "message_delta", delta: {}, usage: { output_tokens: 20 } }),
    frame({
      type: "message_delta",
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { input_tokens: 10, cache_read_input_tokens: 90, cache_creation_input_tokens: 0, output_tokens: 50 },
    }),
    frame({ type: "message_stop" }),
  ].join("");

  test.each(clientWireIds)(
    "that Anthropic tells again and again is the last of it, for a %s client and in the record (F35, F36)",
    async (client) => {
      const host = await startExchange();
      try {
        host.upstream.answer((_request, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" });
          response.end(cumulative);
        });
        const got = await host.ask(client, {
          model: "anthropic/claude-sonnet-4-5",
          messages: [user(text("hi"))],
          stream: true,
          includeUsage: true,
        });
        expect(got.response.usage).toMatchObject({ input: 100, cachedInput: 90, output: 50 });
        await until(() => host.gateway.logs.some((line) => line["message"] === "call"), "the call's record");
        expect(host.gateway.logs.find((line) => line["message"] === "call")).toMatchObject({
          inputTokens: 100,
          cachedInputTokens: 90,
          outputTokens: 50,
        });
      } finally {
        await host.stop();
      }
    },
  );

  test.each(clientWireIds)(
    "of a model without a known price is flagged, not billed 0, for a %s client (F37)",
    async (client) => {
      const got = await exchange.ask(client, { model: "chat/made-up-model", messages: [user(text("hi"))] });
      expect(got.headers.get("heddle-cost")).toBeNull();
      const written = await record();
      expect(written).toMatchObject({ priced: false, inputTokens: 5, outputTokens: 2 });
      expect(written).not.toHaveProperty("cost");
    },
  );

  test("of a known model has its price at once, and no price was fetched for it (F37)", async () => {
    const got = await exchange.ask("openai-chat", { model: "openai/gpt-4o-mini", messages: [user(text("hi"))] });
    expect(Number(got.headers.get("heddle-cost"))).toBeGreaterThan(0);
    expect(await record()).toMatchObject({ priced: true });
    expect(exchange.upstream.requests).toHaveLength(1);
  });
});

test("every wire's plain call has its own way through every host", async () => {
  for (const { client, host } of pairs) {
    const got = await exchange.ask(client, { model: `${hostOfWire[host]}/up`, messages: [user(text("hi"))] });
    expect(got.text).toContain("Hello");
    expect(() => rawWires[client].envelope(JSON.parse(got.text))).toThrow("not the wire's error envelope");
  }
});
