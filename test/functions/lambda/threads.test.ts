// Threads, runs and jobs on Lambda: gateway and worker as they are deployed, with DynamoDB Local and a real SQS server, over several instances.
import type { SQSEvent } from "aws-lambda";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalFunction } from "../../../functions/local/lambda/function.ts";
import { type QueueSource, startQueueSource } from "../../../functions/local/lambda/queue-source.ts";
import { haveJava, type LocalDynamodb, startDynamodb } from "../../support/dynamodb.ts";
import { startUpstream, type TestUpstream } from "../../support/gateway.ts";
import { runtimeClient, type TestLambda } from "../../support/lambda.ts";
import { type LocalS3, startS3 } from "../../support/s3.ts";
import { key } from "../clouds/app.ts";
import { buildFunctions, faults, type Functions } from "./bundles.ts";
import { type LocalSqs, startSqs } from "./sqs.ts";

const entry = haveJava() ? await runtimeClient() : undefined;

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

describe.skipIf(entry === undefined)("threads on Lambda", { timeout: 60_000 }, () => {
  let dynamodb: LocalDynamodb;
  let sqs: LocalSqs;
  let s3: LocalS3;
  let upstream: TestUpstream;
  let functions: Functions;
  /** Two instances, as after a scale-out: they share nothing but the stores. */
  let one: TestLambda;
  let other: TestLambda;
  let worker: TestLambda;
  let source: QueueSource;
  let queue: { url: string; deadUrl: string };

  beforeAll(async () => {
    [dynamodb, sqs, s3, upstream] = await Promise.all([startDynamodb(), startSqs(), startS3(), startUpstream()]);
    queue = await sqs.createQueue(3);
    functions = await buildFunctions(entry ?? "", ["gateway", "worker"], upstream.url, {
      HEDDLE_TABLE: await dynamodb.createTable(),
      HEDDLE_QUEUE_URL: queue.url,
      HEDDLE_BUCKET: s3.bucket,
      AWS_ENDPOINT_URL_DYNAMODB: dynamodb.client.endpoint,
      AWS_ENDPOINT_URL_SQS: sqs.client.endpoint,
      AWS_ENDPOINT_URL_S3: s3.client.endpoint,
      AWS_ACCESS_KEY_ID: "local",
      AWS_SECRET_ACCESS_KEY: "local",
    });
    [one, other, worker] = await Promise.all([
      functions.start("gateway"),
      functions.start("gateway"),
      functions.start("worker"),
    ]);
    const { invoke, stop } = worker.target;
    const target: LocalFunction = {
      stop,
      invoke: (event, receiver) => {
        for (const { body } of (event as SQSEvent).Records) jobs.push(body);
        return invoke(event, receiver);
      },
    };
    source = startQueueSource(target, {
      url: queue.url,
      client: sqs.client,
      log: (line) => worker.logs.push(line),
    });
  }, 120_000);
  afterAll(async () => {
    await source.stop();
    await functions.stop();
    await Promise.all([dynamodb.stop(), sqs.stop(), s3.stop(), upstream.stop()]);
  });

  /** Bodies that the worker was given. */
  const jobs: string[] = [];
  const worked = (times: number): Promise<number> =>
    eventually(
      () => Promise.resolve(worker.logs.filter((line) => line.startsWith("REPORT ")).length),
      (count) => count >= times,
    );

  const call = async (at: TestLambda, method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`${at.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const json = async (at: TestLambda, method: string, path: string, body?: unknown): Promise<Json> =>
    (await (await call(at, method, path, body)).json()) as Json;
  const newThread = async (id: string): Promise<void> => {
    expect((await call(one, "POST", "/v1/threads", { id })).status).toBe(201);
  };
  const run = (at: TestLambda, thread: string, id: string): Promise<Json> =>
    json(at, "GET", `/v1/threads/${thread}/runs/${id}`);

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
    const client = (at: TestLambda): OpenAI => new OpenAI({ baseURL: `${at.url}/v1`, apiKey: key, maxRetries: 0 });
    const first = await client(one).responses.create({ model: "echo/echo", input: "My name is Weft." });
    const second = await client(other).responses.create({
      model: "echo/echo",
      input: "Who am I?",
      previous_response_id: first.id,
    });
    expect(second.previous_response_id).toBe(first.id);
    expect((await client(one).responses.retrieve(second.id)).output_text).toBe(second.output_text);
  });

  test("a client that leaves ends nothing: the run goes on and is metered (F54)", async () => {
    await newThread("left");
    const leaving = new AbortController();
    const response = await fetch(`${one.url}/v1/threads/left/runs`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({
        model: "echo/echo",
        input: "[[long 40]] [[pace 10]]",
        stream: true,
        run_id: "long",
      }),
      signal: leaving.signal,
    });
    const reader = response.body?.getReader();
    await reader?.read();
    leaving.abort();
    const ended = await eventually(
      () => run(other, "left", "long"),
      ({ status }) => status !== "in_progress",
    );
    expect(ended["status"]).toBe("completed");
    const usage = await json(other, "GET", "/v1/threads/left/usage");
    expect((usage["data"] as Json[]).length).toBe(1);
  });

  test("a run's events are read again at another instance, from any point", async () => {
    const text = await (await call(other, "GET", "/v1/threads/left/runs/long/events?after=2")).text();
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    expect(ids[0]).toBe(3);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(text).toContain("response-end");
  });

  test("a background run goes through the queue to the worker", async () => {
    await newThread("behind");
    const answer = await call(one, "POST", "/v1/threads/behind/runs", {
      model: "echo/echo",
      input: "Take your time.",
      background: true,
      run_id: "job",
    });
    expect(answer.status).toBe(202);
    const ended = await eventually(
      () => run(other, "behind", "job"),
      ({ status }) => status !== "queued" && status !== "in_progress",
    );
    expect(ended["status"]).toBe("completed");
    await worked(1);
  });

  test("a job that is delivered twice runs once", async () => {
    const [body = ""] = jobs;
    const before = jobs.length;
    await sqs.send(queue.url, body);
    await worked(before + 1);
    expect(jobs.at(-1)).toBe(body);
    const usage = await json(one, "GET", "/v1/threads/behind/usage");
    expect((usage["data"] as Json[]).length).toBe(1);
    const messages = await json(one, "GET", "/v1/threads/behind/messages");
    expect((messages["data"] as Json[]).length).toBe(2);
  });

  test("a poison message lands in the dead-letter queue, and holds up nobody", async () => {
    await sqs.send(queue.url, "no job at all");
    await eventually(
      () => sqs.read(queue.deadUrl),
      (bodies) => bodies.includes("no job at all"),
    );
    await newThread("after-poison");
    await call(one, "POST", "/v1/threads/after-poison/runs", {
      model: "echo/echo",
      input: "Still there?",
      background: true,
      run_id: "job",
    });
    await eventually(
      () => run(one, "after-poison", "job"),
      ({ status }) => status === "completed",
    );
  });

  test("the runtime saw no fault in all of this", () => {
    expect([one, other, worker].flatMap(faults)).toEqual([]);
  });
});
