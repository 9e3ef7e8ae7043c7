// Every secret that there is, marked, through success and failure of all that works with it; then everything that came out is searched (F41).
// What wires and providers do with keys is in test/faults/secrets.test.ts.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { banner } from "../../functions/local/banner.ts";
import { runCheck } from "../../functions/local/check.ts";
import { doctorCommand } from "../../functions/local/cli/doctor.ts";
import { Failure } from "../../functions/local/cli/io.ts";
import { keysCommand } from "../../functions/local/cli/keys.ts";
import { loadConfig } from "../../lib/config.ts";
import { run } from "../functions/cli/support.ts";
import { type DataFolder, dataFolder } from "../support/data.ts";
import {
  jsonAnswer,
  startGateway,
  startUpstream,
  type TestGateway,
  type TestUpstream,
  until,
} from "../support/gateway.ts";
import { audience, signingKey, startIssuer } from "../support/issuer.ts";
import { completion, said, type Said } from "./support.ts";

const staticKey = "canary-static-key-0a1b2c3d4e5f";
const adminKey = "canary-admin-key-0123456789-0123456789";
const pepper = "canary-pepper-0123456789-0123456789-0123456789";
const providerKey = "canary-provider-key-9f8e7d6c";
const providerHeader = "canary-provider-header-5b4a3c2d";
const webhookSecret = Buffer.from("canary-webhook-secret-0123456789").toString("base64");
const webhookPath = "canary-webhook-path-77aa";
const prompt = "canary-prompt-the-moon-is-a-loom";
const answer = "canary-answer-the-sun-is-a-shuttle";

/** By name, so that a failure says which. */
const canaries = new Map<string, string>(
  Object.entries({ staticKey, adminKey, pepper, providerKey, providerHeader, webhookSecret, webhookPath }),
);
canaries.set("webhookSecret in clear", "canary-webhook-secret");
const texts = new Map([
  ["prompt", prompt],
  ["answer", answer],
]);

/** A key's secret and checksum; its id is what it is known by. */
const addKey = (name: string, key: string): string => {
  const parts = key.split("_");
  canaries.set(name, key).set(`${name}'s secret`, parts.at(-1) ?? key);
  if ((parts[2] ?? "").length > 16) canaries.set(`${name}'s claims`, (parts[2] ?? "").slice(16));
  return key;
};
const addToken = (name: string, token: string): string => {
  const [, payload = "", signature = ""] = token.split(".");
  canaries.set(name, token).set(`${name}'s payload`, payload).set(`${name}'s signature`, signature);
  return token;
};

let folder: DataFolder;
let upstream: TestUpstream;
let webhook: TestUpstream;
let issuer: Awaited<ReturnType<typeof startIssuer>>;
let gateway: TestGateway;
let yaml: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = dataFolder();
  upstream = await startUpstream();
  webhook = await startUpstream(jsonAnswer(500, "no"));
  issuer = await startIssuer([await signingKey("one")]);
  yaml = `
providers:
  local:
    kind: openai-compatible
    baseUrl: "${upstream.url}/v1"
    apiKey: "\${PROVIDER_KEY}"
    headers: { x-proxy-key: ${providerHeader} }
prices: { local/m: { input: 0, output: 1 } }
auth:
  keys: [{ name: static, key: ${staticKey}, tenant: acme }]
  issuers: [{ issuer: "${issuer.url}", audience: "${audience}", tenant: acme, defaultRoles: [admin] }]
limits:
  budgets: [{ name: small, by: key, amount: 0.0002, per: day, alerts: [0.5], match: { keys: [static] } }]
  webhook: { url: "${webhook.url}/${webhookPath}", secret: "whsec_${webhookSecret}" }
log: { level: debug }
`;
  env = { HEDDLE_DATA: folder.path, HEDDLE_ADMIN_KEY: adminKey, HEDDLE_PEPPER: pepper, PROVIDER_KEY: providerKey };
  gateway = await startGateway(yaml, env, (config) => {
    config.retry.attempts = 1;
  });
});
afterAll(async () => {
  await gateway.stop().catch(() => undefined);
  await issuer.stop();
  await webhook.stop();
  await upstream.stop();
  folder.remove();
});

/** What may hold neither a secret nor what was said. */
const outputs: [string, string][] = [];
/** Answers that tell callers what they said, or were told: no secret, though. */
const answers: [string, string][] = [];

type How = { method?: string; body?: object; headers?: Record<string, string>; once?: boolean };

