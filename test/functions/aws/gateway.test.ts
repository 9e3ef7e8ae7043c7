// The function's own handler under the runtime's contract: streams, refusals, deadlines, faults in the middle, and no throw ever.
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRuntime, type Runtime } from "../../../functions/aws/runtime.ts";
import { installLambda, invoke, restEvent, urlEvent } from "./fake-lambda.ts";
import { startUpstream, type TestUpstream } from "../../support/gateway.ts";

installLambda();
const { createHandler } = await import("../../../functions/aws/handler.ts");

const key = "hd-a-fake-key-of-the-configuration";
const yaml = (more = ""): string => `
auth: { keys: [{ name: app, key: ${key} }] }
retry: { attempts: 1 }
${more}`;

type Made = { handler: ReturnType<typeof createHandler>; lines: Record<string, unknown>[]; runtime: Runtime };
const setUp = (text: string, env: Record<string, string> = {}): Made => {
  const lines: Record<string, unknown>[] = [];
  const runtime = createRuntime({
    env: { HEDDLE_CONFIG: "heddle.yaml", ...env },
    readFile: (path) => (path === "heddle.yaml" ? text : undefined),
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  return { handler: createHandler(runtime), lines, runtime };
};

const authorization = `Bearer ${key}`;
const chat = (content: string, stream = true, headers: Record<string, string> = {}) =>
  urlEvent({
    path: "/v1/chat/completions",
    headers: { authorization, ...headers },
    body: { model: "echo/echo", stream, messages: [{ role: "user", content }] },
  });
const messages = (stream = true, headers: Record<string, string> = {}) =>
  urlEvent({
    path: "/v1/messages",
    headers: { "x-api-key": key, "anthropic-version": "2023-06-01", ...headers },
    body: { model: "echo/echo", max_tokens: 100, stream, messages: [{ role: "user", content: "one two three four" }] },
  });

let upstream: TestUpstream;
beforeAll(async () => {
  upstream = await startUpstream();
});
afterAll(() => upstream.stop());

test("a stream: the head first, chunks as they are made, its end, and one line of metrics", async () => {
  const { handler, lines } = setUp(yaml());
  const got = await invoke(handler, chat("one two three four five", true, { "x-echo-pace": "20" }));
  expect(got.prelude.statusCode).toBe(200);
  expect(got.prelude.headers["content-type"]).toContain("text/event-stream");
  expect(got.text.endsWith("data: [DONE]\n\n")).toBe(true);
  expect(got.chunks.length).toBeGreaterThan(3);
  expect((got.chunks.at(-1)?.ms ?? 0) - (got.chunks[0]?.ms ?? 0)).toBeGreaterThan(40);
  const counted = lines.filter((line) => "_aws" in line);
  expect(counted).toHaveLength(1);
  expect(counted[0]).toMatchObject({
    Wire: "openai-chat",
    Provider: "echo",
    Operation: "generate",
    Requests: 1,
    Errors: 0,
  });
});

test("the same by API Gateway, whole", async () => {
  const { handler } = setUp(yaml());
  const got = await invoke(
    handler,
    restEvent({
      path: "/v1/chat/completions",
      headers: { Authorization: authorization },
      body: { model: "echo/echo", messages: [{ role: "user", content: "hello" }] },
    }),
  );
  expect(got.prelude).toMatchObject({ statusCode: 200, headers: { "content-type": "application/json" } });
  expect(JSON.parse(got.text)).toMatchObject({ object: "chat.completion" });
  expect(got.prelude.headers["x-request-id"]).toMatch(/^aws-request-/);
});

test("a caller's request id is kept, one that looks like none is not", async () => {
  const { handler } = setUp(yaml());
  const asked = async (id: string) =>
    (await invoke(handler, urlEvent({ path: "/health/live", headers: { "x-request-id": id } }))).prelude.headers;
  expect((await asked("trace-12345678"))["x-request-id"]).toBe("trace-12345678");
  expect((await asked("{bad}"))["x-request-id"]).toMatch(/^aws-request-/);
});

test("nothing is open on a function's address, unless the environment says so", async () => {
  const without = await invoke(setUp("{}").handler, urlEvent({ path: "/v1/models" }));
  expect(without.prelude.statusCode).toBe(401);
  const open = setUp("{}", { HEDDLE_AUTH: "open" }).handler;
  expect((await invoke(open, urlEvent({ path: "/v1/models" }))).prelude.statusCode).toBe(403);
  const local = urlEvent({ path: "/v1/models", headers: { host: "127.0.0.1:9000" } });
  expect((await invoke(open, local)).prelude.statusCode).toBe(200);
});

test("an empty body ends, and a HEAD has none (F55)", async () => {
  const { handler } = setUp(`${yaml()}\ncors: { origins: ["https://app.test"] }`);
  const headers = { origin: "https://app.test", "access-control-request-method": "POST" };
  const preflight = await invoke(handler, urlEvent({ method: "OPTIONS", path: "/v1/messages", headers }));
  expect(preflight.prelude.statusCode).toBe(204);
  expect(preflight.text).toBe("");
  const head = await invoke(handler, urlEvent({ method: "HEAD", path: "/health" }));
  expect(head).toMatchObject({ text: "", prelude: { statusCode: 200 } });
});

test("a long text is whole, though its characters are longer than one unit", async () => {
  const { handler } = setUp(yaml());
  const content = `x${"😀".repeat(20_000)}`;
  const got = await invoke(handler, chat(content, false));
  const answer = JSON.parse(got.text) as { choices: { message: { content: string } }[] };
  expect(answer.choices[0]?.message.content).toContain("😀".repeat(20_000));
  expect(got.text).not.toContain("\uFFFD");
});

test("bytes survive both ways", async () => {
  const sound = Buffer.from(Array.from({ length: 40_000 }, (_, at) => (at * 7) % 256));
  upstream.answer((_request, response) => {
    response.writeHead(200, { "content-type": "audio/mpeg" });
    response.end(sound);
  });
  const { handler } = setUp(yaml(`providers: { openai: { apiKey: sk-fake, baseUrl: "${upstream.url}/v1" } }`));
  const got = await invoke(
    handler,
    urlEvent({
      path: "/v1/audio/speech",
      headers: { authorization },
      body: { model: "openai/tts-1", input: "hi", voice: "alloy" },
    }),
  );
  expect(got.prelude.headers["content-type"]).toBe("audio/mpeg");
  expect(got.bytes.equals(sound)).toBe(true);
});

test("the way in: a wrong secret is refused before all else, both values of a rotation pass", async () => {
  const { handler, lines } = setUp(yaml(), { HEDDLE_ORIGIN_SECRET: "new-fake-secret, old-fake-secret" });
  const by = async (secret?: string, name = "x-heddle-origin") =>
    (await invoke(handler, urlEvent({ path: "/health/live", headers: secret === undefined ? {} : { [name]: secret } })))
      .prelude.statusCode;
  expect(await by()).toBe(403);
  expect(await by("")).toBe(403);
  expect(await by("new-fake-secre")).toBe(403);
  expect(await by("new-fake-secret, old-fake-secret")).toBe(403);
  expect(lines).toEqual([]);
  expect(await by("new-fake-secret")).toBe(200);
  expect(await by("old-fake-secret", "X-Heddle-Origin")).toBe(200);
});

test("what is no HTTP event gets a 400", async () => {
  const { handler } = setUp(yaml());
  for (const event of [null, {}, { Records: [] }, { rawPath: "/" }, { httpMethod: "GET" }, { rawPath: 1, headers: 2 }])
    expect((await invoke(handler, event as never)).prelude.statusCode, JSON.stringify(event)).toBe(400);
});

test("a configuration that can't be used: the caller's own envelope, and the reason in the log alone", async () => {
  const { handler, lines } = setUp("providers: { openai: { kind: nothing } }");
  const got = await invoke(handler, messages());
  expect(got.prelude.statusCode).toBe(500);
  expect(JSON.parse(got.text)).toMatchObject({ type: "error", error: { type: "api_error" } });
  expect(got.text).not.toContain("nothing");
  expect(JSON.stringify(lines)).toContain("providers");
});

test("the deadline ends a stream with the wire's own error, long before the process is stopped", async () => {
  const { handler, lines } = setUp(yaml());
  const openai = await invoke(handler, chat("one two three", true, { "x-echo-pace": "300" }), { remainingMs: 900 });
  expect(openai.prelude.statusCode).toBe(200);
  expect(openai.text).toContain('"error":{"message":"The time for this answer is over."');
  expect(openai.text.endsWith("\n\n")).toBe(true);
  expect(openai.chunks.at(-1)?.ms).toBeLessThan(850);
  const anthropic = await invoke(handler, messages(true, { "x-echo-pace": "300" }), { remainingMs: 900 });
  expect(anthropic.text).toContain("event: error\ndata: ");
  expect(lines.filter((line) => line["message"] === "call").map((line) => line["error"])).toEqual([
    "upstream_timeout",
    "upstream_timeout",
  ]);
});

test("an upstream that is silent until the deadline: a 504 that no SDK tries again", async () => {
  upstream.answer(() => undefined);
  const { handler } = setUp(yaml(`providers: { openai: { apiKey: sk-fake, baseUrl: "${upstream.url}/v1" } }`));
  const event = urlEvent({
    path: "/v1/chat/completions",
    headers: { authorization },
    body: { model: "openai/gpt-5", stream: true, messages: [{ role: "user", content: "hi" }] },
  });
  const got = await invoke(handler, event, { remainingMs: 600 });
  expect(got.prelude.statusCode).toBe(504);
  expect(got.prelude.headers["x-should-retry"]).toBe("false");
});

test("a stream that its provider breaks off has the wire's error and an end (F26)", async () => {
  upstream.answer((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(
      `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "gpt-5", choices: [{ index: 0, delta: { role: "assistant", content: "Hel" } }] })}\n\ndata: {"half`,
    );
    setTimeout(() => response.destroy(), 30);
  });
  const { handler } = setUp(yaml(`providers: { openai: { apiKey: sk-fake, baseUrl: "${upstream.url}/v1" } }`));
  const event = urlEvent({
    path: "/v1/chat/completions",
    headers: { authorization },
    body: { model: "openai/gpt-5", stream: true, messages: [{ role: "user", content: "hi" }] },
  });
  const got = await invoke(handler, event);
  expect(got.text).toContain("Hel");
  expect(got.text).toContain('"error":{');
  expect(got.text).not.toContain("half");
});

test("a way out that breaks in the middle ends the invocation, without a throw", async () => {
  const { handler } = setUp(yaml());
  const cut = invoke(handler, chat("one two three four", true, { "x-echo-pace": "10" }), {
    onChunk: (_text, stream) => stream.destroy(new Error("socket hang up")),
  });
  await expect(cut).resolves.toBeDefined();
});

test("an identity that the platform has proven needs no key; one that is nobody here does", async () => {
  const { handler } = setUp(
    `auth: { identities: [{ arn: "arn:aws:iam::123456789012:role/app-*", tenant: acme, roles: [member] }] }`,
  );
  const by = async (role: string): Promise<number> => {
    const event = urlEvent({ path: "/v1/models" });
    const userArn = `arn:aws:sts::123456789012:assumed-role/${role}/session`;
    const authorizer = { iam: { userArn, accountId: "123456789012" } };
    const got = await invoke(handler, { ...event, requestContext: { ...event.requestContext, authorizer } });
    return got.prelude.statusCode;
  };
  expect(await by("app-one")).toBe(200);
  expect(await by("other")).toBe(401);
});

test("many invocations at once share nothing", async () => {
  const { handler } = setUp(yaml());
  const words = Array.from({ length: 20 }, (_, at) => `number${at}`);
  const all = await Promise.all(words.map((word) => invoke(handler, chat(word, false))));
  all.forEach((got, at) => expect(got.text).toContain(`number${at}`));
  expect(new Set(all.map((got) => got.prelude.headers["x-request-id"])).size).toBe(20);
});
