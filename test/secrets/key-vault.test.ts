// Key Vault over the wire: what is read and how often, what holds while it is down, and what its refusals mean.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { inspect, promisify } from "node:util";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { createAzureCredential } from "../../lib/remote/azure-credential.ts";
import { createKeyVault, memberName } from "../../lib/secrets/key-vault.ts";
import { haveOpenssl } from "../support/certificate.ts";
import { failureOf } from "../support/failure.ts";
import { startIdentity } from "../support/identity.ts";
import { startKeyVault, type KeyVaultSetup, type LocalKeyVault } from "../support/key-vault.ts";
import "../support/vault-host.ts";

const vaults: LocalKeyVault[] = [];
let vault: LocalKeyVault;

const credential = {
  getToken: () => Promise.resolve({ token: "a-fake-token", expiresOnTimestamp: Date.now() + 3_600_000 }),
};
const start = async (setup: KeyVaultSetup = {}): Promise<LocalKeyVault> => {
  const started = await startKeyVault(setup);
  vaults.push(started);
  return started;
};
const setUp = (options: Partial<Parameters<typeof createKeyVault>[0]> = {}) => {
  // The year 2026, in which nothing expires by itself.
  const clock = { time: 1_770_000_000_000 };
  const behind: Promise<unknown>[] = [];
  const told: string[] = [];
  const secrets = createKeyVault({
    vaultUrl: vault.url,
    credential,
    client: { tlsOptions: { ca: vault.ca } },
    policy: { tries: 2, timeoutMs: 2_000 },
    now: () => clock.time,
    background: (asking) => behind.push(asking),
    warn: (message, { secret, reason }) => told.push(`${message}: ${secret}: ${reason}`),
    ...options,
  });
  return { clock, secrets, behind, told };
};

/** Paths asked for since the last time. */
const asked = (): string[] => vault.asked.splice(0);