const call = async (path: string, credential: string | undefined, how: How = {}): Promise<Said> => {
  const { method = how.body === undefined ? "GET" : "POST", body, headers = {} } = how;
  const got = await said(
    await fetch(`${gateway.url}${path}`, {
      method,
      headers: {
        ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );
  const name = `${method} ${path.split("?")[0]} ${got.status}`;
  outputs.push([`${name}, headers`, JSON.stringify([...got.headers])]);
  if (got.status >= 400) outputs.push([name, got.text]);
  // A key's own creation is the one place that tells it.
  else if (how.once !== true) answers.push([name, got.text]);
  return got;
};

const messages = [
  { role: "system", content: prompt },
  { role: "user", content: prompt },
];
const chat = (credential: string | undefined, more: object = {}, path = ""): Promise<Said> =>
  call(`/v1/chat/completions${path}`, credential, {
    body: { model: "local/m", max_tokens: 100, messages, ...more },
  });

const admin = async (path: string, how: How = {}): Promise<Record<string, unknown>> => {
  const { status, text } = await call(`/v1/admin${path}`, adminKey, how);
  expect(status, `${path}: ${text}`).toBeLessThan(300);
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
};
const makeKey = async (name: string, fields: object = {}): Promise<{ key: string; id: string }> => {
  const { key, id } = await admin("/keys", { body: { name, tenant: "acme", ...fields }, once: true });
  return { key: addKey(name, String(key)), id: String(id) };
};

const quoting = (status: number) =>
  upstream.answer((request, response) => {
    const heard = `${request.headers.authorization ?? ""} ${String(request.headers["x-proxy-key"])}`;
    void jsonAnswer(status, {
      error: { message: `Incorrect API key provided: ${heard}.`, type: "invalid_request_error" },
    })(request, response);
  });
const answering = (): void => upstream.answer((_request, response) => void response.end(completion(answer)));
const breaking = (): void =>
  upstream.answer((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: answer } }] })}\n\n`);
    setImmediate(() => response.destroy());
  });

/** The last letter changed: the checksum of a key, the signature of a token. */
const forged = (credential: string): string => `${credential.slice(0, -2)}${credential.endsWith("0A") ? "1B" : "0A"}`;

test("no secret, prompt or answer in logs, errors, headers, metrics, usage, audit, checks or the doctor (F41)", async () => {
  answering();
  const { key: plain, id } = await makeKey("plain", { roles: ["admin"] });
  const { key: proving, id: provingId } = await makeKey("proving", { self_proving: true });
  const { key: viewer } = await makeKey("viewer", { roles: ["viewer"] });
  const token = addToken("token", await issuer.token());
  const past = Math.floor(Date.now() / 1_000) - 3_600;
  const late = addToken("late token", await issuer.token({ exp: past }));
  const misplaced = addToken("misplaced token", await issuer.token({ aud: "elsewhere", secret: "canary-claim" }));
  const good = [plain, proving, token, adminKey, staticKey];
  const bad = [forged(plain), forged(proving), forged(token), late, misplaced, `${adminKey}x`, `${staticKey}x`];
  for (const [at, credential] of bad.entries()) canaries.set(`bad ${at}`, credential);

  // Each credential, in each place, where the provider answers, refuses its key, breaks down, breaks off.
  for (const set of [answering, () => quoting(401), () => quoting(500), () => quoting(400), breaking]) {
    set();
    for (const credential of good) {
      await chat(credential, set === breaking ? { stream: true } : {}).catch(() => undefined);
      await call("/v1/chat/completions", undefined, {
        body: { model: "local/m", messages, max_tokens: 100 },
        headers: { "x-api-key": credential, "idempotency-key": "k" },
      });
      await call(`/v1beta/models/local/m:generateContent?key=${credential}`, undefined, {
        body: { contents: [{ role: "user", parts: [{ text: prompt }] }] },
      });
    }
  }
  answering();
  for (const credential of bad) {
    expect((await chat(credential)).status).toBe(401);
    for (const path of ["/v1/models", "/v1/threads", "/v1/admin/keys", "/nowhere", "/metrics"]) {
      await call(path, credential);
      await call(`${path}?key=${credential}`, undefined);
    }
  }
  for (const path of ["/nowhere", "/v1/threads/none", "/v1beta/models/none:generateContent", "/v1/admin/keys/none"])
    for (const credential of good) await call(`${path}?key=${encodeURIComponent(credential)}`, undefined);

  // Bodies that are wrong where the prompt stands, or hold a key where none belongs.
  for (const wrong of [{ messages: prompt }, { messages: [{ role: prompt, content: prompt }] }, { tools: prompt }])
    await chat(plain, wrong);
  await call("/v1/messages", plain, { body: { model: "local/m", messages: [{ role: "user", content: 5 }] } });
  const thread = await call("/v1/threads", plain, { body: { title: prompt, system: prompt } });
  const { id: threadId } = JSON.parse(thread.text) as { id: string };
  await call(`/v1/threads/${threadId}/runs`, plain, { body: { model: "local/m", input: prompt } });
  await call(`/v1/threads/${threadId}/runs`, plain, { body: { model: "local/m", input: { wrong: prompt } } });

  // Administration, what is right and what is refused; its threads are told to nobody without an entry.
  const { key: rotated } = await admin(`/keys/${id}/rotate`, { body: {}, once: true });
  addKey("rotated", String(rotated));
  for (const credential of [viewer, plain]) {
    await call("/v1/admin/keys", credential, { body: { name: "k", everywhere: true } });
    await call(`/v1/admin/keys/${id}`, credential, { method: "PATCH", body: { scopes: 5 } });
    await call("/v1/admin/keys", credential, { body: { name: "k", key: plain, roles: [plain] } });
    await call(`/v1/admin/keys/${plain}`, credential);
    await call("/v1/admin/limits/rates", credential, { body: { name: "r", by: "key", requestsPerMinute: -1 } });
  }
  await admin("/limits/budgets", { body: { name: "b", by: "tenant", amount: 5, per: "day" } });
  await call(`/v1/admin/threads/${threadId}/export?tenant=acme&owner=plain`, adminKey);
  await call(`/v1/admin/threads/${threadId}?tenant=acme&owner=plain`, adminKey, { method: "DELETE" });
  for (const each of [id, provingId]) await admin(`/keys/${each}/revoke`, { method: "POST" });
  for (const credential of [plain, proving]) expect((await chat(credential)).status).toBe(401);
  await until(() => webhook.requests.length > 2, "the webhook's three tries");

  const told = outputs.length;
  for (const path of [
    "/metrics",
    "/health",
    "/health/ready",
    "/health/providers",
    "/v1/admin/whoami",
    "/v1/admin/tenants",
    "/v1/admin/keys",
    `/v1/admin/keys/${id}`,
    "/v1/admin/limits/budgets",
    "/v1/admin/budgets?tenant=acme",
    "/v1/admin/usage?tenant=*&group_by=key,user,model",
    "/v1/admin/usage?tenant=*&group_by=key,user,model&format=csv",
    "/v1/admin/usage/entries?tenant=acme",
    "/v1/admin/usage/entries?tenant=acme&format=csv",
    "/v1/admin/threads?tenant=acme&owner=plain",
    "/v1/admin/audit?tenant=acme&limit=100",
    "/v1/admin/audit?tenant=acme&format=csv",
    "/v1/admin/audit",
  ]) {
    const got = await call(path, adminKey);
    expect(got.status, `${path} ${got.text}`).toBe(200);
    expect(got.text.length, path).toBeGreaterThan(0);
    outputs.push([path, got.text]);
  }
  expect(outputs.length).toBeGreaterThan(told + 30);

  // What is run on the machine.
  const io = { HEDDLE_PORT: "0", HEDDLE_CONFIG: "heddle.yaml", ...env };
  const reading =
    (text: string) =>
    (path: string): string | undefined =>
      path.endsWith("heddle.yaml") ? text : undefined;
  const broken = yaml
    .replace("kind: openai-compatible", "kind: [openai-compatible]")
    .replace("by: key, amount", `by: ${providerHeader}, amount`)
    .replace("log:", `unknown: ${staticKey}\nlog:`);
  const short = { ...io, HEDDLE_ADMIN_KEY: "canary-short", HEDDLE_PEPPER: "canary-small" };
  canaries.set("a short admin key", "canary-short").set("a short pepper", "canary-small");
  for (const [name, text, variables] of [
    ["sound", yaml, io],
    ["broken", broken, io],
    ["with short secrets", yaml, short],
  ] as const)
    for (const [command, args] of [
      [doctorCommand, ["--json"]],
      [doctorCommand, []],
      [runCheck, []],
    ] as const) {
      quoting(401);
      const ran = await run(command, args, variables, reading(text));
      expect(ran.out.length + ran.err.length).toBeGreaterThan(0);
      outputs.push([`${command === runCheck ? "check" : "doctor"}, ${name}`, ran.out + ran.err]);
    }
  const config = await loadConfig({ env: io, readFile: reading(yaml) });
  outputs.push(["banner", banner(config, gateway.url, "0.0.0")]);
  for (const key of [viewer, `${staticKey}x`, forged(viewer)]) {
    const failed = await run(keysCommand, ["list"], { HEDDLE_URL: gateway.url, HEDDLE_KEY: key }).catch(
      (thrown: unknown) => thrown,
    );
    expect(failed).toBeInstanceOf(Failure);
    outputs.push(["heddle keys", String(failed)]);
  }

  await gateway.stop();
  outputs.push(["log", gateway.rawLogs.join("\n")]);
  expect(gateway.rawLogs.length).toBeGreaterThan(100);

  const found = (where: readonly [string, string][], what: Iterable<[string, string]>): string[] =>
    [...what].flatMap(([name, canary]) =>
      where.filter(([, text]) => text.includes(canary)).map(([place]) => `${name} in ${place}`),
    );
  expect(found(outputs, canaries)).toEqual([]);
  expect(found(answers, canaries)).toEqual([]);
  expect(found(outputs, texts)).toEqual([]);
  // The search finds what is there.
  expect(found(answers, texts)).not.toEqual([]);

  // What is kept holds no credential either: keys as hashes, tokens not at all.
  const files = readdirSync(folder.path, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  const stored = files.map((each): [string, string] => [
    each.name,
    readFileSync(join(each.parentPath, each.name), "latin1"),
  ]);
  expect(stored.map(([name]) => name)).toContain("heddle.db");
  expect(found(stored, canaries)).toEqual([]);
}, 60_000);
