// Message threads with the official SDK: its tool runner and its threads, on every provider wire, streamed and whole (F47).
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { clientWireIds } from "../../lib/model/wire-id.ts";
import type { Part } from "../../lib/model/message.ts";
import { dataFolder } from "../support/data.ts";
import { startUpstream, type TestUpstream } from "../support/gateway.ts";
import { type Exchange, hostOfWire, say, startExchange } from "../support/exchange.ts";
import { rawWires } from "../support/wires.ts";

const data = dataFolder();
let slow: TestUpstream;
const yaml = (): string => `  echo: { kind: echo, pace: 0 }
  slow: { kind: anthropic, apiKey: fake-key-e, baseUrl: "${slow.url}" }
auth:
  keys:
    - { name: ada, key: fake-key-of-ada-0001 }
    - { name: bob, key: fake-key-of-bob-0001 }
`;
let exchange: Exchange;
const start = (): Promise<Exchange> =>
  startExchange(yaml(), (config) => {
    config.storage = "sqlite";
    config.dataDir = data.path;
  });
beforeAll(async () => {
  slow = await startUpstream();
  exchange = await start();
});
afterAll(async () => {
  await exchange.stop();
  await slow.stop();
  data.remove();
});
beforeEach(() => {
  exchange.upstream.requests.length = 0;
  sent.length = 0;
});

type Body = {
  thread?: { type: string; previous_message_id?: string };
  messages: { role: string; content: unknown }[];
  tools?: unknown[];
  system?: unknown;
};
/** What the SDK sent to the gateway. */
const sent: Body[] = [];

const client = (apiKey = "fake-key-of-ada-0001"): Anthropic =>
  new Anthropic({
    apiKey,
    baseURL: exchange.gateway.url,
    maxRetries: 0,
    fetch: (url, init) => {
      if (typeof init?.body === "string") sent.push(JSON.parse(init.body) as Body);
      return fetch(url, init);
    },
  });

const asked: string[] = [];
const weather = betaTool({
  name: "get_weather",
  description: "The weather in a city.",
  inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  run: ({ city }) => {
    asked.push(city);
    return `fine in ${city}`;
  },
});

const resultsIn = (parts: readonly Part[]): string[] =>
  parts.flatMap((part) =>
    part.type === "tool-result" ? part.parts.map((each) => (each.type === "text" ? each.text : "")) : [],
  );

/** The host asks for the weather of `rounds` cities, one after another, then tells what it heard. */
const asksFor = (rounds: number): void =>
  exchange.says(({ request }) => {
    const heard = request.messages.flatMap(({ parts }) => resultsIn(parts));
    if (heard.length >= rounds) return say({ type: "text", text: `All: ${heard.join(", ")}` });
    const city = `city-${heard.length + 1}`;
    return say({
      type: "tool-call",
      callId: `call_${heard.length + 1}`,
      name: "get_weather",
      arguments: JSON.stringify({ city }),
    });
  });

const textOf = (message: Anthropic.Beta.BetaMessage | undefined): string =>
  (message?.content ?? []).map((block) => (block.type === "text" ? block.text : "")).join("");

const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.each(clientWireIds)("over a provider of %s", (wire) => {
  const model = `${hostOfWire[wire]}/claude-up`;

  test.each([true, false])("the tool runner sends each message once (F47), streamed: %s", async (stream) => {
    asksFor(3);
    asked.length = 0;
    const params = {
      model,
      max_tokens: 500,
      system: "Be brief.",
      messages: [{ role: "user" as const, content: "Weather, please." }],
      tools: [weather],
    };
    const final = stream
      ? await client()
          .beta.messages.toolRunner({ ...params, stream })
          .runUntilDone()
      : await client().beta.messages.toolRunner(params).runUntilDone();
    expect(asked).toEqual(["city-1", "city-2", "city-3"]);
    expect(textOf(final)).toBe("All: fine in city-1, fine in city-2, fine in city-3");
    expect(sent.map(({ thread }) => thread?.type)).toEqual(["create", "continue", "continue", "continue"]);
    for (const body of sent.slice(1)) {
      expect(body.messages).toHaveLength(1);
      expect(body.tools).toBeUndefined();
      expect(body.system).toBeUndefined();
    }
    const heard = exchange.heard();
    expect(heard).toHaveLength(4);
    for (const { request, body, headers } of heard) {
      expect(request.tools.map((tool) => (tool.type === "hosted" ? "" : tool.name))).toEqual(["get_weather"]);
      expect(JSON.stringify(request.system) + JSON.stringify(request.messages[0])).toContain("Be brief.");
      expect(body).not.toHaveProperty("thread");
      expect(JSON.stringify(headers["anthropic-beta"] ?? "")).not.toContain("message-threads");
    }
    expect(heard.at(-1)?.request.messages.filter(({ role }) => role === "assistant")).toHaveLength(3);
  });

  test("a thread goes on by hand", async () => {
    exchange.says(({ request }) => say({ type: "text", text: `turn ${request.messages.length}` }));
    const thread = client().beta.messages.thread({ model, max_tokens: 50 });
    expect(textOf(await thread.send({ role: "user", content: "one" }))).toBe("turn 1");
    expect(textOf(await thread.stream({ role: "user", content: "two" }).finalMessage())).toBe("turn 3");
    expect(textOf(await thread.send({ role: "user", content: "three" }))).toBe("turn 5");
    expect(sent.map(({ messages }) => messages.length)).toEqual([1, 1, 1]);
  });
});

