// A JSON schema, through the gateway: enforced in the way each target has, told by name where it can't be, refused where nothing helps.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ChatResponse } from "../../../lib/model/event.ts";
import { asObject, type JsonObject } from "../../../lib/model/json.ts";
import type { Message, Part } from "../../../lib/model/message.ts";
import type { ChatRequest, OutputFormat } from "../../../lib/model/request.ts";
import { clientWireIds } from "../../../lib/model/wire-id.ts";
import { adapt } from "../../../lib/wires/shared/adapt.ts";
import { bedrockConverse } from "../../../lib/wires/bedrock-converse/index.ts";
import { fold, unfold } from "../../../lib/wires/shared/fold.ts";
import { type Exchange, type Heard, say, startExchange } from "../../support/exchange.ts";

let exchange: Exchange;
beforeAll(async () => {
  exchange = await startExchange(`
  groq: { kind: openai-compatible, apiKey: fake-key-e, baseUrl: "$URL/v1", dialect: { structuredOutput: tool } }
  thinker: { kind: openai-compatible, apiKey: fake-key-f, baseUrl: "$URL/v1", dialect: { structuredOutput: json_object, toolChoiceRequired: false } }
  free: { kind: openai-compatible, apiKey: fake-key-g, baseUrl: "$URL/v1", dialect: { structuredOutput: tool, toolChoiceRequired: false } }
  plain: { kind: openai-compatible, apiKey: fake-key-h, baseUrl: "$URL/v1", dialect: { structuredOutput: none, toolChoiceRequired: false } }
  down: { kind: openai-compatible, apiKey: fake-key-i, baseUrl: "http://127.0.0.1:1/v1" }
models:
  to-forced: { strategy: fallback, targets: [down/up, anthropic/claude-3-5-haiku-latest] }
  to-able: { strategy: fallback, targets: [plain/up, chat/up] }
  to-unable: { strategy: fallback, targets: [down/up, plain/up] }
`);
});
afterAll(() => exchange.stop());

const schema: JsonObject = {
  type: "object",
  properties: { title: { type: "string" }, pages: { type: "integer" } },
  required: ["title", "pages"],
  additionalProperties: false,
};
const output: OutputFormat = { type: "json-schema", name: "book", schema };
const book = '{"title":"Moby","pages":635}';
const messages: Message[] = [{ role: "user", parts: [{ type: "text", text: "A book." }] }];

const ours = "respond_with_json";
const called = (args: string, name = ours): Part => ({
  type: "tool-call",
  callId: `call_${name}`,
  name,
  arguments: args,
});
/** A host that does as it is forced: calls the tool where it must, else says the JSON. */
const obeys =
  (args: string, text = args) =>
  ({ request }: Heard): Partial<ChatResponse> =>
    request.tools.some((tool) => tool.type === "function" && tool.name === ours)
      ? say(called(args))
      : say({ type: "text", text });

const textOf = ({ parts }: ChatResponse): string =>
  parts.map((part) => (part.type === "text" ? part.text : "")).join("");
const at = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((inner, name) => asObject(inner)?.[name], value);

const forced = (body: JsonObject): unknown => at(body, "tool_choice");
const ways: [string, (body: JsonObject) => unknown, unknown][] = [
  ["openai/gpt-5", (body) => at(body, "text", "format", "schema"), schema],
  ["chat/up", (body) => at(body, "response_format", "json_schema", "schema"), schema],
  ["google/gemini-2.5-pro", (body) => at(body, "generationConfig", "responseJsonSchema"), schema],
  ["anthropic/claude-sonnet-4-6", (body) => at(body, "output_config", "format", "schema"), schema],
  ["anthropic/claude-3-5-haiku-latest", forced, expect.objectContaining({ type: "tool", name: ours })],
  ["groq/up", forced, { type: "function", function: { name: ours } }],
  ["to-forced", forced, expect.objectContaining({ type: "tool", name: ours })],
];

