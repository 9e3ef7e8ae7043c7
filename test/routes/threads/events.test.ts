// A run's events over HTTP: replayed and tailed, from any point, in any process, on any wire, always the same bytes.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientWireIds } from "../../../lib/model/wire-id.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";
import { rawWires } from "../../support/wires.ts";
import {
  type Answer,
  at,
  type Body,
  type Client,
  clientOf,
  eventually,
  expectProblem,
  framesOf,
  newThread,
  saidIn,
  startThreads,
  textAt,
} from "./client.ts";

const yaml = "providers: { echo: { kind: echo, pace: 0 } }";
let running: Awaited<ReturnType<typeof startThreads>>;
/** Another process over the same store, as far as it can tell: nothing but the store is shared. */
let second: TestGateway;
let client: Client;
let elsewhere: Client;
beforeAll(async () => {
  running = await startThreads(yaml);
  second = await startGateway(yaml, { HEDDLE_DATA: running.path });
  client = clientOf(running.gateway);
  elsewhere = clientOf(second);
});
afterAll(async () => {
  await second.stop();
  await running.stop();
});

const model = "echo/echo";
const tools = [{ name: "weather", parameters: { type: "object", properties: { place: { type: "string" } } } }];
const begin = async (
  body: Body,
  thread?: string,
): Promise<{ thread: string; run: string; text: string; path: string }> => {
  const place = thread ?? (await newThread(client));
  const answer = await client.post(`/${place}/runs`, { model, stream: true, ...body });
  expect(answer.status, answer.text).toBe(200);
  const run = answer.headers.get("heddle-run") ?? "";
  return { thread: place, run, text: answer.text, path: `/${place}/runs/${run}/events` };
};