test("the tool runner works with echo", async () => {
  for (const stream of [true, false]) {
    const params = {
      model: "echo/echo",
      max_tokens: 500,
      messages: [{ role: "user" as const, content: "Weather, please." }],
      tools: [weather],
    };
    const final = stream
      ? await client()
          .beta.messages.toolRunner({ ...params, stream })
          .runUntilDone()
      : await client().beta.messages.toolRunner(params).runUntilDone();
    expect(textOf(final)).toContain("fine in");
  }
  expect(sent.map(({ thread }) => thread?.type)).toEqual(["create", "continue", "create", "continue"]);
});

test("a thread moves from provider to provider (F47)", async () => {
  exchange.says(({ request }) => say({ type: "text", text: `turn ${request.messages.length}` }));
  const thread = client().beta.messages.thread({ model: "anthropic/up", max_tokens: 50, system: "Be brief." });
  await thread.send({ role: "user", content: "one" });
  await thread.send({ role: "user", content: "two" }, { model: "openai/up" });
  expect(textOf(await thread.send({ role: "user", content: "three" }, { model: "google/up" }))).toBe("turn 5");
  expect(exchange.heard().map(({ wire }) => wire)).toEqual([
    "anthropic-messages",
    "openai-responses",
    "gemini-generate",
  ]);
});

test("a thread outlives the gateway", async () => {
  exchange.says(({ request }) => say({ type: "text", text: `turn ${request.messages.length}` }));
  const thread = client().beta.messages.thread({ model: "anthropic/up", max_tokens: 50 });
  await thread.send({ role: "user", content: "one" });
  const id = thread.previousMessageId ?? "";
  expect(id).toMatch(/^msg_t/);
  await exchange.stop();
  exchange = await start();
  exchange.says(({ request }) => say({ type: "text", text: `turn ${request.messages.length}` }));
  const next = await client().beta.messages.create({
    model: "anthropic/up",
    max_tokens: 50,
    messages: [{ role: "user", content: "two" }],
    thread: { type: "continue", previous_message_id: id },
  });
  expect(textOf(next)).toBe("turn 3");
});

