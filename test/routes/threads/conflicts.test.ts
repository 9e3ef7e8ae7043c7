// Two runs at once on a thread: refused, enqueued, interrupted.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  type Client,
  clientOf,
  dataOf,
  expectProblem,
  framesOf,
  newThread,
  saidIn,
  startThreads,
} from "./client.ts";
import { ended, run, stuck } from "./running.ts";

let running: Awaited<ReturnType<typeof startThreads>>;
let client: Client;
beforeAll(async () => {
  running = await startThreads();
  client = clientOf(running.gateway);
});
afterAll(() => running.stop());

describe("two runs at once", () => {
  test("one begins, the other gets a 409 (F49)", async () => {
    const thread = await newThread(client);
    const both = await Promise.all([
      run(client, thread, { input: "[[long 30]] [[pace 5]]" }),
      run(client, thread, { input: "[[long 30]] [[pace 5]]" }),
    ]);
    expect(both.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409]);
    for (const answer of both) if (answer.status === 409) expectProblem(answer, 409, "thread_busy", "thread_id");
    expect((await client.get(`/${thread}`)).body).toMatchObject({ message_count: 2, status: "idle" });
  });

  test("while one runs, nothing is appended", async () => {
    const thread = await newThread(client);
    const { id } = await stuck(client, thread);
    expect((await client.get(`/${thread}`)).body).toMatchObject({ status: "running", run_id: id });
    expectProblem(
      await client.post(`/${thread}/messages`, { role: "user", content: "x" }),
      409,
      "thread_busy",
      "thread_id",
    );
    await client.post(`/${thread}/runs/${id}/cancel`);
    await ended(client, thread, id);
    expect((await client.post(`/${thread}/messages`, { role: "user", content: "x" })).status).toBe(201);
  });

  test("enqueued, they follow each other", async () => {
    const thread = await newThread(client);
    const all = await Promise.all(
      ["a", "b", "c", "d"].map((input) =>
        run(client, thread, { input: `${input} [[pace 1]]`, on_conflict: "enqueue" }),
      ),
    );
    for (const answer of all) expect(answer.body, answer.text).toMatchObject({ status: "completed" });
    const messages = dataOf(await client.get(`/${thread}/messages`));
    expect(messages.map(({ role }) => role)).toEqual(Array.from({ length: 4 }, () => ["user", "assistant"]).flat());
    expect(messages.map(({ parent_id }) => parent_id)).toEqual([null, ...messages.slice(0, -1).map(({ id }) => id)]);
  });

  test("an interrupted one keeps what it said", async () => {
    const thread = await newThread(client);
    // So much that it is stored at once.
    const word = "a".repeat(5000);
    const { id, response } = await stuck(client, thread, { input: `${word} [[stall-after 3]] ${"b ".repeat(9)}` });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes(word)) text += (await reader.read()).value ?? "";
    const second = await run(client, thread, { input: "Enough", on_conflict: "interrupt" });
    expect(second.status, second.text).toBe(200);
    expect(saidIn(second.body["message"])).toContain("Enough");
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
    expect(framesOf(text).at(-1)).toMatchObject({ event: "error", data: { error: { code: "cancelled" } } });
    const first = await client.get(`/${thread}/runs/${id}`);
    expect(first.body).toMatchObject({ status: "cancelled", message: { partial: true } });
    expect(saidIn(first.body["message"])).toContain(word);
  });

  test("only so many may wait", async () => {
    const thread = await newThread(client);
    const { id } = await stuck(client, thread);
    const queue: Answer[] = [];
    for (let n = 0; n < 17; n += 1)
      queue.push(await run(client, thread, { input: "x", background: true, on_conflict: "enqueue" }));
    expect(queue.slice(0, 16).map(({ status }) => status)).toEqual(Array.from({ length: 16 }, () => 202));
    expectProblem(queue[16]!, 409, "thread_busy", "thread_id");
    for (const { body } of queue.slice(0, 16)) {
      const gone = await client.post(`/${thread}/runs/${String(body["id"])}/cancel`);
      expect(gone.body["status"]).toBe("cancelled");
    }
    await client.post(`/${thread}/runs/${id}/cancel`);
    expect((await ended(client, thread, id)).body["status"]).toBe("cancelled");
  });
});
