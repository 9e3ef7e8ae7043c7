// Runs with tools over HTTP: parked by their calls, resumed by their outputs.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  at,
  type Answer,
  type Body,
  type Client,
  clientOf,
  dataOf,
  expectProblem,
  framesOf,
  newThread,
  saidIn,
  startThreads,
  textAt,
} from "./client.ts";
import { ended, run, textOf, typesOf, weather } from "./running.ts";

let running: Awaited<ReturnType<typeof startThreads>>;
let client: Client;
beforeAll(async () => {
  running = await startThreads();
  client = clientOf(running.gateway);
});
afterAll(() => running.stop());

describe("tools", () => {
  test.each([true, false])("park the run, and their outputs resume it, streamed: %s", async (stream) => {
    const thread = await newThread(client);
    const parked = await run(client, thread, { input: "parallel please", tools: [weather, { name: "clock" }] });
    expect(parked.status, parked.text).toBe(200);
    expect(parked.body).toMatchObject({
      status: "requires_action",
      completed_at: null,
      step: 1,
      stop_reason: "tool-calls",
    });
    const calls = at(parked, "required_action", "tool_calls") as Body[];
    expect(calls.map(({ name }) => name)).toEqual(["weather", "clock"]);
    for (const call of calls)
      expect(call).toEqual({
        id: expect.any(String),
        name: expect.any(String),
        arguments: expect.stringMatching(/^\{.*\}$/),
      });
    const id = textAt(parked, "id");
    expect((await client.get(`/${thread}`)).body).toMatchObject({ status: "requires_action", run_id: id });
    expectProblem(await run(client, thread, { input: "Impatient" }), 409, "thread_busy", "thread_id");

    const outputs = calls.map((call, n) => ({
      tool_call_id: call["id"],
      output: n === 0 ? "sunny" : [{ type: "text", text: "noon" }],
    }));
    const [first, second] = outputs;
    const give = (tool_outputs: unknown, more: Body = {}): Promise<Answer> =>
      client.post(`/${thread}/runs/${id}/tool_outputs`, { tool_outputs, ...more });
    const missing = await give([first]);
    expectProblem(missing, 400, "invalid_request", "tool_outputs");
    expect(missing.body["detail"]).toContain(String(second?.tool_call_id));
    expectProblem(
      await give([first, { tool_call_id: "call_nobody", output: "x" }]),
      400,
      "invalid_request",
      "tool_outputs[1].tool_call_id",
    );
    expectProblem(await give([first, first]), 400, "invalid_request", "tool_outputs[1].tool_call_id");
    expect((await client.get(`/${thread}`)).body).toMatchObject({ status: "requires_action", message_count: 2 });

    const resumed = await give(outputs, { stream });
    expect(resumed.status, resumed.text).toBe(200);
    const over = await client.get(`/${thread}/runs/${id}`);
    expect(over.body).toMatchObject({ status: "completed", step: 2, required_action: null });
    expect(saidIn(over.body["message"])).toMatch(/sunny[\s\S]*noon|noon[\s\S]*sunny/);
    if (stream) {
      const frames = framesOf(resumed.text);
      expect(textOf(frames)).toBe(saidIn(over.body["message"]));
      expect(typesOf(frames)[0]).toBe("response-start");
      expect(Number(frames[0]?.id)).toBeGreaterThan(1);
    } else expect(resumed.body).toEqual(over.body);
    const used = dataOf(await client.get(`/${thread}/usage`));
    expect(used.map(({ step }) => step)).toEqual([1, 2]);
    expect(at(over, "usage", "input")).toBe(used.reduce((sum, { usage }) => sum + Number((usage as Body)["input"]), 0));
    expectProblem(await give(outputs), 409, "conflict", "run_id");
    const roles = dataOf(await client.get(`/${thread}/messages`)).map(({ role }) => role);
    expect(roles).toEqual(["user", "assistant", "user", "assistant"]);
  });

  test.each([
    [{}, "tool_outputs"],
    [{ tool_outputs: [] }, "tool_outputs"],
    [{ tool_outputs: [{}] }, "tool_outputs[0].tool_call_id"],
    [{ tool_outputs: [{ tool_call_id: "c" }] }, "tool_outputs[0].output"],
    [{ tool_outputs: [{ tool_call_id: "c", output: 7 }] }, "tool_outputs[0].output"],
    [{ tool_outputs: [{ tool_call_id: "c", output: [{ type: "tool-call" }] }] }, "tool_outputs[0].output[0].type"],
    [{ tool_outputs: [{ tool_call_id: "c", output: "x", is_error: "no" }] }, "tool_outputs[0].is_error"],
    [{ tool_outputs: [{ tool_call_id: "c", output: "x" }], stream: 1 }, "stream"],
  ])("outputs that are %j are refused", async (body, param) => {
    const thread = await newThread(client);
    const parked = await run(client, thread, { input: "call it", tools: [weather] });
    expectProblem(
      await client.post(`/${thread}/runs/${textAt(parked, "id")}/tool_outputs`, body),
      400,
      "invalid_request",
      param,
    );
    expect((await client.get(`/${thread}`)).body["status"]).toBe("requires_action");
  });

  test("of two who give the outputs one resumes the run", async () => {
    const thread = await newThread(client);
    const parked = await run(client, thread, { input: "call it", tools: [weather] });
    const [call] = at(parked, "required_action", "tool_calls") as Body[];
    const body = { tool_outputs: [{ tool_call_id: call?.["id"], output: "x" }] };
    const both = await Promise.all(
      [1, 2].map(() => client.post(`/${thread}/runs/${textAt(parked, "id")}/tool_outputs`, body)),
    );
    expect(both.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409]);
    expect((await client.get(`/${thread}`)).body).toMatchObject({ message_count: 4, status: "idle" });
  });

  test("a parked run that is asked for again is told again", async () => {
    const thread = await newThread(client);
    const body = { messages: [{ role: "user", content: "call it", client_id: "c" }], tools: [weather], stream: true };
    const first = await run(client, thread, body);
    const again = await run(client, thread, body);
    expect(again.text).toBe(first.text);
    expect((await run(client, thread, { ...body, stream: false })).body).toMatchObject({ status: "requires_action" });
  });

  test("their outputs may come as messages of a new run, on any wire", async () => {
    const thread = await newThread(client);
    const parked = await run(client, thread, { input: "call it", tools: [weather] });
    const [call] = at(parked, "required_action", "tool_calls") as Body[];
    const next = await run(client, thread, {
      messages: [{ role: "user", parts: [{ type: "tool-result", call_id: call?.["id"], content: "hail" }] }],
      tools: [weather],
    });
    expect(next.status, next.text).toBe(200);
    expect(saidIn(next.body["message"])).toContain("hail");
    const path = `/${thread}/runs/${textAt(parked, "id")}`;
    expect((await client.get(path)).body).toMatchObject({ status: "completed", required_action: null });
    expect((await client.get(`${path}/events?wire=openai-chat`)).text).toContain("weather");
  });

  test("a parked run can be cancelled, and who waits behind it begins", async () => {
    const thread = await newThread(client);
    const parked = await run(client, thread, { input: "call it", tools: [weather] });
    const waiting = await run(client, thread, { input: "Me too", background: true, on_conflict: "enqueue" });
    expect(waiting.body["status"]).toBe("queued");
    const cancelled = await client.post(`/${thread}/runs/${textAt(parked, "id")}/cancel`);
    expect(cancelled.body).toMatchObject({ status: "cancelled", required_action: null });
    expect((await ended(client, thread, textAt(waiting, "id"))).body["status"]).toBe("completed");
  });
});
