// What operators ask: is it alive, is it ready, who answers, what are the numbers.
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig } from "../../lib/config.ts";
import { createUndiciTransport } from "../../lib/http/undici-transport.ts";
import type { Call } from "../../lib/model/call.ts";
import { createGateway } from "../../lib/gateway.ts";
import { createLog } from "../../lib/telemetry/log.ts";
import { dataFolder } from "../support/data.ts";
import { jsonAnswer, startGateway, startUpstream, type TestGateway, type TestUpstream } from "../support/gateway.ts";

const key = "fake-gateway-key-0123456789";
let upstream: TestUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream((request, response) =>
    jsonAnswer(request.url.startsWith("/bad/") ? 401 : 200, {
      object: "list",
      data: [{ id: "m" }],
      error: { message: `no ${request.headers.authorization}` },
    })(request, response),
  );
  gateway = await startGateway(`
providers:
  good: { kind: openai-compatible, baseUrl: "${upstream.url}/good/v1" }
  bad: { kind: openai-compatible, apiKey: fake-bad-key-0123456789, baseUrl: "${upstream.url}/bad/v1" }
  anthropic: {}
  echo: { kind: echo, pace: 0 }
auth: { keys: [{ name: one, key: ${key} }] }
`);
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(gateway.url + path, { headers });
const withKey = { authorization: `Bearer ${key}` };

test("probes need no key and say little", async () => {
  expect(await (await get("/health")).json()).toEqual({
    status: "ok",
    service: "heddle",
    version: "0.0.0-test",
    providers: ["good", "bad", "anthropic", "echo"],
    store: "none",
  });
  for (const path of ["/health/live", "/health/ready", "/health/startup"]) {
    const response = await get(path);
    expect([path, response.status]).toEqual([path, 200]);
    expect(await response.json()).toEqual({ status: "ok" });
  }
});

test("readiness ends when the process begins to end, and life does not", async () => {
  const config = await loadConfig({ env: {}, readFile: () => undefined });
  const transport = createUndiciTransport(config.timeouts);
  let draining = false;
  const handle = createGateway(
    { transport, log: createLog({ level: "silent", write: () => undefined }), version: "0", draining: () => draining },
    config,
  );
  const ask = async (path: string): Promise<number> => {
    const call: Call = { method: "GET", path, query: "", headers: {}, body: new Uint8Array(0) };
    const { signal } = new AbortController();
    return (await handle(call, { requestId: "r", signal, deadline: Infinity, waitUntil: () => undefined })).status;
  };
  expect(await ask("/health/ready")).toBe(200);
  draining = true;
  expect(await ask("/health/ready")).toBe(503);
  expect(await ask("/health/live")).toBe(200);
  await transport.close();
});

test("the state of the providers: each one's, with no secret (F41)", async () => {
  expect((await get("/health/providers")).status).toBe(401);
  const response = await get("/health/providers", withKey);
  expect(response.status).toBe(200);
  const text = await response.text();
  expect(text).not.toContain("fake-bad-key");
  expect(JSON.parse(text)).toEqual({
    status: "degraded",
    providers: [
      { id: "good", kind: "openai-compatible", ok: true, state: "ok", latencyMs: expect.any(Number) },
      {
        id: "bad",
        kind: "openai-compatible",
        ok: false,
        state: "failed",
        latencyMs: expect.any(Number),
        error: expect.any(String),
      },
      { id: "anthropic", kind: "anthropic", ok: false, state: "unconfigured", error: expect.any(String) },
      { id: "echo", kind: "echo", ok: true, state: "ok", latencyMs: expect.any(Number) },
    ],
  });
});

test.each([
  ["ok", "echo"],
  ["down", "anthropic"],
])("all of them together: %s", async (status, only) => {
  const other = await startGateway("providers: { anthropic: {}, echo: { kind: echo } }", {}, (config) => {
    config.providers = config.providers.filter((provider) => provider.id === only);
  });
  expect(await (await fetch(`${other.url}/health/providers`)).json()).toMatchObject({ status });
  await other.stop();
});

test("the numbers of a call", async () => {
  expect((await get("/metrics")).status).toBe(401);
  const headers = { ...withKey, "content-type": "application/json" };
  const chat = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers,
    body: JSON.stringify({ model: "echo/echo", messages: [{ role: "user", content: "hi" }] }),
  });
  expect(chat.status).toBe(200);
  await chat.text();
  const response = await get("/metrics", withKey);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  expect(text).toMatch(/^heddle_\w*requests_total\{[^}]*provider="echo"[^}]*\} 1$/m);
  expect(text).toMatch(/wire="openai-chat"/);
});

test("health tells of the store: none, well, down", async () => {
  const without = await startGateway();
  expect(await (await fetch(`${without.url}/health`)).json()).toMatchObject({ status: "ok", store: "none" });
  await without.stop();
  const data = dataFolder();
  const kept = await startGateway("", { HEDDLE_DATA: data.path });
  expect(await (await fetch(`${kept.url}/health`)).json()).toMatchObject({ status: "ok", store: "ok" });
  await kept.stop();
  data.remove();
  // A file where the folder should be.
  const broken = await startGateway("", { HEDDLE_DATA: new URL(import.meta.url).pathname });
  expect(await (await fetch(`${broken.url}/health`)).json()).toMatchObject({ status: "degraded", store: "down" });
  const refused = await fetch(`${broken.url}/v1/threads`, { method: "POST", body: "{}" });
  expect(refused.status).toBe(503);
  expect(refused.headers.get("content-type")).toBe("application/problem+json");
  await broken.stop();
});
