// Threads and runs where the gateway is deployed, whatever the cloud: over two instances that share nothing but the stores.
import OpenAI from "openai";
import { expect, test } from "vitest";
import { type Instance, key } from "./app.ts";
import { background, call, ended, eventually, json, type Json, newThread } from "./calls.ts";

export type Threads = {
  one: () => Instance;
  other: () => Instance;
  /** How often the worker has done with what it was given. */
  worked: () => number;
};

/** Defines the tests, within the caller's `describe`. */
export const testThreads = ({ one, other, worked }: Threads): void => {
  test("a thread goes on at another instance", async () => {
    await newThread(one(), "wanders");
    const first = await json(one(), "POST", "/v1/threads/wanders/runs", { model: "echo/echo", input: "one" });
    expect(first["status"]).toBe("completed");
    const second = await json(other(), "POST", "/v1/threads/wanders/runs", { model: "echo/echo", input: "two" });
    expect(second["status"]).toBe("completed");
    const { data } = (await json(one(), "GET", "/v1/threads/wanders/messages?order=asc")) as { data: Json[] };
    expect(data.map(({ role }) => role)).toEqual(["user", "assistant", "user", "assistant"]);
  });

  test("the Responses API goes on at another instance, by the official SDK", async () => {
    const client = (at: Instance): OpenAI => new OpenAI({ baseURL: `${at.url}/v1`, apiKey: key, maxRetries: 0 });
    const first = await client(one()).responses.create({ model: "echo/echo", input: "My name is Weft." });
    const second = await client(other()).responses.create({
      model: "echo/echo",
      input: "Who am I?",
      previous_response_id: first.id,
    });
    expect(second.previous_response_id).toBe(first.id);
    expect((await client(one()).responses.retrieve(second.id)).output_text).toBe(second.output_text);
  });

  test("a client that leaves ends nothing: the run goes on and is metered (F54)", async () => {
    await newThread(one(), "left");
    const leaving = new AbortController();
    const response = await fetch(`${one().url}/v1/threads/left/runs`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "echo/echo", input: "[[long 40]] [[pace 10]]", stream: true, run_id: "long" }),
      signal: leaving.signal,
    });
    await response.body?.getReader().read();
    leaving.abort();
    expect((await ended(other(), "left", "long"))["status"]).toBe("completed");
    const usage = await json(other(), "GET", "/v1/threads/left/usage");
    expect((usage["data"] as Json[]).length).toBe(1);
  });

  test("a run's events are read again at another instance, from any point", async () => {
    const text = await (await call(other(), "GET", "/v1/threads/left/runs/long/events?after=2")).text();
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    expect(ids[0]).toBe(3);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(text).toContain("response-end");
  });

  test("a background run goes through the queue to the worker", async () => {
    await newThread(one(), "behind");
    const before = worked();
    expect((await call(other(), "POST", "/v1/threads/behind/runs", background)).status).toBe(202);
    expect((await ended(other(), "behind", "job"))["status"]).toBe("completed");
    await eventually(worked, (times) => times > before);
  });
};

/** A background run is carried out, whatever lay in the queue before it. */
export const expectWorkGoesOn = async (at: Instance): Promise<void> => {
  await newThread(at, "after-poison");
  expect((await call(at, "POST", "/v1/threads/after-poison/runs", background)).status).toBe(202);
  expect((await ended(at, "after-poison", "job"))["status"]).toBe("completed");
};

/** A thread with one run that was carried out once. */
export const expectOnce = async (at: Instance, thread: string): Promise<void> => {
  const usage = await json(at, "GET", `/v1/threads/${thread}/usage`);
  expect((usage["data"] as Json[]).length).toBe(1);
  const messages = await json(at, "GET", `/v1/threads/${thread}/messages`);
  expect((messages["data"] as Json[]).length).toBe(2);
};
