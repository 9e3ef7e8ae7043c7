// What a server on the open network meets: bodies too large or too slow, broken HTTP, many calls on one connection.
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientWireIds } from "../../../lib/model/wire-id.ts";
import { jsonAnswer, startGateway, startUpstream, type TestGateway, type TestUpstream } from "../../support/gateway.ts";
import { providerOf, providersYaml, rawWires } from "../../support/wires.ts";

const limit = 10_000;
let upstream: TestUpstream;
let gateway: TestGateway;
/** For what never comes: its own clocks are short. */
let impatient: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream(jsonAnswer(200, rawWires["openai-chat"].whole));
  gateway = await startGateway(providersYaml(upstream.url), {}, (config) => {
    config.server.maxBodyBytes = limit;
  });
  impatient = await startGateway(providersYaml(upstream.url), {}, (config) => {
    config.server.bodyTimeoutMs = 50;
    config.server.headersTimeoutMs = 50;
  });
});
afterAll(async () => {
  await gateway.stop();
  await impatient.stop();
  await upstream.stop();
});

/** A connection, and all that came back on it once it closed. */
const raw = async (
  to: string,
): Promise<{ socket: Socket; answered: Promise<string>; until: (piece: string) => Promise<string> }> => {
  const { port, hostname } = new URL(to);
  const socket = connect(Number(port), hostname);
  let text = "";
  const closed = Promise.withResolvers<string>();
  const waiting: { piece: string; found: (text: string) => void }[] = [];
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    for (const each of waiting) if (text.includes(each.piece)) each.found(text);
  });
  socket.on("error", () => undefined);
  socket.on("close", () => closed.resolve(text));
  await new Promise((resolve) => socket.once("connect", resolve));
  return {
    socket,
    answered: closed.promise,
    until: (piece) => new Promise((found) => (text.includes(piece) ? found(text) : waiting.push({ piece, found }))),
  };
};
const bodyOf = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4)) as unknown;

describe.each(clientWireIds)("client %s", (id) => {
  const wire = rawWires[id];
  const model = `${providerOf[id]}/up`;
  const post = (body: string | ReadableStream<Uint8Array>): Promise<Response> =>
    fetch(gateway.url + wire.path(model, true), {
      method: "POST",
      headers: { "content-type": "application/json", ...wire.headers },
      body,
      ...(typeof body === "string" ? {} : { duplex: "half" }),
    });

  test.each([
    ["by a little", limit + 1],
    ["by much", 8 * 1024 * 1024],
  ])("a body over the limit %s: 413 in its envelope (F28)", async (_name, size) => {
    const response = await post(JSON.stringify(wire.body(model, true, "x".repeat(size))));
    expect(response.status).toBe(413);
    wire.envelope(await response.json());
  });

  test("a body over the limit that never told its length: 413 in its envelope (F28)", async () => {
    let left = 200;
    const response = await post(
      new ReadableStream({
        pull: (controller) => {
          left -= 1;
          if (left === 0) controller.close();
          else controller.enqueue(new Uint8Array(1_000).fill(0x20));
        },
      }),
    );
    expect(response.status).toBe(413);
    wire.envelope(await response.json());
  });

  test("a body of just the limit passes", async () => {
    upstream.answer(jsonAnswer(200, wire.whole));
    const empty = JSON.stringify(wire.body(model, false, "")).length;
    const response = await fetch(gateway.url + wire.path(model, false), {
      method: "POST",
      headers: wire.headers,
      body: JSON.stringify(wire.body(model, false, "x".repeat(limit - empty))),
    });
    expect([response.status, await response.text()]).toEqual([200, JSON.stringify(wire.whole)]);
  });

  test("a body that stops on its way: 408 in its envelope, and the connection ends (F28)", async () => {
    const { socket, answered } = await raw(impatient.url);
    const headers = Object.entries(wire.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(
      `POST ${wire.path(model, false)} HTTP/1.1\r\nhost: x\r\n${headers.join("")}content-length: 500\r\n\r\n{`,
    );
    const text = await answered;
    expect(text).toMatch(/^HTTP\/1.1 408 /);
    wire.envelope(bodyOf(text));
  });
});

test("headers that never end: the connection does", async () => {
  const { socket, answered } = await raw(impatient.url);
  socket.write("POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-slow: ");
  expect(await answered).toMatch(/^HTTP\/1.1 408 /);
});

test.each([
  ["no HTTP at all", "hello\r\n\r\n", 400],
  ["a method that there is not", "BREW /v1/messages HTTP/1.1\r\nhost: x\r\n\r\n", 400],
  ["two lengths", "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}", 400],
  [
    "a length beside chunks (smuggling)",
    "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
  ],
  ["chunks without sizes", "POST /v1/messages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400],
  ["a path beyond ASCII", "GET /v1/models/é HTTP/1.1\r\nhost: x\r\n\r\n", 400],
  ["no host", "GET /health HTTP/1.1\r\n\r\n", 400],
  ["headers over the limit", `GET /health HTTP/1.1\r\nhost: x\r\nx-long: ${"x".repeat(80_000)}\r\n\r\n`, 431],
  ["a bare line feed in a header", "GET /health HTTP/1.1\r\nhost: x\r\nx-a: b\rc\r\n\r\n", 400],
])("broken HTTP: %s", async (_name, bytes, status) => {
  const { socket, answered } = await raw(gateway.url);
  socket.write(bytes, "latin1");
  expect(await answered).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  // The server lives on.
  expect((await fetch(`${gateway.url}/health/live`)).status).toBe(200);
});

test.each([
  ["an address in whole", "GET http://x/health/live HTTP/1.1", 404],
  ["percent signs that mean nothing", "GET /v1/models/%zz HTTP/1.1", 400],
  ["a star", "OPTIONS * HTTP/1.1", 404],
])("odd paths get an answer in an envelope: %s (F28)", async (_name, line, status) => {
  const { socket, answered } = await raw(gateway.url);
  socket.end(`${line}\r\nhost: x\r\nconnection: close\r\n\r\n`, "latin1");
  const text = await answered;
  expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  rawWires["openai-chat"].envelope(bodyOf(text));
});

test("pipelined calls are answered in their order", async () => {
  upstream.answer((request, response) => {
    const { messages } = JSON.parse(request.body) as { messages: { content: string }[] };
    const said = messages[0]?.content ?? "";
    const send = (): void => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ ...(rawWires["openai-chat"].whole as object), id: said }));
    };
    // The first is the slowest.
    if (said === "call-0") setTimeout(send, 30);
    else send();
  });
  const { socket, answered } = await raw(gateway.url);
  const count = 20;
  for (let at = 0; at < count; at += 1) {
    const body = JSON.stringify(rawWires["openai-chat"].body("compat/up", false, `call-${at}`));
    const last = at === count - 1 ? "connection: close\r\n" : "";
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${last}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }
  const ids = [...(await answered).matchAll(/"id":"(call-\d+)"/g)].map((found) => found[1]);
  expect(ids).toEqual(Array.from({ length: count }, (_, at) => `call-${at}`));
});

