// The messages of a thread over HTTP: append, list, read, delete, siblings, the active branch.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  at,
  type Answer,
  type Body,
  type Client,
  clientOf,
  dataOf,
  expectProblem,
  newThread,
  startThreads,
  textAt,
} from "./client.ts";

let running: Awaited<ReturnType<typeof startThreads>>;
let client: Client;
beforeAll(async () => {
  running = await startThreads();
  client = clientOf(running.gateway);
});
afterAll(() => running.stop());

const say = async (thread: string, content: string, more: Body = {}): Promise<string> => {
  const made = await client.post(`/${thread}/messages`, { role: "user", content, ...more });
  expect(made.status, made.text).toBe(201);
  return textAt(made, "id");
};
const idsOf = (answer: Answer): unknown[] => dataOf(answer).map(({ id }) => id);

describe("appending", () => {
  test("one message answers with itself", async () => {
    const thread = await newThread(client);
    const made = await client.post(`/${thread}/messages`, { role: "user", content: "Hello", metadata: { a: "1" } });
    expect(made.status, made.text).toBe(201);
    expect(made.body).toEqual({
      id: expect.stringMatching(/^msg_/),
      object: "thread.message",
      role: "user",
      parts: [{ type: "text", text: "Hello" }],
      parent_id: null,
      created_at: expect.any(Number),
      run_id: null,
      client_id: null,
      metadata: { a: "1" },
      partial: false,
      deleted: false,
      seq: 0,
    });
    expect((await client.get(`/${thread}/messages/${textAt(made, "id")}`)).body).toEqual(made.body);
    expect((await client.get(`/${thread}`)).body).toMatchObject({ message_count: 1, active_leaf_id: made.body["id"] });
  });

  test("a list of messages answers with a list, one after another", async () => {
    const thread = await newThread(client);
    const messages = Array.from({ length: 60 }, (_, n) => ({
      role: n % 2 === 0 ? "user" : "assistant",
      content: `m${n}`,
    }));
    const made = await client.post(`/${thread}/messages`, { messages });
    expect(made.status, made.text).toBe(201);
    const data = dataOf(made);
    expect(data.map(({ seq }) => seq)).toEqual(messages.map((_, n) => n));
    expect(data.map(({ parent_id }) => parent_id)).toEqual([null, ...data.slice(0, -1).map(({ id }) => id)]);
  });

  test("every kind of part is told as it was given", async () => {
    const thread = await newThread(client);
    const image = { kind: "base64", data: "iVBORw0KGgo=", media_type: "image/png" };
    const link = { kind: "url", url: "https://example.com/a.pdf" };
    const user: Body[] = [
      { type: "text", text: "Look", cache: { ttl: "1h" } },
      { type: "image", source: image, detail: "low" },
      { type: "document", source: link, title: "T", filename: "a.pdf", context: "C" },
      { type: "document", source: { kind: "text", text: "plain", media_type: "text/plain" } },
      {
        type: "audio",
        source: { kind: "id", id: "file_1", origin: "openai", media_type: "audio/wav" },
        format: "wav",
        transcript: "la",
      },
      { type: "video", source: link },
    ];
    const assistant: Body[] = [
      { type: "reasoning", text: "Hm." },
      { type: "text", text: "See [1]", citations: [{ url: "https://example.com", title: "E", start: 4, end: 7 }] },
      { type: "refusal", text: "No." },
      { type: "tool-call", call_id: "call_1", name: "look", arguments: '{"a":1}' },
      { type: "tool-call", call_id: "call_2", name: "draw", arguments: "free text", custom: true },
    ];
    const results: Body[] = [
      {
        type: "tool-result",
        call_id: "call_1",
        name: "look",
        parts: [
          { type: "text", text: "seen" },
          { type: "image", source: image },
        ],
      },
      { type: "tool-result", call_id: "call_2", parts: [{ type: "text", text: "bad" }], is_error: true, custom: true },
    ];
    for (const [role, parts] of [
      ["user", user],
      ["assistant", assistant],
      ["user", results],
    ] as const) {
      const made = await client.post(`/${thread}/messages`, { role, parts });
      expect(made.status, made.text).toBe(201);
      expect(made.body).toMatchObject({ role, parts });
      expect((await client.post(`/${thread}/messages`, { role, content: parts })).body["parts"]).toEqual(parts);
    }
  });

  test("what is empty is filled: arguments of no call, the output of a result", async () => {
    const thread = await newThread(client);
    const made = await client.post(`/${thread}/messages`, {
      messages: [
        { role: "assistant", parts: [{ type: "tool-call", call_id: "c", name: "n" }] },
        { role: "user", parts: [{ type: "tool-result", call_id: "c", content: "" }] },
      ],
    });
    expect(at(made, "data", 0, "parts")).toEqual([{ type: "tool-call", call_id: "c", name: "n", arguments: "{}" }]);
    expect(at(made, "data", 1, "parts")).toEqual([
      { type: "tool-result", call_id: "c", parts: [{ type: "text", text: "" }] },
    ]);
  });

  test("a client's own id names one message, however often it is sent", async () => {
    const thread = await newThread(client);
    const first = await client.post(`/${thread}/messages`, { role: "user", content: "once", client_id: "mine" });
    const again = await client.post(`/${thread}/messages`, { role: "user", content: "once", client_id: "mine" });
    expect(again.body).toEqual(first.body);
    const more = await client.post(`/${thread}/messages`, {
      messages: [
        { role: "user", content: "once", client_id: "mine" },
        { role: "user", content: "next", client_id: "other" },
      ],
    });
    expect(dataOf(more).map(({ seq }) => seq)).toEqual([0, 1]);
    expect((await client.get(`/${thread}`)).body["message_count"]).toBe(2);
    expect((await client.get(`/${thread}/messages/mine`)).body).toEqual(first.body);
  });

  test("many at once under one client id add one message", async () => {
    const thread = await newThread(client);
    const all = await Promise.all(Array.from({ length: 6 }, () => say(thread, "once", { client_id: "same" })));
    expect(new Set(all).size).toBe(1);
    expect((await client.get(`/${thread}`)).body["message_count"]).toBe(1);
  });

  test.each([
    [{}, 400, "role"],
    [{ role: "robot", content: "x" }, 400, "role"],
    [{ role: "user", content: 7 }, 400, "content"],
    [{ role: "user", content: ["x"] }, 400, "content[0]"],
    [{ role: "system", parts: [{ type: "image" }] }, 400, "parts[0].type"],
    [{ role: "user", content: "x", client_id: "msg_0_abc" }, 400, "client_id"],
    [{ role: "user", content: "x", client_id: "x".repeat(129) }, 400, "client_id"],
    [{ role: "user", content: "x", metadata: { a: {} } }, 400, "metadata.a"],
    [{ role: "user", content: "x", parent_id: "msg_0_nobody" }, 404, "parent_id"],
    [{ role: "user", content: "x", parent_id: 7 }, 400, "parent_id"],
    [{ role: "user", content: "x", messages: [] }, 400, "role"],
    [{ messages: [] }, 400, "messages"],
    [{ messages: [{ role: "user", content: "x" }, { role: "user" }] }, 400, "messages[1].content"],
    [{ messages: [{ role: "user", content: "x", parent_id: null }] }, 400, "messages[0].parent_id"],
  ])("%j is refused, and nothing is added", async (body, status, param) => {
    const thread = await newThread(client);
    expectProblem(
      await client.post(`/${thread}/messages`, body),
      status,
      status === 404 ? "not_found" : "invalid_request",
      param,
    );
    expect((await client.get(`/${thread}`)).body["message_count"]).toBe(0);
  });
});

