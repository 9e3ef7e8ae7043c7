// All of it works with nothing but the configuration: no licence, no account, nobody who is told. Every connection that the process opens is
// seen where Node opens it.
import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DataFolder, dataFolder } from "../support/data.ts";
import { startGateway, startUpstream, type TestGateway, type TestUpstream, until } from "../support/gateway.ts";
import { audience, signingKey, startIssuer } from "../support/issuer.ts";
import { chat, providerOf, said, type Said, startProvider } from "./support.ts";

/** `host:port` of whatever was connected to, or tried. */
const opened = new Set<string>();
const connect = Reflect.get(Socket.prototype, "connect") as (...of: unknown[]) => Socket;

type Target = { host?: string; port?: number | string; path?: string };
/** Node hands its options over in a list of its own, undici as they are. */
const targetOf = (first: unknown): Target => (Array.isArray(first) ? targetOf(first[0]) : (first as Target));

let folder: DataFolder;
let provider: TestUpstream;
let webhook: TestUpstream;
let issuer: Awaited<ReturnType<typeof startIssuer>>;
let gateway: TestGateway;

beforeAll(async () => {
  Reflect.set(Socket.prototype, "connect", function seen(this: Socket, ...given: unknown[]) {
    const { host = "", port = "", path = "" } = targetOf(given[0]);
    opened.add(`${host}:${port}${path}`);
    return connect.apply(this, given);
  });
  folder = dataFolder();
  provider = await startProvider();
  webhook = await startUpstream((_request, response) => void response.writeHead(204).end());
  issuer = await startIssuer([await signingKey("one")]);
  // The environment has nothing but a folder: no key of anybody's.
  gateway = await startGateway(
    `
providers: { ${providerOf(provider)} }
prices: { local/m: { input: 0, output: 1 } }
auth:
  roles: { auditor: ["audit:read", "usage:*"] }
  issuers:
    - issuer: ${issuer.url}
      audience: ${audience}
      claims: { tenant: org }
      roles: { writers: member, bosses: admin, controllers: auditor, readers: viewer }
limits:
  budgets: [{ name: b, by: user, amount: 0.0002, per: day, alerts: [0.5] }]
  webhook: { url: "${webhook.url}" }
`,
    { HEDDLE_DATA: folder.path },
  );
});
afterAll(async () => {
  Reflect.set(Socket.prototype, "connect", connect);
  await gateway.stop();
  await issuer.stop();
  await webhook.stop();
  await provider.stop();
  folder.remove();
});

const token = (sub: string, ...roles: string[]): Promise<string> => issuer.token({ org: "acme", sub, roles });
const call = async (key: string, method: string, path: string, body?: object): Promise<Said> =>
  said(
    await fetch(`${gateway.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );

test("tokens, roles, custom ones too, keys, budgets, alerts, usage and the audit log work without a licence, and nobody is called but whom the configuration names (F44)", async () => {
  const [writer, boss, controller, reader] = [
    await token("ann", "writers"),
    await token("bea", "bosses"),
    await token("cleo", "controllers"),
    await token("dora", "readers"),
  ];
  for (const status of [200, 200, 429]) expect((await chat(gateway, writer)).status).toBe(status);
  for (const who of [reader, controller]) expect((await chat(gateway, who)).status).toBe(403);

  for (const who of [writer, reader, controller])
    expect((await call(who, "POST", "/v1/admin/keys", { name: "k" })).status).toBe(403);
  const made = await call(boss, "POST", "/v1/admin/keys", { name: "k", roles: ["member"] });
  expect(made.status).toBe(201);
  const { key } = JSON.parse(made.text) as { key: string };
  expect((await chat(gateway, key)).status).toBe(200);
  const rule = { name: "all", by: "tenant", amount: 0, per: "total" };
  expect((await call(boss, "POST", "/v1/admin/limits/budgets", rule)).status).toBe(201);
  expect((await chat(gateway, key)).status).toBe(429);

  const usage = await call(controller, "GET", "/v1/admin/usage?group_by=user");
  expect(JSON.parse(usage.text)).toMatchObject({ total: { requests: 3 } });
  const audit = await call(controller, "GET", "/v1/admin/audit");
  const actions = (JSON.parse(audit.text) as { data: { action: string; outcome: string }[] }).data;
  expect(actions.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual(
    expect.arrayContaining(["keys.create done", "keys.create refused", "limits.budgets.create done"]),
  );
  await until(() => webhook.requests.length > 0, "the budget's alert");

  const ports = [gateway.url, provider.url, issuer.url, webhook.url].map((url) => new URL(url).host);
  expect([...opened].toSorted()).toEqual(ports.toSorted());
});

test("there is no setting for a licence, an account, or anybody who would be told of use (F44)", () => {
  const schema = readFileSync(fileURLToPath(new URL("../../heddle.schema.json", import.meta.url)), "utf8");
  expect(schema).not.toMatch(/licen[cs]e|telemetry|analytics|subscription|entitlement|enterprise/i);
});
