// A caller that leaves: its upstream call ends with it, at every phase, and the record says so.
import { connect } from "node:net";
import { createGzip } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ClientWireId, clientWireIds } from "../../../lib/model/wire-id.ts";
import {
  type Answer,
  startGateway,
  startUpstream,
  type TestGateway,
  type TestUpstream,
  until,
} from "../../support/gateway.ts";
import { providerOf, providersYaml, rawWires } from "../../support/wires.ts";

let upstream: TestUpstream;
let gateway: TestGateway;
beforeEach(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(providersYaml(upstream.url));
});
afterEach(async () => {
  await gateway.stop();
  await upstream.stop();
});

const call = (
  client: ClientWireId,
  provider: ClientWireId,
  stream: boolean,
  signal: AbortSignal,
): Promise<Response> => {
  const model = `${providerOf[provider]}/up`;
  return fetch(gateway.url + rawWires[client].path(model, stream), {
    method: "POST",
    headers: { "content-type": "application/json", ...rawWires[client].headers },
    body: JSON.stringify(rawWires[client].body(model, stream)),
    signal,
  });
};

const silent: Answer = () => undefined;
const headersOnly: Answer = (_request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
};
const halfOf =
  (wire: ClientWireId): Answer =>
  (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(rawWires[wire].begin);
  };
const halfBody: Answer = (_request, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
  response.write("{");
};

/** `answered`, or `refused` where the call rejects: to be awaited later. */
const outcome = (answer: Promise<Response>): Promise<string> =>
  answer.then(
    () => "answered",
    () => "refused",
  );

const gone = async (): Promise<void> => {
  await until(() => upstream.requests[0]?.aborted === true, "the upstream call ended");
  await until(() => gateway.logs.some((line) => line["operation"] === "generate"), "the call's record");
  expect(gateway.logs.filter((line) => line["operation"] === "generate")).toMatchObject([{ disconnected: true }]);
  expect(upstream.requests).toHaveLength(1);
};

describe.each(clientWireIds)("client %s", (client) => {
  describe.each(clientWireIds)("provider %s", (provider) => {
    test.each([
      ["a whole answer, no headers yet", false, silent],
      ["a whole answer, half of it there", false, halfBody],
      ["a stream, no headers yet", true, silent],
      ["a stream, no first event yet", true, headersOnly],
    ])("%s (F30)", async (_name, stream, answer) => {
      const arrived = Promise.withResolvers<void>();
      upstream.answer((request, response) => {
        arrived.resolve();
        return answer(request, response);
      });
      const leaving = new AbortController();
      const left = outcome(call(client, provider, stream, leaving.signal));
      await arrived.promise;
      leaving.abort();
      expect(await left).toBe("refused");
      await gone();
    });

    test("in mid-stream (F30, F31)", async () => {
      upstream.answer(halfOf(provider));
      const leaving = new AbortController();
      const response = await call(client, provider, true, leaving.signal);
      expect(response.status).toBe(200);
      const reader = response.body!.getReader();
      await reader.read();
      leaving.abort();
      await expect(reader.read()).rejects.toThrow(Error);
      await gone();
      expect(gateway.logs[0]?.["estimated"]).toBe(true);
    });
  });
});

test.each(clientWireIds)("in the middle of a compressed stream, from a provider of %s (F30)", async (provider) => {
  upstream.answer((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" });
    const gzip = createGzip();
    gzip.pipe(response);
    gzip.write(rawWires[provider].begin);
    gzip.flush();
  });
  for (const client of [provider, "openai-chat"] as const) {
    const leaving = new AbortController();
    const response = await call(client, provider, true, leaving.signal);
    const reader = response.body!.getReader();
    expect(Buffer.from((await reader.read()).value ?? "").toString("utf8")).toContain("Hello");
    leaving.abort();
    await expect(reader.read()).rejects.toThrow(Error);
    await until(() => upstream.requests.at(-1)?.aborted === true, "the upstream call ended");
  }
  await until(() => gateway.logs.length === 2, "a record of each");
  expect(gateway.logs.map((line) => line["disconnected"])).toEqual([true, true]);
});

test("while it waits between two tries, no other is made (F30)", async () => {
  await gateway.stop();
  gateway = await startGateway(providersYaml(upstream.url), {}, (config) => {
    config.retry = { attempts: 3, baseDelayMs: 60_000, maxDelayMs: 60_000, totalMs: 600_000 };
  });
  const refused = Promise.withResolvers<void>();
  upstream.answer((_request, response) => {
    response.writeHead(500, { "content-type": "application/json" });
    response.end("{}", () => refused.resolve());
  });
  const leaving = new AbortController();
  const left = outcome(call("openai-chat", "openai-chat", false, leaving.signal));
  await refused.promise;
  leaving.abort();
  expect(await left).toBe("refused");
  await until(() => gateway.logs.some((line) => line["operation"] === "generate"), "the call's record");
  expect(upstream.requests).toHaveLength(1);
});

test("while it sends its request, nothing is asked of a provider (F30)", async () => {
  const { port, hostname } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  await new Promise((resolve) => socket.once("connect", resolve));
  await new Promise((resolve) =>
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"model":', resolve),
  );
  socket.destroy();
  // A call that follows is served, and is the only one that reaches the provider.
  upstream.answer((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(rawWires["openai-chat"].whole));
  });
  expect((await call("openai-chat", "openai-chat", false, AbortSignal.timeout(10_000))).status).toBe(200);
  expect(upstream.requests).toHaveLength(1);
});

test("calls that wait behind another on one connection end with it too (F30)", async () => {
  upstream.answer(halfOf("openai-chat"));
  const { port, hostname } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  const body = JSON.stringify(rawWires["openai-chat"].body("compat/up", true));
  const request = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  socket.write(request.repeat(3));
  await until(() => upstream.requests.length === 3, "all three reach the provider");
  socket.destroy();
  await until(() => upstream.requests.every((each) => each.aborted), "all three end");
  await until(() => gateway.logs.length === 3, "a record of each");
  expect(gateway.logs.map((line) => line["disconnected"])).toEqual([true, true, true]);
});

test("services end too (F30)", async () => {
  const arrived = Promise.withResolvers<void>();
  upstream.answer(() => arrived.resolve());
  const leaving = new AbortController();
  const left = outcome(
    fetch(`${gateway.url}/v1/embeddings`, {
      method: "POST",
      body: JSON.stringify({ model: "openai/text-embedding-3-small", input: "hi" }),
      signal: leaving.signal,
    }),
  );
  await arrived.promise;
  leaving.abort();
  expect(await left).toBe("refused");
  await until(() => upstream.requests[0]?.aborted === true, "the upstream call ended");
});

test("token counts end too (F30)", async () => {
  const arrived = Promise.withResolvers<void>();
  upstream.answer(() => arrived.resolve());
  const leaving = new AbortController();
  const left = outcome(
    fetch(`${gateway.url}/v1/messages/count_tokens`, {
      method: "POST",
      body: JSON.stringify({ model: "anthropic/claude-x", messages: [{ role: "user", content: "hi" }] }),
      signal: leaving.signal,
    }),
  );
  await arrived.promise;
  leaving.abort();
  expect(await left).toBe("refused");
  await until(() => upstream.requests[0]?.aborted === true, "the upstream call ended");
});
