// The process's credential against an identity endpoint: how often it is asked, and what its failures are to the services' ports.
import type * as sdk from "@azure/identity";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openAzureBlobs } from "../../lib/blobs/azure-blob.ts";
import { openStorageQueue } from "../../lib/queues/azure-storage.ts";
import { createAzureCredential } from "../../lib/remote/azure-credential.ts";
import { azureJudge } from "../../lib/remote/azure.ts";
import { openCosmos } from "../../lib/stores/cosmos.ts";
import { failureOf } from "../support/failure.ts";
import { startIdentity, type LocalIdentity } from "../support/identity.ts";

const saved = { ...process.env };
const storage = "https://storage.azure.com/.default";
let identity: LocalIdentity;
let clients = 0;

/** The SDK reads the process's environment, and keeps tokens for the whole process: each test has a client of its own. */
const environment = () => {
  clients += 1;
  const env = { ...identity.env, AZURE_CLIENT_ID: `a-fake-client-${clients}` };
  process.env = { ...saved, ...env };
  return env;
};
const thrownBy = async (work: Promise<unknown>): Promise<Error & { code?: string }> => {
  try {
    await work;
  } catch (thrown) {
    if (thrown instanceof Error) return thrown;
  }
  throw new Error("It did not fail.");
};

beforeAll(async () => {
  identity = await startIdentity();
});
afterAll(() => identity.stop());
afterEach(() => {
  identity.plan.length = 0;
  identity.asked.length = 0;
  process.env = saved;
});

