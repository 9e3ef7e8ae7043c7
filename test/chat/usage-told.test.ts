// A stream's usage on its own wire: asked for whatever the caller asks, and estimated by what passed where no provider tells.
import { afterEach, expect, test } from "vitest";
import { isObject } from "../../lib/model/json.ts";
import { startGateway, startUpstream, until, type TestGateway, type TestUpstream } from "../support/gateway.ts";

let gateway: TestGateway;
let upstream: TestUpstream;
afterEach(async () => {
  await gateway.stop();
  await upstream.stop();
});

const chunk = (content: string): string =>
  `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`;
const finish = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n`;
const told = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":300,"total_tokens":308}}\n\n`;
const done = "data: [DONE]\n\n";

const start = async (answer: (asked: boolean) => readonly string[]): Promise<void> => {
  upstream = await startUpstream(async ({ body }, response) => {
    const request: unknown = JSON.parse(body);
    const options = isObject(request) ? request["stream_options"] : undefined;
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const piece of answer(isObject(options) && options["include_usage"] === true)) {
      response.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    response.end();
  });
  gateway = await startGateway(
    `providers: { host: { kind: openai-compatible, baseUrl: "${upstream.url}", apiKey: none } }`,
  );
};

const ask = async (body: object): Promise<string> => {
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "host/m", stream: true, messages: [{ role: "user", content: "hi" }], ...body }),
  });
  const text = await answer.text();
  await until(() => gateway.logs.some((line) => line["message"] === "call"), "a record");
  return text;
};

const wishes: [string, { stream_options?: object | null }][] = [
  ["nothing", {}],
  ["null", { stream_options: null }],
  ["no options", { stream_options: {} }],
  ["the contrary", { stream_options: { include_usage: false } }],
  ["another option", { stream_options: { include_obfuscation: false } }],
];

test.each(wishes)("whoever asks for %s gets no usage, and the gateway does", async (_name, body) => {
  await start((asked) => [chunk("Hello"), finish, ...(asked ? [told] : []), done]);
  expect(await ask(body)).toBe(chunk("Hello") + finish + done);
  expect(gateway.logs.find((line) => line["message"] === "call")).toMatchObject({ inputTokens: 8, outputTokens: 300 });
  expect(gateway.logs.find((line) => line["message"] === "call")).not.toHaveProperty("estimated");
  if (body.stream_options !== null && body.stream_options !== undefined)
    expect(JSON.parse(upstream.requests[0]?.body ?? "")).toMatchObject({
      stream_options: { ...body.stream_options, include_usage: true },
    });
});

test("whoever asks for usage gets it, and the request stays as it was", async () => {
  await start((asked) => [chunk("Hello"), finish, ...(asked ? [told] : []), done]);
  expect(await ask({ stream_options: { include_usage: true } })).toBe(chunk("Hello") + finish + told + done);
});

test("a provider that never tells: an answer that came in few reads is no fewer tokens", async () => {
  const words = Array.from({ length: 300 }, (_, at) => chunk(` w${at}`));
  for (const pieces of [
    [words.join("") + finish + done],
    [...Array.from({ length: 10 }, (_, at) => words.slice(at * 30, at * 30 + 30).join("")), finish, done],
    [words[0] ?? "", words.slice(1).join(""), finish, done],
  ]) {
    await start(() => pieces);
    await ask({});
    const record = gateway.logs.find((line) => line["message"] === "call");
    expect(record).toMatchObject({ estimated: true });
    expect(record?.["outputTokens"]).toBeGreaterThan(200);
    expect(record?.["outputTokens"]).toBeLessThan(500);
    await gateway.stop();
    await upstream.stop();
  }
  await start(() => [done]);
});
