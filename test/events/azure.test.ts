// events/azure/*.json: a request each, or what the admin endpoint takes; nobody's, and answered without a key by the echo provider.
import { readFileSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HttpEvent, readEvent, type RunEvent } from "../../functions/local/azure/replay.ts";
import { messageId } from "../../lib/queues/queue.ts";
import { dataFolder } from "../support/data.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";

const folder = new URL("../../events/azure/", import.meta.url).pathname;
const names = readdirSync(folder).map((name) => name.replace(".json", ""));
const read = (name: string): unknown => JSON.parse(readFileSync(`${folder}${name}.json`, "utf8"));
const overHttp = ["chat", "gemini", "health", "messages", "responses", "threads"];

test("there is one per route family and trigger", () => {
  expect(names.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
    [...overHttp, "queue", "timer"].toSorted((a, b) => (a < b ? -1 : 1)),
  );
});

test.each(names)("%s names nobody's account, key or address", (name) => {
  const text = readFileSync(`${folder}${name}.json`, "utf8");
  expect(text).not.toMatch(/sk-[A-Za-z0-9-]{8}|AccountKey|eyJ[\w-]+\.eyJ|\d+\.\d+\.\d+\.\d+/);
});

test("the queue's event names a job and no more, for the worker", () => {
  const event = readEvent(read("queue")) as RunEvent;
  expect(event.function).toBe("worker");
  expect(Object.keys(event)).toEqual(["function", "input"]);
  expect(messageId(JSON.parse(event.input ?? ""))).toMatch(/^[^/]+\/.+$/);
});

test("the timer's event is the sweeper's, without an input", () => {
  expect(readEvent(read("timer"))).toEqual({ function: "sweeper" });
});

test("what is neither is refused", () => {
  for (const wrong of [null, [], {}, { url: "/x" }, { input: "x" }])
    expect(() => readEvent(wrong)).toThrow('an event has "method" and "url", or "function" and "input"');
});

describe("a gateway without any key answers them", () => {
  const data = dataFolder();
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway("", { HEDDLE_DATA: data.path });
  });
  afterAll(async () => {
    await gateway.stop();
    data.remove();
  });
  const send = async (name: string): Promise<Response> => {
    const { method, url, headers = {}, body } = readEvent(read(name)) as HttpEvent;
    return fetch(new URL(url, gateway.url), {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  };

  test.each([
    ["chat", "data: [DONE]"],
    ["messages", "event: message_stop"],
    ["responses", "event: response.completed"],
    ["gemini", '"finishReason"'],
  ])("%s, as a stream to its end", async (name, end) => {
    const response = await send(name);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const text = await response.text();
    expect(text).toContain("Hello");
    expect(text).toContain(end);
  });

  test("threads, with a new thread", async () => {
    const response = await send("threads");
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ title: "Hello", metadata: { from: "azure" } });
  });

  test("health", async () => {
    const response = await send("health");
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: "ok", service: "heddle" });
  });
});
