// What the settings of a function app come to: which services are used, and how they are reached.
import { describe, expect, test } from "vitest";
import { createAzurePlatform, withoutReferences } from "../../../functions/azure/platform.ts";
import { createRuntime } from "../../../functions/azure/runtime.ts";
import { createLog } from "../../../lib/telemetry/log.ts";

const logged: string[] = [];
const log = createLog({ level: "info", write: (line) => logged.push(line), now: Date.now });
const platform = (env: Record<string, string>) => createAzurePlatform(env, () => undefined, log, Date.now);
const runtime = (env: Record<string, string>) =>
  createRuntime({
    env,
    readFile: () => undefined,
    write: (line) => logged.push(line),
    connections: { of: () => undefined, arrival: async () => undefined, onForsaken: () => undefined },
  });

describe("settings", () => {
  test("what isn't named isn't used", () => {
    expect(platform({ HEDDLE_COSMOS_ENDPOINT: "", HEDDLE_KEY_VAULT: "" })).toEqual({
      storage: undefined,
      vault: undefined,
    });
  });

  test("blobs that have no container, and no account, say what is missing when they are needed", async () => {
    const cosmos = { HEDDLE_COSMOS_ENDPOINT: "https://cosmos.example", HEDDLE_COSMOS_KEY: "ZmFrZQ==" };
    const bare = await platform(cosmos).storage?.();
    await expect(bare?.blobs.get("scope", "hash")).rejects.toThrow("HEDDLE_BLOBS is not set.");
    expect(bare?.queue).toBeUndefined();
    const named = await platform({ ...cosmos, HEDDLE_BLOBS: "blobs", HEDDLE_QUEUE: "jobs" }).storage?.();
    await expect(named?.blobs.get("scope", "hash")).rejects.toThrow("AzureWebJobsStorage__blobServiceUri is not set.");
    await expect(named?.queue?.send({ id: "thread/a/b" })).rejects.toThrow(
      "AzureWebJobsStorage__queueServiceUri is not set.",
    );
  });

  test("a Key Vault reference that was not resolved is no value, and is told by its setting's name", () => {
    const env = withoutReferences(
      { OPENAI_API_KEY: "@Microsoft.KeyVault(SecretUri=https://fake.vault.azure.net/secrets/x)", OTHER: "@Microsoft" },
      log,
    );
    expect(env).toEqual({ OTHER: "@Microsoft" });
    expect(logged.at(-1)).toContain('"setting":"OPENAI_API_KEY"');
    expect(logged.at(-1)).not.toContain("fake.vault");
  });

  test.each([
    [{}, 220_000, 228_000],
    [{ HEDDLE_HTTP_SECONDS: "2" }, 2_000, 3_000],
    [{ HEDDLE_HTTP_SECONDS: "600" }, 220_000, 228_000],
    [{ HEDDLE_HTTP_SECONDS: "soon" }, 220_000, 228_000],
  ])("%o: answers end in time", (env, answerMs, cutMs) => {
    expect(runtime(env).answerBounds).toMatchObject({ answerMs, cutMs });
  });

  test("App Service's word counts only where its authentication is on", () => {
    expect(runtime({ WEBSITE_AUTH_ENABLED: "True" }).authenticates).toBe(true);
    expect(runtime({ WEBSITE_AUTH_ENABLED: "False" }).authenticates).toBe(false);
    expect(runtime({}).authenticates).toBe(false);
  });
});

test("host.json gives functions the time that the worker and the sweeper count on", async () => {
  const { functionMs } = await import("../../../functions/azure/work.ts");
  const { default: host } = (await import("../../../host.json", { with: { type: "json" } })) as {
    default: { functionTimeout: string; extensions: { http: { routePrefix: string } } };
  };
  const [hours = 0, minutes = 0, seconds = 0] = host.functionTimeout.split(":").map(Number);
  expect(((hours * 60 + minutes) * 60 + seconds) * 1_000).toBe(functionMs);
  expect(host.extensions.http.routePrefix).toBe("");
});
