// Runs over HTTP: begun, answered, streamed, in the background, stopped, listed.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  at,
  type Body,
  type Client,
  clientOf,
  dataOf,
  eventually,
  expectProblem,
  framesOf,
  newThread,
  saidIn,
  startThreads,
  textAt,
} from "./client.ts";
import { ended, model, run, textOf, typesOf, weather } from "./running.ts";

let running: Awaited<ReturnType<typeof startThreads>>;
let client: Client;
beforeAll(async () => {
  running = await startThreads();
  client = clientOf(running.gateway);
});
afterAll(() => running.stop());

describe("a run", () => {
  test("is answered whole, with its message", async () => {
    const thread = await newThread(client, { system: "Be kind." });
    const answer = await run(client, thread, { input: "Hello there", metadata: { a: "1" }, run_id: "my-run" });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.headers.get("heddle-thread")).toBe(thread);
    expect(answer.headers.get("heddle-run")).toBe("my-run");
    expect(answer.headers.get("heddle-provider")).toBe("echo");
    expect(answer.body).toEqual({
      id: "my-run",
      object: "thread.run",
      thread_id: thread,
      status: "completed",
      created_at: expect.any(Number),
      started_at: expect.any(Number),
      completed_at: expect.any(Number),
      model,
      step: 1,
      required_action: null,
      stop_reason: "end",
      usage: expect.objectContaining({ input: expect.any(Number), output: expect.any(Number) }),
      cost: 0,
      error: null,
      message_id: expect.stringMatching(/^msg_/),
      metadata: { a: "1" },
      message: expect.objectContaining({ object: "thread.message", role: "assistant", run_id: "my-run", seq: 1 }),
    });
    expect(saidIn(answer.body["message"])).toContain("Hello there");
    expect((await client.get(`/${thread}/runs/my-run`)).body).toEqual(answer.body);
    const { message: _message, ...listed } = answer.body;
    expect(dataOf(await client.get(`/${thread}/runs`))).toEqual([listed]);
    expect((await client.get(`/${thread}`)).body).toMatchObject({ status: "idle", run_id: null, message_count: 2 });
    expectProblem(await run(client, thread, { input: "again", run_id: "my-run" }), 409, "conflict", "run_id");
  });

  test("takes every option that a request may have", async () => {
    const thread = await newThread(client);
    const answer = await run(client, thread, {
      messages: [{ role: "user", content: "Say JSON" }],
      instructions: "Be exact.",
      tools: [],
      tool_choice: "auto",
      max_output_tokens: 500,
      temperature: 0.5,
      top_p: 0.9,
      stop: ["STOP"],
      reasoning: { effort: "low" },
      output: {
        type: "json_schema",
        name: "it",
        schema: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] },
      },
    });
    expect(answer.status, answer.text).toBe(200);
    expect(JSON.parse(saidIn(answer.body["message"]))).toHaveProperty("n");
  });

  test("that is cut off at its limit is incomplete", async () => {
    const thread = await newThread(client);
    const answer = await run(client, thread, {
      input: "one two three four five six seven eight",
      max_output_tokens: 2,
    });
    expect(answer.body).toMatchObject({ status: "incomplete", stop_reason: "length", message: { partial: true } });
  });

  test("without messages answers what is there, and answers it anew below a parent", async () => {
    const thread = await newThread(client, { messages: [{ role: "user", content: "Say it" }] });
    const first = await run(client, thread, {});
    expect(first.status, first.text).toBe(200);
    const parent = at(first, "message", "parent_id");
    const again = await run(client, thread, { parent_id: parent });
    expect(at(again, "message", "parent_id")).toBe(parent);
    const siblings = await client.get(`/${thread}/messages/${textAt(again, "message_id")}/siblings`);
    expect(dataOf(siblings).map(({ id }) => id)).toEqual([first.body["message_id"], again.body["message_id"]]);
  });

  test("is begun once by messages with clients' ids", async () => {
    const thread = await newThread(client);
    const body = { messages: [{ role: "user", content: "Once", client_id: "only" }] };
    const first = await run(client, thread, body);
    const again = await run(client, thread, body);
    expect(again.status, again.text).toBe(200);
    expect(again.body).toEqual(first.body);
    const streamed = await run(client, thread, { ...body, stream: true });
    expect(textOf(framesOf(streamed.text))).toBe(saidIn(first.body["message"]));
    expect((await client.get(`/${thread}`)).body["message_count"]).toBe(2);
  });

  test.each([
    [{ model: undefined }, 400, "model"],
    [{ model: 7 }, 400, "model"],
    [{}, 400, "messages"],
    [{ parent_id: null }, 400, "messages"],
    [{ input: "" }, 400, "input"],
    [{ input: "x", messages: [] }, 400, "input"],
    [{ messages: [{ role: "user" }] }, 400, "messages[0].content"],
    [{ input: "x", stream: "yes" }, 400, "stream"],
    [{ input: "x", background: 1 }, 400, "background"],
    [{ input: "x", instructions: [] }, 400, "instructions"],
    [{ input: "x", tools: [{}] }, 400, "tools[0].name"],
    [{ input: "x", tools: [weather, weather] }, 400, "tools[1].name"],
    [{ input: "x", tools: [{ name: "a", parameters: [] }] }, 400, "tools[0].parameters"],
    [{ input: "x", tool_choice: "any" }, 400, "tool_choice"],
    [{ input: "x", tool_choice: "required" }, 400, "tool_choice"],
    [{ input: "x", tool_choice: { name: "nobody" } }, 400, "tool_choice.name"],
    [{ input: "x", max_output_tokens: 0 }, 400, "max_output_tokens"],
    [{ input: "x", temperature: 3 }, 400, "temperature"],
    [{ input: "x", top_p: -1 }, 400, "top_p"],
    [{ input: "x", stop: "" }, 400, "stop"],
    [{ input: "x", stop: [1] }, 400, "stop[0]"],
    [{ input: "x", reasoning: { effort: "huge" } }, 400, "reasoning.effort"],
    [{ input: "x", output: { type: "xml" } }, 400, "output.type"],
    [{ input: "x", output: { type: "json_schema" } }, 400, "output.schema"],
    [{ input: "x", parent_id: "msg_0_nobody" }, 404, "parent_id"],
    [{ input: "x", on_conflict: "wait" }, 400, "on_conflict"],
    [{ input: "x", metadata: { a: 1 } }, 400, "metadata.a"],
    [{ input: "x", run_id: "a b" }, 400, "run_id"],
    [{ input: "x", top_k: 5 }, 400, "top_k"],
    [{ messages: [{ role: "user", content: "x", client_id: "msg_0_a" }] }, 400, "messages[0].client_id"],
  ])("%j is refused, and nothing is written", async (body, status, param) => {
    const thread = await newThread(client);
    expectProblem(await run(client, thread, body), status, status === 404 ? "not_found" : "invalid_request", param);
    expect((await client.get(`/${thread}`)).body).toMatchObject({ message_count: 0, status: "idle" });
    expect(dataOf(await client.get(`/${thread}/runs`))).toEqual([]);
  });

  test("of an unknown model is not begun", async () => {
    const thread = await newThread(client);
    const answer = await run(client, thread, { model: "nobody/nothing", input: "x" });
    expectProblem(answer, 404, "model_not_found", "model");
    expect((await client.get(`/${thread}`)).body["message_count"]).toBe(0);
  });

  test.each([true, false])("that fails before its first event is an ordinary error, streamed: %s", async (stream) => {
    const thread = await newThread(client);
    const answer = await run(client, thread, { input: "[[fail 400]]", stream });
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    const id = answer.headers.get("heddle-run") ?? "";
    const failed = await client.get(`/${thread}/runs/${id}`);
    expect(failed.body).toMatchObject({ status: "failed", message_id: null, message: null, usage: null });
    expect(failed.body["error"]).toMatchObject({
      status: 400,
      code: answer.body["code"],
      detail: answer.body["detail"],
    });
    expect((await client.get(`/${thread}`)).body["status"]).toBe("idle");
  });

  test("that fails later keeps what was said", async () => {
    const thread = await newThread(client);
    const whole = await run(client, thread, { input: "one two three four five [[fail-after 3]]" });
    expect(whole.status, whole.text).toBe(200);
    expect(whole.body).toMatchObject({
      status: "failed",
      error: { code: "overloaded" },
      message: { partial: true },
    });
    const streamed = await run(client, thread, { input: "one two three four five [[cut 3]]", stream: true });
    const frames = framesOf(streamed.text);
    expect(frames.at(-1)).toMatchObject({ event: "error", data: { error: { code: "upstream_error", status: 502 } } });
    const stored = await client.get(`/${thread}/runs/${streamed.headers.get("heddle-run")}`);
    expect(saidIn(stored.body["message"])).toBe(textOf(frames));
  });
});

