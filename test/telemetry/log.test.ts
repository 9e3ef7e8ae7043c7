// One JSON line a call, whatever became of it: by the real gateway over every wire, plain and streamed.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type ClientWireId, clientWireIds } from "../../lib/model/wire-id.ts";
import { createLog } from "../../lib/telemetry/log.ts";
import {
  jsonAnswer,
  startGateway,
  startUpstream,
  type TestGateway,
  type TestUpstream,
  until,
} from "../support/gateway.ts";
import { providerOf, providersYaml, rawWires } from "../support/wires.ts";

let upstream: TestUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(
    `${providersYaml(upstream.url)}
models: { both: { targets: [compat/up, anthropic/up] } }
prices: { up: { input: 2, output: 10 } }
auth: { keys: [{ name: tester, key: key-of-the-tester }] }
retry: { baseDelayMs: 0, attempts: 2 }
`,
  );
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});
beforeEach(() => {
  gateway.logs.length = 0;
});

const post = (
  client: ClientWireId,
  model: string,
  stream: boolean,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(gateway.url + rawWires[client].path(model, stream), {
    method: "POST",
    headers: { authorization: "Bearer key-of-the-tester", ...headers },
    body: JSON.stringify(rawWires[client].body(model, stream)),
  });

const answered = (provider: ClientWireId, stream: boolean): void => {
  if (!stream) return upstream.answer(jsonAnswer(200, rawWires[provider].whole));
  upstream.answer((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(rawWires[provider].begin + rawWires[provider].end);
  });
};

for (const client of clientWireIds)
  for (const provider of ["anthropic-messages", "gemini-generate"] as const)
    for (const stream of [false, true])
      test(`${client} to ${provider}${stream ? ", streamed" : ""}: one line with all that is known`, async () => {
        answered(provider, stream);
        const model = `${providerOf[provider]}/up`;
        const response = await post(client, model, stream, { "x-request-id": "request-of-mine" });
        await response.text();
        await until(() => gateway.logs.length > 0, "the log line");
        expect(gateway.logs).toHaveLength(1);
        const [{ time, ttftMs, totalMs, traceId, dropped: _dropped, ...line } = {}] = gateway.logs;
        expect(line).toEqual({
          level: "info",
          message: "call",
          requestId: "request-of-mine",
          operation: "generate",
          wire: client,
          provider: providerOf[provider],
          model: "up",
          requestedModel: model,
          stream,
          status: 200,
          inputTokens: 5,
          outputTokens: 1,
          cost: 0.00002,
          priced: true,
          attempts: 1,
          key: "tester",
        });
        expect(traceId).toMatch(/^[0-9a-f]{32}$/);
        expect(time).toBe(new Date(String(time)).toISOString());
        expect(ttftMs).toBeGreaterThanOrEqual(0);
        expect(totalMs).toBeGreaterThanOrEqual(Number(ttftMs));
        expect(response.headers.get("x-request-id")).toBe("request-of-mine");
      });

test("retries and fallbacks are counted, and the target that answered is named", async () => {
  upstream.answer((request, response) => {
    const good = request.url.endsWith("/messages");
    const body = good ? rawWires["anthropic-messages"].whole : rawWires["openai-chat"].error(503, "busy");
    response.writeHead(good ? 200 : 503, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  });
  const response = await post("openai-chat", "both", false);
  await response.text();
  expect(response.headers.get("heddle-attempts")).toBe("3");
  expect(gateway.logs).toEqual([
    expect.objectContaining({ provider: "anthropic", model: "up", requestedModel: "both", attempts: 3, status: 200 }),
  ]);
});

test.each([
  ["a model that nobody has", "openai-chat", "nobody/up", 404, "model_not_found", "warn"],
  ["a provider that fails", "anthropic-messages", "compat/up", 500, "upstream_error", "error"],
] as const)("%s: one line with its status and code", async (_what, client, model, status, code, level) => {
  upstream.answer(jsonAnswer(500, { error: { message: "down", type: "server_error" } }));
  const response = await post(client, model, false);
  await response.text();
  expect(gateway.logs).toHaveLength(1);
  expect(gateway.logs[0]).toMatchObject({ status: response.status, error: code, level, requestedModel: model });
  expect(gateway.logs[0]).not.toHaveProperty("cost");
  expect(gateway.logs[0]).not.toHaveProperty("inputTokens");
  expect(Math.floor(response.status / 100)).toBe(Math.floor(status / 100));
});

test.each(clientWireIds)("%s: a body that is no JSON, and a wrong key, have their line too", async (client) => {
  const url = gateway.url + rawWires[client].path("compat/up", false);
  await fetch(url, { method: "POST", headers: { authorization: "Bearer key-of-the-tester" }, body: "{" });
  await fetch(url, { method: "POST", headers: { authorization: "Bearer wrong" }, body: "{}" });
  expect(
    gateway.logs.map(({ status, error, operation, key, wire }) => ({ status, error, operation, key, wire })),
  ).toEqual([
    { status: 400, error: "invalid_request", operation: "generate", key: "tester", wire: client },
    { status: 401, error: "authentication", operation: "authenticate", key: "none", wire: client },
  ]);
});

test("a caller who leaves is told from a failure", async () => {
  upstream.answer((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(rawWires["openai-chat"].begin);
  });
  const leaving = new AbortController();
  await fetch(gateway.url + rawWires["openai-chat"].path("compat/up", true), {
    method: "POST",
    headers: { authorization: "Bearer key-of-the-tester" },
    body: JSON.stringify(rawWires["openai-chat"].body("compat/up", true)),
    signal: leaving.signal,
  });
  leaving.abort();
  await until(() => gateway.logs.length > 0, "the log line");
  expect(gateway.logs[0]).toMatchObject({ level: "info", disconnected: true, error: "cancelled" });
});

test("levels: a quiet log keeps what is worse", () => {
  const lines: string[] = [];
  const at = (level: "debug" | "warn" | "error" | "silent"): string[] => {
    lines.length = 0;
    const log = createLog({ level, write: (line) => void lines.push(line), now: () => 0 });
    const base = {
      requestId: "r",
      traceId: "t",
      wire: "w",
      operation: "o",
      provider: "p",
      model: "m",
      requestedModel: "m",
      stream: false,
      totalMs: 1,
      attempts: 1,
      disconnected: false,
      keyName: "k",
      tenant: "default",
    };
    log.call({ ...base, status: 200 });
    log.call({ ...base, status: 404, errorCode: "not_found" });
    log.call({ ...base, status: 502, errorCode: "upstream_error" });
    log.warn("careful", { count: 1 });
    log.error("broken", { requestId: "r", cause: new TypeError("canary-prompt\nover lines") });
    return lines.map((line) => (JSON.parse(line) as { level: string }).level);
  };
  expect(at("debug")).toEqual(["info", "warn", "error", "warn", "error"]);
  expect(at("warn")).toEqual(["warn", "error", "warn", "error"]);
  expect(at("error")).toEqual(["error", "error"]);
  expect(lines.join("\n")).not.toContain("canary");
  expect(lines.at(-1)).toContain("TypeError at ");
  expect(at("silent")).toEqual([]);
});

test("a name of any length and content stays one line of bounded length", () => {
  const lines: string[] = [];
  const log = createLog({ level: "info", write: (line) => void lines.push(line) });
  const model = `m\n{"level":"error"}${"x".repeat(5_000)}`;
  log.call({
    requestId: "r",
    traceId: "t",
    wire: "w",
    operation: "o",
    provider: "p",
    model,
    requestedModel: model,
    stream: false,
    status: 200,
    totalMs: 1,
    attempts: 1,
    disconnected: false,
    keyName: "k",
    tenant: "default",
  });
  expect(lines[0]).not.toContain("\n");
  expect(lines[0]!.length).toBeLessThan(1_000);
  expect((JSON.parse(lines[0]!) as { model: string }).model).toHaveLength(200);
});
