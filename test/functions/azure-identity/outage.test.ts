// The identity endpoint is down when the app starts: callers are told in their own words, and the first call after it is served.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startFunctions, type TestFunctions } from "../../support/azure.ts";
import { haveKeyless, type KeylessAzure, startKeyless } from "../../support/keyless.ts";
import { type BuiltApp, buildApp } from "./app.ts";

const secrets = {
  "admin-key": "hd-a-fake-admin-key-of-the-vault-000001",
  pepper: "a-fake-pepper-of-the-vault-of-forty-chars",
};
const answered = "a-secret-that-the-endpoint-quotes-in-its-error";

describe.skipIf(!haveKeyless())("an identity endpoint that is down", { timeout: 60_000 }, () => {
  let azure: KeylessAzure;
  let app: BuiltApp;
  let functions: TestFunctions;

  beforeAll(async () => {
    [azure, app] = await Promise.all([startKeyless(secrets), buildApp()]);
    azure.identity.plan.push({ status: 500, body: JSON.stringify({ access_token: answered, message: answered }) });
    functions = await startFunctions(app.folder, { triggers: false, env: azure.env });
  }, 120_000);
  afterAll(async () => {
    await functions.stop();
    await azure.stop();
    app.remove();
  });

  const call = async (path: string, body: object): Promise<[status: number, body: unknown]> => {
    const response = await fetch(`${functions.url}${path}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${secrets["admin-key"]}`,
        "content-type": "application/json",
      },
      body: JSON.stringify(body),
    });
    return [response.status, await response.json()];
  };
  const messages = [{ role: "user", content: "Hello" }];
  const model = "echo/echo";

  test("503, in the caller's own envelope, and nothing of what the endpoint said", async () => {
    const all = await Promise.all([
      call("/v1/chat/completions", { model, messages }),
      call("/v1/messages", { model, max_tokens: 10, messages }),
      call("/v1beta/models/echo:generateContent", { contents: [{ parts: [{ text: "Hello" }] }] }),
      call("/v1/threads", { id: "early" }),
    ]);
    expect(all).toMatchObject([
      [503, { error: { type: expect.any(String), message: expect.any(String) } }],
      [503, { type: "error", error: { type: "api_error" } }],
      [503, { error: { code: 503, status: "UNAVAILABLE" } }],
      [503, { status: 503, title: expect.any(String) }],
    ]);
    expect(JSON.stringify(all)).not.toContain(answered);
    expect(azure.vault.asked).toEqual([]);
  });

  test("the endpoint is back: the next call is served, without a restart", async () => {
    const pid = await functions.pid();
    azure.identity.plan.length = 0;
    expect((await call("/v1/chat/completions", { model, messages }))[0]).toBe(200);
    expect((await call("/v1/threads", { id: "late" }))[0]).toBe(201);
    expect(await functions.pid()).toBe(pid);
  });

  test("the log says what was missing, and no secret", () => {
    const log = functions.logs.join("\n");
    expect(log).toMatch(/"message":"the secrets can't be read".*"cause":"CredentialUnavailableError HTTP 500/);
    const hidden = [answered, ...azure.identity.tokens(), ...Object.values(secrets)];
    expect(hidden.filter((each) => log.includes(each))).toEqual([]);
  });
});
