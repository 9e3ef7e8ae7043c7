// The threads API of the Siili Agent SDK, as its client calls it, over a real gateway.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataFolder } from "../../support/data.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";
import { type Event, Refused, siiliClient, type SiiliClient, storeOf } from "./client.ts";

const data = dataFolder();
let gateway: TestGateway;
let ada: SiiliClient;
let bob: SiiliClient;
let eve: SiiliClient;
const key = (name: string): Record<string, string> => ({ authorization: `Bearer fake-key-of-${name}-0123456789` });
beforeAll(async () => {
  gateway = await startGateway(
    `
providers: { echo: { kind: echo, pace: 0 } }
models: { helper: echo/echo }
siili: { prefix: /api/chat }
auth:
  keys:
    - { name: ada, key: fake-key-of-ada-0123456789 }
    - { name: bob, key: fake-key-of-bob-0123456789 }
    - { name: eve, key: fake-key-of-eve-0123456789, tenant: elsewhere, owner: ada }
`,
    { HEDDLE_DATA: data.path },
  );
  ada = siiliClient(gateway.url, key("ada"));
  bob = siiliClient(gateway.url, key("bob"));
  eve = siiliClient(gateway.url, key("eve"));
});
afterAll(async () => {
  await gateway.stop();
  data.remove();
});

const refused = async (work: Promise<unknown>): Promise<{ status: number; detail: string }> => {
  try {
    await work;
  } catch (thrown) {
    if (thrown instanceof Refused) return { status: thrown.status, detail: thrown.detail };
    throw thrown;
  }
  throw new Error("it was not refused");
};

const kinds = (events: readonly Event[]): string[] => events.map((event) => event.event_type);

/** Waits until the last message is an answer. */
const answered = async (client: SiiliClient, thread: string, count = 2) => {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const messages = await client.messages(thread);
    if (messages.length >= count && messages.at(-1)?.ai === true) return messages;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("never answered");
};

describe("threads", () => {
  test("are made, read and deleted", async () => {
    const made = await ada.createThread({ job_id: "unknown", metadata: { colour: "red", deep: { any: [1, null] } } });
    expect(made).toEqual({ id: expect.stringMatching(/^thread_/), messages: [] });
    expect(await ada.getThread(made.id)).toEqual(made);
    expect(await ada.deleteThread(made.id)).toEqual({ message: "Thread deleted successfully" });
    expect(await refused(ada.getThread(made.id))).toEqual({ status: 404, detail: "No such thread." });
  });

  test("need nothing in their request; nulls are absent, unknown fields are left alone", async () => {
    const bare = await fetch(`${gateway.url}/threads`, { method: "POST", headers: key("ada") });
    expect(bare.status).toBe(200);
    await bare.text();
    const made = await ada.createThread({ job_id: null, metadata: null, system_prompt: "unknown here", x: [] });
    expect(made.messages).toEqual([]);
  });

  test.each([
    [{ job_id: 7 }, "job_id"],
    [{ metadata: "red" }, "metadata"],
    [{ metadata: { thread_type: 7 } }, "metadata.thread_type"],
    [{ job_id: "x".repeat(513) }, "job_id"],
  ])("refuse a request by the name of the field, %#", async (request, field) => {
    const { status, detail } = await refused(ada.createThread(request));
    expect(status).toBe(400);
    expect(detail).toContain(`${field}: expected`);
  });

  test("are listed by type, title, length and activity, the caller's own alone", async () => {
    const owner = siiliClient(gateway.url, key("bob"));
    const first = await owner.createThread({ metadata: { thread_type: "report", title: "The Winter of 1918" } });
    const second = await owner.createThread();
    await owner.stream(second.id, {
      content: "Which  birds\nstay in winter, and which of them leave us for the south?",
    });
    const all = await owner.listThreads();
    expect(all.total_count).toBe(2);
    const [newest, other] = all.threads;
    expect(newest).toMatchObject({
      thread_id: second.id,
      title: "Which birds stay in winter, and which of them leav...",
      message_count: 2,
      author_id: "bob",
      type: "chat",
    });
    expect(newest!.last_activity_time).toBeGreaterThanOrEqual(newest!.created_at);
    expect(other).toMatchObject({ thread_id: first.id, title: "The Winter of 1918", message_count: 0, type: "report" });

    const ids = async (filters: Record<string, string>): Promise<string[]> =>
      (await owner.listThreads(filters)).threads.map((each) => each.thread_id);
    expect(await ids({ thread_type: "report" })).toEqual([first.id]);
    expect(await ids({ thread_type: "chat" })).toEqual([second.id]);
    expect(await ids({ thread_type: "none" })).toEqual([]);
    expect(await ids({ title_contains: "WINTER" })).toEqual([second.id, first.id]);
    expect(await ids({ title_contains: "birds" })).toEqual([second.id]);
    expect(await ids({ min_messages: "1" })).toEqual([second.id]);
    expect(await ids({ max_messages: "1" })).toEqual([first.id]);
    expect(await ids({ hours_ago: "24", thread_type: "report", author_id: "ada" })).toEqual([first.id]);
    expect(await refused(owner.listThreads({ hours_ago: "soon" }))).toEqual({
      status: 400,
      detail: "hours_ago: expected a number",
    });
    expect((await eve.listThreads()).threads).toEqual([]);
  });

  test("are another caller's or tenant's secret on every route", async () => {
    const { id } = await ada.createThread();
    const asked = await ada.send(id, { content: "mine" });
    await answered(ada, id);
    for (const other of [bob, eve])
      for (const work of [
        () => other.getThread(id),
        () => other.messages(id),
        () => other.message(id, asked.id),
        () => other.deleteMessage(id, asked.id),
        () => other.send(id, { content: "hello" }),
        () => other.stream(id, { content: "hello" }),
        () => other.cancel(id),
        () => other.deleteThread(id),
      ])
        expect(await refused(work())).toEqual({ status: 404, detail: "No such thread." });
    expect(await ada.messages(id)).toHaveLength(2);
  });
});

