// Fields that a target can't express, through the gateway: named in `heddle-dropped`, refused for a strict caller before the host is asked.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../lib/model/json.ts";
import type { Message } from "../../lib/model/message.ts";
import { type ClientWireId, clientWireIds } from "../../lib/model/wire-id.ts";
import { type Exchange, hostOfWire, say, startExchange } from "../support/exchange.ts";
import { until } from "../support/gateway.ts";
import { rawWires } from "../support/wires.ts";

let exchange: Exchange;
beforeAll(async () => {
  exchange = await startExchange(`
  picky: { kind: openai-compatible, apiKey: fake-key-e, baseUrl: "$URL/v1", dialect: { refuses: [seed, logit_bias] } }
  allowing: { kind: anthropic, apiKey: fake-key-f, baseUrl: "$URL", betas: [context-1m-2025-08-07] }
  none: { kind: anthropic, apiKey: fake-key-h, baseUrl: "$URL", betas: [] }
  passing: { kind: anthropic, apiKey: fake-key-g, baseUrl: "$URL", betas: ["*"] }
  down: { kind: anthropic, apiKey: fake-key-i, baseUrl: "http://127.0.0.1:1" }
models:
  down-then-not: { strategy: fallback, targets: [down/up, chat/up] }
  picky-then-not: { strategy: fallback, targets: [picky/up, chat/up] }
`);
});
afterAll(() => exchange.stop());

const messages: Message[] = [{ role: "user", parts: [{ type: "text", text: "hi" }] }];

/** What a client says, and what its target is not told. */
const cases: [ClientWireId, string, JsonObject, string[]][] = [
  ["openai-chat", "anthropic/up", { seed: 1, logit_bias: { "1": 1 } }, ["seed", "logitBias"]],
  [
    "openai-chat",
    "google/up",
    { logit_bias: { "1": 1 }, prediction: { type: "content", content: "x" } },
    ["logitBias", "prediction"],
  ],
  ["openai-chat", "openai/up", { seed: 1, modalities: ["text", "audio"] }, ["seed", "modalities"]],
  ["openai-chat", "picky/up", { seed: 1 }, ["seed"]],
  ["anthropic-messages", "openai/up", { top_k: 5, container: "c" }, ["topK", "container"]],
  ["anthropic-messages", "chat/up", { top_k: 5, inference_geo: "eu" }, ["topK", "inference_geo"]],
  [
    "anthropic-messages",
    "google/up",
    { context_management: { edits: [{ type: "x" }] }, unheard_of: 1 },
    ["context_management", "unheard_of"],
  ],
  ["openai-responses", "anthropic/up", { top_logprobs: 2, max_tool_calls: 3 }, ["topLogprobs", "max_tool_calls"]],
  ["openai-responses", "chat/up", { truncation: "auto", prompt: { id: "p" } }, ["truncation", "prompt"]],
  ["openai-responses", "google/up", { text: { verbosity: "low" }, unheard_of: 1 }, ["verbosity", "unheard_of"]],
  [
    "gemini-generate",
    "anthropic/up",
    { generationConfig: { seed: 1, mediaResolution: "MEDIA_RESOLUTION_LOW" }, cachedContent: "cachedContents/x" },
    ["seed", "generationConfig.mediaResolution", "cachedContent"],
  ],
  [
    "gemini-generate",
    "openai/up",
    { generationConfig: { topK: 5 }, safetySettings: [{ category: "C", threshold: "T" }] },
    ["topK", "safetySettings"],
  ],
  ["gemini-generate", "chat/up", { generationConfig: { topK: 5 }, unheardOf: 1 }, ["topK", "unheardOf"]],
];

describe.each(cases)("what a %s client asks of %s: %j", (client, model, body, fields) => {
  test.each([true, false])("is named where it is dropped, streamed: %s (F18)", async (stream) => {
    exchange.gateway.logs.length = 0;
    const got = await exchange.ask(client, { model, messages, stream }, { body });
    expect(got.status).toBe(200);
    expect(got.headers.get("heddle-dropped")?.split(", ")).toEqual(expect.arrayContaining(fields));
    const host = exchange.heard()[0]?.text ?? "";
    for (const name of Object.keys(body).filter((each) => each !== "generationConfig" && each !== "text"))
      expect(host).not.toContain(name);
    await until(() => exchange.gateway.logs.some((line) => line["message"] === "call"), "the call's record");
    expect(exchange.gateway.logs.find((line) => line["message"] === "call")?.["dropped"]).toEqual(
      expect.arrayContaining(fields),
    );
  });

  test.each([true, false])(
    "is refused for a strict caller in its own envelope, no host asked, streamed: %s (F18)",
    async (stream) => {
      const got = await exchange.ask(
        client,
        { model, messages, stream },
        { body, headers: { "heddle-strict": "true" } },
      );
      expect(got.status).toBe(400);
      const envelope: unknown = JSON.parse(got.text);
      rawWires[client].envelope(envelope);
      for (const name of fields) expect(got.text).toContain(name);
      expect(exchange.heard()).toEqual([]);
    },
  );
});