describe.each(clientWireIds)("client %s", (client) => {
  // What an Anthropic client asks of Anthropic passes as bytes: the host itself enforces or refuses it.
  const translated = ways.filter(([model]) => client !== "anthropic-messages" || !model.startsWith("anthropic/"));
  describe.each(translated)("%s", (model, enforced, expected) => {
    test.each([true, false])(
      "is held to the schema, and its answer is the JSON; streamed: %s (F22)",
      async (stream) => {
        exchange.says(obeys(book));
        const got = await exchange.ask(client, { model, messages, output, stream });
        expect(got.status).toBe(200);
        expect(textOf(got.response)).toBe(book);
        expect(got.response.reason).toBe("end");
        expect(got.response.parts.some((part) => part.type === "tool-call")).toBe(false);
        expect(got.headers.get("heddle-dropped")).toBeNull();
        expect(enforced(exchange.heard()[0]?.body ?? {})).toEqual(expected);
      },
    );
  });
});

describe("a host that can't be forced", () => {
  test("but makes JSON is asked for it, told the schema in words, and the schema is named as dropped (F22)", async () => {
    exchange.says(obeys("", book));
    const got = await exchange.ask("openai-responses", { model: "thinker/up", messages, output });
    expect(textOf(got.response)).toBe(book);
    expect(got.headers.get("heddle-dropped")).toBe("response_format.json_schema");
    const [heard] = exchange.heard();
    expect(heard?.body["response_format"]).toEqual({ type: "json_object" });
    expect(heard?.body["tools"]).toBeUndefined();
    expect(heard?.text).toContain(JSON.stringify(JSON.stringify(schema)).slice(1, -1));
  });

  test("but calls tools is given one, and the schema is named as dropped (F22)", async () => {
    exchange.says(obeys(book));
    const got = await exchange.ask("openai-responses", { model: "free/up", messages, output });
    expect(textOf(got.response)).toBe(book);
    expect(got.headers.get("heddle-dropped")).toBe("response_format");
    expect(exchange.heard()[0]?.body["tool_choice"]).toBe("auto");
  });

  test.each(["thinker/up", "free/up"])("refuses a strict caller before %s is asked (F18, F22)", async (model) => {
    const got = await exchange.ask(
      "openai-responses",
      { model, messages, output },
      { headers: { "heddle-strict": "true" } },
    );
    expect(got.status).toBe(400);
    expect(exchange.heard()).toEqual([]);
  });

  test("and makes no JSON refuses every caller, before it is asked (F22)", async () => {
    const got = await exchange.ask("openai-responses", { model: "plain/up", messages, output });
    expect(got.status).toBe(400);
    expect(JSON.parse(got.text)).toMatchObject({ error: { param: "response_format" } });
    expect(exchange.heard()).toEqual([]);
  });

  test("leaves the call to the next target, which can (F22)", async () => {
    exchange.says(obeys(book));
    const got = await exchange.ask("openai-responses", { model: "to-able", messages, output });
    expect(got.headers.get("heddle-provider")).toBe("chat");
    expect(textOf(got.response)).toBe(book);
    expect(exchange.heard()).toHaveLength(1);
  });

  test("does not hide why the target before it failed (F22)", async () => {
    const got = await exchange.ask("openai-responses", { model: "to-unable", messages, output });
    expect(got.status).toBe(502);
  });
});