describe("the prefix", () => {
  test("serves the same, beside the root", async () => {
    const below = siiliClient(`${gateway.url}/api/chat`, key("ada"));
    const { id } = await below.createThread();
    expect(kinds(await below.stream(id, { content: "hi" })).at(-1)).toBe("MessageFullyAdded");
    expect((await ada.getThread(id)).messages).toHaveLength(2);
    expect(await refused(below.getThread("thread_nobody"))).toEqual({ status: 404, detail: "No such thread." });
  });

  test.each(["/api/other", "/api", "/api/chat/api/chat", "/v1", "/v1beta"])(
    "is the configured one alone: %s",
    async (prefix) => {
      for (const path of ["/files", "/threads/x/nothing", "/audio/speech"].slice(0, prefix === "/v1" ? 1 : 3)) {
        const response = await fetch(gateway.url + prefix + path, { method: "POST", headers: key("ada") });
        expect(response.status, path).toBe(404);
        expect(await response.json()).toHaveProperty("error");
      }
    },
  );

  test.each(["", "/api/chat"])("refuses who has no key, in this API's words: %j", async (prefix) => {
    const nobody = siiliClient(gateway.url + prefix);
    for (const work of [() => nobody.createThread(), () => nobody.file("file_x"), () => nobody.speech({ text: "hi" })])
      expect((await refused(work())).status).toBe(401);
  });
});