describe("what cannot be continued", () => {
  const base = { model: "echo/echo", max_tokens: 50 };
  const user = (content: string): Anthropic.Beta.BetaMessageParam => ({ role: "user", content });
  type Params = Partial<Anthropic.Beta.MessageCreateParamsNonStreaming>;
  const create = (more: Params = {}): Promise<Anthropic.Beta.BetaMessage> =>
    client().beta.messages.create({ ...base, messages: [user("one")], thread: { type: "create" }, ...more });
  const goOn = (id: string, more: Params = {}): Promise<Anthropic.Beta.BetaMessage> =>
    client().beta.messages.create({
      ...base,
      messages: [user("two")],
      thread: { type: "continue", previous_message_id: id },
      ...more,
    });

  test("an answer that nobody knows", async () => {
    for (const id of ["msg_nobody", "nobody", `msg_t${"a".repeat(48)}`, "msg_xW10", `msg_x${"%".repeat(9)}`]) {
      const error = await failure(goOn(id));
      expect(error).toBeInstanceOf(Anthropic.ThreadNotFoundError);
      expect(error).toMatchObject({ status: 404, details: { error_code: "thread_not_found" } });
    }
  });

  test("the SDK begins anew where the thread is lost", async () => {
    const other = client("fake-key-of-bob-0001").beta.messages.thread(base);
    await other.send(user("hello"));
    const error = await failure(goOn(other.previousMessageId ?? ""));
    expect(error).toBeInstanceOf(Anthropic.ThreadNotFoundError);
    // The same conversation, by somebody whose thread it is not.
    Object.defineProperty(other, "_client", { value: client() });
    sent.length = 0;
    expect(textOf(await other.send(user("again")))).not.toBe("");
    expect(sent.map(({ thread: field, messages }) => [field?.type, messages.length])).toEqual([
      ["continue", 1],
      ["create", 3],
    ]);
  });

  test("an answer that was continued", async () => {
    const first = await create();
    const second = await goOn(first.id);
    const error = await failure(goOn(first.id));
    expect(error).toBeInstanceOf(Anthropic.ThreadAlreadyContinuedError);
    expect(error).toMatchObject({ status: 400, details: { error_code: "thread_already_continued" } });
    expect(textOf(await goOn(second.id))).not.toBe("");
  });

  test("of many at once, one goes on", async () => {
    const first = await create();
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => failure(goOn(first.id))));
    expect(outcomes.filter((each) => each === undefined)).toHaveLength(1);
    for (const error of outcomes)
      if (error !== undefined)
        expect(
          error instanceof Anthropic.ThreadAlreadyContinuedError ||
            error instanceof Anthropic.ThreadContinueInFlightError,
          JSON.stringify(error),
        ).toBe(true);
  });

  test("an answer that another call is going on from, or that is still being made", async () => {
    const first = await create();
    const released = Promise.withResolvers<void>();
    slow.answer(async (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(rawWires["anthropic-messages"].begin);
      await released.promise;
      response.end(rawWires["anthropic-messages"].end);
    });
    const stream = client().beta.messages.stream({
      ...base,
      model: "slow/up",
      messages: [user("two")],
      thread: { type: "continue", previous_message_id: first.id },
    });
    await stream.emitted("text");
    const going = stream.currentMessage?.id ?? "";
    for (const id of [first.id, going]) {
      const error = await failure(goOn(id));
      expect(error).toBeInstanceOf(Anthropic.ThreadContinueInFlightError);
      expect(error).toMatchObject({ status: 400, details: { error_code: "thread_continue_in_flight" } });
    }
    released.resolve();
    await stream.finalMessage();
    expect(textOf(await goOn(going))).not.toBe("");
  });

  test("a turn that failed can be tried again, and its messages don't stand in the way", async () => {
    exchange.says(({ request }) => say({ type: "text", text: `turn ${request.messages.length}` }));
    const first = await create({ model: "anthropic/up" });
    for (const fail of ["[[fail 500]]", "[[cut 2]] and more of it"])
      expect(await failure(goOn(first.id, { messages: [user(fail)] }))).toMatchObject({ status: expect.any(Number) });
    exchange.upstream.requests.length = 0;
    expect(textOf(await goOn(first.id, { model: "anthropic/up" }))).toBe("turn 3");
    expect(JSON.stringify(exchange.heard().at(-1)?.request.messages)).not.toContain("fail");
    expect(await failure(goOn(first.id))).toBeInstanceOf(Anthropic.ThreadAlreadyContinuedError);
  });

  test("an answer that broke off", async () => {
    const stream = await client().beta.messages.create({
      ...base,
      messages: [user("[[fail-after 2]] one two three four")],
      stream: true,
      thread: { type: "create" },
    });
    let id = "";
    const broken = await failure(
      (async () => {
        for await (const event of stream) if (event.type === "message_start") id = event.message.id;
      })(),
    );
    expect(broken).toBeInstanceOf(Anthropic.APIError);
    expect(await failure(goOn(id))).toBeInstanceOf(Anthropic.ThreadNotFoundError);
  });

  test("with other tools or other instructions", async () => {
    const { run: _run, parse: _parse, ...tool } = weather;
    const plain = { name: tool.name, description: "d", input_schema: { type: "object" as const, properties: {} } };
    const first = await create({ system: "Be brief.", tools: [plain], tool_choice: { type: "none" } });
    for (const [name, more] of [
      ["system", { system: "Be long." }],
      ["tools", { tools: [{ ...plain, description: "another" }] }],
      ["tools", { tools: [] }],
    ] as const) {
      const error = await failure(goOn(first.id, { ...more, tools: "tools" in more ? [...more.tools] : [plain] }));
      expect(error).toBeInstanceOf(Anthropic.ThreadFingerprintMismatchError);
      expect(error).toMatchObject({ status: 400, details: { error_code: "thread_fingerprint_mismatch" } });
      expect(String(error)).toContain(`${name}: must be`);
    }
    const hint = { cache_control: { type: "ephemeral" as const } };
    const second = await goOn(first.id, {
      system: [{ type: "text", text: "Be brief.", ...hint }],
      tools: [
        { input_schema: { properties: {}, type: "object" as const }, ...hint, description: "d", name: plain.name },
      ],
      tool_choice: { type: "none" },
    });
    expect(textOf(second)).not.toBe("");
  });

  test("without results for the calls, or with nothing new", async () => {
    const tool = { name: "get_weather", input_schema: { type: "object" as const } };
    const first = await create({ tools: [tool] });
    const call = first.content.find((block) => block.type === "tool_use");
    for (const messages of [[user("never mind")], []]) {
      const error = await failure(goOn(first.id, { messages }));
      expect(error).toMatchObject({ status: 400, type: "invalid_request_error" });
      expect(String(error)).toContain(call?.id);
    }
    const second = await goOn(first.id, {
      messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: call?.id ?? "", content: "fine" }] }],
    });
    expect(textOf(second)).toContain("fine");
    expect(String(await failure(goOn(second.id, { messages: [] })))).toContain("messages: expected");
  });

  test("a field of a wrong form is named, and nothing is written", async () => {
    for (const [thread, name] of [
      [7, "thread:"],
      [{ type: "fork" }, "thread.type"],
      [{ type: "continue" }, "thread.previous_message_id"],
      [{ type: "continue", previous_message_id: 7 }, "thread.previous_message_id"],
    ] as const)
      expect(String(await failure(create({ thread: thread as never })))).toContain(name);
    expect(String(await failure(create({ messages: [] })))).toContain("messages: expected");
    expect(await failure(create({ model: "nobody/none" }))).toMatchObject({ status: 404 });
    expect(textOf(await create({ thread: null }))).toContain("one");
  });
});

