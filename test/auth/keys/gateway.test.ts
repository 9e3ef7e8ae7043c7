// Keys through whole gateways: several instances on one SQLite file, an upstream of their own, clocks that a test sets.
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { CreatedKey, NewKey } from "../../../lib/auth/keys/types.ts";
import { openFileBlobs } from "../../../lib/blobs/files.ts";
import { loadConfig } from "../../../lib/config.ts";
import { createGateway } from "../../../lib/gateway.ts";
import { createUndiciTransport } from "../../../lib/http/undici-transport.ts";
import type { Headers } from "../../../lib/model/call.ts";
import { systemClock } from "../../../lib/routing/retry.ts";
import { openSqlite } from "../../../lib/stores/sqlite.ts";
import { createLog } from "../../../lib/telemetry/log.ts";
import { type DataFolder, dataFolder } from "../../support/data.ts";
import { startGateway, startUpstream, type TestUpstream, until } from "../../support/gateway.ts";
import { admin, hold, pepper, tap, type Tapped } from "../../support/keys.ts";

const tidy: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const each of tidy.splice(0).toReversed()) await each();
});

const newFolder = (): string => {
  const folder: DataFolder = dataFolder();
  tidy.push(folder.remove);
  return folder.path;
};

type Said = { status: number; headers: Headers; text: string };
type Instance = {
  say: (path: string, headers: Headers, body?: unknown) => Promise<Said>;
  make: (wanted: NewKey) => Promise<CreatedKey>;
  revoke: (id: string) => Promise<unknown>;
  rotate: (id: string) => Promise<CreatedKey>;
  tapped: Tapped;
  logs: string[];
};

const chat = { model: "local/some-model", messages: [{ role: "user", content: "hi" }] };
const bearer = (key: string): Headers => ({ authorization: `Bearer ${key}` });

