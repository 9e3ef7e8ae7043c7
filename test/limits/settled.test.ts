// What a call is settled at, where its provider does not tell, or its caller does not stay: over HTTP, with a budget and a ledger.
import { afterEach, expect, test } from "vitest";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import { type DataFolder, dataFolder } from "../support/data.ts";
import {
  type Answer,
  startGateway,
  startUpstream,
  type TestGateway,
  type TestUpstream,
  until,
} from "../support/gateway.ts";

let folder: DataFolder;
let gateway: TestGateway;
let upstream: TestUpstream;
afterEach(async () => {
  await gateway.stop();
  await upstream.stop();
  folder.remove();
});

const start = async (answer: Answer, more = ""): Promise<void> => {
  folder = dataFolder();
  upstream = await startUpstream(answer);
  gateway = await startGateway(
    `
auth: { keys: [{ name: ada, key: fake-key-of-ada-0123456789, tenant: acme }] }
providers: { host: { kind: openai-compatible, baseUrl: "${upstream.url}", apiKey: none } }
prices: { host/m: { input: 1, output: 1 }, host/gpt-4: { input: 1, output: 1 } }
retry: { attempts: 1 }
limits: { budgets: [{ name: b, by: key, amount: 10, per: total }] }
${more}`,
    { HEDDLE_DATA: folder.path },
  );
};

const post = (path: string, body: object, signal?: AbortSignal): Promise<Response> =>
  fetch(`${gateway.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer fake-key-of-ada-0123456789" },
    body: JSON.stringify({ model: "host/m", ...body }),
    ...(signal === undefined ? {} : { signal }),
  });

/** Millionths of a dollar: tokens, at these prices. */
const settled = async (calls = 1): Promise<{ counted: number; ledger: number }> => {
  await until(() => gateway.logs.filter(({ message }) => message === "call").length >= calls, "the call's record");
  await gateway.stop();
  const table = await openSqlite({ file: `${folder.path}/heddle.db` });
  const { items } = await table.query({ pk: "acme/spend/0" });
  await table.close();
  const sum = (prefix: string, field: string): number =>
    items
      .filter(({ sk }) => sk.startsWith(prefix))
      .reduce((all, { data }) => all + ((data[field] as number | undefined) ?? 0) / 1_000, 0);
  return { counted: sum("l:key:", "b:b:total"), ledger: sum("d:", "cost") };
};

const hello = { messages: [{ role: "user", content: "Hello" }], max_tokens: 4_000 };
const whole = (content: string): object => ({
  id: "c1",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
});

test.each([
  ["its own wire", "/v1/chat/completions"],
  ["another wire", "/v1/messages"],
])("a whole answer without a usage is estimated, on %s", async (_, path) => {
  await start((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(whole("some words that were made ".repeat(100))));
  });
  expect((await post(path, hello)).status).toBe(200);
  const { counted, ledger } = await settled();
  expect(counted).toBeGreaterThan(400);
  expect(counted).toBeLessThan(1_500);
  expect(ledger).toBe(counted);
});

test("a service that tells no usage is settled at what was reserved for it", async () => {
  await start((_request, response) => {
    response.writeHead(200, { "content-type": "audio/mpeg" });
    response.end(Buffer.alloc(100));
  });
  const answer = await post("/v1/audio/speech", { input: "words to say ".repeat(100), voice: "alloy" });
  await answer.arrayBuffer();
  expect(answer.status).toBe(200);
  const { counted, ledger } = await settled();
  expect(counted).toBeGreaterThan(500);
  expect(ledger).toBe(counted);
});

test("every picture is reserved, and counted where nobody tells", async () => {
  await start((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ created: 1, data: [] }));
  });
  expect((await post("/v1/images/generations", { prompt: "a bird", n: 10 })).status).toBe(200);
  expect((await settled()).counted).toBeGreaterThan(80_000);
});

test("a service's usage is never less than nothing", async () => {
  await start((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ object: "list", data: [], usage: { prompt_tokens: -1_000_000, total_tokens: 0 } }));
  });
  expect((await post("/v1/embeddings", { input: "Hello" })).status).toBe(200);
  expect((await settled()).counted).toBe(0);
});

test("who leaves a stream that goes on from what is kept pays for what is kept", async () => {
  const chunk = (delta: object, finish: string | null): string =>
    `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  await start((request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(chunk({ role: "assistant", content: "Yes" }, null));
    // The second stays open until its caller leaves.
    if (request.body.includes("And now")) return;
    response.end(
      `${chunk({}, "stop")}data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\ndata: [DONE]\n\n`,
    );
  });
  const first = await post("/v1/responses", { input: "much was said before ".repeat(1_000), max_output_tokens: 100 });
  expect(first.status).toBe(200);
  const { id } = (await first.json()) as { id: string };
  const leaving = new AbortController();
  const second = await post(
    "/v1/responses",
    { input: "And now", previous_response_id: id, store: false, stream: true, max_output_tokens: 100 },
    leaving.signal,
  );
  await second.body?.getReader().read();
  leaving.abort();
  expect((await settled(2)).counted).toBeGreaterThan(3_000);
});