test("a tool's own fields are named by its place (F18)", async () => {
  const body: JsonObject = {
    tools: [
      { name: "plain", type: "custom", description: "d", input_schema: { type: "object" } },
      {
        name: "rich",
        input_schema: { type: "object" },
        input_examples: [{ at: "sky" }],
        cache_control: { type: "ephemeral" },
      },
    ],
  };
  const got = await exchange.ask("anthropic-messages", { model: "openai/up", messages }, { body });
  expect(got.headers.get("heddle-dropped")?.split(", ")).toContain("tools[1].input_examples");
  expect(got.headers.get("heddle-dropped")).not.toContain("tools[0]");
});

test("what says nothing, or is said in other words, is not named", async () => {
  const chat: JsonObject = {
    user: "u",
    store: false,
    response_format: { type: "text" },
    modalities: ["text"],
    functions: [{ name: "f", parameters: { type: "object" } }],
  };
  const gemini: JsonObject = {
    toolConfig: { functionCallingConfig: { mode: "AUTO" } },
    generationConfig: { responseModalities: ["TEXT"] },
    tools: [{ functionDeclarations: [{ name: "f", parameters: { type: "OBJECT" } }] }],
  };
  const responses: JsonObject = {
    include: ["reasoning.encrypted_content"],
    store: false,
    truncation: "disabled",
    background: false,
  };
  for (const [client, body] of [
    ["openai-chat", chat],
    ["gemini-generate", gemini],
    ["openai-responses", responses],
  ] as const) {
    const got = await exchange.ask(
      client,
      { model: "anthropic/up", messages },
      { body, headers: { "heddle-strict": "true" } },
    );
    expect(got.text).toContain("Hello");
  }
});

test("what a target that failed could not be told is not said of the one that answers (F18)", async () => {
  exchange.gateway.logs.length = 0;
  const got = await exchange.ask("openai-chat", { model: "down-then-not", messages }, { body: { seed: 1 } });
  expect(got.headers.get("heddle-provider")).toBe("chat");
  expect(got.headers.get("heddle-dropped")).toBeNull();
  const record = (): Record<string, unknown> | undefined =>
    exchange.gateway.logs.find((line) => line["message"] === "call");
  await until(() => record() !== undefined, "the call's record");
  expect(record()).not.toHaveProperty("dropped");
});

describe("a strict caller", () => {
  const strict = { "heddle-strict": "true" };

  test.each(clientWireIds.flatMap((client) => clientWireIds.map((host) => [client, host] as const)))(
    "on %s is served by %s where nothing is lost",
    async (client, host) => {
      exchange.says(say({ type: "text", text: "Hello" }));
      const system = [{ type: "text" as const, text: "Be brief." }];
      const got = await exchange.ask(
        client,
        { model: `${hostOfWire[host]}/up`, messages, system, sampling: { temperature: 0.5 } },
        { headers: strict },
      );
      expect(got.status).toBe(200);
      expect(got.headers.get("heddle-dropped")).toBeNull();
      expect(got.text).toContain("Hello");
    },
  );

  test("goes to the next target, which can express it (F18, F34)", async () => {
    const got = await exchange.ask(
      "openai-chat",
      { model: "picky-then-not", messages },
      { headers: strict, body: { seed: 1 } },
    );
    expect(got.status).toBe(200);
    expect(got.headers.get("heddle-provider")).toBe("chat");
    expect(got.headers.get("heddle-attempts")).toBe("2");
    expect(exchange.heard()).toHaveLength(1);
    expect(exchange.heard()[0]?.body["seed"]).toBe(1);
  });

  test("that asks on a wire that the host speaks is the host's to judge: all passes", async () => {
    const got = await exchange.ask(
      "anthropic-messages",
      { model: "anthropic/up", messages },
      { headers: strict, body: { unheard_of: 1 } },
    );
    expect(got.status).toBe(200);
    expect(exchange.heard()[0]?.body["unheard_of"]).toBe(1);
  });
});

describe("beta values", () => {
  const betas = "context-1m-2025-08-07,made-up-2030-01-01";
  test.each([
    ["anthropic-messages", "allowing/up", "context-1m-2025-08-07"],
    ["anthropic-messages", "passing/up", betas],
    ["anthropic-messages", "none/up", undefined],
    // Anthropic itself is taken to judge its own.
    ["anthropic-messages", "anthropic/up", betas],
    ["anthropic-messages", "openai/up", undefined],
    ["anthropic-messages", "google/up", undefined],
    ["openai-chat", "allowing/up", "context-1m-2025-08-07"],
  ] as const)("of a %s client reach %s as %s (F21)", async (client, model, passed) => {
    const got = await exchange.ask(client, { model, messages }, { headers: { "anthropic-beta": betas } });
    expect(got.status).toBe(200);
    expect(exchange.heard()[0]?.headers["anthropic-beta"]).toBe(passed);
  });

  test("headers of a caller that are on no list reach no host (F21, F41)", async () => {
    const headers = {
      cookie: "session=1",
      "x-internal": "1",
      authorization: "Bearer caller-key",
      "openai-organization": "org-caller",
    };
    await exchange.ask("openai-chat", { model: "chat/up", messages }, { headers });
    const [heard] = exchange.heard();
    expect(heard?.headers["authorization"]).toBe("Bearer fake-key-c");
    expect(Object.keys(heard?.headers ?? {})).not.toEqual(expect.arrayContaining(["cookie"]));
    expect(JSON.stringify(heard?.headers)).not.toMatch(/session=1|x-internal|caller-key|org-caller/);
  });
});