/** What a provider of the chat wire says. */
const completion = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "some-model",
  choices: [{ index: 0, message: { role: "assistant", content: "the answer" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});

const setUp = async (extra = "") => {
  const folder = newFolder();
  const clock = { ...systemClock, time: Date.parse("2026-03-01T12:10:00Z"), now: (): number => clock.time };
  const upstream: TestUpstream = await startUpstream((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(completion);
  });
  tidy.push(upstream.stop);
  const config = await loadConfig({
    env: { HEDDLE_CONFIG: "heddle.yaml", HEDDLE_DATA: folder },
    readFile: (path) =>
      path.endsWith("heddle.yaml")
        ? `auth: { mode: keys${extra} }\nproviders: { local: { kind: openai-compatible, baseUrl: "${upstream.url}/v1" } }\n`
        : undefined,
  });
  const instance = async (): Promise<Instance> => {
    const transport = createUndiciTransport(config.timeouts);
    const table = await openSqlite({ file: join(folder, "heddle.db") });
    const tapped = tap(table);
    const logs: string[] = [];
    const platform: Parameters<typeof createGateway>[0] = {
      transport,
      clock,
      log: createLog({ level: "debug", write: (line) => void logs.push(line) }),
      version: "0.0.0-test",
      storage: async () => ({ table: tapped.table, blobs: openFileBlobs({ folder: join(folder, "blobs") }) }),
      secrets: { get: async (name) => (name === "pepper" ? pepper : undefined) },
    };
    const gateway = createGateway(platform, config);
    const { keys } = gateway.services;
    if (keys === undefined) throw new Error("There are no keys.");
    tidy.push(
      () => transport.close(),
      () => table.close(),
    );
    return {
      tapped,
      logs,
      make: async (wanted) => (await keys()).create(admin, wanted),
      revoke: async (id) => (await keys()).revoke(admin, id),
      rotate: async (id) => (await keys()).rotate(admin, id),
      say: async (target, headers, body) => {
        const [path = "", query = ""] = target.split("?");
        const left: Promise<unknown>[] = [];
        const reply = await gateway(
          {
            method: body === undefined ? "GET" : "POST",
            path,
            query,
            headers: { "content-type": "application/json", ...headers },
            body: Buffer.from(body === undefined ? "" : JSON.stringify(body)),
          },
          {
            requestId: "req-test",
            signal: new AbortController().signal,
            deadline: Number.POSITIVE_INFINITY,
            waitUntil: (work) => void left.push(work),
          },
        );
        let text = "";
        if (typeof reply.body === "string") text = reply.body;
        else if (reply.body instanceof Uint8Array) text = Buffer.from(reply.body).toString();
        else for await (const piece of reply.body) text += Buffer.from(piece).toString();
        await Promise.all(left);
        return { status: reply.status, headers: reply.headers, text };
      },
    };
  };
  return { clock, upstream, instance };
};

const models = "/v1/models";
const completions = "/v1/chat/completions";

test("a revocation reaches another instance on the same file within ten seconds, and this one at once", async () => {
  const { clock, instance } = await setUp();
  const [here, there] = [await instance(), await instance()];
  const { key, record } = await here.make({ name: "n" });
  for (const { say } of [here, there]) expect(await say(models, bearer(key))).toMatchObject({ status: 200 });
  await here.revoke(record.id);
  expect(await here.say(models, bearer(key))).toMatchObject({ status: 401 });
  clock.time += 10_001;
  const refused = await there.say(models, bearer(key));
  expect(refused).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" } });
  expect(JSON.parse(refused.text)).toMatchObject({ error: { message: "The API key has been revoked." } });
});

test("a rotated key and the new one, on both instances", async () => {
  const { clock, instance } = await setUp();
  const [here, there] = [await instance(), await instance()];
  const old = await here.make({ name: "n" });
  const young = await here.rotate(old.record.id);
  for (const { key } of [old, young])
    for (const { say } of [here, there]) expect((await say(models, bearer(key))).status).toBe(200);
  clock.time += 86_400_000;
  for (const { say } of [here, there]) {
    expect((await say(models, bearer(old.key))).text).toContain("The API key has expired.");
    expect((await say(models, bearer(young.key))).status).toBe(200);
  }
});

test("roles and scopes of a key hold on its calls", async () => {
  const { instance } = await setUp();
  const { say, make } = await instance();
  const viewer = await make({ name: "v", roles: ["viewer"] });
  const scoped = await make({ name: "s", scopes: { models: ["local/other*"] } });
  expect((await say(completions, bearer(viewer.key), chat)).status).toBe(403);
  expect((await say(completions, bearer(scoped.key), chat)).status).toBe(403);
  expect((await say(completions, bearer(scoped.key), { ...chat, model: "local/other-1" })).status).toBe(200);
});

describe("a stranger is told the same, in the words of its wire", () => {
  test.each([
    [completions, (body: unknown) => (body as { error: { message: string } }).error.message],
    ["/v1/messages", (body: unknown) => (body as { error: { message: string } }).error.message],
    [
      "/v1beta/models/local/x:generateContent",
      (body: unknown) => (body as { error: { message: string } }).error.message,
    ],
    ["/v1/threads", (body: unknown) => (body as { detail: string }).detail],
  ])("%s", async (path, messageOf) => {
    const { instance } = await setUp();
    const { say, make, tapped } = await instance();
    const { key, record } = await make({ name: "n" });
    await tapped.table.delete({ pk: `~key/${record.id}`, sk: "key" });
    for (const wrong of [key, `${key}x`, "hdl_live_x", "anything else"]) {
      const { status, text } = await say(path, bearer(wrong), chat);
      expect(status).toBe(401);
      expect(messageOf(JSON.parse(text))).toBe("The API key is not valid here.");
    }
  });
});

describe("a key that proves itself, on a cold instance", () => {
  test("the upstream is called before the store has answered anything; the answer waits for it", async () => {
    const { instance, upstream } = await setUp();
    const { key } = await (await instance()).make({ name: "n", selfProving: true });
    const cold = await instance();
    const answerReads = hold(cold.tapped);
    let answered = false;
    const answer = cold.say(completions, bearer(key), chat).finally(() => (answered = true));
    await until(() => upstream.requests.length === 1, "the upstream is called");
    // Nothing but the one item of revocations was asked for, and nothing written.
    expect(cold.tapped.reads).toEqual(["~control"]);
    expect(cold.tapped.writes).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answered).toBe(false);
    answerReads();
    expect(await answer).toMatchObject({ status: 200, text: expect.stringContaining("the answer") });
    expect(await cold.say(completions, bearer(key), chat)).toMatchObject({ status: 200 });
    expect(cold.tapped.reads).toEqual(["~control"]);
  });

  test("a revoked one: the call is broken off upstream, and no byte of an answer is given", async () => {
    const { instance, upstream } = await setUp();
    const maker = await instance();
    const { key, record } = await maker.make({ name: "n", selfProving: true });
    await maker.revoke(record.id);
    // It answers nothing by itself.
    upstream.answer(() => undefined);
    const cold = await instance();
    const answerReads = hold(cold.tapped);
    const answer = cold.say(completions, bearer(key), { ...chat, stream: true });
    await until(() => upstream.requests.length === 1, "the upstream is called");
    answerReads();
    const { status, text } = await answer;
    expect(status).toBe(401);
    expect(JSON.parse(text)).toMatchObject({ error: { message: "The API key has been revoked." } });
    await until(() => upstream.requests[0]?.aborted === true, "the upstream's call is broken off");
    const errors = cold.logs.map((line) => (JSON.parse(line) as { error?: string }).error);
    expect(new Set(errors)).toEqual(new Set(["authentication", "cancelled"]));
  });

  test("a revoked one whose answer was there first gets no byte of it either", async () => {
    const { instance, upstream } = await setUp();
    const maker = await instance();
    const { key, record } = await maker.make({ name: "n", selfProving: true });
    await maker.revoke(record.id);
    const cold = await instance();
    const answerReads = hold(cold.tapped);
    const answer = cold.say(completions, bearer(key), chat);
    await until(() => cold.logs.length === 1, "the upstream has answered");
    answerReads();
    const { status, text } = await answer;
    expect(status).toBe(401);
    expect(text).not.toContain("the answer");
    expect(upstream.requests).toHaveLength(1);
  });

  test.each([
    ["a thread's call", "/v1/threads", {}, {}],
    ["a call that joins a thread", completions, { "heddle-thread": "thread_x" }, chat],
    ["a call whose answer is kept", completions, { "idempotency-key": "once" }, chat],
    ["a response, which is stored", "/v1/responses", {}, { model: "local/some-model", input: "hi" }],
    ["messages on a thread", "/v1/messages", {}, { ...chat, max_tokens: 5, thread: { type: "enabled" } }],
    ["a list", models, {}, undefined],
  ])("%s waits first", async (_name, path, headers, body) => {
    const { instance, upstream } = await setUp();
    const maker = await instance();
    const { key, record } = await maker.make({ name: "n", selfProving: true });
    await maker.revoke(record.id);
    const cold = await instance();
    const answerReads = hold(cold.tapped);
    const answer = cold.say(path, { ...bearer(key), ...headers }, body);
    await until(() => cold.tapped.reads.length > 0, "the store is asked");
    answerReads();
    expect(await answer).toMatchObject({ status: 401 });
    expect(cold.tapped.reads).toEqual(["~control"]);
    expect(cold.tapped.writes).toEqual([]);
    expect(upstream.requests).toHaveLength(0);
  });

  test.each(["open", "closed"])("the store down, and the rule is %s (F45)", async (rule) => {
    const { clock, instance, upstream } = await setUp(`, onStoreFailure: ${rule}`);
    const maker = await instance();
    const { key } = await maker.make({ name: "n", selfProving: true });
    const { key: stored } = await maker.make({ name: "stored" });
    const cold = await instance();
    cold.tapped.down = true;
    const said = await cold.say(completions, bearer(key), chat);
    expect(said.status).toBe(rule === "open" ? 200 : 503);
    if (rule === "closed") expect(said.text).not.toContain("the answer");
    expect((await cold.say(completions, bearer(stored), chat)).status).toBe(503);
    if (rule === "open") expect(upstream.requests).toHaveLength(1);
    cold.tapped.down = false;
    clock.time += 5_000;
    for (const each of [key, stored]) expect((await cold.say(completions, bearer(each), chat)).status).toBe(200);
  });
});

