// Whose threads are whose: nobody reads, changes or even sees another owner's or tenant's.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  type Client,
  clientOf,
  dataOf,
  expectProblem,
  newThread,
  startThreads,
  textAt,
} from "./client.ts";

const yaml = `
providers: { echo: { kind: echo, pace: 0 } }
auth:
  mode: keys
  keys:
    - { name: alice, key: key-of-alice-0000000000 }
    - { name: alice-phone, key: key-of-alice-phone-0000, owner: alice }
    - { name: bob, key: key-of-bob-000000000000 }
    - { name: alice-elsewhere, key: key-of-other-tenant-000, tenant: elsewhere, owner: alice }
`;
let running: Awaited<ReturnType<typeof startThreads>>;
let alice: Client;
let strangers: [string, Client][];
beforeAll(async () => {
  running = await startThreads(yaml);
  alice = clientOf(running.gateway, "key-of-alice-0000000000");
  strangers = [
    ["another owner", clientOf(running.gateway, "key-of-bob-000000000000")],
    ["another tenant", clientOf(running.gateway, "key-of-other-tenant-000")],
  ];
});
afterAll(() => running.stop());

const model = "echo/echo";

describe("another's thread", () => {
  test("is not found on any route, and nothing in it moves", async () => {
    const thread = await newThread(alice, { id: "diary", title: "Diary", metadata: { a: "1" } });
    const run = await alice.post(`/${thread}/runs`, { model, input: "call it", tools: [{ name: "look" }] });
    const id = textAt(run, "id");
    const message = textAt(run, "message_id");
    const before = await alice.get(`/${thread}`);
    const outputs = { tool_outputs: [{ tool_call_id: "c", output: "x" }] };
    const calls: [string, string, unknown?][] = [
      ["GET", ""],
      ["PATCH", "", { title: "Mine" }],
      ["DELETE", ""],
      ["POST", "/fork"],
      ["GET", "/export"],
      ["GET", "/usage"],
      ["GET", "/messages"],
      ["POST", "/messages", { role: "user", content: "x" }],
      ["GET", `/messages/${message}`],
      ["DELETE", `/messages/${message}`],
      ["GET", `/messages/${message}/siblings`],
      ["POST", "/active_leaf", { message_id: message }],
      ["POST", "/runs", { model, input: "x" }],
      ["POST", "/runs", { model, input: "x", stream: true }],
      ["POST", "/runs", { model, input: "x", background: true }],
      ["GET", "/runs"],
      ["GET", `/runs/${id}`],
      ["GET", `/runs/${id}/events`],
      ["GET", `/runs/${id}/events?wire=openai-chat`],
      ["POST", `/runs/${id}/cancel`],
      ["POST", `/runs/${id}/tool_outputs`, outputs],
    ];
    for (const [, stranger] of strangers)
      for (const [method, path, body] of calls)
        expectProblem(await stranger.call(method, `/${thread}${path}`, body), 404, "not_found", "thread_id");
    expect((await alice.get(`/${thread}`)).body).toEqual(before.body);
    expect(dataOf(await alice.get(`/${thread}/messages`))).toHaveLength(2);
  });

  test("is in nobody else's lists", async () => {
    for (const [name, stranger] of strangers) {
      await newThread(alice, { title: "Secret plans", metadata: { project: "x" } });
      for (const query of ["", "?title_prefix=secret", "?metadata[project]=x"])
        expect(dataOf(await stranger.get(query)), name).toEqual([]);
    }
  });

  test("may have the id of another owner's: each has its own, and neither knows", async () => {
    await newThread(alice, { id: "taken", title: "Hers" });
    for (const [, stranger] of strangers) {
      const other = await stranger.post("", { id: "taken", title: "Another one", if_exists: "return" });
      expect([other.status, other.body["title"]]).toEqual([201, "Another one"]);
      await stranger.call("DELETE", "/taken");
      expect((await stranger.get("/taken")).status).toBe(404);
      expect((await alice.get("/taken")).body["title"]).toBe("Hers");
    }
  });

  test("a cursor of one list opens no other", async () => {
    for (let n = 0; n < 3; n += 1) await newThread(alice, { title: "Paged" });
    const cursor = textAt(await alice.get("?limit=1"), "next_cursor");
    for (const [, stranger] of strangers) {
      const answer: Answer = await stranger.get(`?cursor=${encodeURIComponent(cursor)}`);
      if (answer.status === 200) expect(dataOf(answer)).toEqual([]);
      else expectProblem(answer, 400, "invalid_request", "cursor");
    }
  });
});

test("two keys of one owner share their threads", async () => {
  const phone = clientOf(running.gateway, "key-of-alice-phone-0000");
  const thread = await newThread(alice, { title: "Shared" });
  expect((await phone.get(`/${thread}`)).body["title"]).toBe("Shared");
  expect((await phone.post(`/${thread}/runs`, { model, input: "From my phone" })).status).toBe(200);
  expect(dataOf(await alice.get(`/${thread}/messages`))).toHaveLength(2);
});

test("without a key, or with a wrong one, nothing is told", async () => {
  for (const client of [clientOf(running.gateway), clientOf(running.gateway, "key-of-nobody-000000000")])
    for (const [method, path] of [
      ["GET", ""],
      ["POST", ""],
      ["GET", "/diary"],
      ["GET", "/diary/runs/run_1/events"],
    ] as const)
      expectProblem(await client.call(method, path), 401, "authentication");
});

test("where nothing is kept, every route says so", async () => {
  const { startGateway } = await import("../../support/gateway.ts");
  const gateway = await startGateway("providers: { echo: { kind: echo } }");
  try {
    const client = clientOf(gateway);
    for (const [method, path] of [
      ["GET", ""],
      ["POST", ""],
      ["GET", "/x"],
      ["POST", "/x/runs"],
      ["GET", "/x/runs/r/events"],
      ["GET", "/x/export"],
    ] as const)
      expectProblem(await client.call(method, path), 501, "not_implemented");
  } finally {
    await gateway.stop();
  }
});
