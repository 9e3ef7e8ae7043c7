// Threads, runs and jobs on Lambda: gateway and worker as they are deployed, with DynamoDB Local and a real SQS server, over several instances.
import type { SQSEvent } from "aws-lambda";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalFunction } from "../../../functions/local/lambda/function.ts";
import { type QueueSource, startQueueSource } from "../../../functions/local/lambda/queue-source.ts";
import { haveJava, type LocalDynamodb, startDynamodb } from "../../support/dynamodb.ts";
import { startUpstream, type TestUpstream } from "../../support/gateway.ts";
import { runtimeClient, type TestLambda } from "../../support/lambda.ts";
import { type LocalS3, startS3 } from "../../support/s3.ts";
import { eventually } from "../clouds/calls.ts";
import { expectOnce, expectWorkGoesOn, testThreads } from "../clouds/threads.ts";
import { buildFunctions, faults, type Functions } from "./bundles.ts";
import { type LocalSqs, startSqs } from "./sqs.ts";

const entry = haveJava() ? await runtimeClient() : undefined;

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
  const worked = (): number => worker.logs.filter((line) => line.startsWith("REPORT ")).length;

  testThreads({ one: () => one, other: () => other, worked });

  test("a job that is delivered twice runs once", async () => {
    const [body = ""] = jobs;
    const before = jobs.length;
    await sqs.send(queue.url, body);
    await eventually(worked, (times) => times > before);
    expect(jobs.at(-1)).toBe(body);
    await expectOnce(one, "behind");
  });

  test("a poison message lands in the dead-letter queue, and holds up nobody", async () => {
    await sqs.send(queue.url, "no job at all");
    await eventually(
      () => sqs.read(queue.deadUrl),
      (bodies) => bodies.includes("no job at all"),
    );
    await expectWorkGoesOn(one);
  });

  test("the runtime saw no fault in all of this", () => {
    expect([one, other, worker].flatMap(faults)).toEqual([]);
  });
});