describe("messages", () => {
  test("sent, answered in the background", async () => {
    const { id } = await ada.createThread();
    const sent = await ada.send(id, { content: "Good morning to you", attachments: null, mood: "good" });
    expect(sent).toMatchObject({ ai: false, author_id: "ada", author_name: "ada" });
    expect(sent.blocks).toEqual([
      { id: `${sent.id}_0`, streaming: false, type: "plain", content: "Good morning to you" },
    ]);
    expect(sent).not.toHaveProperty("attachments");
    const messages = await answered(ada, id);
    expect(messages).toEqual((await ada.getThread(id)).messages);
    expect(messages[0]).toEqual(sent);
    expect(messages[1]).toMatchObject({ ai: true, author_id: "helper", author_name: "helper" });
    expect(messages[1]!.blocks).toEqual([
      { id: `${messages[1]!.id}_0`, streaming: false, type: "plain", content: expect.stringContaining("morning") },
    ]);
    for (const message of messages) expect(await ada.message(id, message.id)).toEqual(message);
  });

  test.each([
    [{}, "content"],
    [{ content: 7 }, "content"],
    [{ content: "" }, "content"],
    [{ content: "x", attachments: {} }, "attachments"],
    [{ content: "x", attachments: ["file_1"] }, "attachments[0]"],
    [{ content: "x", attachments: [{ mime_type: "image/png" }] }, "attachments[0].file_id"],
  ])("refused, and nothing stored: %j", async (request, field) => {
    const { id } = await ada.createThread();
    for (const { status, detail } of [await refused(ada.send(id, request)), await refused(ada.stream(id, request))]) {
      expect(status).toBe(400);
      expect(detail.startsWith(`${field}: expected`), detail).toBe(true);
    }
    expect(await ada.messages(id)).toEqual([]);
  });

  test("streamed: the order, and the store it makes is the thread as it is read", async () => {
    const { id } = await ada.createThread();
    const response = await ada.call("POST", `/threads/${id}/messages/stream`, { content: "one two three" });
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-cache");
    expect(response.headers.get("x-accel-buffering")).toBe("no");
    const text = await response.text();
    expect(text.endsWith("}\n\n")).toBe(true);
    for (const part of text.slice(0, -2).split("\n\n")) expect(JSON.parse(part)).toHaveProperty("event_type");

    const events = await ada.stream(id, { content: "four five six" });
    const updates = kinds(events).filter((kind) => kind === "StreamingUpdated").length;
    expect(updates).toBeGreaterThan(1);
    expect(kinds(events)).toEqual([
      "MessageAdded",
      "MessageAdded",
      "BlockAdded",
      ...Array.from({ length: updates }, () => "StreamingUpdated"),
      "BlockFullyAdded",
      "MessageFullyAdded",
    ]);
    expect(events.every((event) => event.thread_id === id && event.timestamp > 1_600_000_000_000)).toBe(true);
    expect(events[1]).toMatchObject({ data: { ai: true, blocks: [] } });
    expect(events[2]).toMatchObject({ data: { block: { streaming: true, type: "plain" } } });
    expect(storeOf(events)).toEqual((await ada.messages(id)).slice(2));
  });

  test("deleted, questions and answers", async () => {
    const { id } = await ada.createThread();
    await ada.stream(id, { content: "remember the herons" });
    const [question, answer] = await ada.messages(id);
    expect(await ada.deleteMessage(id, answer!.id)).toEqual({ message: "Message deleted successfully" });
    expect(await ada.messages(id)).toEqual([question]);
    expect(await refused(ada.deleteMessage(id, answer!.id))).toEqual({ status: 404, detail: "No such message." });
    await ada.deleteMessage(id, question!.id);
    expect(await ada.messages(id)).toEqual([]);
    expect(await refused(ada.message(id, question!.id))).toEqual({ status: 404, detail: "No such message." });
    expect((await refused(ada.deleteMessage(id, "answer_5_run_nobody"))).status).toBe(404);
  });

  test("begun on another wire are continued here, and the other way round", async () => {
    const elsewhere = async (thread: string, text: string): Promise<Response> =>
      fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", "heddle-thread": thread, ...key("ada") },
        body: JSON.stringify({ model: "echo/echo", messages: [{ role: "user", content: text }] }),
      });
    const { id } = await ada.createThread();
    await ada.stream(id, { content: "first, here" });
    expect((await elsewhere(id, "second, there")).status).toBe(200);
    const events = await ada.stream(id, { content: "third, here again" });
    const messages = await ada.messages(id);
    expect(messages.map(({ ai }) => ai)).toEqual([false, true, false, true, false, true]);
    expect(messages[2]!.blocks[0]?.content).toBe("second, there");
    expect(messages[3]!.author_id).toBe("echo/echo");
    expect(storeOf(events)).toEqual(messages.slice(4));
  });
});

