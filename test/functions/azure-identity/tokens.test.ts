// No keys anywhere: the function app as it is published, with nothing but its managed identity, against services that take tokens alone.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startFunctions, type TestFunctions } from "../../support/azure.ts";
import { jsonAnswer, startUpstream, type TestUpstream } from "../../support/gateway.ts";
import { clientId, haveKeyless, type KeylessAzure, startKeyless } from "../../support/keyless.ts";
import { completion } from "../../security/support.ts";
import { type BuiltApp, buildApp } from "./app.ts";

type Json = Record<string, unknown>;

const secrets = {
  "admin-key": "hd-a-fake-admin-key-of-the-vault-000001",
  pepper: "a-fake-pepper-of-the-vault-of-forty-chars",
  "openai-api-key": "sk-a-fake-provider-key-of-the-vault",
};
/** The emulators' own, which nobody is given: what would show that one slipped in. */
const anyKey = /AccountKey=|SharedKey|type(?:=|%3d)master|[?&]sig=/i;

describe.skipIf(!haveKeyless())("by tokens alone", { timeout: 60_000 }, () => {
  let azure: KeylessAzure;
  let upstream: TestUpstream;
  let app: BuiltApp;
  let functions: TestFunctions;
  let key = "";

  beforeAll(async () => {
    [azure, upstream, app] = await Promise.all([
      startKeyless(secrets),
      startUpstream(jsonAnswer(200, completion("From the provider."))),
      buildApp(),
    ]);
    functions = await startFunctions(app.folder, {
      env: { ...azure.env, OPENAI_BASE_URL: `${upstream.url}/v1` },
    });
  }, 120_000);
  afterAll(async () => {
    await functions.stop();
    await Promise.all([azure.stop(), upstream.stop()]);
    app.remove();
  });

  const call = async (as: string, method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`${functions.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${as}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const json = async (as: string, method: string, path: string, body?: unknown): Promise<Json> => {
    const response = await call(as, method, path, body);
    const text = await response.text();
    expect(response.status, `${method} ${path}: ${text}`).toBeLessThan(300);
    return JSON.parse(text) as Json;
  };

  test("the app's settings hold no key and no connection string", () => {
    expect(Object.keys(azure.env)).not.toContain("AzureWebJobsStorage");
    expect(Object.entries(azure.env).filter(([name, value]) => name.endsWith("_KEY") || anyKey.test(value))).toEqual(
      [],
    );
  });

  test("a key that is made while the app runs calls a provider whose key is in the vault", async () => {
    const made = await json(secrets["admin-key"], "POST", "/v1/admin/keys", { name: "app", owner: "ada" });
    key = String(made["key"]);
    const answer = await json(key, "POST", "/v1/chat/completions", {
      model: "openai/gpt-5",
      messages: [{ role: "user", content: "Hello" }],
    });
    expect(JSON.stringify(answer)).toContain("From the provider.");
    expect(upstream.requests.at(-1)?.headers.authorization).toBe(`Bearer ${secrets["openai-api-key"]}`);
  });

  test("a thread is kept, its large body among the blobs", async () => {
    // One word: that is how the stand-in for a model says it.
    const large = "x".repeat(150_000);
    await json(key, "POST", "/v1/threads", { id: "letters" });
    const run = { model: "echo/echo", input: large };
    expect((await json(key, "POST", "/v1/threads/letters/runs", run))["status"]).toBe("completed");
    expect(azure.fronts.blobs.passed.map(({ method }) => method)).toContain("PUT");
    const { data } = await json(key, "GET", "/v1/threads/letters/messages?order=asc");
    expect(JSON.stringify(data)).toContain(large);
    expect(azure.fronts.blobs.passed.map(({ method }) => method)).toContain("GET");
  });

  test("a run in the background goes through the queue", async () => {
    await json(key, "POST", "/v1/threads", { id: "behind" });
    const run = { model: "echo/echo", input: "Take your time.", background: true, run_id: "job" };
    expect((await call(key, "POST", "/v1/threads/behind/runs", run)).status).toBe(202);
    await expect
      .poll(async () => (await json(key, "GET", "/v1/threads/behind/runs/job"))["status"], { timeout: 20_000 })
      .toBe("completed");
    // Sent by the app; taken, and deleted once it is done, by the host.
    const asked = (): string[] => [
      ...new Set(
        azure.fronts.queue.passed.map(({ method, path }) => `${method} ${path.split(/[?]|(?<=messages)[/]/)[0]}`),
      ),
    ];
    const messages = "/devstoreaccount1/heddle-jobs/messages";
    await expect
      .poll(asked, { timeout: 20_000 })
      .toEqual(expect.arrayContaining([`POST ${messages}`, `GET ${messages}`, `DELETE ${messages}`]));
  });

  test("the sweeper passes", async () => {
    expect((await functions.run("sweeper")).error).toBeUndefined();
  });

  test("every request came with a token for that very service: no key, no signature, nobody nameless", () => {
    const { cosmos, blobs, queue } = azure.fronts;
    for (const front of [cosmos, blobs, queue]) {
      expect(front.refused).toEqual([]);
      expect(front.passed.length).toBeGreaterThan(0);
      expect(front.passed.filter(({ path }) => anyKey.test(path))).toEqual([]);
    }
    expect(azure.vault.asked.length).toBeGreaterThan(0);
    // The vault's protocol: who comes first asks without a token, to be told which.
    expect(azure.vault.challenged()).toBeLessThanOrEqual(1);
  });

  test("one token for each service serves all calls, and is that of the identity that was named", () => {
    const { cosmos, storage, vault } = azure.resources;
    const asked = azure.identity.asked.map(({ resource }) => resource).toSorted();
    // The host, which takes messages off the queue, is a process of its own.
    expect(asked).toEqual([cosmos, storage, storage, vault].toSorted());
    expect(new Set(azure.identity.asked.map((each) => each.clientId))).toEqual(new Set([clientId]));
    expect(new Set(azure.fronts.cosmos.passed.map(({ token }) => token)).size).toBe(1);
    expect(azure.fronts.cosmos.passed.length).toBeGreaterThan(20);
  });

  test("no token, key or secret in any line of the log", () => {
    const hidden = [...azure.identity.tokens(), ...Object.values(secrets), key, azure.env["IDENTITY_HEADER"] ?? ""];
    expect(hidden.every((each) => each.length > 10)).toBe(true);
    const log = functions.logs.join("\n");
    expect(functions.output.length).toBeGreaterThan(3);
    expect(hidden.filter((each) => log.includes(each))).toEqual([]);
    expect(log).not.toMatch(anyKey);
  });
});
