// How answers of the function app end: slow readers, callers that leave, time that is over, a process that ends.
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../support/gateway.ts";
import { type App, key, startApp } from "./app.ts";

let app: App;

/** What the upstream has been asked, and what it may go on with. */
const streams: ServerResponse[] = [];
const upstream = createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    streams.push(response);
    const chunk = { id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [] };
    const delta = (content: string): object => ({ ...chunk, choices: [{ index: 0, delta: { content } }] });
    response.write(`data: ${JSON.stringify(delta("one "))}\n\n`);
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const { port } = upstream.address() as AddressInfo;
  app = await startApp(`providers: { openai: { baseUrl: "http://127.0.0.1:${port}/v1", apiKey: fake } }`, {
    HEDDLE_HTTP_SECONDS: "2",
  });
});
afterAll(() => {
  app.restore();
  upstream.closeAllConnections();
  upstream.close();
});

const ask = (drop = false): Promise<{ text: string; status: number }> =>
  app.host.call({
    path: "/v1/chat/completions",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "openai/m", stream: true, messages: [{ role: "user", content: "hi" }] }),
    drop,
  });

describe("an answer", () => {
  test("whose caller leaves lets its upstream go (F30)", async () => {
    const got = await ask(true);
    expect(got.text).toContain("one ");
    const stream = streams.at(-1);
    await until(() => stream?.destroyed === true, "the upstream was let go");
    await app.host.idle();
    await until(() => app.written.join("").includes('"disconnected":true'), "the record is written");
  });

  test("whose time is over ends with the wire's own error, before the host cuts it", async () => {
    const got = await ask();
    expect(got.status).toBe(200);
    expect(got.text).toContain("one ");
    expect(got.text).toContain('"error"');
    await app.host.idle();
  });

  test("of a process that ends is ended, and so is the process's work", async () => {
    const asked = ask();
    const count = streams.length;
    await until(() => streams.length > count, "the upstream was asked");
    await Promise.all([app.host.terminate(), asked.then(({ text }) => expect(text).toContain('"error"'))]);
    await app.host.idle();
  });
});