describe("listing", () => {
  test("both ways, by pages, between two messages", async () => {
    const thread = await newThread(client);
    const ids: string[] = [];
    for (let n = 0; n < 7; n += 1) ids.push(await say(thread, `m${n}`));
    const list = async (query: string): Promise<unknown[]> => idsOf(await client.get(`/${thread}/messages?${query}`));
    expect(await list("")).toEqual(ids);
    expect(await list("order=desc")).toEqual(ids.toReversed());
    expect(await list(`after=${ids[2]}&limit=2`)).toEqual(ids.slice(3, 5));
    expect(await list(`before=${ids[2]}`)).toEqual(ids.slice(0, 2));
    expect(await list(`order=desc&after=${ids[2]}`)).toEqual([ids[1], ids[0]]);
    for (const order of ["asc", "desc"]) {
      const seen: unknown[] = [];
      let cursor = "";
      for (let pages = 0; pages < 10; pages += 1) {
        const page = await client.get(`/${thread}/messages?limit=3&order=${order}${cursor}`);
        seen.push(...idsOf(page));
        if (page.body["has_more"] !== true) break;
        cursor = `&cursor=${textAt(page, "next_cursor")}`;
      }
      expect(seen).toEqual(order === "asc" ? ids : ids.toReversed());
    }
  });

  test("edits make siblings, and branches are told apart", async () => {
    const thread = await newThread(client);
    const root = await say(thread, "root");
    const left = await say(thread, "left");
    const leftLeaf = await say(thread, "left leaf");
    const right = await say(thread, "right", { parent_id: root });
    const other = await say(thread, "another root", { parent_id: null });
    const list = async (query: string): Promise<unknown[]> => idsOf(await client.get(`/${thread}/messages?${query}`));
    expect(await list("")).toEqual([root, left, leftLeaf, right, other]);
    expect(await list("branch=path")).toEqual([other]);
    expect(await list(`leaf=${right}`)).toEqual([root, right]);
    expect(await list(`leaf=${leftLeaf}&order=desc`)).toEqual([leftLeaf, left, root]);
    expect(idsOf(await client.get(`/${thread}/messages/${left}/siblings`))).toEqual([left, right]);
    expect(idsOf(await client.get(`/${thread}/messages/${root}/siblings`))).toEqual([root, other]);
    expect(idsOf(await client.get(`/${thread}/messages/${leftLeaf}/siblings`))).toEqual([leftLeaf]);

    const picked = await client.post(`/${thread}/active_leaf`, { message_id: leftLeaf });
    expect(picked.status, picked.text).toBe(200);
    expect(picked.body).toMatchObject({ id: thread, object: "thread", active_leaf_id: leftLeaf });
    const next = await say(thread, "goes on");
    expect(await list("branch=path")).toEqual([root, left, leftLeaf, next]);
  });

  test.each([
    ["limit=0", 400, "limit"],
    ["order=up", 400, "order"],
    ["branch=left", 400, "branch"],
    ["after=msg_0_nobody", 404, "after"],
    ["before=nobody", 404, "before"],
    ["leaf=nobody", 404, "leaf"],
  ])("?%s is refused", async (query, status, param) => {
    const thread = await newThread(client);
    expectProblem(
      await client.get(`/${thread}/messages?${query}`),
      status,
      status === 404 ? "not_found" : "invalid_request",
      param,
    );
  });
});