describe("after its end (F50)", () => {
  test("a run is replayed, from here and from elsewhere, and the replay ends", async () => {
    const { path, text } = await begin({ input: "Hello out there" });
    for (const reader of [client, elsewhere]) {
      const replay = await reader.get(path);
      expect(replay.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
      expect(replay.text).toBe(text);
    }
  });

  test.each([
    ["said", { input: "Hello out there, all of you" }],
    ["thought", { input: "Think", model: "echo/echo-reasoning" }],
    ["called", { input: "call it", tools }],
    ["failed", { input: "one two three four [[fail-after 3]]" }],
    ["broke off", { input: "one two three four [[cut 3]]" }],
    ["cut at its limit", { input: "one two three four five", max_output_tokens: 2 }],
  ])("cut at every event, the rest is the same bytes: it %s", async (_what, body) => {
    const { path, text } = await begin(body);
    const frames = framesOf(text);
    expect(frames.length).toBeGreaterThan(3);
    for (let cut = 0; cut <= frames.length; cut += 1) {
      const rest = frames
        .slice(cut)
        .map((frame) => frame.text)
        .join("");
      expect((await elsewhere.get(path, { "last-event-id": String(cut) })).text).toBe(rest);
      expect((await client.get(`${path}?after=${cut}`)).text).toBe(rest);
    }
    // Past the end there is nothing; what the client says in its header is newer than its address.
    expect((await client.get(`${path}?after=0`, { "last-event-id": String(frames.length) })).text).toBe("");
  });
});

test("while it runs, every reader gets the same bytes, whenever and wherever it joins", async () => {
  const thread = await newThread(client);
  const response = await client.send("POST", `/${thread}/runs`, {
    model,
    input: "[[long 60]] [[pace 10]]",
    stream: true,
  });
  const path = `/${thread}/runs/${response.headers.get("heddle-run")}/events`;
  const live = response.text();
  const readers: Promise<Answer>[] = [];
  for (const cut of [0, 1, 2, 5, 30])
    readers.push(client.get(`${path}?after=${cut}`), elsewhere.get(`${path}?after=${cut}`));
  const text = await live;
  const frames = framesOf(text);
  for (const [number, answer] of (await Promise.all(readers)).entries()) {
    const cut = [0, 1, 2, 5, 30][Math.floor(number / 2)] ?? 0;
    expect(answer.text).toBe(
      frames
        .slice(cut)
        .map((frame) => frame.text)
        .join(""),
    );
  }
});

test("a reader of a queued run is there when it begins", async () => {
  const thread = await newThread(client);
  const first = client.post(`/${thread}/runs`, { model, input: "[[long 30]] [[pace 5]]" });
  await eventually(
    () => client.get(`/${thread}`),
    ({ body }) => body["status"] === "running",
  );
  const waiting = await client.post(`/${thread}/runs`, {
    model,
    input: "Next",
    background: true,
    on_conflict: "enqueue",
  });
  const path = `/${thread}/runs/${textAt(waiting, "id")}/events`;
  const [here, there] = await Promise.all([client.get(path), elsewhere.get(path), first]);
  expect(framesOf(here.text).at(-1)?.event).toBe("response-end");
  expect(there.text).toBe(here.text);
});

test("a run cancelled from elsewhere ends for every reader", async () => {
  const thread = await newThread(client);
  const response = await client.send("POST", `/${thread}/runs`, {
    model,
    input: "one two three four [[stall-after 3]]",
    stream: true,
  });
  const run = `/${thread}/runs/${response.headers.get("heddle-run")}`;
  const reading = elsewhere.get(`${run}/events`);
  expect((await elsewhere.post(`${run}/cancel`)).status).toBe(200);
  const [here, there] = await Promise.all([response.text(), reading]);
  expect(framesOf(here).at(-1)).toMatchObject({ event: "error", data: { error: { code: "cancelled" } } });
  expect(there.text).toBe(here);
});

describe("steps", () => {
  test("a run with tools is replayed as one log", async () => {
    const { thread, run, text, path } = await begin({ input: "call it", tools });
    expect((await elsewhere.get(path)).text).toBe(text);
    const parked = await client.get(`/${thread}/runs/${run}`);
    const id = (at(parked, "required_action", "tool_calls", 0) as Body)["id"];
    const resumed = await client.post(`/${thread}/runs/${run}/tool_outputs`, {
      tool_outputs: [{ tool_call_id: id, output: "sunny" }],
      stream: true,
    });
    const all = text + resumed.text;
    expect((await elsewhere.get(path)).text).toBe(all);
    const frames = framesOf(all);
    expect(frames.map((frame) => frame.id)).toEqual(frames.map((_, n) => n + 1));
    for (let cut = 0; cut <= frames.length; cut += 1)
      expect((await elsewhere.get(`${path}?after=${cut}`)).text).toBe(
        frames
          .slice(cut)
          .map((frame) => frame.text)
          .join(""),
      );

    // On a wire an answer is one step: the one that the cursor is in, else the latest.
    const steps = framesOf(text).length;
    const latest = await client.get(`${path}?wire=openai-chat`);
    expect(latest.text).toContain("sunny");
    expect(latest.text).not.toContain("weather");
    const first = await client.get(`${path}?wire=openai-chat&after=1`);
    expect(first.text).toContain("weather");
    expect(first.text).not.toContain("sunny");
    expect((await client.get(`${path}?wire=openai-chat&after=${steps}`)).text).toBe("");
    const later = await client.get(`${path}?wire=openai-chat&after=${steps + 1}`);
    expect(latest.text.endsWith(later.text)).toBe(true);
    expect(later.text).not.toBe("");
  });

  test("a parked run is told on a wire by the step that parked it", async () => {
    const { path } = await begin({ input: "call it", tools });
    const chat = await client.get(`${path}?wire=openai-chat`);
    expect(chat.text).toContain('"weather"');
    expect(chat.text).toContain("tool_calls");
    expect(chat.text.trimEnd().endsWith("data: [DONE]")).toBe(true);
    expect((await elsewhere.get(`${path}?wire=openai-chat`)).text).toBe(chat.text);
  });
});

describe.each(clientWireIds)("on %s", (wire) => {
  test("any run can be told, whole and from any event on", async () => {
    const { path, text } = await begin({ input: "Hello out there" });
    const whole = await client.get(`${path}?wire=${wire}`);
    expect(whole.status, whole.text).toBe(200);
    expect(whole.headers.get("content-type")).toContain("text/event-stream");
    expect(whole.text).toContain("there");
    expect((await elsewhere.get(`${path}?wire=${wire}`)).text).toBe(whole.text);
    for (let cut = 0; cut <= framesOf(text).length; cut += 1) {
      const rest = (await elsewhere.get(`${path}?wire=${wire}&after=${cut}`)).text;
      expect(whole.text.endsWith(rest)).toBe(true);
      if (cut === 0) expect(rest).toBe(whole.text);
      if (cut === framesOf(text).length) expect(rest).toBe("");
    }
  });

  test("a run that was asked there is told again as it was streamed, and natively", async () => {
    const raw = rawWires[wire];
    const answer = await fetch(running.gateway.url + raw.path(model, true), {
      method: "POST",
      headers: { "content-type": "application/json", "heddle-thread": "new", ...raw.headers },
      body: JSON.stringify(raw.body(model, true, "Say this once")),
    });
    const text = await answer.text();
    expect(answer.status, text).toBe(200);
    const path = `/${answer.headers.get("heddle-thread")}/runs/${answer.headers.get("heddle-run")}`;
    if (!text.startsWith("[")) expect((await elsewhere.get(`${path}/events?wire=${wire}`)).text).toBe(text);
    expect(framesOf((await elsewhere.get(`${path}/events`)).text).at(-1)?.event).toBe("response-end");
    const run = await client.get(path);
    expect(run.body).toMatchObject({ object: "thread.run", status: "completed", model });
    expect(saidIn(run.body["message"])).toContain("Say this once");
  });
});

test("cursors and wires that are none are refused by name", async () => {
  const { path } = await begin({ input: "x" });
  for (const cursor of ["-1", "x", "1.5", "1e3", "9".repeat(16)]) {
    expectProblem(await client.get(`${path}?after=${cursor}`), 400, "invalid_request", "after");
    expectProblem(await client.get(path, { "last-event-id": cursor }), 400, "invalid_request", "last-event-id");
  }
  expectProblem(await client.get(`${path}?after=`), 400, "invalid_request", "after");
  expectProblem(await client.get(`${path}?wire=converse`), 400, "invalid_request", "wire");
});

test("a silent stream is kept alive by comments (F9)", async () => {
  const quiet = await startGateway(`${yaml}\nserver: { heartbeatMs: 50 }`, { HEDDLE_DATA: running.path });
  try {
    const thread = await newThread(client);
    const run = await client.post(`/${thread}/runs`, {
      model,
      input: "one two three four [[stall-after 3]]",
      background: true,
    });
    const path = `/${thread}/runs/${textAt(run, "id")}`;
    const response = await clientOf(quiet).send("GET", `${path}/events`);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes(": keep-alive\n\n")) text += (await reader.read()).value ?? "";
    await client.post(`${path}/cancel`);
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
    expect(framesOf(text).at(-1)?.event).toBe("error");
  } finally {
    await quiet.stop();
  }
});
