// The one JSON secret: how often the vault is asked, what holds while it is down, and what its errors mean.
import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { mockClient } from "aws-sdk-client-mock";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createJsonSecret } from "../../lib/secrets/secrets-manager.ts";
import { failureOf } from "../support/failure.ts";

const vault = mockClient(SecretsManagerClient);
beforeEach(() => vault.reset());
afterEach(() => vault.reset());

const client = { region: "eu-west-1", credentials: { accessKeyId: "fake", secretAccessKey: "fake" } };

/** An error as the service gives it. */
const refusal = (name: string, status = 400): Error =>
  Object.assign(new Error("the vault's words, with a-fake-secret"), { name, $metadata: { httpStatusCode: status } });

const setUp = (tries = 3) => {
  const clock = { time: 0 };
  const behind: Promise<unknown>[] = [];
  const secret = createJsonSecret({
    secretId: "heddle",
    client,
    now: () => clock.time,
    policy: { tries },
    background: (asking) => behind.push(asking),
  });
  return { clock, secret, behind };
};
const holds = (members: object) => vault.on(GetSecretValueCommand).resolves({ SecretString: JSON.stringify(members) });
const asked = (): number => vault.commandCalls(GetSecretValueCommand).length;

test("one request tells all members, however many ask at once", async () => {
  holds({ openai: "sk-fake", pepper: "a-fake-pepper", number: 7 });
  const { secret } = setUp();
  expect(await Promise.all([secret.get("openai"), secret.get("pepper"), secret.get("toString")])).toEqual([
    "sk-fake",
    "a-fake-pepper",
    undefined,
  ]);
  expect(await secret.members()).toEqual({ openai: "sk-fake", pepper: "a-fake-pepper" });
  expect(asked()).toBe(1);
  expect(vault.commandCalls(GetSecretValueCommand)[0]?.args[0].input).toEqual({ SecretId: "heddle" });
});

test("a rotation is seen within a minute: behind a call, or before one where nobody called for long", async () => {
  holds({ openai: "old" });
  const { clock, secret, behind } = setUp();
  const first = await secret.members();
  holds({ openai: "new" });
  clock.time += 29_999;
  expect(await secret.members()).toBe(first);
  expect(behind).toHaveLength(0);
  clock.time += 1;
  expect(await secret.members()).toBe(first);
  // The platform waits for it before it sleeps (F56).
  expect(behind).toHaveLength(1);
  await Promise.all(behind);
  expect(await secret.get("openai")).toBe("new");
  holds({ openai: "newer" });
  clock.time += 60_000;
  expect(await secret.get("openai")).toBe("newer");
});

test("what is read again and is the same is the same object: nothing is made anew for it", async () => {
  holds({ openai: "one" });
  const { clock, secret } = setUp();
  const first = await secret.members();
  clock.time += 120_000;
  expect(await secret.members()).toBe(first);
  expect(asked()).toBe(2);
});

test("throttling passes, and so do credentials that are being replaced", async () => {
  vault
    .on(GetSecretValueCommand)
    .rejectsOnce(refusal("ThrottlingException"))
    .rejectsOnce(refusal("ExpiredTokenException"))
    .resolves({ SecretString: '{"openai":"sk-fake"}' });
  expect(await setUp().secret.get("openai")).toBe("sk-fake");
  expect(asked()).toBe(3);
});

test.each([["ExpiredTokenException", 400] as const, ["InternalServiceError", 500] as const])(
  "%s that goes on: an outage at first, afterwards what was read before",
  async (name, status) => {
    const { clock, secret } = setUp(2);
    vault.on(GetSecretValueCommand).rejects(refusal(name, status));
    const error = await failureOf(secret.get("openai"));
    expect(error).toMatchObject({ code: "storage" });
    expect(error.message).not.toContain("a-fake-secret");
    holds({ openai: "sk-fake" });
    expect(await secret.get("openai")).toBe("sk-fake");
    vault.on(GetSecretValueCommand).rejects(refusal(name, status));
    clock.time += 24 * 3_600_000;
    expect(await secret.get("openai")).toBe("sk-fake");
  },
);

test("a role that may not read it, or a secret that isn't there, is told at once", async () => {
  const { secret } = setUp();
  vault.on(GetSecretValueCommand).rejects(refusal("AccessDeniedException"));
  expect((await failureOf(secret.members())).message).toBe("Secrets Manager refused a request: AccessDeniedException.");
  vault
    .on(GetSecretValueCommand)
    .rejects(new ResourceNotFoundException({ message: "no", $metadata: { httpStatusCode: 400 } }));
  expect((await failureOf(secret.members())).message).toContain("ResourceNotFoundException");
  expect(asked()).toBe(2);
});

test.each(["not JSON: a-fake-secret", '["a-fake-secret"]', ""])("content that is no object: %j", async (text) => {
  const { clock, secret } = setUp();
  vault.on(GetSecretValueCommand).resolves({ SecretString: text });
  const error = await failureOf(secret.members());
  expect(error).toMatchObject({ code: "storage" });
  expect(error.message).not.toContain("a-fake-secret");
  // Where there was a good one, that holds.
  holds({ openai: "sk-fake" });
  expect(await secret.get("openai")).toBe("sk-fake");
  vault.on(GetSecretValueCommand).resolves({ SecretString: text });
  clock.time += 120_000;
  expect(await secret.get("openai")).toBe("sk-fake");
});

test("a binary secret is text too", async () => {
  vault.on(GetSecretValueCommand).resolves({ SecretBinary: new Uint8Array(Buffer.from('{"openai":"sk-fake"}')) });
  expect(await setUp().secret.get("openai")).toBe("sk-fake");
});