test("one connection serves many calls, refused ones and too large ones among them", async () => {
  upstream.answer(jsonAnswer(200, rawWires["openai-chat"].whole));
  const { socket, until, answered } = await raw(gateway.url);
  let sent = 0;
  const one = async (line: string, body = "", headers = ""): Promise<string> => {
    sent += 1;
    const mark = `kept-alive-${sent}`;
    socket.write(
      `${line} HTTP/1.1\r\nhost: x\r\nx-request-id: ${mark}\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    const text = await until(`\r\nx-request-id: ${mark}`);
    return text.slice(text.lastIndexOf("HTTP/1.1 ")).slice(9, 12);
  };
  const chat = JSON.stringify(rawWires["openai-chat"].body("compat/up", false));
  expect(await one("POST /v1/chat/completions", chat)).toBe("200");
  expect(await one("GET /health/live")).toBe("200");
  expect(await one("POST /v1/chat/completions", "{")).toBe("400");
  expect(await one("POST /v1/chat/completions", "x".repeat(limit * 3))).toBe("413");
  expect(await one("GET /nowhere")).toBe("404");
  expect(await one("DELETE /v1/messages")).toBe("405");
  expect(await one("POST /v1/chat/completions", chat)).toBe("200");
  socket.end();
  await answered;
});

test("HEAD is GET without its body", async () => {
  const get = await fetch(`${gateway.url}/health/live`);
  const head = await fetch(`${gateway.url}/health/live`, { method: "HEAD" });
  expect(head.status).toBe(200);
  expect(head.headers.get("content-length")).toBe(String((await get.text()).length));
  expect(await head.text()).toBe("");
  expect((await fetch(`${gateway.url}/v1/messages`, { method: "HEAD" })).status).toBe(405);
  expect((await fetch(`${gateway.url}/nowhere`, { method: "HEAD" })).status).toBe(404);
});

describe("OPTIONS", () => {
  const preflight = {
    origin: "https://app.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization",
  };

  test("without CORS it is a method like any other", async () => {
    const response = await fetch(`${gateway.url}/v1/messages`, { method: "OPTIONS" });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("with CORS a listed origin may call, and sees errors too", async () => {
    const open = await startGateway('cors: { origins: ["https://app.example"] }');
    const asked = await fetch(`${open.url}/v1/messages`, { method: "OPTIONS", headers: preflight });
    expect(asked.status).toBe(204);
    expect(asked.headers.get("content-length")).toBeNull();
    expect(asked.headers.get("access-control-allow-origin")).toBe("https://app.example");
    const refused = await fetch(`${open.url}/v1/messages`, {
      method: "POST",
      headers: { origin: "https://app.example" },
      body: "{",
    });
    expect(refused.status).toBe(400);
    expect(refused.headers.get("access-control-allow-origin")).toBe("https://app.example");
    const other = await fetch(`${open.url}/v1/messages`, {
      method: "OPTIONS",
      headers: { ...preflight, origin: "https://evil.example" },
    });
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
    await open.stop();
  });
});

test("a request id is kept where it looks like one, made where it does not", async () => {
  const idOf = async (given?: string): Promise<string | null> => {
    const response = await fetch(`${gateway.url}/health/live`, {
      headers: given === undefined ? {} : { "x-request-id": given },
    });
    expect(response.headers.get("request-id")).toBe(response.headers.get("x-request-id"));
    return response.headers.get("x-request-id");
  };
  expect(await idOf("trace-12345678")).toBe("trace-12345678");
  const made = [await idOf(), await idOf("short"), await idOf('"quoted"<script>')];
  expect(new Set(made).size).toBe(3);
  for (const id of made) expect(id).toMatch(/^req_[a-z0-9]+$/);
});
