// Browsers of other origins: by configuration, off by default, and never `*` with credentials.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { corsHeaders, type CorsRules, preflight } from "../../lib/http/cors.ts";
import type { Call } from "../../lib/model/call.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";

const app = "https://app.example.com";
const rules: CorsRules = {
  origins: [app],
  headers: ["*"],
  exposeHeaders: ["x-request-id"],
  maxAgeSeconds: 600,
  credentials: false,
};
const options = (headers: Record<string, string>): Call => ({
  method: "OPTIONS",
  path: "/",
  query: "",
  headers,
  body: new Uint8Array(),
});

test("an origin that is listed is named, and caches are told that answers differ", () => {
  expect(corsHeaders(rules, app)).toEqual({
    vary: "Origin",
    "access-control-allow-origin": app,
    "access-control-expose-headers": "x-request-id",
  });
});

test.each([
  ["another host", "https://other.example.com"],
  ["another scheme", "http://app.example.com"],
  ["another port", `${app}:8443`],
  ["a longer name", `${app}.evil.example`],
  ["a shorter name", "https://example.com"],
  ["other letters", "https://APP.example.com"],
  ["null", "null"],
  ["none", undefined],
])("an origin that is not listed gets nothing: %s", (_what, origin) => {
  expect(corsHeaders(rules, origin)).toEqual({ vary: "Origin" });
});

test("* is anyone; with credentials an origin is always named", () => {
  expect(corsHeaders({ ...rules, origins: ["*"] }, "https://any.example")["access-control-allow-origin"]).toBe("*");
  const named = corsHeaders({ ...rules, credentials: true }, app);
  expect(named).toMatchObject({ "access-control-allow-origin": app, "access-control-allow-credentials": "true" });
  expect(corsHeaders({ ...rules, origins: ["*"], credentials: true }, "https://any.example")).toEqual({
    vary: "Origin",
  });
});

test("a preflight names what was asked for, as a plain * covers no authorization", () => {
  const reply = preflight(
    rules,
    options({
      origin: app,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type",
    }),
  );
  expect(reply).toEqual({
    status: 204,
    body: "",
    headers: {
      vary: "Origin",
      "access-control-allow-origin": app,
      "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
      "access-control-allow-headers": "authorization,content-type",
      "access-control-max-age": "600",
    },
  });
  const listed = preflight(
    { ...rules, headers: ["x-api-key", "content-type"] },
    options({ origin: app, "access-control-request-method": "POST" }),
  );
  expect(listed?.headers["access-control-allow-headers"]).toBe("x-api-key, content-type");
});

test("what is no preflight is none: no origin, no method asked for, another method", () => {
  expect(preflight(rules, options({ origin: app }))).toBeUndefined();
  expect(preflight(rules, options({ "access-control-request-method": "POST" }))).toBeUndefined();
  expect(
    preflight(rules, { ...options({ origin: app, "access-control-request-method": "POST" }), method: "POST" }),
  ).toBeUndefined();
});

const body = JSON.stringify({ model: "echo/echo", messages: [{ role: "user", content: "hi [[pace 0]]" }] });

describe("through the gateway", () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway(
      `cors: { origins: ["${app}"] }\nauth: { keys: [{ name: web, key: key-of-the-web-app }] }\n`,
    );
  });
  afterAll(() => gateway.stop());

  const ask = (origin: string): Promise<Response> =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,x-stainless-os",
      },
    });

  test("a preflight needs no key, and allows a listed origin", async () => {
    const response = await ask(app);
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe(app);
    expect(response.headers.get("access-control-allow-headers")).toBe("authorization,x-stainless-os");
    expect(response.headers.get("access-control-allow-methods")).toContain("POST");
    expect(response.headers.get("access-control-max-age")).toBe("600");
  });

  test("a preflight of another origin allows nothing", async () => {
    const response = await ask("https://evil.example");
    expect(response.status).toBe(204);
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect(response.headers.get("vary")).toBe("Origin");
  });

  test.each([false, true])("an answer exposes what is ours (stream: %s)", async (stream) => {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { origin: app, authorization: "Bearer key-of-the-web-app" },
      body: JSON.stringify({ ...(JSON.parse(body) as object), stream }),
    });
    await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get("access-control-allow-origin")).toBe(app);
    const exposed = response.headers.get("access-control-expose-headers")?.split(", ") ?? [];
    for (const name of [
      "x-request-id",
      "request-id",
      "retry-after",
      "heddle-provider",
      "heddle-model",
      "heddle-cost",
      "heddle-attempts",
    ])
      expect(exposed).toContain(name);
    // Every header of ours that is sent can be read.
    const ours = [...response.headers.keys()].filter((name) => name.startsWith("heddle-"));
    expect(ours.filter((name) => !exposed.includes(name))).toEqual([]);
  });

  test("errors can be read by the browser too: 401, 404", async () => {
    for (const [path, status] of [
      ["/v1/chat/completions", 401],
      ["/nowhere", 404],
    ] as const) {
      const response = await fetch(gateway.url + path, { method: "POST", headers: { origin: app }, body });
      await response.text();
      expect(response.status).toBe(status);
      expect(response.headers.get("access-control-allow-origin")).toBe(app);
    }
  });

  test("an origin that is not listed is answered, but its browser is told nothing", async () => {
    const response = await fetch(`${gateway.url}/health`, { headers: { origin: "https://evil.example" } });
    await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("by default", () => {
  const started: TestGateway[] = [];
  afterEach(async () => {
    for (const gateway of started.splice(0)) await gateway.stop();
  });

  test("no browser of another origin may call: no header, and a preflight is refused", async () => {
    const gateway = await startGateway();
    started.push(gateway);
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { origin: app },
      body,
    });
    await response.text();
    const asked = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: { origin: app, "access-control-request-method": "POST" },
    });
    await asked.text();
    expect([response.status, asked.status]).toEqual([403, 403]);
    for (const { headers } of [response, asked])
      expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });
});
