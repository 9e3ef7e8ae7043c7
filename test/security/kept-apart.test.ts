// What the gateway keeps between calls, and whose it is. There is no cache of answers: two equal calls are two calls to the provider. What is
// kept (answers under an Idempotency-Key, verified tokens, keys, model lists) is the caller's own.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DataFolder, dataFolder } from "../support/data.ts";
import { startGateway, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { audience, signingKey, startIssuer } from "../support/issuer.ts";
import { chat, providerOf, said, startProvider } from "./support.ts";

let folder: DataFolder;
let provider: TestUpstream;
let other: TestUpstream;
let issuer: Awaited<ReturnType<typeof startIssuer>>;
let gateway: TestGateway;

const keyOf = (name: string): string => `fake-key-of-${name}-0123456789`;
const keys = [
  { name: "ann", tenant: "acme", owner: "ann" },
  { name: "bob", tenant: "acme", owner: "bob" },
  // The same owner's name in another tenant is somebody else.
  { name: "ann-elsewhere", tenant: "other", owner: "ann" },
  { name: "program", tenant: "acme", owner: "program", scopes: { owners: ["*"] } },
  { name: "narrow", tenant: "acme", owner: "narrow", scopes: { models: ["second/*"] } },
];

beforeAll(async () => {
  folder = dataFolder();
  provider = await startProvider();
  other = await startProvider();
  issuer = await startIssuer([await signingKey("one")]);
  gateway = await startGateway(
    `
providers:
  ${providerOf(provider)}
  second: { kind: openai-compatible, baseUrl: "${other.url}/v1", models: [only] }
auth:
  keys: ${JSON.stringify(keys.map((key) => ({ ...key, key: keyOf(key.name) })))}
  issuers: [{ issuer: "${issuer.url}", audience: "${audience}", claims: { tenant: org }, defaultRoles: [member] }]
`,
    { HEDDLE_DATA: folder.path },
  );
});
afterAll(async () => {
  await gateway.stop();
  await issuer.stop();
  await other.stop();
  await provider.stop();
  folder.remove();
});

const replayed = ({ headers }: { headers: Headers }): boolean => headers.get("idempotent-replayed") === "true";
const answerIn = (text: string): string | undefined => /answer \d+/.exec(text)?.[0];

test("equal calls are answered by the provider each time: no answer is kept unasked (F42)", async () => {
  const before = provider.requests.length;
  const texts = [
    await chat(gateway, keyOf("ann")),
    await chat(gateway, keyOf("ann")),
    await chat(gateway, keyOf("bob")),
  ];
  expect(new Set(texts.map(({ text }) => answerIn(text))).size).toBe(3);
  expect(provider.requests.length - before).toBe(3);
});

describe("one Idempotency-Key and one body", () => {
  type Way = { key: string; headers?: Record<string, string> };
  const ways = async (): Promise<Record<string, Way>> => ({
    ann: { key: keyOf("ann") },
    "another owner of the tenant": { key: keyOf("bob") },
    "the same owner's name in another tenant": { key: keyOf("ann-elsewhere") },
    "a program for one user": { key: keyOf("program"), headers: { "heddle-user": "carol" } },
    "the program for another user": { key: keyOf("program"), headers: { "heddle-user": "dave" } },
    "a token": { key: await issuer.token({ org: "acme", sub: "erin" }) },
    "a token of the same subject in another tenant": { key: await issuer.token({ org: "other", sub: "erin" }) },
  });

  test.each([false, true])("give each tenant and owner an answer of its own, streamed: %s (F42)", async (stream) => {
    const once = { "idempotency-key": `same-for-all-${stream}` };
    const body = { stream };
    const given = new Map<string, string | undefined>();
    // All at once: nobody waits for, or is refused by, the call of another.
    const all = Object.entries(await ways());
    const first = await Promise.all(
      all.map(([, { key, headers }]) => chat(gateway, key, body, { ...headers, ...once })),
    );
    for (const [at, [name]] of all.entries()) {
      expect(first[at]?.status, name).toBe(200);
      expect(first[at] !== undefined && replayed(first[at]), name).toBe(false);
      given.set(name, answerIn(first[at]?.text ?? ""));
    }
    expect(new Set(given.values()).size).toBe(all.length);
    for (const [name, { key, headers }] of all) {
      const again = await chat(gateway, key, body, { ...headers, ...once });
      expect(replayed(again), name).toBe(true);
      expect(answerIn(again.text), name).toBe(given.get(name));
    }
  });

  const tool = (description: string): object => ({
    type: "function",
    function: { name: "look", description, parameters: { type: "object", properties: {} } },
  });
  const asked = [
    { role: "system", content: "You are a loom." },
    { role: "user", content: "Hello" },
  ];
  test.each<[string, object]>([
    ["system prompt", { messages: [{ role: "system", content: "You are a shuttle." }, asked[1]], tools: [tool("a")] }],
    ["tools", { messages: asked, tools: [tool("b")] }],
    ["no tools", { messages: asked }],
    ["model", { messages: asked, tools: [tool("a")], model: "local/n" }],
  ])("with another %s it is refused, and nobody is asked (F42)", async (what, changed) => {
    const once = { "idempotency-key": `changed-${what}` };
    const first = await chat(gateway, keyOf("ann"), { messages: asked, tools: [tool("a")] }, once);
    expect(first.status).toBe(200);
    const before = provider.requests.length;
    const refused = await chat(gateway, keyOf("ann"), changed, once);
    expect(refused.status).toBe(422);
    expect(answerIn(refused.text)).toBeUndefined();
    // For somebody else it is no mismatch: they never used the key.
    expect((await chat(gateway, keyOf("bob"), changed, once)).status).toBe(200);
    expect(provider.requests.length - before).toBe(1);
  });
});

test("the gateway gives no caller's prompt-cache key to another, and adds none of its own (F42)", async () => {
  const sent = async (key: string, body: object): Promise<unknown> => {
    await chat(gateway, key, body);
    return (JSON.parse(provider.requests.at(-1)?.body ?? "{}") as Record<string, unknown>)["prompt_cache_key"];
  };
  expect(await sent(keyOf("ann"), { prompt_cache_key: "of-ann" })).toBe("of-ann");
  expect(await sent(keyOf("bob"), {})).toBeUndefined();
  expect(await sent(keyOf("ann-elsewhere"), {})).toBeUndefined();
  expect(await sent(keyOf("ann"), {})).toBeUndefined();
});

test("nothing of who calls reaches the provider: credentials, tenant, owner, acting user (F41, F42)", async () => {
  await chat(gateway, keyOf("program"), {}, { "heddle-user": "carol", cookie: "session=canary-cookie" });
  const request = provider.requests.at(-1);
  const all = JSON.stringify([request?.url, request?.headers, request?.body]);
  for (const part of [keyOf("program"), "carol", "acme", "canary-cookie"]) expect(all).not.toContain(part);
});

test("a model list that is kept is cut to each caller's scope when it is told (F42)", async () => {
  const list = async (key: string): Promise<string[]> => {
    const { text } = await said(
      await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } }),
    );
    return (JSON.parse(text) as { data: { id: string }[] }).data.map(({ id }) => id);
  };
  other.answer((_request, response) => void response.end(JSON.stringify({ data: [{ id: "only" }] })));
  provider.answer((_request, response) => void response.end(JSON.stringify({ data: [{ id: "m" }] })));
  expect(await list(keyOf("ann"))).toEqual(expect.arrayContaining(["local/m", "second/only"]));
  expect(await list(keyOf("narrow"))).toEqual(["second/only"]);
  expect(await list(keyOf("ann"))).toEqual(expect.arrayContaining(["local/m", "second/only"]));
});

test("a token that was verified is remembered for whom it speaks, and one like it for nobody (F42)", async () => {
  const whoami = async (token: string): Promise<{ status: number; body: Record<string, unknown> }> => {
    const answer = await said(
      await fetch(`${gateway.url}/v1/admin/whoami`, { headers: { authorization: `Bearer ${token}` } }),
    );
    return { status: answer.status, body: JSON.parse(answer.text) as Record<string, unknown> };
  };
  const [here, there] = [
    await issuer.token({ org: "acme", sub: "frida" }),
    await issuer.token({ org: "other", sub: "frida" }),
  ];
  for (const [token, tenant] of [
    [here, "acme"],
    [there, "other"],
    [here, "acme"],
  ] as const)
    expect(await whoami(token)).toMatchObject({ status: 200, body: { tenant, owner: "frida" } });
  // The signature of one under the claims of the other.
  const mixed = [...here.split(".").slice(0, 2), there.split(".")[2]].join(".");
  expect((await whoami(mixed)).status).toBe(401);
});