test("the header heddle-thread keeps the conversation in its own way, and the tool runner goes on", async () => {
  exchange.says(say({ type: "text", text: "Where?" }));
  const options = { headers: { "heddle-thread": "new" } };
  const params = { model: "openai/up", max_tokens: 500, messages: [{ role: "user" as const, content: "Weather?" }] };
  const first = await client().beta.messages.create(params, options).withResponse();
  const thread = first.response.headers.get("heddle-thread") ?? "";
  sent.length = 0;
  asksFor(1);
  const final = await client()
    .beta.messages.toolRunner({ ...params, tools: [weather] }, { headers: { "heddle-thread": thread } })
    .runUntilDone();
  expect(textOf(final)).toBe("All: fine in city-1");
  expect(sent.map((body) => body.thread?.type)).toEqual(["create", undefined, undefined]);
});

test("an answer that paused goes on with nothing new", async () => {
  let turns = 0;
  exchange.says(({ request }) => {
    turns += 1;
    return turns === 1
      ? { parts: [{ type: "text", text: "Half." }], reason: "pause" }
      : say({ type: "text", text: `Whole, after ${request.messages.at(-1)?.role ?? ""}.` });
  });
  const thread = client().beta.messages.thread({ model: "anthropic/up", max_tokens: 50 });
  const first = await thread.send({ role: "user", content: "one" });
  expect(first.stop_reason).toBe("pause_turn");
  expect(textOf(await thread.send())).toBe("Whole, after assistant.");
  expect(sent.at(-1)?.messages).toEqual([]);
});

test("more messages than one write takes", async () => {
  exchange.says(({ request }) => say({ type: "text", text: `turn ${request.messages.length}` }));
  const many = (count: number): Anthropic.Beta.BetaMessageParam[] =>
    Array.from({ length: count }, (_, at) => ({ role: at % 2 === 0 ? "user" : "assistant", content: `message ${at}` }));
  const thread = client().beta.messages.thread({ model: "anthropic/up", max_tokens: 50 });
  expect(textOf(await thread.send(many(101)))).toBe("turn 101");
  expect(textOf(await thread.send(many(61)))).toBe("turn 163");
  expect(sent.map(({ messages }) => messages.length)).toEqual([101, 61]);
});