test("a deleted message is gone; its place stays", async () => {
  const thread = await newThread(client);
  const first = await say(thread, "first");
  const second = await say(thread, "second", { client_id: "two" });
  const third = await say(thread, "third");
  const gone = await client.call("DELETE", `/${thread}/messages/two`);
  expect(gone.body).toEqual({ id: second, object: "thread.message.deleted", deleted: true });
  for (const method of ["GET", "DELETE"])
    expectProblem(await client.call(method, `/${thread}/messages/${second}`), 404, "not_found", "message_id");
  expect(idsOf(await client.get(`/${thread}/messages`))).toEqual([first, third]);
  expect((await client.get(`/${thread}/messages/${third}`)).body).toMatchObject({ seq: 2, parent_id: second });
});

test("what a fork inherited can't be deleted through it", async () => {
  const thread = await newThread(client);
  const message = await say(thread, "shared");
  const fork = textAt(await client.post(`/${thread}/fork`), "id");
  expectProblem(await client.call("DELETE", `/${fork}/messages/${message}`), 409, "conflict", "message_id");
});

test("what isn't there is not found", async () => {
  const thread = await newThread(client);
  const problems: [string, string, unknown, string][] = [
    ["GET", `/${thread}/messages/nobody`, undefined, "message_id"],
    ["DELETE", `/${thread}/messages/nobody`, undefined, "message_id"],
    ["GET", `/${thread}/messages/nobody/siblings`, undefined, "message_id"],
    ["POST", `/${thread}/active_leaf`, { message_id: "nobody" }, "message_id"],
    ["GET", "/nobody/messages", undefined, "thread_id"],
    ["POST", "/nobody/messages", { role: "user", content: "x" }, "thread_id"],
    ["POST", "/nobody/active_leaf", { message_id: "x" }, "thread_id"],
  ];
  for (const [method, path, body, param] of problems)
    expectProblem(await client.call(method, path, body), 404, "not_found", param);
  expectProblem(await client.post(`/${thread}/active_leaf`, {}), 400, "invalid_request", "message_id");
});
