// events/azure/*.json: a request each, or what the admin endpoint takes; nobody's, and answered without a key by the echo provider.
import { readFileSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { type HttpEvent, readEvent, type RunEvent } from "../../functions/local/azure/replay.ts";
import { messageId } from "../../lib/queues/queue.ts";
import { streamEnds, testAnswers } from "./answers.ts";

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

testAnswers(
  (name) => {
    const { method, url, headers = {}, body } = readEvent(read(name)) as HttpEvent;
    return { method, path: url, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  },
  { streams: streamEnds, from: "azure" },
);
