// One suite for both transports, over real sockets.
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createNodeTransport } from "../../lib/http/node-transport.ts";
import { readAll } from "../../lib/http/transport.ts";
import { timeIsOver } from "../../lib/model/deadline.ts";
import { createUndiciTransport } from "../../lib/http/undici-transport.ts";
import { startUpstream, type TestUpstream, until } from "../support/gateway.ts";

const timeouts = { connectMs: 500, headersMs: 500, idleMs: 500 };
let upstream: TestUpstream;
beforeAll(async () => {
  upstream = await startUpstream();
});
afterAll(() => upstream.stop());

describe.each([
  ["undici", createUndiciTransport],
  ["node:http", createNodeTransport],
])("the %s transport", (_name, create) => {
  const transport = create(timeouts);
  afterAll(() => transport.close());
  const send = (signal: AbortSignal = new AbortController().signal) =>
    transport.send({ method: "POST", url: `${upstream.url}/a/b?c=d`, headers: { "x-one": "1" }, body: "žluť" }, signal);

  test("sends method, path, headers and body; gives status, headers and bytes", async () => {
    upstream.answer((request, response) => {
      response.writeHead(207, { "x-two": "2", "set-cookie": ["a=1", "b=2"] });
      response.end(`${request.method} ${request.url} ${String(request.headers["x-one"])} ${request.body}`);
    });
    const answer = await send();
    expect([answer.status, answer.headers["x-two"], answer.headers["set-cookie"]]).toEqual([207, "2", "a=1, b=2"]);
    expect(Buffer.from(await readAll(answer.body)).toString()).toBe("POST /a/b?c=d 1 žluť");
  });

  test("a signal says why: who left is told apart from whose time is over", async () => {
    upstream.answer((_request, response) => void response.write("first"));
    for (const [reason, code] of [
      [timeIsOver(), "upstream_timeout"],
      [undefined, "cancelled"],
    ] as const) {
      const stop = new AbortController();
      const { body } = await send(stop.signal);
      const reading = readAll(body);
      stop.abort(reason);
      await expect(reading).rejects.toMatchObject({ code });
    }
  });

  test("a large body under back-pressure is whole", async () => {
    upstream.answer((_request, response) => void response.end(Buffer.alloc(5_000_000, 7)));
    const answer = await send();
    let size = 0;
    for await (const chunk of answer.body) {
      size += chunk.length;
      if (size % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(size).toBe(5_000_000);
  });

  test("a compressed answer comes plain, and an unknown encoding is refused", async () => {
    upstream.answer((_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(gzipSync("plain words"));
    });
    const answer = await send();
    expect(Buffer.from(await readAll(answer.body)).toString()).toBe("plain words");
    expect(answer.headers["content-encoding"]).toBeUndefined();
    upstream.answer((_request, response) => {
      response.writeHead(200, { "content-encoding": "made-up" });
      response.end("x");
    });
    await expect(send()).rejects.toMatchObject({ code: "upstream_error" });
  });

  test("nobody there", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    await expect(
      transport.send({ method: "GET", url: `http://127.0.0.1:${port}/`, headers: {} }, new AbortController().signal),
    ).rejects.toMatchObject({ code: "upstream_unreachable" });
  });

  test("no headers in time, silence in the body, a broken body", async () => {
    upstream.answer(() => undefined);
    await expect(send()).rejects.toMatchObject({ code: "upstream_timeout" });
    upstream.answer((_request, response) => {
      response.writeHead(200);
      response.write("begun");
    });
    const stalled = await send();
    await expect(readAll(stalled.body)).rejects.toMatchObject({ code: "upstream_timeout" });
    upstream.answer((_request, response) => {
      response.writeHead(200);
      response.write("begun", () => response.destroy());
    });
    const broken = await send();
    await expect(readAll(broken.body)).rejects.toMatchObject({ code: "upstream_error" });
  });

  test("the caller's leaving reaches the upstream: before the headers, in the body, and by leaving the loop (F30)", async () => {
    const before = new AbortController();
    upstream.answer(() => undefined);
    const waiting = send(before.signal);
    await until(() => upstream.requests.at(-1)?.aborted === false, "the request arrived");
    before.abort();
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    await until(() => upstream.requests.at(-1)?.aborted === true, "the upstream heard");

    const during = new AbortController();
    upstream.answer((_request, response) => {
      response.writeHead(200);
      response.write("begun");
    });
    const answer = await send(during.signal);
    const reading = readAll(answer.body);
    during.abort();
    await expect(reading).rejects.toMatchObject({ code: "cancelled" });
    await until(() => upstream.requests.at(-1)?.aborted === true, "the upstream heard");

    const left = await send();
    for await (const chunk of left.body) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    await until(() => upstream.requests.at(-1)?.aborted === true, "the upstream heard");
  });
});
