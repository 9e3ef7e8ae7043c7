// Static keys: who is let in, in constant time, on every route and in every wire's own words.
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { createAuthenticator as createFull } from "../../lib/auth/authenticator.ts";
import type { Caller } from "../../lib/auth/caller.ts";
import { createPolicy } from "../../lib/auth/policy.ts";
import type { AuthConfig } from "../../lib/config-types.ts";
import type { Call } from "../../lib/model/call.ts";
import { clientWireIds } from "../../lib/model/wire-id.ts";
import { GatewayError } from "../../lib/model/error.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { rawWires } from "../support/wires.ts";

const keys = [
  { name: "first", key: "canary-key-of-the-first" },
  { name: "second", key: "canary-key-of-the-second" },
  { name: "third", key: "canary-clé-with-ünicode" },
];
/** Nothing is waited for with keys of the configuration. */
const createAuthenticator = (auth: AuthConfig): ((call: Call) => Caller) => {
  const { authenticate } = createFull({
    config: { auth, environment: "development" },
    secrets: undefined,
    table: undefined,
    control: undefined,
    policy: createPolicy(),
    clock: { now: () => 0 },
  });
  return (call) => {
    const found = authenticate(call, () => undefined);
    if (found instanceof Promise) throw new Error("it waits");
    return found.caller;
  };
};
const callWith = (key: string): Parameters<ReturnType<typeof createAuthenticator>>[0] => ({
  method: "POST",
  path: "/",
  query: "",
  headers: { authorization: `Bearer ${key}` },
  body: new Uint8Array(),
});

afterEach(() => void vi.restoreAllMocks());

test("each key is its name, and open access asks for none", () => {
  const authenticate = createAuthenticator({ mode: "keys", keys });
  for (const { name, key } of keys)
    expect(authenticate(callWith(key))).toMatchObject({ name, open: false, tenant: "default", owner: name });
  expect(createAuthenticator({ mode: "open", keys })(callWith("whatever"))).toMatchObject({
    name: "open",
    open: true,
    tenant: "default",
    owner: "open",
  });
  const shared = createAuthenticator({
    mode: "keys",
    keys: [{ name: "a", key: "k".repeat(20), tenant: "acme", owner: "ada" }],
  });
  expect(shared(callWith("k".repeat(20)))).toMatchObject({ name: "a", tenant: "acme", owner: "ada" });
});

test.each(["", "canary-key-of-the-firs", "canary-key-of-the-firstx", "CANARY-KEY-OF-THE-FIRST", "first", "undefined"])(
  "%j is no key",
  (key) => {
    const authenticate = createAuthenticator({ mode: "keys", keys });
    expect(() => authenticate(callWith(key))).toThrow(GatewayError);
  },
);