describe("failure", () => {
  test("before the first word is an Error event, and a block that stays", async () => {
    const { id } = await ada.createThread();
    const events = await ada.stream(id, { content: "hello" }, { "x-echo-fail": "400" });
    expect(kinds(events)).toEqual([
      "MessageAdded",
      "MessageAdded",
      "BlockAdded",
      "BlockFullyAdded",
      "MessageFullyAdded",
      "Error",
    ]);
    const error = events.at(-1)!;
    expect(error).toMatchObject({ event_type: "Error", data: { error_type: "invalid_request" } });
    const messages = await ada.messages(id);
    expect(messages).toEqual(storeOf(events));
    expect(messages[1]!.blocks).toEqual([
      {
        id: `${messages[1]!.id}_error`,
        streaming: false,
        type: "error",
        content: (error.data as { error_message: string }).error_message,
      },
    ]);
    await ada.deleteMessage(id, messages[1]!.id);
    expect(await ada.messages(id)).toEqual(messages.slice(0, 1));
    expect((await refused(ada.deleteMessage(id, messages[1]!.id))).status).toBe(404);
    // The thread goes on.
    expect(kinds(await ada.stream(id, { content: "again" })).at(-1)).toBe("MessageFullyAdded");
    expect(await ada.messages(id)).toHaveLength(3);
  });

  test("in the middle of an answer keeps what was said", async () => {
    const { id } = await ada.createThread();
    const events = await ada.stream(id, { content: "one two three four five" }, { "x-echo-fail-after": "3" });
    expect(kinds(events).slice(-5)).toEqual([
      "BlockFullyAdded",
      "BlockAdded",
      "BlockFullyAdded",
      "MessageFullyAdded",
      "Error",
    ]);
    const messages = await ada.messages(id);
    expect(messages[1]!.blocks.map(({ type }) => type)).toEqual(["plain", "error"]);
    expect(messages).toEqual(storeOf(events));
  });

  test("in the background is there to read", async () => {
    const { id } = await ada.createThread();
    await ada.send(id, { content: "hello" }, { "x-echo-fail": "400" });
    const messages = await answered(ada, id);
    expect(messages[1]!.blocks.map(({ type }) => type)).toEqual(["error"]);
  });
});

describe("cancel", () => {
  test("stops the run, keeps what was said, and is no error", async () => {
    const { id } = await ada.createThread();
    let stopped: Promise<unknown> | undefined;
    const events = await ada.stream(id, { content: "one two three four" }, { "x-echo-stall-after": "2" }, (event) => {
      if (event.event_type === "StreamingUpdated") stopped ??= ada.cancel(id);
    });
    expect(await stopped).toEqual({ success: true, message: "Cancellation signal sent" });
    expect(kinds(events).at(-1)).toBe("MessageFullyAdded");
    expect(kinds(events)).not.toContain("Error");
    const messages = await ada.messages(id);
    expect(messages).toEqual(storeOf(events));
    expect(messages[1]!.blocks.map(({ type }) => type)).toEqual(["plain"]);
  });

  test("says so where nothing is being generated", async () => {
    const { id } = await ada.createThread();
    expect(await ada.cancel(id)).toEqual({ success: false, message: "Nothing is being generated" });
  });

  test("a message sent meanwhile waits for its turn", async () => {
    const { id } = await ada.createThread();
    await ada.send(id, { content: "one two three" }, { "x-echo-stall-after": "1" });
    const second = ada.stream(id, { content: "four five" });
    const third = await ada.send(id, { content: "six" });
    await ada.cancel(id);
    const events = await second;
    expect(kinds(events).slice(0, 3)).toEqual(["MessageAdded", "MessageAdded", "BlockAdded"]);
    const messages = await answered(ada, id, 6);
    expect(messages.map(({ ai }) => ai)).toEqual([false, true, false, true, false, true]);
    const streamed = storeOf(events);
    expect(messages.filter((each) => streamed.some((one) => one.id === each.id))).toEqual(streamed);
    expect(messages).toContainEqual(third);
  });
});