describe("a managed identity", () => {
  test("one token for many callers at once, and for all that come after; another resource has its own", async () => {
    const env = environment();
    const credential = createAzureCredential(env);
    const tokens = await Promise.all(Array.from({ length: 50 }, () => credential.getToken(storage)));
    expect(new Set(tokens.map((each) => each?.token)).size).toBe(1);
    for (let count = 0; count < 20; count += 1) await credential.getToken(storage);
    await credential.getToken(["https://vault.azure.net/.default"], { tenantId: "a-fake-tenant", enableCae: true });
    expect(identity.asked).toEqual([
      { resource: "https://storage.azure.com", clientId: env.AZURE_CLIENT_ID },
      { resource: "https://vault.azure.net", clientId: env.AZURE_CLIENT_ID },
    ]);
  });

  test("a token near its end is renewed", async () => {
    identity.plan.push({ seconds: 60 }, {});
    const credential = createAzureCredential(environment());
    const first = await credential.getToken(storage);
    const second = await credential.getToken(storage);
    expect(second?.token).not.toBe(first?.token);
    await credential.getToken(storage);
    expect(identity.asked).toHaveLength(2);
  });

  test("without a client id, the system's own", async () => {
    const env = { ...identity.env };
    process.env = { ...saved, ...env };
    await createAzureCredential(env).getToken(`${storage}?system`);
    expect(identity.asked[0]?.clientId).toBeUndefined();
  });

  test.each([
    ["500", { status: 500, body: '{"error":"a-fake-secret"}' }, "HTTP 500"],
    ["429", { status: 429, body: "" }, "HTTP 429"],
    ["400", { status: 400, body: '{"statusCode":400,"message":"No User Assigned Identity found."}' }, "HTTP 400"],
    ["no JSON", { status: 200, body: "a-fake-token, not JSON" }, undefined],
    [
      "AADSTS",
      { status: 400, body: '{"error":"x","error_description":"AADSTS500011: a-fake-secret"}' },
      "AADSTS500011",
    ],
    ["nothing", { status: 200, body: "{}" }, undefined],
  ])("%s: refused, to be tried again, and nothing secret in it", async (_, answer, code) => {
    const credential = createAzureCredential(environment());
    identity.plan.push(answer);
    const error = await thrownBy(credential.getToken(storage));
    expect(error.name).toBe("CredentialUnavailableError");
    if (code !== undefined) expect(error.message).toBe(`Entra ID gave no token: ${code}.`);
    expect(`${error.message} ${error.stack} ${error.code}`).not.toContain("a-fake");
    expect(error.cause).toBeUndefined();
    expect(azureJudge("Key Vault")(error)).toBe("refused");
    expect(identity.asked).toHaveLength(3);
    // It is not kept: the endpoint is asked again.
    identity.plan.length = 0;
    await credential.getToken(storage);
  });

  test("a blink of the endpoint is nobody's failure", async () => {
    identity.plan.push({ status: 500, body: "{}" }, { drop: true }, {});
    expect(await createAzureCredential(environment()).getToken(storage)).toMatchObject({ tokenType: "Bearer" });
    expect(identity.asked).toHaveLength(3);
  });

  test("an endpoint that never answers is given up", async () => {
    identity.plan.push({ silent: true });
    const credential = createAzureCredential(environment(), undefined, 50);
    const error = await thrownBy(credential.getToken(storage));
    expect(error.message).toBe("Entra ID gave no token: no answer within 50 ms.");
    identity.plan.length = 0;
    expect(await createAzureCredential(environment()).getToken(storage)).toMatchObject({ tokenType: "Bearer" });
  });

  test("an endpoint that is down is an outage for queues, blobs and the table, and never a crash", async () => {
    const env = environment();
    identity.plan.push({ drop: true });
    const credential = createAzureCredential(env);
    const policy = { tries: 3 };
    // Nothing is sent there.
    const at = (service: string): string => `https://afakeaccount.${service}.core.windows.net`;
    const queue = await openStorageQueue({ queue: "jobs", endpoint: at("queue"), credential, policy });
    const blobs = await openAzureBlobs({ container: "blobs", endpoint: at("blob"), credential, policy });
    const table = await openCosmos({
      endpoint: "https://a-fake-account.documents.azure.com:443/",
      database: "heddle",
      container: "heddle",
      credential,
      policy,
    });
    const outage = { code: "storage", retryable: true, message: expect.stringMatching(/can't be reached/) };
    expect(await failureOf(queue.send({ id: "a" }))).toMatchObject(outage);
    expect(await failureOf(blobs.get("t", "0".repeat(64)))).toMatchObject(outage);
    expect(await failureOf(table.get({ pk: "a", sk: "b" }))).toMatchObject(outage);
    // Nothing was sent without a token: also what mustn't be done twice is tried again, and its outcome is known.
    expect(await failureOf(table.update({ pk: "a", sk: "b" }, { add: { n: 1 } }))).toMatchObject(outage);
    expect(new Set(identity.asked.map(({ resource }) => resource)).size).toBe(2);
    await table.close();
  });
});

test("without an identity's endpoint, what a developer is logged in with; the SDK is loaded when first asked", async () => {
  const made: string[] = [];
  const kind = (name: string) =>
    class {
      constructor() {
        made.push(name);
      }
      getToken() {
        return Promise.resolve({ token: "a-fake-token", expiresOnTimestamp: 0 });
      }
    };
  const load = () =>
    Promise.resolve({
      ManagedIdentityCredential: kind("managed"),
      DefaultAzureCredential: kind("default"),
    } as unknown as typeof sdk);
  const developer = createAzureCredential({ IDENTITY_ENDPOINT: "" }, load);
  expect(made).toEqual([]);
  await developer.getToken(storage);
  await developer.getToken(storage);
  expect(made).toEqual(["default"]);
  await createAzureCredential(identity.env, load).getToken(storage);
  expect(made).toEqual(["default", "managed"]);
});

test("a token that can't be renewed early serves until its end, but where a service wants a new one", async () => {
  let asked = 0;
  const answers = (seconds: number) => () => {
    asked += 1;
    return asked === 1
      ? Promise.resolve({ token: "a-fake-token", expiresOnTimestamp: Date.now() + seconds * 1_000 })
      : Promise.reject(new Error("down"));
  };
  const holding = (seconds: number) => {
    asked = 0;
    const getToken = answers(seconds);
    const kind = class {
      getToken = getToken;
    };
    const load = () =>
      Promise.resolve({ ManagedIdentityCredential: kind, DefaultAzureCredential: kind } as unknown as typeof sdk);
    return createAzureCredential({}, load);
  };
  const long = holding(3_600);
  expect((await long.getToken(storage))?.token).toBe("a-fake-token");
  expect((await long.getToken(storage))?.token).toBe("a-fake-token");
  expect((await thrownBy(long.getToken(storage, { claims: "{}" }))).name).toBe("CredentialUnavailableError");
  const short = holding(30);
  await short.getToken(storage);
  expect((await thrownBy(short.getToken(storage))).name).toBe("CredentialUnavailableError");
});

test("an SDK that can't be loaded is a refusal too", async () => {
  const load = () => Promise.reject(new Error("The SDK is not there: a-fake-secret"));
  const error = await thrownBy(createAzureCredential({}, load).getToken(storage));
  expect(error.message).toBe("Entra ID gave no token: Error.");
});