test("every key is compared, in slots of one size, wherever the match is and whatever is given", () => {
  const crypto = process.getBuiltinModule("node:crypto");
  const compare = vi.spyOn(crypto, "timingSafeEqual");
  const authenticate = createAuthenticator({ mode: "keys", keys });
  for (const given of [...keys.map(({ key }) => key), "x", "y".repeat(5_000)]) {
    compare.mockClear();
    const outcome = ((): string => {
      try {
        return authenticate(callWith(given)).name;
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(outcome).toBe(keys.find(({ key }) => key === given)?.name ?? "The API key is not valid here.");
    expect(compare.mock.calls.map((sides) => sides.map((side) => side.byteLength))).toEqual(keys.map(() => [256, 256]));
  }
});

test("a digest is not taken for the long key it was made of", () => {
  const long = "k".repeat(300);
  const { hash } = process.getBuiltinModule("node:crypto");
  const authenticate = createAuthenticator({ mode: "keys", keys: [{ name: "long", key: long }] });
  expect(authenticate(callWith(long)).name).toBe("long");
  expect(() => authenticate(callWith(hash("sha256", long, "hex")))).toThrow("not valid");
  expect(() => authenticate(callWith(`${long}k`))).toThrow("not valid");
});

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway(
    "providers: { echo: { pace: 0 } }\nauth: { mode: keys, keys: [{ name: tester, key: canary-key-of-the-tester }] }\nlog: { level: debug }\n",
  );
});
afterAll(() => gateway.stop());

const key = "canary-key-of-the-tester";
const conventions: [string, Record<string, string>, string][] = [
  ["Authorization: Bearer", { authorization: `Bearer ${key}` }, ""],
  ["x-api-key", { "x-api-key": key }, ""],
  ["x-goog-api-key", { "x-goog-api-key": key }, ""],
  ["api-key", { "api-key": key }, ""],
  ["?key=", {}, `key=${key}`],
];
const withQuery = (path: string, query: string): string =>
  query === "" ? path : `${path}${path.includes("?") ? "&" : "?"}${query}`;

for (const id of clientWireIds)
  test.each(conventions)(`${id}: let in by %s`, async (_name, headers, query) => {
    const wire = rawWires[id];
    for (const stream of [false, true]) {
      const response = await fetch(gateway.url + withQuery(wire.path("echo/echo", stream), query), {
        method: "POST",
        headers,
        body: JSON.stringify(wire.body("echo/echo", stream)),
      });
      expect(response.status).toBe(200);
      expect(await response.text()).toContain("echo");
    }
  });

for (const id of clientWireIds)
  test.each([
    ["no key", {}, ""],
    ["a wrong key", { authorization: "Bearer canary-key-of-nobody" }, ""],
    ["a wrong key in the query", {}, "key=canary-key-of-nobody"],
    ["a right key under another scheme", { authorization: `Basic ${key}` }, ""],
  ])(`${id}: 401 in its own envelope for %s (F28)`, async (_what, headers, query) => {
    const wire = rawWires[id];
    for (const stream of [false, true]) {
      const response = await fetch(gateway.url + withQuery(wire.path("echo/echo", stream), query), {
        method: "POST",
        headers: headers as Record<string, string>,
        body: JSON.stringify(wire.body("echo/echo", stream)),
      });
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      expect(response.headers.get("content-type")).toContain("application/json");
      const body: unknown = await response.json();
      wire.envelope(body);
      expect(JSON.stringify(body)).not.toContain("canary");
    }
  });

test("gemini-generate: without alt=sse a stream is a JSON array, and so is its 401 (F28)", async () => {
  const response = await fetch(`${gateway.url}/v1beta/models/echo:streamGenerateContent?key=canary-key-of-nobody`, {
    method: "POST",
    body: "{}",
  });
  expect(response.status).toBe(401);
  const [error, ...others] = (await response.json()) as unknown[];
  rawWires["gemini-generate"].envelope(error);
  expect(others).toEqual([]);
});

test.each([
  ["GET", "/v1/models"],
  ["GET", "/v1/models/echo"],
  ["GET", "/v1beta/models"],
  ["POST", "/v1/models/refresh"],
  ["POST", "/v1/messages/count_tokens"],
  ["POST", "/v1/responses/input_tokens"],
  ["POST", "/v1beta/models/echo:countTokens"],
  ["POST", "/v1/embeddings"],
  ["POST", "/v1/images/generations"],
  ["POST", "/v1/audio/speech"],
  ["POST", "/v1/audio/transcriptions"],
  ["GET", "/v1/responses/resp_1"],
  ["GET", "/health/providers"],
  ["GET", "/metrics"],
])("%s %s asks for a key", async (method, path) => {
  const response = await fetch(gateway.url + path, { method, ...(method === "POST" ? { body: "{}" } : {}) });
  expect(response.status).toBe(401);
  expect(await response.json()).toHaveProperty("error");
});

test.each(["/health", "/health/live", "/health/ready", "/health/startup"])(
  "%s asks for none: it is a probe's",
  async (path) => {
    const response = await fetch(gateway.url + path);
    expect(response.status).toBe(200);
    await response.text();
  },
);

test("no key stands in any line of the log, only its name (F41)", () => {
  expect(gateway.rawLogs.length).toBeGreaterThan(60);
  expect(gateway.rawLogs.join("\n")).not.toContain("canary");
  expect(new Set(gateway.logs.map((line) => line["key"]))).toEqual(new Set(["tester", "none"]));
});
