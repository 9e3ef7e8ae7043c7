// Counting tokens, from every wire that can ask to every wire that can answer: the provider's number, or an estimate that says so.
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type Answer,
  jsonAnswer,
  startGateway,
  startUpstream,
  type TestGateway,
  type TestUpstream,
} from "../support/gateway.ts";
import { providersYaml, rawWires } from "../support/wires.ts";

const key = "fake-anthropic-key";
let upstream: TestUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(
    `${providersYaml(upstream.url)}
  aws: { kind: bedrock, region: us-east-1, baseUrl: "${upstream.url}", bearerToken: fake-bedrock-key }
  echo: { kind: echo, pace: 0 }
  picky: { kind: anthropic, apiKey: fake-picky-key, baseUrl: "${upstream.url}", betas: [wanted-2026-01-01] }
models: { fast: gemini/gemini-x, either: { targets: [anthropic/claude-x, gemini/gemini-x] } }`,
    {},
    (config) => {
      config.retry.attempts = 1;
    },
  );
});
beforeEach(() => {
  upstream.requests.length = 0;
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

const html: Answer = (_request, response) => {
  response.writeHead(404, { "content-type": "text/html" });
  response.end("<html>no</html>");
};
const sentence = "How many tokens does this sentence of twelve plain English words have?";
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

/** Each client wire's own SDK, with opening instructions, a question and a tool: the number, and whether it is called an estimate. */
type Counted = { tokens: number | undefined; estimated: boolean };
const clients: Record<string, (model: string) => Promise<Counted>> = {
  "anthropic-messages": async (model) => {
    const client = new Anthropic({ apiKey: "fake", baseURL: gateway.url, maxRetries: 0 });
    const { data, response } = await client.messages
      .countTokens({
        model,
        system: "Be brief.",
        messages: [{ role: "user", content: sentence }],
        tools: [{ name: "get_weather", input_schema: { ...schema, type: "object" } }],
      })
      .withResponse();
    return { tokens: data.input_tokens, estimated: response.headers.get("heddle-estimated") === "true" };
  },
  "openai-responses": async (model) => {
    const client = new OpenAI({ apiKey: "fake", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const { data, response } = await client.responses.inputTokens
      .count({
        model,
        instructions: "Be brief.",
        input: sentence,
        tools: [{ type: "function", name: "get_weather", parameters: schema, strict: false }],
      })
      .withResponse();
    expect(data.object).toBe("response.input_tokens");
    return { tokens: data.input_tokens, estimated: response.headers.get("heddle-estimated") === "true" };
  },
  "gemini-generate": async (model) => {
    const client = new GoogleGenAI({ apiKey: "fake", httpOptions: { baseUrl: gateway.url } });
    const answer = await client.models.countTokens({ model, contents: sentence });
    return {
      tokens: answer.totalTokens,
      estimated: answer.sdkHttpResponse?.headers?.["heddle-estimated"] === "true",
    };
  },
};

type Sent = Record<string, unknown>;
/** Each provider wire that counts: where it is asked, what it is sent, what it answers. */
const providers: Record<string, { model: string; path: string; answer: unknown; sent: (body: Sent) => void }> = {
  "anthropic-messages": {
    model: "anthropic/claude-x",
    path: "/v1/messages/count_tokens",
    answer: { input_tokens: 42 },
    sent: (body) => {
      expect(body["model"]).toBe("claude-x");
      expect(body).not.toHaveProperty("max_tokens");
      expect(body).not.toHaveProperty("stream");
      expect(JSON.stringify(body["messages"])).toContain(sentence);
    },
  },
  "openai-responses": {
    model: "openai/gpt-x",
    path: "/v1/responses/input_tokens",
    answer: { object: "response.input_tokens", input_tokens: 42 },
    sent: (body) => {
      expect(body["model"]).toBe("gpt-x");
      for (const field of ["stream", "store", "include", "max_output_tokens"]) expect(body).not.toHaveProperty(field);
      expect(JSON.stringify(body["input"])).toContain(sentence);
    },
  },
  "gemini-generate": {
    model: "gemini/gemini-x",
    path: "/v1beta/models/gemini-x:countTokens",
    answer: { totalTokens: 42, promptTokensDetails: [{ modality: "TEXT", tokenCount: 42 }] },
    sent: (body) => expect(JSON.stringify(body)).toContain(sentence),
  },
  "bedrock-converse": {
    model: "aws/amazon.nova-lite-v1:0",
    path: "/model/amazon.nova-lite-v1%3A0/count-tokens",
    answer: { inputTokens: 42 },
    sent: (body) => {
      const { converse } = body["input"] as { converse: Sent };
      expect(JSON.stringify(converse["messages"])).toContain(sentence);
      expect(Object.keys(converse)).not.toContain("inferenceConfig");
    },
  },
  "anthropic-messages on Bedrock": {
    model: "aws/us.anthropic.claude-opus-5",
    path: "/model/anthropic.claude-opus-5/count-tokens",
    answer: { inputTokens: 42 },
    sent: (body) => {
      const { invokeModel } = body["input"] as { invokeModel: { body: string } };
      expect(Buffer.from(invokeModel.body, "base64").toString("utf8")).toContain(sentence);
    },
  },
};

describe.each(Object.keys(clients))("client %s", (client) => {
  const ask = clients[client]!;

  test.each(Object.keys(providers))("provider %s: the provider's own number (F24)", async (name) => {
    const { model, path, answer, sent } = providers[name]!;
    upstream.answer(jsonAnswer(200, answer));
    expect(await ask(model)).toEqual({ tokens: 42, estimated: false });
    expect(upstream.requests.map((request) => request.url)).toEqual([path]);
    sent(JSON.parse(upstream.requests[0]!.body) as Sent);
  });

  test("a provider of Chat alone can't count: an estimate, told as one (F24)", async () => {
    const { tokens, estimated } = await ask("compat/some-model");
    expect(estimated).toBe(true);
    expect(tokens).toBeGreaterThan(8);
    expect(tokens).toBeLessThan(100);
    expect(upstream.requests).toEqual([]);
  });

  test.each([
    ["a host without the route", jsonAnswer(404, { error: { message: "Not Found" } }), /./],
    ["a host without the route, in HTML", html, /./],
    ["a host that takes no such method", jsonAnswer(405, {}), /^(?!aws)/],
    ["a model that can't", jsonAnswer(400, { message: "The provided model doesn't support counting tokens." }), /^aws/],
  ])("%s: an estimate, told as one (F24)", async (_name, answer, which) => {
    upstream.answer(answer);
    for (const { model } of Object.values(providers)) {
      if (!which.test(model)) continue;
      const { tokens, estimated } = await ask(model);
      expect({ model, estimated }).toEqual({ model, estimated: true });
      expect(tokens).toBeGreaterThan(8);
    }
  });

  test("echo counts", async () => {
    const { tokens } = await ask("echo/echo");
    expect(tokens).toBeGreaterThan(8);
  });

  test("an alias, and the next of its targets where the first is down (F34)", async () => {
    upstream.answer((request, response) =>
      request.url.includes("count_tokens")
        ? jsonAnswer(529, rawWires["anthropic-messages"].error(529, "busy"))(request, response)
        : jsonAnswer(200, { totalTokens: 42 })(request, response),
    );
    expect(await ask("either")).toEqual({ tokens: 42, estimated: false });
    expect((await ask("fast")).tokens).toBe(42);
  });

  test.each(Object.keys(providers))("a refusal of provider %s is an error, not a number (F24, F28)", async (name) => {
    const wire = name.split(" ")[0] as "anthropic-messages";
    const error = rawWires[wire]?.error(429, "slow down") ?? { message: "slow down" };
    upstream.answer(jsonAnswer(429, error, { "retry-after": "7" }));
    await expect(ask(providers[name]!.model)).rejects.toMatchObject({ status: 429 });
  });

  test("an answer without a number is an error, not a 0 (F24)", async () => {
    for (const answer of [{}, [], "null", { input_tokens: "many" }, "<html>"]) {
      upstream.answer(jsonAnswer(200, answer));
      await expect(ask("anthropic/claude-x")).rejects.toMatchObject({
        status: expect.toSatisfy((each) => each >= 500),
      });
    }
  });

  test("a key that the provider quotes stays here (F41)", async () => {
    upstream.answer(jsonAnswer(401, rawWires["anthropic-messages"].error(401, `invalid key ${key}`)));
    const failure: unknown = await ask("anthropic/claude-x").catch((error: unknown) => error);
    expect(failure).toMatchObject({ status: 401 });
    expect(String(failure)).not.toContain(key);
    expect(gateway.rawLogs.join("\n")).not.toContain(key);
  });
});

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(gateway.url + path, { method: "POST", headers, body: JSON.stringify(body) });

test("the provider's own answer passes whole on its own wire, and its request too", async () => {
  const answer = { totalTokens: 7, cachedContentTokenCount: 3, novelty: true };
  upstream.answer(jsonAnswer(200, answer));
  const response = await post("/v1beta/models/fast:countTokens", {
    generateContentRequest: { model: "models/fast", contents: [{ parts: [{ text: "hi" }] }], novelField: 1 },
  });
  expect(await response.json()).toEqual(answer);
  expect(JSON.parse(upstream.requests[0]!.body)).toEqual({
    generateContentRequest: { model: "models/gemini-x", contents: [{ parts: [{ text: "hi" }] }], novelField: 1 },
  });
  upstream.answer(jsonAnswer(200, { input_tokens: 7, novelty: true }));
  const messages = await post("/v1/messages/count_tokens", {
    model: "anthropic/claude-x",
    messages: [{ role: "user", content: "hi" }],
    novel_field: 1,
  });
  expect(await messages.json()).toEqual({ input_tokens: 7, novelty: true });
  expect(JSON.parse(upstream.requests[1]!.body)).toMatchObject({ model: "claude-x", novel_field: 1 });
});

test("betas reach the provider by its allow list (F21)", async () => {
  upstream.answer(jsonAnswer(200, { input_tokens: 7 }));
  await post(
    "/v1/messages/count_tokens",
    { model: "picky/claude-x", messages: [{ role: "user", content: "hi" }] },
    { "anthropic-beta": "unheard-of-2020-01-01,wanted-2026-01-01" },
  );
  expect(upstream.requests[0]!.headers["anthropic-beta"]).toBe("wanted-2026-01-01");
});

test.each([
  ["/v1/messages/count_tokens", "anthropic-messages"],
  ["/v1/responses/input_tokens", "openai-responses"],
  ["/v1beta/models/no-such-model:countTokens", "gemini-generate"],
] as const)("%s: what is wrong is told in its envelope (F28)", async (path, id) => {
  const cases: [string, number][] = [
    ["{", 400],
    ["[]", 400],
    ['{"model":"no-such-model","messages":[],"input":"hi","contents":[]}', id === "openai-responses" ? 400 : 404],
  ];
  if (id !== "gemini-generate") cases.push(["{}", 400], ['{"model":3}', 400]);
  for (const [body, status] of cases) {
    const response = await fetch(gateway.url + path, { method: "POST", body });
    const told: unknown = await response.json();
    expect({ body, told, status: response.status }).toEqual({ body, told, status });
    rawWires[id].envelope(told);
  }
});

test("state that is not kept is refused by name, not counted without", async () => {
  for (const [field, value] of [
    ["previous_response_id", "resp_1"],
    ["conversation", "conv_1"],
  ]) {
    const response = await post("/v1/responses/input_tokens", { model: "openai/gpt-x", input: "hi", [field!]: value });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { param: field } });
  }
  const threaded = await post("/v1/messages/count_tokens", {
    model: "anthropic/claude-x",
    messages: [{ role: "user", content: "hi" }],
    thread: { type: "create" },
  });
  expect(threaded.status).toBe(400);
  expect(upstream.requests).toEqual([]);
});