test("who waits for a whole answer and leaves before it comes pays for what was made meanwhile, as far as can be told", async () => {
  await start(() => undefined);
  const leaving = new AbortController();
  const asked = post("/v1/chat/completions", hello, leaving.signal).catch(() => undefined);
  await until(() => upstream.requests.length > 0, "the request");
  await new Promise((resolve) => setTimeout(resolve, 400));
  leaving.abort();
  await asked;
  const { counted, ledger } = await settled();
  // The prompt is some 40 tokens; a second makes about 50.
  expect(counted).toBeGreaterThan(55);
  expect(counted).toBeLessThan(600);
  expect(ledger).toBe(counted);
});

test("an answer that comes too late for the gateway is not free, whoever set the time", async () => {
  await start(() => undefined, "timeouts: { headersMs: 400 }");
  expect((await post("/v1/chat/completions", hello)).status).toBe(504);
  const { counted, ledger } = await settled();
  expect(counted).toBeGreaterThan(55);
  expect(ledger).toBe(counted);
});

test("who leaves a stream before its first word pays for what was thought meanwhile, as far as can be told", async () => {
  await start((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(
      `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }] })}\n\n`,
    );
  });
  const leaving = new AbortController();
  const answer = await post("/v1/chat/completions", { ...hello, stream: true }, leaving.signal);
  await answer.body?.getReader().read();
  await new Promise((resolve) => setTimeout(resolve, 600));
  leaving.abort();
  const { counted, ledger } = await settled();
  expect(counted).toBeGreaterThan(50);
  expect(counted).toBeLessThan(600);
  expect(ledger).toBe(counted);
});

test.each([
  ["nothing", {}],
  ["words for numbers", { prompt_tokens: "12", completion_tokens: "500" }],
  ["zeros", { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }],
  ["less than nothing", { prompt_tokens: -5, completion_tokens: -500, total_tokens: -505 }],
])(
  "a usage of %s is none: the answer is estimated, whole and streamed, on its wire and on another",
  async (_, usage) => {
    const words = "some words that were made ".repeat(100);
    const event = (more: object): string =>
      `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", ...more })}\n\n`;
    await start((request, response) => {
      if (!request.body.includes('"stream":true')) {
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ ...whole(words), usage }));
        return;
      }
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(event({ choices: [{ index: 0, delta: { content: words }, finish_reason: null }] }));
      response.write(event({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }));
      response.end(`${event({ choices: [], usage })}data: [DONE]\n\n`);
    });
    for (const path of ["/v1/chat/completions", "/v1/messages"])
      for (const stream of [false, true]) {
        const answer = await post(path, { ...hello, stream });
        await answer.text();
        expect(answer.status).toBe(200);
      }
    const { counted, ledger } = await settled(4);
    expect(counted).toBeGreaterThan(1_600);
    expect(counted).toBeLessThan(6_000);
    expect(ledger).toBe(counted);
  },
);

test("a summary whose provider tells no usage is not free", async () => {
  const event = (delta: object, finish: string | null, more: object = {}): string =>
    `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: finish }], ...more })}\n\n`;
  const isSummary = (body: string): boolean => body.includes("Write the summary now.");
  await start((request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(event({ role: "assistant", content: "in short ".repeat(100) }, null));
    const usage = { prompt_tokens: 6_000, completion_tokens: 200, total_tokens: 6_200 };
    response.end(`${event({}, "stop", isSummary(request.body) ? {} : { usage })}data: [DONE]\n\n`);
  });
  const thread = (await (
    await post("/v1/threads", { model: undefined, context: { strategy: "summarize" } })
  ).json()) as {
    id: string;
  };
  for (let turn = 0; turn < 3; turn += 1) {
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: "Bearer fake-key-of-ada-0123456789",
        "heddle-thread": thread.id,
      },
      body: JSON.stringify({
        model: "host/gpt-4",
        max_tokens: 400,
        messages: [{ role: "user", content: `turn ${turn} ${"many words that are said here ".repeat(400)}` }],
      }),
    });
    expect(await answer.text()).toContain("in short");
    await until(() => gateway.logs.filter(({ operation }) => operation === "run").length > turn, "the run");
  }
  await until(() => gateway.logs.some(({ operation }) => operation === "summarize"), "a summary");
  const record = gateway.logs.find(({ operation }) => operation === "summarize");
  expect(record).toMatchObject({ status: 200, estimated: true });
  expect(record?.["inputTokens"]).toBeGreaterThan(1_000);
  expect(record?.["outputTokens"]).toBeGreaterThan(100);
});

test.each([
  ["a service", "/v1/embeddings", { input: "Hello" }],
  ["a model", "/v1/chat/completions", hello],
])("a failure of %s tells what is left, as an answer does", async (_, path, body) => {
  await start((_request, response) => {
    response.writeHead(400, { "content-type": "application/json" });
    response.end('{"error":{"message":"not so","type":"invalid_request_error"}}');
  }, "");
  await gateway.stop();
  gateway = await startGateway(
    `
auth: { keys: [{ name: ada, key: fake-key-of-ada-0123456789, tenant: acme }] }
providers: { host: { kind: openai-compatible, baseUrl: "${upstream.url}", apiKey: none } }
limits: { rates: [{ name: r, by: key, requestsPerMinute: 10 }] }
`,
    { HEDDLE_DATA: folder.path },
  );
  const answer = await post(path, body);
  expect(answer.status).toBe(400);
  expect(answer.headers.get("ratelimit")).toContain("r=9");
  expect(answer.headers.get("x-ratelimit-remaining-requests")).toBe("9");
});
