// Threads, runs and jobs on Azure Functions: the app as it is deployed, over two hosts that share nothing but the stores.
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestFunctions } from "../../support/azure.ts";
import { startUpstream, type TestUpstream, until } from "../../support/gateway.ts";
import { key, keysYaml } from "../clouds/app.ts";
import { buildApp, faults, type FunctionApp, linesOf } from "./bundles.ts";
import { hurried, startStores, type Stores } from "./stores.ts";

type Json = Record<string, unknown>;

/** Asks until the answer fits; fails after twenty seconds. */
const eventually = async <T>(ask: () => Promise<T>, fits: (answer: T) => boolean): Promise<T> => {
  for (let tries = 0; ; tries += 1) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (tries > 200) throw new Error(`never: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

describe("threads on Azure Functions", { timeout: 60_000 }, () => {
  let stores: Stores;
  let upstream: TestUpstream;
  let app: FunctionApp;
  /** With queue and timer. */
  let one: TestFunctions;
  /** HTTP alone. */
  let other: TestFunctions;

  beforeAll(async () => {
    [stores, upstream] = await Promise.all([startStores(), startUpstream()]);
    app = await buildApp(upstream.url, stores.env, `${keysYaml}threads: { leaseMs: 3000 }\n`);
    [one, other] = await Promise.all([
      app.start({ hostJson: hurried, leaseMs: 4_000 }),
      app.start({ hostJson: hurried, triggers: false }),
    ]);
  }, 120_000);
  afterAll(async () => {
    await app.stop();
    await Promise.all([stores.stop(), upstream.stop()]);
  });

  const call = async (
    at: TestFunctions,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> =>
    fetch(`${at.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const json = async (at: TestFunctions, method: string, path: string, body?: unknown): Promise<Json> =>
    (await (await call(at, method, path, body)).json()) as Json;
  const newThread = async (id: string): Promise<void> => {
    expect((await call(one, "POST", "/v1/threads", { id })).status).toBe(201);
  };
  const run = (at: TestFunctions, thread: string, id: string): Promise<Json> =>
    json(at, "GET", `/v1/threads/${thread}/runs/${id}`);
  const ended = (at: TestFunctions, thread: string, id: string): Promise<Json> =>
    eventually(
      () => run(at, thread, id),
      ({ status }) => status !== "queued" && status !== "in_progress",
    );
  const worked = ({ logs }: TestFunctions): number =>
    logs.filter((line) => line.startsWith("Executed 'Functions.worker'")).length;
  const idsOf = (text: string): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));

  test("all three functions are there", () => {
    expect(one.functions).toEqual(["gateway", "worker", "sweeper"]);
  });

  test("a thread goes on at another instance", async () => {
    await newThread("wanders");
    const first = await json(one, "POST", "/v1/threads/wanders/runs", { model: "echo/echo", input: "one" });
    expect(first["status"]).toBe("completed");
    const second = await json(other, "POST", "/v1/threads/wanders/runs", { model: "echo/echo", input: "two" });
    expect(second["status"]).toBe("completed");
    const { data } = (await json(one, "GET", "/v1/threads/wanders/messages?order=asc")) as { data: Json[] };
    expect(data.map(({ role }) => role)).toEqual(["user", "assistant", "user", "assistant"]);
  });

  test("the Responses API goes on at another instance, by the official SDK", async () => {
    const client = (at: TestFunctions): OpenAI => new OpenAI({ baseURL: `${at.url}/v1`, apiKey: key, maxRetries: 0 });
    const first = await client(one).responses.create({ model: "echo/echo", input: "My name is Weft." });
    const second = await client(other).responses.create({
      model: "echo/echo",
      input: "Who am I?",
      previous_response_id: first.id,
    });
    expect(second.previous_response_id).toBe(first.id);
    expect((await client(one).responses.retrieve(second.id)).output_text).toBe(second.output_text);
  });

  test("a large message lies in a blob", async () => {
    await newThread("large");
    const input = "x".repeat(600_000);
    const answer = await call(one, "POST", "/v1/threads/large/runs", {
      model: "echo/echo",
      input: `${input} [[long 3]]`,
    });
    expect(answer.status).toBe(200);
    expect((await stores.blobs()).length).toBeGreaterThan(0);
  });

  test("a client that leaves ends nothing: the run goes on and is metered (F54)", async () => {
    await newThread("left");
    const leaving = new AbortController();
    const response = await fetch(`${one.url}/v1/threads/left/runs`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "echo/echo", input: "[[long 40]] [[pace 10]]", stream: true, run_id: "long" }),
      signal: leaving.signal,
    });
    await response.body?.getReader().read();
    leaving.abort();
    expect((await ended(other, "left", "long"))["status"]).toBe("completed");
    const usage = await json(other, "GET", "/v1/threads/left/usage");
    expect((usage["data"] as Json[]).length).toBe(1);
  });

  test("a run's events are read again at another instance, from any point", async () => {
    const text = await (await call(other, "GET", "/v1/threads/left/runs/long/events?after=2")).text();
    const ids = idsOf(text);
    expect(ids[0]).toBe(3);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(text).toContain("response-end");
  });

  test("a background run goes through the queue to the worker", async () => {
    await newThread("behind");
    const before = worked(one);
    const answer = await call(other, "POST", "/v1/threads/behind/runs", {
      model: "echo/echo",
      input: "Take your time.",
      background: true,
      run_id: "job",
    });
    expect(answer.status).toBe(202);
    expect((await ended(other, "behind", "job"))["status"]).toBe("completed");
    await until(() => worked(one) > before, "the message is done with");
  });

  test("a job that is delivered twice, at once, runs once", async () => {
    // Its queue is another one, which nobody polls: so the message can be had.
    const queue = await stores.createQueue("heddle-copies");
    const third = await app.start({ hostJson: hurried, triggers: false, env: { HEDDLE_QUEUE: "heddle-copies" } });
    await newThread("twice");
    const asked = { model: "echo/echo", input: "Take your time.", background: true, run_id: "job" };
    expect((await call(third, "POST", "/v1/threads/twice/runs", asked)).status).toBe(202);
    const { receivedMessageItems } = await queue.receiveMessages();
    const [message] = receivedMessageItems;
    const text = message?.messageText ?? "";
    // Ids only (F52).
    expect(Buffer.from(text, "base64").toString()).toMatch(/^\{"id":"[^"]+twice[^"]*"\}$/);
    const before = worked(one);
    await Promise.all([stores.queue.sendMessage(text), stores.queue.sendMessage(text)]);
    await until(() => worked(one) >= before + 2, "both are done with");
    expect((await ended(one, "twice", "job"))["status"]).toBe("completed");
    // And once more, when all is long over.
    await stores.queue.sendMessage(text);
    await until(() => worked(one) >= before + 3, "the third is done with");
    const usage = await json(one, "GET", "/v1/threads/twice/usage");
    expect((usage["data"] as Json[]).length).toBe(1);
    const messages = await json(one, "GET", "/v1/threads/twice/messages");
    expect((messages["data"] as Json[]).length).toBe(2);
  });

  test("a poison message lands in the poison queue, and holds up nobody", async () => {
    await stores.queue.sendMessage(Buffer.from("no job at all").toString("base64"));
    const bodies = async (): Promise<string[]> => {
      if (!(await stores.poison.exists())) return [];
      const { peekedMessageItems } = await stores.poison.peekMessages({ numberOfMessages: 32 });
      return peekedMessageItems.map(({ messageText }) => Buffer.from(messageText, "base64").toString());
    };
    expect(await eventually(bodies, (all) => all.length > 0)).toEqual(["no job at all"]);
    await newThread("after-poison");
    await call(one, "POST", "/v1/threads/after-poison/runs", {
      model: "echo/echo",
      input: "Still there?",
      background: true,
      run_id: "job",
    });
    expect((await ended(one, "after-poison", "job"))["status"]).toBe("completed");
  });

  test("the sweeper tells of the dead letter, as a line that alerts read", async () => {
    expect((await other.run("sweeper")).error).toBeUndefined();
    await until(() => other.output.some((line) => line.includes('"DeadJobs":1}')), "the line is written");
    expect(other.output.findLast((line) => line.includes("DeadJobs"))).toMatch(
      /^\{"heddle\.metrics":1,"JobsWaiting":\d+,"JobAge":\d+,"DeadJobs":1\}$/,
    );
  });

  test("the host saw no fault but the poison", () => {
    expect(faults(other)).toEqual([]);
    expect(faults(one).every((line) => line.startsWith("Executed 'Functions.worker' (Failed"))).toBe(true);
    expect(faults(one)).toHaveLength(5);
    expect(linesOf(one).length + linesOf(other).length).toBeGreaterThan(5);
  });
});