describe("a stream", () => {
  test("is the neutral events, numbered", async () => {
    const thread = await newThread(client);
    const answer = await run(client, thread, { input: "Hello out there", stream: true });
    expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const frames = framesOf(answer.text);
    expect(frames.map(({ id }) => id)).toEqual(frames.map((_, n) => n + 1));
    expect(frames[0]?.data).toMatchObject({
      type: "response-start",
      thread_id: thread,
      run_id: answer.headers.get("heddle-run"),
    });
    expect(typesOf(frames).at(-1)).toBe("response-end");
    expect(frames.every(({ event, data }) => data["type"] === event)).toBe(true);
    expect(textOf(frames)).toContain("Hello out there");
    // Whoever saw the end goes on at once (F47).
    expect((await run(client, thread, { input: "And again" })).status).toBe(200);
  });

  test("tells no opaque state", async () => {
    const thread = await newThread(client);
    const answer = await run(client, thread, { model: "echo/echo-reasoning", input: "Think", stream: true });
    const frames = framesOf(answer.text);
    const opaque = frames.filter(({ data }) => (data["delta"] as Body | undefined)?.["type"] === "opaque");
    for (const { data } of opaque) expect(Object.keys(data["delta"] as Body)).toEqual(["type", "origin"]);
    const message = await client.get(`/${thread}/messages?order=desc&limit=1`);
    const reasoning = (at(message, "data", 0, "parts") as Body[]).find(({ type }) => type === "reasoning");
    expect(reasoning?.["opaque"]).toEqual({ origin: expect.any(String) });
    // Though it is kept, and goes back to its maker (F10): echo refuses a turn whose signature is not its own.
    expect((await run(client, thread, { model: "echo/echo-reasoning", input: "Go on" })).status).toBe(200);
  });
});