test("a client that leaves takes nothing with it: the run goes on", async () => {
  const { id } = await ada.createThread();
  const left = ada.stream(id, { content: "[[pace 5]] one two three four five six" }, {}, (event) => {
    if (event.event_type === "StreamingUpdated") throw new Error("gone");
  });
  await expect(left).rejects.toThrow("gone");
  const messages = await answered(ada, id);
  expect(messages[1]!.blocks[0]?.content).toContain("six");
  expect(messages[1]!.blocks).toHaveLength(1);
});

test("a long thread is read whole: every answer has its author and its error", async () => {
  const { id } = await ada.createThread();
  for (let turn = 0; turn < 105; turn += 1)
    await ada.stream(id, { content: `turn ${turn}` }, turn % 50 === 0 ? { "x-echo-fail": "400" } : {});
  const messages = await ada.messages(id);
  expect(messages).toHaveLength(210);
  messages.forEach((message, at) => {
    expect(message.author_id).toBe(at % 2 === 0 ? "ada" : "helper");
    expect(message.blocks.map(({ type }) => type)).toEqual([at % 100 === 1 ? "error" : "plain"]);
  });
  expect(new Set(messages.map((message) => message.id)).size).toBe(210);
});

test("threads and files are there after a restart", async () => {
  const kept = dataFolder();
  const yaml = "providers: { echo: { kind: echo, pace: 0 } }";
  try {
    const first = await startGateway(yaml, { HEDDLE_DATA: kept.path });
    const before = siiliClient(first.url);
    const { id } = await before.createThread();
    const file = await before.upload(new File(["notes"], "notes.txt", { type: "text/plain" }));
    await before.stream(id, { content: "hello", attachments: [file] });
    const messages = await before.messages(id);
    await first.stop();
    const second = await startGateway(yaml, { HEDDLE_DATA: kept.path });
    const after = siiliClient(second.url);
    expect(await after.messages(id)).toEqual(messages);
    expect(await (await after.file(file.file_id)).text()).toBe("notes");
    await second.stop();
  } finally {
    kept.remove();
  }
});

test("a silent stream has heartbeats that its reader never sees (F9)", async () => {
  const kept = dataFolder();
  const quiet = await startGateway("server: { heartbeatMs: 20 }", { HEDDLE_DATA: kept.path });
  try {
    const client = siiliClient(quiet.url);
    const { id } = await client.createThread();
    const request = { content: "one two three" };
    const response = await client.call("POST", `/threads/${id}/messages/stream`, request, {
      "x-echo-stall-after": "1",
    });
    let text = "";
    let cancelled: Promise<unknown> | undefined;
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk).toString("utf8");
      if (text.includes("StreamingUpdated") && text.endsWith("\n\n  ")) cancelled ??= client.cancel(id);
    }
    expect(await cancelled).toMatchObject({ success: true });
    const events = text.split("\n\n").filter((part) => part.trim() !== "");
    expect(events.some((part) => part.startsWith(" "))).toBe(true);
    expect(JSON.parse(events.at(-1)!)).toMatchObject({ event_type: "MessageFullyAdded" });
  } finally {
    await quiet.stop();
    kept.remove();
  }
});

test("a thread that is deleted under a stream ends it", async () => {
  const { id } = await ada.createThread();
  let deleted: Promise<unknown> | undefined;
  const events = await ada.stream(id, { content: "one two three four" }, { "x-echo-stall-after": "2" }, (event) => {
    if (event.event_type === "StreamingUpdated") deleted ??= ada.deleteThread(id);
  });
  await deleted;
  expect(["MessageFullyAdded", "Error"]).toContain(kinds(events).at(-1));
  expect((await refused(ada.getThread(id))).status).toBe(404);
});

test("streaming over a push service is not negotiated", async () => {
  const { id } = await ada.createThread();
  expect((await refused(ada.call("GET", `/threads/${id}/negotiate-streaming`))).status).toBe(501);
});

test("where nothing is stored, threads and files say so", async () => {
  const forgetful = await startGateway("storage: none");
  try {
    const client = siiliClient(forgetful.url);
    expect((await refused(client.createThread())).status).toBe(501);
    expect((await refused(client.upload(new File(["x"], "x.txt")))).status).toBe(501);
  } finally {
    await forgetful.stop();
  }
});