describe("a forced call", () => {
  const model = "anthropic/claude-3-5-haiku-latest";

  test.each([true, false])("gives any value that a schema may ask for; streamed: %s (F22)", async (stream) => {
    exchange.says(obeys('{"value":["a","b"]}'));
    const list: OutputFormat = { type: "json-schema", schema: { type: "array", items: { type: "string" } } };
    const got = await exchange.ask("openai-chat", { model, messages, output: list, stream });
    expect(textOf(got.response)).toBe('["a","b"]');
    expect(at(exchange.heard()[0]?.body["tools"], "0")).toBeUndefined();
    expect(JSON.stringify(exchange.heard()[0]?.body["tools"])).toContain('"required":["value"]');
  });

  test.each([true, false])("is not spoilt by words beside it; streamed: %s (F22)", async (stream) => {
    exchange.says(say({ type: "text", text: "Here it is:" }, called(book)));
    const got = await exchange.ask("openai-chat", { model, messages, output, stream });
    expect(textOf(got.response)).toBe(book);
  });

  test.each([true, false])(
    "is no call where the model calls a tool of the caller's first; streamed: %s (F22)",
    async (stream) => {
      exchange.says(say({ type: "text", text: "I look it up." }, called("{}", "search")));
      const tools: ChatRequest["tools"] = [
        { type: "function", name: "search", parameters: { type: "object", properties: {} } },
      ];
      const got = await exchange.ask("openai-chat", { model, messages, output, tools, stream });
      expect(got.response.parts).toMatchObject([
        { type: "text", text: "I look it up." },
        { type: "tool-call", name: "search" },
      ]);
      expect(got.response.reason).toBe("tool-calls");
      expect(exchange.heard()[0]?.request.toolChoice).toEqual({ type: "any" });
    },
  );

  test.each([true, false])("that the model does not make leaves what it said; streamed: %s (F22)", async (stream) => {
    exchange.says(say({ type: "text", text: "I can't." }));
    const got = await exchange.ask("openai-chat", { model, messages, output, stream });
    expect(textOf(got.response)).toBe("I can't.");
  });

  test("takes the place of thinking where a model can't do both, and says so (F18, F22)", async () => {
    exchange.says(obeys(book));
    const got = await exchange.ask("openai-chat", {
      model: "anthropic/claude-opus-4-0",
      messages,
      output,
      reasoning: { effort: "high" },
    });
    expect(got.headers.get("heddle-dropped")).toBe("reasoning");
    expect(exchange.heard()[0]?.body["thinking"]).toBeUndefined();
  });
});

test("Converse is given the schema, or a forced call where the model has none (F22)", () => {
  const request: ChatRequest = { model: "m", stream: false, system: [], messages, tools: [], sampling: {}, output };
  const bodyFor = (model: string, maker: string): JsonObject => {
    const target = { provider: "bedrock", maker, model, dialect: {} };
    return bedrockConverse.encodeRequest(adapt(request, "bedrock-converse", target).request, target).body;
  };
  expect(
    JSON.stringify(at(bodyFor("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic"), "outputConfig")),
  ).toContain("pages");
  expect(at(bodyFor("amazon.nova-pro-v1:0", "amazon"), "toolConfig", "toolChoice")).toEqual({ tool: { name: ours } });
});

test("the fold of the restored stream is the restored answer (F22)", () => {
  const target = { provider: "anthropic", maker: "anthropic", model: "claude-3-5-haiku-latest", dialect: {} };
  const request: ChatRequest = { model: "m", stream: false, system: [], messages, tools: [], sampling: {}, output };
  const answers: Part[][] = [
    [called(book)],
    [{ type: "text", text: "Well:" }, called(book)],
    [{ type: "reasoning", text: "hm" }, { type: "text", text: "Well:" }, called(book)],
    [{ type: "text", text: "Well:" }, called("{}", "search"), called(book)],
    [{ type: "text", text: "No." }],
  ];
  for (const parts of answers) {
    const response: ChatResponse = {
      id: "r",
      model: "m",
      parts,
      reason: say(...parts).reason ?? "end",
      native: "tool_use",
    };
    const { restore } = adapt(request, "anthropic-messages", target);
    const whole = restore?.response(response);
    expect(fold(adapt(request, "anthropic-messages", target).restore?.events(unfold(response)) ?? [])).toEqual(whole);
  }
});
