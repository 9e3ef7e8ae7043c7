// The openai SDK against stored responses and conversations: on a provider that has no state of its own.
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataFolder } from "../../support/data.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";

const keys = { ada: "test-key-of-ada-0001", bob: "test-key-of-bob-0001" };
const data = dataFolder();
let gateway: TestGateway;
let ada: OpenAI;
let bob: OpenAI;
beforeAll(async () => {
  gateway = await startGateway(
    `providers: { echo: { kind: echo, pace: 0 } }\nauth: { mode: keys, keys: [{ name: ada, key: ${keys.ada} }, { name: bob, key: ${keys.bob} }] }`,
    { HEDDLE_DATA: data.path },
  );
  const client = (apiKey: string): OpenAI => new OpenAI({ apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  ada = client(keys.ada);
  bob = client(keys.bob);
});
afterAll(async () => {
  await gateway.stop();
  data.remove();
});

const model = "echo/echo";
const weather = {
  type: "function" as const,
  name: "get_weather",
  description: "The weather of a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
  strict: true,
};

describe("a response", () => {
  test("is stored by default, and read again as it was", async () => {
    const made = await ada.responses.create({ model, input: "Say something", metadata: { topic: "x" } });
    expect(made.id).toMatch(/^resp_/);
    expect(made).toMatchObject({ store: true });
    expect(made.output_text).not.toBe("");
    const { output_text: _text, _request_id: _a, ...plain } = made;
    const { output_text: _again, _request_id: _b, ...read } = await ada.responses.retrieve(made.id);
    expect(read).toEqual(plain);
  });

  test("is another caller's not at all", async () => {
    const made = await ada.responses.create({ model, input: "secret of ada" });
    await expect(bob.responses.retrieve(made.id)).rejects.toMatchObject({ status: 404 });
    await expect(bob.responses.cancel(made.id)).rejects.toMatchObject({ status: 404 });
    await expect(bob.responses.delete(made.id)).rejects.toMatchObject({ status: 404 });
    await expect(bob.responses.create({ model, input: "go on", previous_response_id: made.id })).rejects.toMatchObject({
      status: 400,
      code: "previous_response_not_found",
      param: "previous_response_id",
    });
  });

  test("can be continued at once, and again from the same place (F47)", async () => {
    const first = await ada.responses.create({ model, input: "My name is Ada." });
    const stream = await ada.responses.create({ model, input: "One", previous_response_id: first.id, stream: true });
    let second = "";
    for await (const event of stream) if (event.type === "response.completed") second = event.response.id;
    const [third, other] = await Promise.all([
      ada.responses.create({ model, input: "Two", previous_response_id: second }),
      ada.responses.create({ model, input: "Another two", previous_response_id: second }),
    ]);
    expect(third.previous_response_id).toBe(second);
    for (const [response, last] of [
      [third, "Two"],
      [other, "Another two"],
    ] as const) {
      const items = await ada.responses.inputItems.list(response.id, { order: "asc" });
      const texts = items.data.flatMap((item) =>
        item.type === "message" && item.role === "user"
          ? item.content.map((part) => ("text" in part ? part.text : ""))
          : [],
      );
      expect(texts).toEqual(["My name is Ada.", "One", last]);
    }
    const early = await ada.responses.create({ model, input: "From the beginning", previous_response_id: first.id });
    const items = await ada.responses.inputItems.list(early.id, { order: "asc" });
    expect(items.data).toHaveLength(3);
  });

  test("a chain of tool calls", async () => {
    const asked = await ada.responses.create({
      model,
      input: "What is the weather in Paris?",
      tools: [weather],
      tool_choice: "required",
    });
    const call = asked.output.find((item) => item.type === "function_call");
    expect(call).toBeDefined();
    await expect(
      ada.responses.create({ model, input: "Never mind", previous_response_id: asked.id, tools: [weather] }),
    ).rejects.toThrow(/No tool output found for function call/);
    const answered = await ada.responses.create({
      model,
      previous_response_id: asked.id,
      tools: [weather],
      input: [{ type: "function_call_output", call_id: call?.call_id ?? "", output: "sunny, 21 degrees" }],
    });
    expect(answered.status).toBe("completed");
    expect(answered.output_text).toContain("sunny");
  });

  test("instructions are one response's, messages of the system are the conversation's", async () => {
    const first = await ada.responses.create({
      model,
      instructions: "Only now",
      input: [
        { role: "developer", content: "Always" },
        { role: "user", content: "Hi" },
      ],
    });
    expect(first.instructions).toBe("Only now");
    const second = await ada.responses.create({ model, input: "Again", previous_response_id: first.id });
    expect(second.instructions).toBeNull();
    const items = await ada.responses.inputItems.list(second.id, { order: "asc" });
    expect(JSON.stringify(items.data)).toContain("Always");
    expect(JSON.stringify(items.data)).not.toContain("Only now");
  });

  test("store: false keeps nothing, and still may continue what is kept", async () => {
    const first = await ada.responses.create({ model, input: "My name is Ada." });
    const second = await ada.responses.create({
      model,
      input: "Who am I?",
      previous_response_id: first.id,
      store: false,
    });
    expect(second.output_text).not.toBe("");
    await expect(ada.responses.retrieve(second.id)).rejects.toMatchObject({ status: 404 });
    const alone = await ada.responses.create({ model, input: "Hi", store: false });
    await expect(ada.responses.retrieve(alone.id)).rejects.toMatchObject({ status: 404 });
  });

  test("deleted, it is gone, and what others continued from it stays", async () => {
    const first = await ada.responses.create({ model, input: "first words" });
    const second = await ada.responses.create({ model, input: "second words", previous_response_id: first.id });
    await ada.responses.delete(first.id);
    await expect(ada.responses.retrieve(first.id)).rejects.toMatchObject({ status: 404 });
    expect((await ada.responses.retrieve(second.id)).output_text).toBe(second.output_text);
    await ada.responses.delete(second.id);
    await expect(ada.responses.retrieve(second.id)).rejects.toMatchObject({ status: 404 });
  });

  test.each([
    [{ previous_response_id: "resp_x", conversation: "conv_x" }, "previous_response_id"],
    [{ background: true, store: false }, "background"],
    [{ store: "yes" }, "store"],
    [{ conversation: 7 }, "conversation"],
    [{ previous_response_id: "" }, "previous_response_id"],
  ])("%j is refused, and the field named", async (fields, param) => {
    const refused = ada.responses.create({ model, input: "hi", ...(fields as object) });
    await expect(refused).rejects.toMatchObject({ status: 400, param });
  });
});

describe("in the background", () => {
  test("queued, polled, done (F53)", async () => {
    const made = await ada.responses.create({ model, input: "Take your time", background: true });
    expect(["queued", "in_progress"]).toContain(made.status);
    expect(made.background).toBe(true);
    let read = made;
    while (read.status === "queued" || read.status === "in_progress") read = await ada.responses.retrieve(made.id);
    expect(read.status).toBe("completed");
    expect(read.output_text).not.toBe("");
  });

  test("streamed, cut, and resumed after a sequence number", async () => {
    const stream = await ada.responses.create({ model, input: "Tell me a story", background: true, stream: true });
    const whole: OpenAI.Responses.ResponseStreamEvent[] = [];
    for await (const event of stream) whole.push(event);
    const id = whole[0]?.type === "response.created" ? whole[0].response.id : "";
    for (let after = 0; after < whole.length; after += 1) {
      const rest: OpenAI.Responses.ResponseStreamEvent[] = [];
      for await (const event of await ada.responses.retrieve(id, { stream: true, starting_after: after }))
        rest.push(event);
      expect(rest).toEqual(whole.slice(after + 1));
    }
  });

  test("cancelled", async () => {
    const made = await ada.responses.create(
      { model, input: "Take very long", background: true },
      { headers: { "x-echo-pace": "200", "x-echo-words": "500" } },
    );
    const cancelled = await ada.responses.cancel(made.id);
    expect(cancelled.status).toBe("cancelled");
    expect((await ada.responses.retrieve(made.id)).status).toBe("cancelled");
  });
});

describe("a conversation", () => {
  test("is kept by its id", async () => {
    const { id } = await ada.conversations.create({
      metadata: { topic: "demo" },
      items: [{ type: "message", role: "user", content: "Hello" }],
    });
    expect(id).toMatch(/^conv_/);
    const response = await ada.responses.create({ model, conversation: id, input: "And now?" });
    expect(response.conversation).toEqual({ id });
    const items = await ada.conversations.items.list(id, { order: "asc" });
    expect(items.data.map((item) => ("role" in item ? item.role : item.type))).toEqual(["user", "user", "assistant"]);
    expect(items.data.at(-1)).toEqual(response.output[0]);
    const added = await ada.conversations.items.create(id, {
      items: [{ type: "message", role: "user", content: "More" }],
    });
    const one = await ada.conversations.items.retrieve(added.data[0]?.id ?? "", { conversation_id: id });
    expect(one).toEqual(added.data[0]);
    await ada.conversations.items.delete(added.data[0]?.id ?? "", { conversation_id: id });
    expect((await ada.conversations.items.list(id)).data).toHaveLength(3);
    expect((await ada.conversations.update(id, { metadata: { topic: "new" } })).metadata).toEqual({ topic: "new" });
    expect((await ada.conversations.retrieve(id)).metadata).toEqual({ topic: "new" });
    await expect(bob.conversations.retrieve(id)).rejects.toMatchObject({ status: 404 });
    expect(await ada.conversations.delete(id)).toMatchObject({ deleted: true });
    await expect(ada.conversations.retrieve(id)).rejects.toMatchObject({ status: 404 });
  });

  test("pages in both orders", async () => {
    const texts = Array.from({ length: 7 }, (_, at) => `message ${at}`);
    const { id } = await ada.conversations.create({
      items: texts.map((content) => ({ type: "message" as const, role: "user" as const, content })),
    });
    for (const order of ["asc", "desc"] as const) {
      const seen: string[] = [];
      for await (const item of ada.conversations.items.list(id, { order, limit: 3 })) seen.push(JSON.stringify(item));
      expect(seen).toHaveLength(7);
      expect(seen.every((text, at) => text.includes(order === "asc" ? `message ${at}` : `message ${6 - at}`))).toBe(
        true,
      );
    }
  });
});

test("compacted, it goes on from a summary", async () => {
  const first = await ada.responses.create({ model, input: "We decided to paint the fence green." });
  const compacted = await ada.responses.compact({ model, previous_response_id: first.id });
  expect(compacted.object).toBe("response.compaction");
  expect(compacted.output.map((item) => item.type)).toEqual(["compaction"]);
  const next = await ada.responses.create({
    model,
    input: [...(compacted.output as OpenAI.Responses.ResponseInputItem[]), { role: "user", content: "What colour?" }],
  });
  expect(next.status).toBe("completed");
});
