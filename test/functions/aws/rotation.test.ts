// Provider keys from the one secret, and how a rotation reaches the calls: the vault is asked over the wire.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { withSecrets } from "../../../functions/shared/environment.ts";
import { createRuntime, type Runtime } from "../../../functions/aws/runtime.ts";
import { systemClock } from "../../../lib/routing/retry.ts";
import { startUpstream, type TestUpstream } from "../../support/gateway.ts";
import { type Got, installLambda, invoke, urlEvent } from "./fake-lambda.ts";

installLambda();
const { createHandler } = await import("../../../functions/aws/handler.ts");

/** Secrets Manager as far as it is asked: one secret, JSON 1.1. */
const vault = { members: {} as Record<string, string>, text: undefined as string | undefined, down: false, asked: 0 };
let server: Server;
let upstream: TestUpstream;
const before = { ...process.env };
beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      vault.asked += 1;
      response.writeHead(vault.down ? 503 : 200, { "content-type": "application/x-amz-json-1.1" });
      const SecretString = vault.text ?? JSON.stringify(vault.members);
      response.end(JSON.stringify(vault.down ? { __type: "InternalServiceError" } : { Name: "heddle", SecretString }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  upstream = await startUpstream((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      JSON.stringify({
        id: "chatcmpl-1",
        object: "chat.completion",
        created: 1,
        model: "gpt-5",
        choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
        usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
      }),
    );
  });
  Object.assign(process.env, {
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
});
afterAll(async () => {
  process.env = before;
  server.closeAllConnections();
  server.close();
  await upstream.stop();
});
const adminKey = "a-fake-admin-key-of-more-than-32-characters";
beforeEach(() => {
  vault.members = { openai: "sk-fake-old", "admin-key": adminKey };
  vault.text = undefined;
  vault.down = false;
  upstream.requests.length = 0;
});

type Made = {
  runtime: Runtime;
  clock: { time: number };
  lines: string[];
  call: () => Promise<Got>;
  /** The key that the provider was last called with. */
  used: () => string | undefined;
};
const setUp = (env: Record<string, string> = {}): Made => {
  const clock = { time: 1_800_000_000_000 };
  const lines: string[] = [];
  const runtime = createRuntime({
    env: { HEDDLE_SECRET: "heddle", OPENAI_BASE_URL: `${upstream.url}/v1`, ...env },
    readFile: () => undefined,
    write: (line) => lines.push(line),
    clock: { ...systemClock, now: () => clock.time },
  });
  const handler = createHandler(runtime);
  return {
    runtime,
    clock,
    lines,
    call: () =>
      invoke(
        handler,
        urlEvent({
          path: "/v1/chat/completions",
          headers: { authorization: `Bearer ${adminKey}` },
          body: { model: "openai/gpt-5", messages: [{ role: "user", content: "hi" }] },
        }),
      ),
    used: () => upstream.requests.at(-1)?.headers.authorization,
  };
};

test("keys come from the secret, and a rotated one is used within a minute", async () => {
  const { call, clock, used, lines } = setUp();
  expect((await call()).prelude.statusCode).toBe(200);
  expect(used()).toBe("Bearer sk-fake-old");
  vault.members["openai"] = "sk-fake-new";
  clock.time += 31_000;
  // Read anew behind this call, which the invocation waits for (F56).
  await call();
  await call();
  expect(used()).toBe("Bearer sk-fake-new");
  vault.members["openai"] = "sk-fake-newest";
  clock.time += 60_000;
  await call();
  expect(used()).toBe("Bearer sk-fake-newest");
  expect(lines.join("\n")).not.toContain("sk-fake");
});

test("the same content makes no new gateway; other content does, and the old one goes on for its calls", async () => {
  const { runtime, clock } = setUp();
  const first = await runtime.gateway();
  clock.time += 61_000;
  expect(await runtime.gateway()).toBe(first);
  vault.members["anthropic"] = "sk-fake";
  clock.time += 61_000;
  const [second, again] = await Promise.all([runtime.gateway(), runtime.gateway()]);
  expect(second).not.toBe(first);
  expect(again).toBe(second);
  expect(second.services.registry.ids).toContain("anthropic");
  expect(first.services.registry.ids).not.toContain("anthropic");
});

test("while the vault is down, or holds what can't be used, what was read before holds", async () => {
  const { call, clock, used, lines } = setUp();
  await call();
  vault.down = true;
  clock.time += 3_600_000;
  expect((await call()).prelude.statusCode).toBe(200);
  vault.down = false;
  vault.text = "no object: sk-fake-broken";
  clock.time += 61_000;
  expect((await call()).prelude.statusCode).toBe(200);
  vault.text = undefined;
  vault.members = { openai: "sk-fake-new", "admin-key": "short" };
  clock.time += 61_000;
  expect((await call()).prelude.statusCode).toBe(200);
  expect(used()).toBe("Bearer sk-fake-old");
  expect(lines.join("\n")).toContain("HEDDLE_ADMIN_KEY");
  expect(lines.join("\n")).not.toContain("sk-fake");
});

test("a vault that never answered: a 503 in the caller's own envelope, and the next call is served", async () => {
  const { call, lines } = setUp();
  vault.down = true;
  const got = await call();
  expect(got.prelude.statusCode).toBe(503);
  expect(lines.join("\n")).toContain("the secrets can't be read");
  expect(JSON.parse(got.text)).toHaveProperty("error.message");
  vault.down = false;
  expect((await call()).prelude.statusCode).toBe(200);
});

test("members under the names that the configuration knows; the environment's own win", () => {
  const filled = withSecrets(
    { OPENAI_API_KEY: "from-the-environment", GEMINI_API_KEY: "" },
    {
      openai: "a",
      gemini: "b",
      "azure-openai": "c",
      bedrock: "d",
      "admin-key": "e",
      "my-host": "f",
      WEBHOOK_SECRET: "g",
      pepper: "h",
      origin: "i",
      "smoke-key": "j",
    },
  );
  expect(filled).toEqual({
    OPENAI_API_KEY: "from-the-environment",
    GEMINI_API_KEY: "b",
    AZURE_OPENAI_API_KEY: "c",
    AWS_BEARER_TOKEN_BEDROCK: "d",
    HEDDLE_ADMIN_KEY: "e",
    MY_HOST_API_KEY: "f",
    WEBHOOK_SECRET: "g",
  });
});
