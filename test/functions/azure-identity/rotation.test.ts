// A provider's key that is changed in the vault is used without a restart: the app's own runtime, reached by token, under a clock that is set.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../lib/routing/retry.ts";
import { completion } from "../../security/support.ts";
import { jsonAnswer, startUpstream, type TestUpstream } from "../../support/gateway.ts";
import { haveKeyless, type KeylessAzure, startKeyless } from "../../support/keyless.ts";
import "../../support/vault-host.ts";
import { type FakeHost, startFakeHost } from "../azure/fake-host.ts";

const adminKey = "hd-a-fake-admin-key-of-the-vault-000001";
const pepper = "a-fake-pepper-of-the-vault-of-forty-chars";
const old = "sk-a-fake-provider-key-that-is-old";
const renewed = "sk-a-fake-provider-key-that-is-new";

describe.skipIf(!haveKeyless())("secrets that change in the vault", () => {
  let azure: KeylessAzure;
  let upstream: TestUpstream;
  let host: FakeHost;
  let now = Date.now();
  const lines: string[] = [];

  beforeAll(async () => {
    [azure, upstream] = await Promise.all([
      startKeyless({ "admin-key": adminKey, pepper, "openai-api-key": old }),
      startUpstream(jsonAnswer(200, completion("From the provider."))),
    ]);
    host = await startFakeHost(async () => {
      const { app } = await import("@azure/functions");
      const { watchConnections } = await import("../../../functions/azure/connections.ts");
      const { createHandler } = await import("../../../functions/azure/handler.ts");
      const { createRuntime } = await import("../../../functions/azure/runtime.ts");
      const runtime = createRuntime({
        env: { ...azure.env, OPENAI_BASE_URL: `${upstream.url}/v1` },
        readFile: () => undefined,
        write: (line) => lines.push(line),
        connections: watchConnections(),
        clock: { ...systemClock, now: () => now },
      });
      app.setup({ enableHttpStream: true });
      app.http("gateway", { route: "{*path}", authLevel: "anonymous", handler: createHandler(runtime) });
    });
  });
  afterAll(async () => {
    await Promise.all([azure.stop(), upstream.stop()]);
  });

  const call = async (as: string): Promise<number> => {
    const { status } = await host.call({
      path: "/v1/chat/completions",
      headers: { authorization: `Bearer ${as}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "openai/gpt-5", messages: [{ role: "user", content: "Hello" }] }),
    });
    return status;
  };
  const used = (): string | undefined => upstream.requests.at(-1)?.headers.authorization;

  test("a provider's key: the old one until the vault is asked again, then the new one", async () => {
    expect(await call(adminKey)).toBe(200);
    expect(used()).toBe(`Bearer ${old}`);
    azure.vault.set("openai-api-key", renewed);
    now += 20_000;
    await call(adminKey);
    expect(used()).toBe(`Bearer ${old}`);
    now += 11_000;
    // Listed anew behind this call.
    await call(adminKey);
    await expect.poll(async () => [await call(adminKey), used()]).toEqual([200, `Bearer ${renewed}`]);
  });

  test("the admin key: the old one ends with it", async () => {
    const next = "hd-a-fake-admin-key-of-the-vault-000002";
    azure.vault.set("admin-key", next);
    now += 61_000;
    expect(await call(next)).toBe(200);
    expect(await call(adminKey)).toBe(401);
  });

  test("no call is lost while the vault gives no answer, nor while there is no new token", async () => {
    azure.vault.instead = () => ({ status: 503 });
    azure.identity.plan.push({ status: 500 });
    now += 3_600_000;
    expect(await call("hd-a-fake-admin-key-of-the-vault-000002")).toBe(200);
    expect(used()).toBe(`Bearer ${renewed}`);
    azure.vault.instead = undefined;
    azure.identity.plan.length = 0;
  });

  test("one token for each service served all of it, and nothing secret was written", () => {
    const asked = azure.identity.asked.map(({ resource }) => resource);
    expect(asked.toSorted()).toEqual([azure.resources.cosmos, azure.resources.vault].toSorted());
    const log = lines.join("\n");
    expect(lines.length).toBeGreaterThan(3);
    const hidden = [...azure.identity.tokens(), adminKey, pepper, old, renewed];
    expect(hidden.filter((each) => log.includes(each))).toEqual([]);
  });
});
