// Threads and background runs on Lambda: DynamoDB Local, a real SQS server and a small S3, all over the wire; each instance a runtime of its own.
import { setTimeout as sleep } from "node:timers/promises";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRuntime, type Runtime } from "../../../functions/aws/runtime.ts";
import { createSweeper } from "../../../functions/aws/sweep.ts";
import { createWorker } from "../../../functions/aws/work.ts";
import { haveJava, type LocalDynamodb, startDynamodb } from "../../support/dynamodb.ts";
import { type LocalS3, startS3 } from "../../support/s3.ts";
import { type LocalSqs, startSqs } from "../../support/sqs.ts";
import { contextOf, type Got, installLambda, invoke, type InvokeOptions, urlEvent } from "./fake-lambda.ts";

installLambda();
const { createHandler } = await import("../../../functions/aws/handler.ts");

const key = "hd-a-fake-key-of-the-configuration";
const yaml = `
auth: { keys: [{ name: app, key: ${key} }] }
threads: { leaseMs: 3000 }
`;

type Instance = {
  runtime: Runtime;
  lines: Record<string, unknown>[];
  call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
    options?: InvokeOptions,
  ) => Promise<Got>;
  work: (event: SQSEvent, remainingMs?: number) => Promise<SQSBatchResponse>;
  sweep: () => Promise<void>;
};

