// Tokens over real HTTP: an issuer that is asked, every wire's own refusal, and no token in a log.
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDocumentFetcher } from "../../../lib/http/document.ts";
import { createNodeTransport } from "../../../lib/http/node-transport.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import { clientWireIds } from "../../../lib/model/wire-id.ts";
import { jsonAnswer, startGateway, startUpstream, type TestGateway } from "../../support/gateway.ts";
import { audience, signingKey, startIssuer } from "../../support/issuer.ts";
import { rawWires } from "../../support/wires.ts";

let issuer: Awaited<ReturnType<typeof startIssuer>>;
let gateway: TestGateway;

beforeAll(async () => {
  issuer = await startIssuer([await signingKey("one", "RS256")]);
  gateway = await startGateway(`
auth:
  keys: [{ name: k, key: canary-key-for-a-program }]
  issuers:
    - issuer: ${issuer.url}
      audience: ${audience}
      claims: { tenant: org }
      roles: { reader: viewer, writer: [member] }
`);
});
afterAll(async () => {
  await gateway.stop();
  await issuer.stop();
});

const call = (wire: keyof typeof rawWires, token: string): Promise<Response> => {
  const { path, body } = rawWires[wire];
  return fetch(`${gateway.url}${path("echo/echo", false)}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(body("echo/echo", false)),
  });
};

test("a token is let in as who it speaks for (F44), keys go on being taken beside it", async () => {
  const token = await issuer.token({ org: "acme", roles: ["writer"] });
  for (const wire of clientWireIds) expect((await call(wire, token)).status).toBe(200);
  expect((await call("openai-chat", "canary-key-for-a-program")).status).toBe(200);
  expect(issuer.asked).toEqual({ keys: 1, discovery: 1 });
});

test.each(clientWireIds)("%s: a refusal in the wire's own words, with the header of RFC 6750", async (wire) => {
  const past = Math.floor(Date.now() / 1_000) - 3_600;
  const token = await issuer.token({ org: "acme", roles: ["writer"], exp: past });
  const response = await call(wire, token);
  expect(response.status).toBe(401);
  expect(response.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
  const text = await response.text();
  rawWires[wire].envelope(JSON.parse(text));
  expect(text).toContain("expired");
  expect(text).not.toContain(token.slice(0, 20));
});

test("a role that may not call is a 403, no role at all too", async () => {
  expect((await call("openai-chat", await issuer.token({ org: "acme", roles: ["reader"] }))).status).toBe(403);
  expect((await call("openai-chat", await issuer.token({ org: "acme", roles: ["admin"] }))).status).toBe(403);
  expect((await call("openai-chat", await issuer.token({ roles: ["writer"] }))).status).toBe(401);
});

test("the same token in the places where SDKs put keys", async () => {
  const token = await issuer.token({ org: "acme", roles: ["reader"] });
  for (const header of ["x-api-key", "x-goog-api-key", "api-key"])
    expect((await fetch(`${gateway.url}/v1/models`, { headers: { [header]: token } })).status).toBe(200);
  expect((await fetch(`${gateway.url}/v1beta/models?key=${token}`)).status).toBe(200);
  expect((await fetch(`${gateway.url}/v1beta/models?key=${token}x`)).status).toBe(401);
});

test("no log line holds a part of a token, refusals have a record as every call has (F41)", () => {
  const text = gateway.rawLogs.join("\n");
  expect(text).not.toContain("eyJ");
  expect(gateway.logs.filter((line) => line["status"] === 401).length).toBeGreaterThan(3);
});

test("an issuer that is down is a 503 with a time to come again, not a 401", async () => {
  const down = await startIssuer([await signingKey("one")]);
  down.isDown(true);
  const other = await startGateway(`
auth:
  issuers: [{ issuer: "${down.url}", audience: ${audience}, defaultRoles: [viewer] }]
`);
  try {
    const headers = { authorization: `Bearer ${await down.token()}` };
    const response = await fetch(`${other.url}/v1/models`, { headers });
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("5");
    expect((await fetch(`${other.url}/v1/models`)).status).toBe(401);
  } finally {
    await other.stop();
    await down.stop();
  }
});

test("documents are bounded in size and time, redirects are not followed", async () => {
  const transport = createNodeTransport({ connectMs: 1_000, headersMs: 60_000, idleMs: 60_000 });
  const get = createDocumentFetcher(transport);
  const upstream = await startUpstream(jsonAnswer(200, "x".repeat(5_000)));
  try {
    expect(await get(upstream.url, { maxBytes: 5_000, timeoutMs: 5_000 })).toMatchObject({ status: 200 });
    await expect(get(upstream.url, { maxBytes: 4_999, timeoutMs: 5_000 })).rejects.toThrow("4999");
    upstream.answer(jsonAnswer(302, {}, { location: "/elsewhere" }));
    expect(await get(upstream.url, { maxBytes: 100, timeoutMs: 5_000 })).toMatchObject({ status: 302 });
    upstream.answer(() => undefined);
    await expect(get(upstream.url, { maxBytes: 100, timeoutMs: 20 })).rejects.toBeInstanceOf(GatewayError);
    upstream.answer((_request, response) => void response.writeHead(200).write("{"));
    await expect(get(upstream.url, { maxBytes: 100, timeoutMs: 50 })).rejects.toBeInstanceOf(GatewayError);
    expect(upstream.requests.map(({ url }) => url)).not.toContain("/elsewhere");
  } finally {
    await upstream.stop();
    await transport.close();
  }
});
