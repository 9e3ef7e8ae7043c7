// Open access: whoever sits at this machine, and nobody by way of their browser.
import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refuseStrangers } from "../../lib/auth/open-access.ts";
import type { Call } from "../../lib/model/call.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";

const call = (headers: Record<string, string>): Call => ({
  method: "POST",
  path: "/v1/messages",
  query: "",
  headers,
  body: new Uint8Array(),
});

test.each([
  {},
  { host: "127.0.0.1:8787" },
  { host: "localhost" },
  { host: "[::1]:8787" },
  { host: "host.docker.internal:8787" },
  { host: "heddle:8787" },
  { host: "192.168.1.7:8787" },
  { host: "my-laptop.local" },
  { host: "localhost:8787", origin: "http://localhost:3000" },
  { host: "localhost:8787", origin: "http://app.localhost:3000" },
  { host: "localhost:8787", origin: "http://127.0.0.1" },
  { host: "localhost:8787", origin: "https://app.example.com" },
])("%j is let in", (headers) => {
  expect(() => refuseStrangers(call(headers), ["https://app.example.com"])).not.toThrow();
});

test.each([
  { host: "evil.example.com" },
  { host: "evil.example.com:8787", origin: "http://evil.example.com:8787" },
  { host: "127.0.0.1.evil.com" },
  { host: "localhost.evil.com" },
  { host: "localhost:8787", origin: "https://evil.example.com" },
  { host: "localhost:8787", origin: "https://localhost.evil.com" },
  { host: "localhost:8787", origin: "null" },
])("%j is refused", (headers) => {
  expect(() => refuseStrangers(call(headers), [])).toThrow(/open access/i);
});

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway("providers: { echo: { kind: echo, pace: 0 } }");
});
afterAll(() => gateway.stop());

test("a page's plain POST never reaches a provider", async () => {
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const sent = request(
      `${gateway.url}/v1/chat/completions`,
      { method: "POST", headers: { "content-type": "text/plain", origin: "https://evil.example.com" } },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    sent.on("error", reject);
    sent.end(JSON.stringify({ model: "echo/echo", messages: [{ role: "user", content: "spend" }] }));
  });
  expect(status).toBe(403);
  expect(gateway.logs.filter(({ provider }) => provider === "echo")).toEqual([]);
});