describe.skipIf(!haveJava())("on DynamoDB, SQS and S3", () => {
  let dynamodb: LocalDynamodb;
  let sqs: LocalSqs;
  let s3: LocalS3;
  let table: string;
  const before = { ...process.env };
  beforeAll(async () => {
    [dynamodb, sqs, s3] = await Promise.all([startDynamodb(), startSqs(), startS3()]);
    table = await dynamodb.createTable();
    // The SDKs find these by themselves, as they do on Lambda.
    Object.assign(process.env, {
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "local",
      AWS_SECRET_ACCESS_KEY: "local",
      AWS_ENDPOINT_URL_DYNAMODB: dynamodb.client.endpoint,
      AWS_ENDPOINT_URL_SQS: sqs.endpoint,
      AWS_ENDPOINT_URL_S3: s3.client.endpoint,
    });
  });
  afterAll(async () => {
    process.env = before;
    await Promise.all([dynamodb?.stop(), sqs?.stop(), s3?.stop()]);
  });

  const instance = (change: Record<string, string> = {}): Instance => {
    const lines: Record<string, unknown>[] = [];
    const runtime = createRuntime({
      env: {
        ...process.env,
        HEDDLE_CONFIG: "heddle.yaml",
        HEDDLE_TABLE: table,
        HEDDLE_QUEUE_URL: sqs.url,
        HEDDLE_BUCKET: s3.bucket,
        ...change,
      },
      readFile: (path) => (path === "heddle.yaml" ? yaml : undefined),
      write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
    });
    const handler = createHandler(runtime);
    const worker = createWorker(runtime);
    return {
      runtime,
      lines,
      call: (method, path, body, headers = {}, options = {}) =>
        invoke(
          handler,
          urlEvent({
            method,
            path: path.split("?")[0] ?? path,
            query: path.split("?")[1] ?? "",
            headers: { authorization: `Bearer ${key}`, ...headers },
            ...(body === undefined ? {} : { body }),
          }),
          options,
        ),
      work: (event, remainingMs = 60_000) => worker(event, contextOf(remainingMs)),
      sweep: () => createSweeper(runtime)({}, contextOf(60_000)),
    };
  };

  const json = (got: Got): Record<string, unknown> => JSON.parse(got.text) as Record<string, unknown>;
  const newThread = async (on: Instance): Promise<string> =>
    String(json(await on.call("POST", "/v1/threads", {}))["id"]);
  const calls = (on: Instance): Record<string, unknown>[] => on.lines.filter((line) => line["message"] === "call");

  test("a run streams on one instance, and is read on another, byte for byte", async () => {
    const [one, two] = [instance(), instance()];
    const thread = await newThread(one);
    const body = { model: "echo/echo", input: "one two three", stream: true };
    const got = await one.call("POST", `/v1/threads/${thread}/runs`, body);
    expect(got.prelude.statusCode).toBe(200);
    const run = got.prelude.headers["heddle-run"];
    expect(got.text).toContain("event: response-end");
    const again = await two.call("GET", `/v1/threads/${thread}/runs/${run}/events`);
    expect(again.text).toBe(got.text);
  });

  test("a large message lies in S3", async () => {
    const on = instance();
    const thread = await newThread(on);
    const input = "x".repeat(600_000);
    const got = await on.call("POST", `/v1/threads/${thread}/runs`, { model: "echo/echo", input });
    expect(got.prelude.statusCode, got.text.slice(0, 500)).toBe(200);
    expect(s3.objects.size).toBeGreaterThan(0);
  });

  test("a client that drops leaves its run going, metered and whole (F54)", async () => {
    const [one, two] = [instance(), instance()];
    const thread = await newThread(one);
    const body = { model: "echo/echo", input: "one two three four five six", stream: true };
    let run = "";
    await one
      .call(
        "POST",
        `/v1/threads/${thread}/runs`,
        body,
        { "x-echo-pace": "30" },
        {
          onChunk: (text, stream) => {
            run ||= /"run_id":"([^"]+)"/.exec(text)?.[1] ?? "";
            stream.destroy(new Error("gone"));
          },
        },
      )
      .catch(() => undefined);
    expect(run).not.toBe("");
    expect(json(await two.call("GET", `/v1/threads/${thread}/runs/${run}`))["status"]).toBe("completed");
    expect(calls(one).at(-1)).toMatchObject({ operation: "run", status: 200, outputTokens: expect.any(Number) });
  });

  test("the deadline: the wire's error with the way to the rest; the run ends by itself and is read elsewhere", async () => {
    const [one, two] = [instance(), instance()];
    const thread = await newThread(one);
    const body = { model: "echo/echo", input: "one two three four five", stream: true };
    const path = `/v1/threads/${thread}/runs`;
    const got = await one.call("POST", path, body, { "x-echo-pace": "400" }, { remainingMs: 3_000 });
    const run = got.prelude.headers["heddle-run"] ?? "";
    const { error } = JSON.parse(/event: error\ndata: (.+)\n\n$/.exec(got.text)?.[1] ?? "{}") as {
      error?: { detail: string };
    };
    const rest = /GET (\S+)/.exec(error?.detail ?? "")?.[1] ?? "";
    expect(rest).toBe(`/v1/threads/${thread}/runs/${run}/events?after=${/.*\nid: (\d+)\n/s.exec(got.text)?.[1]}`);
    expect(json(await two.call("GET", `${path}/${run}`))).toMatchObject({
      status: "failed",
      error: { code: "upstream_timeout" },
    });
    expect((await two.call("GET", rest)).text).toContain("event: error");
    // Nothing is held: the thread takes the next run at once.
    const next = await two.call("POST", path, { model: "echo/echo", input: "again" });
    expect(next.prelude.statusCode).toBe(200);
  });

  test("the deadline on a client's own wire, for a run that another instance carries out", async () => {
    const [one, two] = [instance(), instance()];
    const thread = await newThread(one);
    const path = `/v1/threads/${thread}/runs`;
    const body = { model: "echo/echo", input: "one", stream: true, run_id: "joined-run" };
    const running = one.call("POST", path, body, { "x-echo-pace": "400" });
    await sleep(600);
    const joined = await two.call(
      "GET",
      `${path}/joined-run/events?wire=openai-chat`,
      undefined,
      {},
      { remainingMs: 900 },
    );
    expect(joined.prelude.statusCode).toBe(200);
    expect(joined.text).toContain("The time for this answer is over. The rest of the run is told by GET");
    const rest = /GET (\/v1\/[^\s"\\]+)/.exec(joined.text)?.[1] ?? "";
    expect(rest).toContain("wire=openai-chat");
    expect((await two.call("GET", rest)).text.endsWith("data: [DONE]\n\n")).toBe(true);
    expect((await running).text).toContain("response-end");
  });

  test("the deadline on each wire's own way to a thread, whole and streamed: an error, a run that is named, a clean end", async () => {
    const on = instance();
    const pace = { "x-echo-pace": "250" };
    const said = "one two three four five six seven eight";
    const turns = [{ role: "user", content: said }];
    const parts = { contents: [{ role: "user", parts: [{ text: said }] }] };
    const asked: readonly (readonly [string, object, RegExp])[] = [
      ["/v1/chat/completions", { model: "echo/echo", stream: true, messages: turns }, /"error":\{"message":"The time/],
      [
        "/v1/messages",
        { model: "echo/echo", stream: true, max_tokens: 99, messages: turns },
        /event: error\ndata: .+The time/,
      ],
      [
        "/v1/responses",
        { model: "echo/echo", stream: true, input: said },
        /event: (?:error|response\.failed)\ndata: .+The time/,
      ],
      ["/v1beta/models/echo/echo:streamGenerateContent?alt=sse", parts, /"error": ?\{.*The time/],
      ["/v1beta/models/echo/echo:streamGenerateContent", parts, /"error": ?\{[^]*The time[^]*\]\s*$/],
      ["/v1/chat/completions", { model: "echo/echo", messages: turns }, /^\{"error":\{"message":"The time/],
    ];
    await Promise.all(
      asked.map(async ([path, body, pattern]) => {
        const thread = await newThread(on);
        const headers = { ...pace, "heddle-thread": thread };
        const got = await on.call("POST", path, body, headers, { remainingMs: 2_400 });
        const run = got.prelude.headers["heddle-run"] ?? "none";
        expect(got.text, path).toMatch(pattern);
        expect(got.text, path).toContain(`/v1/threads/${thread}/runs/${run}/events?after=`);
        const ended = json(await on.call("GET", `/v1/threads/${thread}/runs/${run}`));
        expect(ended["status"], path).toBe("failed");
      }),
    );
  });

  test("a background run goes through the queue: delivered twice, it runs once", async () => {
    const [one, two, three] = [instance(), instance(), instance()];
    const thread = await newThread(one);
    const path = `/v1/threads/${thread}/runs`;
    const queued = await one.call("POST", path, { model: "echo/echo", input: "later", background: true });
    const run = String(json(queued)["id"]);
    expect(json(queued)["status"]).toBe("queued");
    const event = await sqs.receive();
    if (event === undefined) throw new Error("nothing was sent");
    // Ids only (F52).
    expect(event.Records[0]?.body).toMatch(/^\{"id":"thread\/[^"]+"\}$/);
    expect(event.Records[0]?.body).not.toContain("later");
    const answers = await Promise.all([two.work(event), three.work(event)]);
    expect(answers).toEqual([{ batchItemFailures: [] }, { batchItemFailures: [] }]);
    await sqs.settle(event, { batchItemFailures: [] });
    expect(json(await one.call("GET", `${path}/${run}`))["status"]).toBe("completed");
    expect([...calls(two), ...calls(three)].filter((line) => line["operation"] === "run")).toHaveLength(1);
    expect((await sqs.depth()).waiting).toBe(0);
  });

  test("a job that fails alone comes again, and lies in the dead-letter queue in the end", async () => {
    const on = instance();
    await sqs.client.send(new SendMessageCommand({ QueueUrl: sqs.url, MessageBody: "no job at all" }));
    let deliveries = 0;
    for (let tried = 0; tried < 60 && (await sqs.depth()).dead === 0; tried += 1) {
      const event = await sqs.receive();
      if (event === undefined) {
        await sleep(100);
        continue;
      }
      deliveries += 1;
      const answer = await on.work(event);
      expect(answer.batchItemFailures).toEqual([{ itemIdentifier: event.Records[0]?.messageId }]);
      await sqs.settle(event, answer);
    }
    expect(deliveries).toBe(2);
    expect((await sqs.depth()).dead).toBe(1);
  });

  test("of a batch only what failed comes again", async () => {
    const on = instance();
    const record = (messageId: string, body: string) => ({ messageId, receiptHandle: "a-fake-receipt", body });
    const event = { Records: [record("a", '{"id":"thread/~s/gone"}'), record("b", "{}")] } as unknown as SQSEvent;
    expect(await on.work(event)).toEqual({ batchItemFailures: [{ itemIdentifier: "b" }] });
  });

  test("a job whose time is over ends as failed, with what it had said, and leaves nothing behind", async () => {
    const on = instance();
    const thread = await newThread(on);
    const path = `/v1/threads/${thread}/runs`;
    const body = { model: "echo/echo", input: "one two three four five six seven", background: true };
    const run = String(json(await on.call("POST", path, body, { "x-echo-pace": "400" }))["id"]);
    const event = await sqs.receive();
    if (event === undefined) throw new Error("nothing was sent");
    expect(await on.work(event, 2_500)).toEqual({ batchItemFailures: [] });
    await sqs.settle(event, { batchItemFailures: [] });
    const ended = json(await on.call("GET", `${path}/${run}`));
    expect(ended).toMatchObject({ status: "failed", error: { code: "upstream_timeout" } });
  });

  test("a sweep sends on what waits for a run whose process died", async () => {
    const on = instance();
    const thread = await newThread(on);
    const path = `/v1/threads/${thread}/runs`;
    // Sent, and lost on the way: a queue that was emptied.
    await on.call("POST", path, { model: "echo/echo", input: "later", background: true });
    const lost = await sqs.receive();
    if (lost === undefined) throw new Error("nothing was sent");
    await sqs.settle(lost, { batchItemFailures: [] });
    for (let tried = 0; tried < 50 && (await sqs.depth()).waiting === 0; tried += 1) {
      await on.sweep();
      await sleep(100);
    }
    const event = await sqs.receive();
    expect(event?.Records[0]?.body).toContain(encodeURIComponent(thread));
    if (event !== undefined) await sqs.settle(event, await on.work(event));
  });

  test("a store that is down is a 503 in the caller's own envelope, and no throw", async () => {
    process.env["AWS_ENDPOINT_URL_DYNAMODB"] = "http://127.0.0.1:1";
    try {
      const on = instance();
      const refused = await on.call("POST", "/v1/threads", {}, {}, { remainingMs: 30_000 });
      expect(refused.prelude.statusCode).toBe(503);
      expect(json(refused)["code"]).toBe("storage");
    } finally {
      process.env["AWS_ENDPOINT_URL_DYNAMODB"] = dynamodb.client.endpoint;
    }
  });
});