test("a key in the query string stands in no log, whatever becomes of the call (F41)", async () => {
  const { instance } = await setUp();
  const { say, make, revoke, logs, tapped } = await instance();
  const { key, record } = await make({ name: "n" });
  const { key: proving } = await make({ name: "p", selfProving: true });
  const { key: scoped } = await make({ name: "s", scopes: { models: ["none"] } });
  const generate = "/v1beta/models/local/some-model:generateContent";
  const body = { contents: [{ role: "user", parts: [{ text: "hi" }] }] };
  const texts: string[] = [];
  const call = async (target: string, sent: unknown = body): Promise<number> => {
    const { status, text, headers } = await say(target, {}, sent);
    texts.push(text, JSON.stringify(headers));
    return status;
  };
  expect(await call(`${generate}?key=${key}`)).toBe(200);
  expect(await call(`${generate}?key=${proving}&alt=sse`)).toBe(200);
  expect(await call(`${generate}?key=${scoped}`)).toBe(403);
  expect(await call(`${generate}?key=${key}x`)).toBe(401);
  expect(await call(`/v1beta/nowhere?key=${key}`)).toBe(404);
  expect(await call(`${generate}?key=${key}`, { contents: 5 })).toBe(400);
  tapped.table.get = () => Promise.reject(new Error(`about ${key}`));
  await revoke(record.id).catch(() => undefined);
  const { key: last } = await make({ name: "q" });
  expect(await call(`${generate}?key=${last}`)).toBe(500);
  const all = [...logs, ...texts].join("\n");
  expect(logs.length).toBeGreaterThan(4);
  for (const secret of [key, proving, scoped, last]) {
    expect(all).not.toContain(secret);
    expect(all).not.toContain(secret.slice(-44, -12));
  }
});

test("the local server makes its pepper, or takes it from the environment", async () => {
  const folder = newFolder();
  const yaml = "auth: { mode: keys }\nproviders: { echo: { pace: 0 } }\n";
  for (const env of [{}, { HEDDLE_PEPPER: "a-fake-pepper-of-forty-characters-000003" }]) {
    const gateway = await startGateway(yaml, { HEDDLE_DATA: folder, ...env });
    const response = await fetch(`${gateway.url}/v1/models?key=hdl_dev_${"a".repeat(16)}_${"b".repeat(44)}`);
    expect(response.status).toBe(401);
    expect(gateway.rawLogs.join("\n")).not.toContain("hdl_dev_");
    await gateway.stop();
  }
});