test("a run in the background is told at once, and ends by itself (F53)", async () => {
  const thread = await newThread(client);
  const begun = await run(client, thread, { input: "Later", background: true });
  expect(begun.status, begun.text).toBe(202);
  expect(begun.body).toMatchObject({ object: "thread.run", status: "queued", message_id: null, started_at: null });
  const over = await ended(client, thread, textAt(begun, "id"));
  expect(over.body).toMatchObject({ status: "completed" });
  expect(saidIn(over.body["message"])).toContain("Later");
  const streamed = await run(client, thread, { input: "Both", background: true, stream: true });
  expect(textOf(framesOf(streamed.text))).toContain("Both");
});

test("a client that leaves ends no run", async () => {
  const thread = await newThread(client);
  const leaving = new AbortController();
  const response = await fetch(`${client.url}/v1/threads/${thread}/runs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, input: "[[long 40]] [[pace 5]]", stream: true }),
    signal: leaving.signal,
  });
  await response.body?.getReader().read();
  leaving.abort();
  const over = await ended(client, thread, response.headers.get("heddle-run") ?? "");
  expect(over.body["status"]).toBe("completed");
});

test.each([true, false])("a cancelled run ends with what it said, streamed: %s", async (stream) => {
  const thread = await newThread(client);
  const waiting = client.call("POST", `/${thread}/runs`, {
    model,
    input: "one two three four five [[stall-after 3]]",
    run_id: "stopped",
    stream,
  });
  await eventually(
    () => client.get(`/${thread}/runs/stopped`),
    ({ body }) => body["status"] === "in_progress",
  );
  expect((await client.post(`/${thread}/runs/stopped/cancel`)).status).toBe(200);
  const answer = await waiting;
  expect(answer.status, answer.text).toBe(200);
  const over = await ended(client, thread, "stopped");
  expect(over.body).toMatchObject({ status: "cancelled", error: { code: "cancelled" } });
  if (stream)
    expect(framesOf(answer.text).at(-1)).toMatchObject({ event: "error", data: { error: { code: "cancelled" } } });
  else expect(answer.body).toEqual(over.body);
  const again = await client.post(`/${thread}/runs/stopped/cancel`);
  expect(again.body).toEqual(over.body);
});

test.each([true, false])(
  "a run that is cancelled before it says anything is no failure, streamed: %s",
  async (stream) => {
    const thread = await newThread(client);
    const waiting = client.call("POST", `/${thread}/runs`, {
      model,
      input: "x [[stall 60000]]",
      run_id: "early",
      stream,
    });
    await eventually(
      () => client.get(`/${thread}/runs/early`),
      ({ body }) => body["status"] === "in_progress",
    );
    await client.post(`/${thread}/runs/early/cancel`);
    const answer = await waiting;
    expect(answer.status, answer.text).toBe(200);
    if (stream)
      expect(framesOf(answer.text).at(-1)).toMatchObject({ event: "error", data: { error: { code: "cancelled" } } });
    else expect(answer.body).toMatchObject({ status: "cancelled", message: null });
  },
);

test("runs are listed, newest first, by pages", async () => {
  const thread = await newThread(client);
  for (let n = 0; n < 5; n += 1) await run(client, thread, { input: `n${n}`, run_id: `run-${n}` });
  const list = async (query: string): Promise<unknown[]> =>
    dataOf(await client.get(`/${thread}/runs?${query}`)).map(({ id }) => id);
  expect(await list("")).toEqual(["run-4", "run-3", "run-2", "run-1", "run-0"]);
  expect(await list("order=asc&limit=2")).toEqual(["run-0", "run-1"]);
  const page = await client.get(`/${thread}/runs?limit=3`);
  expect(page.body).toMatchObject({ has_more: true, next_cursor: "run-2" });
  expect(await list("cursor=run-2")).toEqual(["run-1", "run-0"]);
  expectProblem(await client.get(`/${thread}/runs?order=up`), 400, "invalid_request", "order");
  expectProblem(await client.get(`/${thread}/runs?limit=0`), 400, "invalid_request", "limit");
  expectProblem(await client.get(`/${thread}/runs?after=a%20b`), 400, "invalid_request", "after");
});

test("what isn't there is not found", async () => {
  const thread = await newThread(client);
  const outputs = { tool_outputs: [{ tool_call_id: "c", output: "x" }] };
  for (const [method, path, body] of [
    ["GET", "", undefined],
    ["GET", "/events", undefined],
    ["POST", "/cancel", undefined],
    ["POST", "/tool_outputs", outputs],
  ] as const) {
    expectProblem(await client.call(method, `/${thread}/runs/nobody${path}`, body), 404, "not_found", "run_id");
    expectProblem(await client.call(method, `/${thread}/runs/no%20body${path}`, body), 404, "not_found", "run_id");
    expectProblem(await client.call(method, `/nobody/runs/run_1${path}`, body), 404, "not_found", "thread_id");
  }
  expectProblem(await client.post("/nobody/runs", { model, input: "x" }), 404, "not_found", "thread_id");
  expectProblem(await client.get("/nobody/runs"), 404, "not_found", "thread_id");
});