describe.skipIf(!haveOpenssl())("Key Vault", () => {
  beforeEach(async () => {
    vault = await start({
      secrets: {
        "openai-api-key": "sk-fake",
        pepper: "a-fake-pepper",
        "HEDDLE-LOG-LEVEL": "debug",
        unrelated: "never",
      },
    });
  });
  afterEach(async () => {
    await Promise.all(vaults.splice(0).map((each) => each.stop()));
  });

  test("one list and each value once, however many ask at once; what nobody uses is never read", async () => {
    const { secrets } = setUp();
    const all = await Promise.all(Array.from({ length: 50 }, () => secrets.members()));
    expect(all[0]).toEqual({ openai: "sk-fake", pepper: "a-fake-pepper", HEDDLE_LOG_LEVEL: "debug" });
    expect(new Set(all).size).toBe(1);
    expect(await Promise.all([secrets.get("pepper"), secrets.get("origin"), secrets.get("toString")])).toEqual([
      "a-fake-pepper",
      undefined,
      undefined,
    ]);
    expect(asked().toSorted()).toEqual([
      "/secrets",
      "/secrets/HEDDLE-LOG-LEVEL/",
      "/secrets/openai-api-key/",
      "/secrets/pepper/",
    ]);
    expect(vault.challenged()).toBe(1);
  });

  test("a rotation is seen within a minute: behind a call, or before one where nobody called for long", async () => {
    const { clock, secrets, behind } = setUp();
    const first = await secrets.members();
    vault.set("openai-api-key", "sk-new");
    clock.time += 29_999;
    expect(await secrets.members()).toBe(first);
    expect(behind).toHaveLength(0);
    clock.time += 1;
    expect(await secrets.members()).toBe(first);
    // The platform waits for it.
    expect(behind).toHaveLength(1);
    await Promise.all(behind);
    expect(await secrets.get("openai")).toBe("sk-new");
    expect(await secrets.members()).not.toBe(first);
    vault.set("openai-api-key", "sk-newer");
    clock.time += 60_000;
    expect(await secrets.get("openai")).toBe("sk-newer");
  });

  test("while nothing changes, a refresh is one list, and the members stay the same object", async () => {
    const { clock, secrets } = setUp();
    const first = await secrets.members();
    clock.time += 60_000;
    // Read once more: a list tells changes by the second.
    expect(await secrets.members()).toBe(first);
    asked();
    for (let round = 0; round < 3; round += 1) {
      clock.time += 60_000;
      expect(await secrets.members()).toBe(first);
    }
    expect(asked()).toEqual(["/secrets", "/secrets", "/secrets"]);
    vault.set("pepper", "another-fake-pepper");
    clock.time += 60_000;
    expect(await secrets.get("pepper")).toBe("another-fake-pepper");
    expect(asked()).toEqual(["/secrets", "/secrets/pepper/"]);
  });

  test("two changes within one second are both seen", async () => {
    const { clock, secrets } = setUp();
    await secrets.members();
    vault.hold = true;
    vault.set("openai-api-key", "sk-new");
    clock.time += 60_000;
    expect(await secrets.get("openai")).toBe("sk-new");
    vault.set("openai-api-key", "sk-newer");
    clock.time += 60_000;
    expect(await secrets.get("openai")).toBe("sk-newer");
  });

  test("a list of many pages", async () => {
    vault = await start({
      pageSize: 2,
      secrets: Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`host-${index}-api-key`, `sk-${index}`])),
    });
    const members = await setUp().secrets.members();
    expect(Object.keys(members)).toHaveLength(7);
    expect(members["host-6"]).toBe("sk-6");
    expect(asked().filter((path) => path === "/secrets")).toHaveLength(4);
  });

  test("what is disabled, expired, not valid yet or deleted is not there", async () => {
    const { clock, secrets, told } = setUp();
    const seconds = clock.time / 1_000;
    vault.set("anthropic-api-key", "sk-fake", { exp: seconds + 90 });
    vault.set("gemini-api-key", "sk-fake", { nbf: seconds + 90 });
    vault.set("groq-api-key", "sk-fake", { enabled: false });
    expect(Object.keys(await secrets.members())).toEqual(["HEDDLE_LOG_LEVEL", "anthropic", "openai", "pepper"]);
    expect(told).toEqual([
      "a secret of the vault is left out: gemini-api-key: not valid yet",
      "a secret of the vault is left out: groq-api-key: disabled",
    ]);
    clock.time += 90_000;
    vault.change("openai-api-key", { enabled: false });
    vault.remove("pepper");
    expect(Object.keys(await secrets.members())).toEqual(["HEDDLE_LOG_LEVEL", "gemini"]);
    expect(await secrets.get("pepper")).toBeUndefined();
    // Told once each.
    expect(told.slice(2).toSorted()).toEqual([
      "a secret of the vault is left out: anthropic-api-key: expired",
      "a secret of the vault is left out: openai-api-key: disabled",
    ]);
    vault.change("openai-api-key", { enabled: true });
    clock.time += 60_000;
    expect(await secrets.get("openai")).toBe("sk-fake");
  });

  test("one secret that can't be read takes none of the others down, and is no missing one", async () => {
    const { clock, secrets, told } = setUp();
    vault.instead = (path) => (path.includes("pepper") ? { status: 403, code: "Forbidden" } : undefined);
    const first = await secrets.members();
    expect(first).toEqual({ openai: "sk-fake", HEDDLE_LOG_LEVEL: "debug" });
    expect(told).toEqual(["a secret of the vault is left out: pepper: Forbidden"]);
    const error = await failureOf(secrets.get("pepper"));
    expect(error).toMatchObject({ code: "storage", message: "The secret 'pepper' can't be read." });
    // It is asked for again, and told once.
    clock.time += 60_000;
    expect(await secrets.members()).toBe(first);
    expect(told).toHaveLength(1);
    vault.instead = undefined;
    clock.time += 60_000;
    expect(await secrets.get("pepper")).toBe("a-fake-pepper");
    // What was read before holds, and is asked for again.
    vault.set("pepper", "another-fake-pepper");
    vault.instead = (path) => (path.includes("pepper") ? { status: 403, code: "Forbidden" } : undefined);
    clock.time += 60_000;
    expect(await secrets.get("pepper")).toBe("a-fake-pepper");
    vault.instead = undefined;
    clock.time += 60_000;
    expect(await secrets.get("pepper")).toBe("another-fake-pepper");
  });

  test.each([["/secrets"], ["/secrets/"]])("an identity without a role: told at once (%s)", async (prefix) => {
    const { secrets } = setUp();
    vault.instead = (path) => (path.startsWith(prefix) ? { status: 403, code: "Forbidden" } : undefined);
    expect(await failureOf(secrets.members())).toMatchObject({ code: "storage", retryable: false });
    vault.instead = undefined;
    expect(await secrets.get("openai")).toBe("sk-fake");
  });

  test.each([
    ["429", { status: 429, code: "Throttled", headers: { "retry-after": "1" } }],
    ["500", { status: 500, code: "InternalServerError", headers: {} }],
    ["no answer", { status: 0, silent: true }],
    ["what is not JSON", { status: 200, body: "not JSON: a-fake-secret" }],
  ])("%s passes; where it goes on: an outage at first, afterwards what was read before", async (_, answer) => {
    const policy = { tries: 2, timeoutMs: answer.status === 0 ? 100 : 2_000 };
    const { clock, secrets } = setUp({ policy });
    vault.instead = () => answer;
    const error = await failureOf(secrets.get("openai"));
    expect(error).toMatchObject({ code: "storage", retryable: true });
    expect(asked()).toHaveLength(2);
    for (let each: unknown = error; each instanceof Error; each = each.cause) {
      expect(inspect(each, { depth: 6 })).not.toMatch(/a-fake-secret|a-fake-token/);
    }
    let once = true;
    vault.instead = () => {
      const now = once ? answer : undefined;
      once = false;
      return now;
    };
    const first = await secrets.members();
    expect(first).toMatchObject({ openai: "sk-fake" });
    vault.instead = () => answer;
    clock.time += 24 * 3_600_000;
    expect(await secrets.members()).toBe(first);
  });

  test("what can't be read of one value is an outage of all: nothing is made of half the secrets", async () => {
    const { clock, secrets } = setUp();
    vault.instead = (path) => (path.includes("pepper") ? { status: 500, code: "InternalServerError" } : undefined);
    expect(await failureOf(secrets.members())).toMatchObject({ code: "storage", retryable: true });
    vault.instead = undefined;
    const first = await secrets.members();
    vault.set("openai-api-key", "sk-new");
    vault.instead = (path) => (path.includes("openai") ? { status: 503, code: "Unavailable" } : undefined);
    clock.time += 60_000;
    expect(await secrets.members()).toBe(first);
  });

  test("nobody at the address is an outage", async () => {
    const { secrets } = setUp();
    await vault.stop();
    vaults.length = 0;
    expect(await failureOf(secrets.members())).toMatchObject({ code: "storage", retryable: true });
  });

  test("a vault that names another resource gets no token", async () => {
    vault = await start({ secrets: { pepper: "a-fake-pepper" }, resource: "https://management.azure.com" });
    const tokens: unknown[] = [];
    const asking = { getToken: (scope: unknown) => (tokens.push(scope), credential.getToken()) };
    expect(await failureOf(setUp({ credential: asking }).secrets.members())).toMatchObject({ code: "storage" });
    expect(tokens).toEqual([]);
  });

  test("another process finds it, and trusts it, by its environment alone", async () => {
    const identity = await startIdentity();
    const script = `
      import { createKeyVault } from "./lib/secrets/key-vault.ts";
      const vault = createKeyVault({ vaultUrl: process.env.HEDDLE_KEY_VAULT, now: Date.now });
      console.log(JSON.stringify(await vault.members()));
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      env: { PATH: process.env["PATH"], ...identity.env, ...vault.env, HEDDLE_KEY_VAULT: vault.url },
    });
    expect(JSON.parse(stdout)).toEqual({ openai: "sk-fake", pepper: "a-fake-pepper", HEDDLE_LOG_LEVEL: "debug" });
    expect(identity.asked).toEqual([{ resource: "https://vault.azure.net", clientId: undefined }]);
    await identity.stop();
  });

  describe("by managed identity", () => {
    const saved = { ...process.env };
    afterAll(() => {
      process.env = saved;
    });

    test("one token serves many calls; an identity endpoint that is down is an outage, later unnoticed", async () => {
      const identity = await startIdentity();
      const env = { ...identity.env, AZURE_CLIENT_ID: "a-fake-client-of-vaults" };
      process.env = { ...saved, ...env };
      vault = await start({
        secrets: { pepper: "a-fake-pepper" },
        accepts: (token) => identity.knows(token, "https://vault.azure.net"),
      });
      const { clock, secrets } = setUp({ credential: createAzureCredential(env) });
      identity.plan.push({ status: 500, body: "{}" });
      const error = await failureOf(secrets.members());
      expect(error).toMatchObject({ code: "storage", retryable: true });
      identity.plan.length = 0;
      identity.asked.length = 0;
      await Promise.all(Array.from({ length: 20 }, () => secrets.members()));
      clock.time += 60_000;
      await secrets.members();
      expect(identity.asked).toEqual([{ resource: "https://vault.azure.net", clientId: "a-fake-client-of-vaults" }]);
      await identity.stop();
      clock.time += 60_000;
      vault.set("pepper", "another-fake-pepper");
      expect(await secrets.get("pepper")).toBe("another-fake-pepper");
    });
  });
});

test.each([
  ["openai-api-key", "openai"],
  ["azure-openai-api-key", "azure-openai"],
  ["bedrock-api-key", "bedrock"],
  ["my-own-host-api-key", "my-own-host"],
  ["OpenAI-API-Key", "openai"],
  ["OPENAI-API-KEY", "OPENAI_API_KEY"],
  ["admin-key", "admin-key"],
  ["Pepper", "pepper"],
  ["origin", "origin"],
  ["smoke-key", "smoke-key"],
  ["heddle-log-level", "HEDDLE_LOG_LEVEL"],
  ["HEDDLE-ADMIN-KEY", "HEDDLE_ADMIN_KEY"],
  ["AWS-REGION", "AWS_REGION"],
  ["api-key", undefined],
  ["-api-key", undefined],
  ["openai-api-key-old", undefined],
  ["OPENAI", undefined],
  ["heddle", undefined],
  ["certificate", undefined],
])("the secret %s is the member %s", (secret, member) => expect(memberName(secret)).toBe(member));
