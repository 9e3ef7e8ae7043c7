// What comes of threads over HTTP: forks, exports, usage.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  at,
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

describe("forks", () => {
  test("a fork begins with what came before, and goes its own way", async () => {
    const id = await newThread(client, {
      title: "Trunk",
      metadata: { a: "1" },
      messages: ["one", "two", "three"].map((content) => ({ role: "user", content })),
    });
    const messages = dataOf(await client.get(`/${id}/messages`));
    const fork = await client.post(`/${id}/fork`, {
      message_id: messages[1]?.["id"],
      title: "Branch",
      metadata: { b: "2" },
      id: "branch",
    });
    expect(fork.status, fork.text).toBe(201);
    expect(fork.headers.get("etag")).toBe('"1"');
    expect(fork.body).toMatchObject({
      id: "branch",
      title: "Branch",
      metadata: { b: "2" },
      message_count: 2,
      active_leaf_id: messages[1]?.["id"],
    });
    await client.post("/branch/messages", { role: "user", content: "other" });
    expect(dataOf(await client.get("/branch/messages")).map(({ seq }) => seq)).toEqual([0, 1, 2]);
    expect(dataOf(await client.get(`/${id}/messages`))).toEqual(messages);
    const whole = await client.post(`/${id}/fork`);
    expect(whole.body).toMatchObject({ title: "Trunk", metadata: { a: "1" }, message_count: 3 });
    await client.call("DELETE", `/${id}`);
    expect(dataOf(await client.get("/branch/messages"))).toHaveLength(3);
  });

  test("what can't be forked is refused by name", async () => {
    const id = await newThread(client, { messages: [{ role: "user", content: "x" }] });
    expectProblem(await client.post(`/${id}/fork`, { message_id: "msg_0_nobody" }), 404, "not_found", "message_id");
    expectProblem(await client.post(`/${id}/fork`, { message_id: 7 }), 400, "invalid_request", "message_id");
    expectProblem(await client.post(`/${id}/fork`, { id }), 409, "conflict", "id");
    expectProblem(await client.post(`/${id}/fork`, { id: "no/id" }), 400, "invalid_request", "id");
    expectProblem(await client.post("/nobody/fork"), 404, "not_found", "thread_id");
  });
});

test("an export is every object of the thread, a line each", async () => {
  const id = await newThread(client, { title: "Kept" });
  const run = await client.post(`/${id}/runs`, { model: "echo/echo", input: "Remember this." });
  expect(run.status, run.text).toBe(200);
  const answer = await client.get(`/${id}/export`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("application/x-ndjson");
  expect(answer.text.endsWith("\n")).toBe(true);
  const lines = answer.text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Body);
  expect(lines.map(({ object }) => object)).toEqual([
    "thread",
    "thread.message",
    "thread.message",
    "thread.run",
    "thread.usage",
  ]);
  expect(lines[0]).toEqual((await client.get(`/${id}`)).body);
  expect(lines.slice(1, 3)).toEqual(dataOf(await client.get(`/${id}/messages`)));
  expect(lines[3]).toEqual(dataOf(await client.get(`/${id}/runs`))[0]);
  expect(lines[4]).toEqual(dataOf(await client.get(`/${id}/usage`))[0]);
});

test("usage is told by call and in total, by pages", async () => {
  const id = await newThread(client);
  for (const input of ["one", "two", "three"]) await client.post(`/${id}/runs`, { model: "echo/echo", input });
  const all = await client.get(`/${id}/usage`);
  const data = dataOf(all);
  expect(data).toHaveLength(3);
  for (const record of data)
    expect(record).toMatchObject({
      object: "thread.usage",
      run_id: expect.stringMatching(/^run_/),
      step: 1,
      provider: "echo",
      usage: { input: expect.any(Number), output: expect.any(Number) },
      estimated: false,
    });
  const sum = (name: string): number => data.reduce((total, { usage }) => total + Number((usage as Body)[name]), 0);
  expect(all.body["total"]).toMatchObject({ calls: 3, usage: { input: sum("input"), output: sum("output") } });
  const first = await client.get(`/${id}/usage?limit=2`);
  expect(dataOf(first)).toEqual(data.slice(0, 2));
  const rest = await client.get(`/${id}/usage?limit=2&cursor=${textAt(first, "next_cursor")}`);
  expect(dataOf(rest)).toEqual(data.slice(2));
  expect(at(rest, "total")).toEqual(all.body["total"]);
  expectProblem(await client.get(`/${id}/usage?cursor=nobody`), 400, "invalid_request", "cursor");
});
