// State that is not kept here: said by name, in the way each SDK acts on; and routes that there are not.
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { jsonAnswer, startGateway, startUpstream, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { providersYaml, rawWires } from "../support/wires.ts";

let upstream: TestUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(`${providersYaml(upstream.url)}
  echo: { kind: echo, pace: 0 }`);
});
beforeEach(() => {
  upstream.requests.length = 0;
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

describe("responses", () => {
  const openai = (): OpenAI => new OpenAI({ apiKey: "fake", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  const create = (model: string, more: object, stream: boolean): Promise<unknown> =>
    openai().responses.create({
      model,
      input: "hi",
      stream,
      ...more,
    } as OpenAI.Responses.ResponseCreateParamsNonStreaming);

  describe.each(["openai/up", "anthropic/up", "echo/echo"])("model %s", (model) => {
    describe.each([false, true])("stream %s", (stream) => {
      test.each([
        ["store", true],
        ["background", true],
        ["previous_response_id", "resp_1"],
        ["conversation", "conv_1"],
        ["conversation", { id: "conv_1" }],
      ])("%s: %j is refused by name", async (field, value) => {
        await expect(create(model, { [field]: value }, stream)).rejects.toMatchObject({
          status: 400,
          param: field,
          type: "invalid_request_error",
          message: expect.stringContaining(field),
        });
        expect(upstream.requests).toEqual([]);
      });
    });

    test.each([
      ["absent", {}],
      ["false", { store: false, background: false }],
      ["null", { store: null, background: null, previous_response_id: null, conversation: null }],
    ])("%s passes", async (_name, more) => {
      const raw = rawWires[model.startsWith("anthropic") ? "anthropic-messages" : "openai-responses"];
      upstream.answer(jsonAnswer(200, raw.whole));
      await expect(create(model, more, false)).resolves.toMatchObject({ object: "response", status: "completed" });
    });
  });

  test("what was never stored is not found", async () => {
    const { responses, conversations } = openai();
    const missing = { status: 404, type: "invalid_request_error" };
    await expect(responses.retrieve("resp_1")).rejects.toMatchObject(missing);
    await expect(responses.cancel("resp_1")).rejects.toMatchObject(missing);
    await expect(responses.delete("resp_1")).rejects.toMatchObject(missing);
    await expect(responses.inputItems.list("resp_1")).rejects.toMatchObject(missing);
    await expect(conversations.create({})).rejects.toMatchObject(missing);
    await expect(conversations.retrieve("conv_1")).rejects.toMatchObject(missing);
    await expect(conversations.items.list("conv_1")).rejects.toMatchObject(missing);
  });
});

describe("message threads", () => {
  const anthropic = (): Anthropic => new Anthropic({ apiKey: "fake", baseURL: gateway.url, maxRetries: 0 });
  type Body = { messages: { role: string }[]; thread?: unknown; system?: unknown; tools?: unknown[] };
  const bodies = (): Body[] => upstream.requests.map((request) => JSON.parse(request.body) as Body);

  test.each([{ type: "create" }, { type: "continue", previous_message_id: "msg_1" }])(
    "%j is refused in the way its SDK knows",
    async (thread) => {
      for (const model of ["anthropic/up", "openai/up", "echo/echo"]) {
        const failure: unknown = await anthropic()
          .beta.messages.create({ model, max_tokens: 9, messages: [{ role: "user", content: "hi" }], thread } as never)
          .then(
            () => undefined,
            (error: unknown) => error,
          );
        expect(failure).toBeInstanceOf(Anthropic.ThreadUnsupportedRequestError);
        expect(failure).toMatchObject({ status: 400, details: { error_code: "thread_unsupported_request" } });
      }
      expect(upstream.requests).toEqual([]);
    },
  );

  test("a thread goes on without, and every turn sends the whole history", async () => {
    upstream.answer(jsonAnswer(200, rawWires["anthropic-messages"].whole));
    const thread = anthropic().beta.messages.thread({
      model: "anthropic/up",
      max_tokens: 9,
      system: "Be brief.",
      unsupportedRequestBehavior: "continue_unthreaded",
    });
    await thread.send({ role: "user", content: "one" });
    await thread.send({ role: "user", content: "two" });
    await thread.send({ role: "user", content: "three" });
    expect(bodies().map((body) => body.messages.map((message) => message.role).join(" "))).toEqual([
      "user",
      "user assistant user",
      "user assistant user assistant user",
    ]);
    for (const body of bodies()) {
      expect(body.thread).toBeUndefined();
      expect(body.system).toBe("Be brief.");
    }
  });

  test.each([false, true])("a tool runner, which threads by default, ends its loop (streamed: %s)", async (stream) => {
    const called: unknown[] = [];
    const weather = betaTool({
      name: "get_weather",
      description: "The weather",
      inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      run: (input) => {
        called.push(input);
        return "fine";
      },
    });
    const runner = anthropic().beta.messages.toolRunner({
      model: "echo/echo",
      max_tokens: 500,
      stream,
      tools: [weather],
      messages: [{ role: "user", content: "How is the weather in Bern?" }],
    });
    const last = await runner.runUntilDone();
    expect(called).toHaveLength(1);
    expect(last.stop_reason).toBe("end_turn");
    expect(JSON.stringify(last.content)).toContain("fine");
  });
});

describe("routes that there are not", () => {
  const ask = (path: string, method: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(gateway.url + path, { method, headers });

  test.each([
    ["/", "openai-chat", {}],
    ["/v1", "openai-chat", {}],
    ["/v2/models", "openai-chat", {}],
    ["/v1/chat/nothing", "openai-chat", {}],
    ["/v1/fine_tuning/jobs", "openai-chat", { authorization: "Bearer fake" }],
    ["/v1/responses/resp_1/nothing", "openai-responses", {}],
    ["/v1/messages/batches", "anthropic-messages", {}],
    ["/v1/files", "anthropic-messages", { "anthropic-version": "2023-06-01" }],
    ["/v1beta/cachedContents", "gemini-generate", {}],
    ["/upload/v1beta/files", "gemini-generate", { "x-goog-api-key": "fake" }],
    ["/v1/nothing?key=fake", "gemini-generate", {}],
    ["/v1/messages/", "anthropic-messages", {}],
    ["/v1/chat/completions/", "openai-chat", {}],
  ] as const)("%s: 404 in the envelope of %s (F28)", async (path, id, headers) => {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
      const response = await ask(path, method, headers);
      expect([method, response.status]).toEqual([method, 404]);
      expect(response.headers.get("content-type")).toBe("application/json");
      expect(response.headers.get("x-request-id")).toBeTruthy();
      rawWires[id].envelope(await response.json());
    }
  });

  test.each([
    ["/v1/messages", "GET", "POST", "anthropic-messages", {}],
    ["/v1/messages/count_tokens", "GET", "POST", "anthropic-messages", {}],
    ["/v1/chat/completions", "PUT", "POST", "openai-chat", {}],
    ["/v1/responses", "GET", "POST", "openai-responses", {}],
    ["/v1/responses/input_tokens", "GET", "POST", "openai-responses", {}],
    ["/v1/responses/resp_1", "PUT", "GET, DELETE", "openai-responses", {}],
    ["/v1/conversations", "PATCH", "POST", "openai-responses", {}],
    ["/v1beta/models/m:generateContent", "GET", "POST", "gemini-generate", {}],
    ["/v1/models/m:streamGenerateContent?alt=sse", "GET", "POST", "gemini-generate", {}],
    ["/v1beta/models/m:countTokens", "DELETE", "POST", "gemini-generate", {}],
    ["/v1beta/models", "POST", "GET", "gemini-generate", {}],
    ["/v1/models", "POST", "GET", "openai-chat", {}],
    ["/v1/models", "DELETE", "GET", "anthropic-messages", { "anthropic-version": "2023-06-01" }],
    ["/v1/models/m", "DELETE", "GET", "gemini-generate", { "x-goog-api-client": "genai-js" }],
    ["/v1/embeddings", "GET", "POST", "openai-chat", {}],
    ["/v1/audio/speech", "DELETE", "POST", "openai-chat", {}],
    ["/v1/images/generations", "GET", "POST", "openai-chat", {}],
    ["/health", "POST", "GET", "openai-chat", {}],
    ["/metrics", "DELETE", "GET", "openai-chat", {}],
  ] as const)(
    "%s takes no %s: 405, allow %s, in the envelope of %s (F28)",
    async (path, method, allow, id, headers) => {
      const response = await ask(path, method, headers);
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe(allow);
      rawWires[id].envelope(await response.json());
    },
  );

  test("in a Gemini array, an array (F28)", async () => {
    const response = await ask("/v1beta/models/m:streamGenerateContent", "GET");
    expect(response.status).toBe(405);
    const [error] = (await response.json()) as unknown[];
    rawWires["gemini-generate"].envelope(error);
  });

  test("a key is not asked for what is not there, and is for what is", async () => {
    const locked = await startGateway("auth: { keys: [{ name: one, key: fake-key-of-sixteen }] }");
    expect((await fetch(`${locked.url}/v1/nothing`)).status).toBe(404);
    for (const [path, id] of [
      ["/v1/messages", "anthropic-messages"],
      ["/v1/chat/completions", "openai-chat"],
      ["/v1/responses", "openai-responses"],
      ["/v1beta/models/m:generateContent", "gemini-generate"],
    ] as const) {
      const response = await fetch(locked.url + path, { method: "POST", body: "{}" });
      expect(response.status).toBe(401);
      rawWires[id].envelope(await response.json());
    }
    await locked.stop();
  });
});
