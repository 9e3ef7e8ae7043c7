// The functions' own files, as the runtime loads them: everything from the environment, lines to standard output.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { dataFolder } from "../../support/data.ts";
import { contextOf, installLambda, invoke, urlEvent } from "./fake-lambda.ts";

const folder = dataFolder();
const key = "hd-a-fake-key-of-the-configuration";
const written: string[] = [];
const before = { ...process.env };
beforeAll(() => {
  installLambda();
  const path = join(folder.path, "models.yaml");
  writeFileSync(path, `auth: { keys: [{ name: app, key: ${key} }] }`);
  Object.assign(process.env, { HEDDLE_CONFIG: path, HEDDLE_ENV: "staging" });
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    written.push(String(chunk));
    return true;
  });
});
afterAll(() => {
  vi.restoreAllMocks();
  process.env = before;
  folder.remove();
});

test("the gateway answers, and each line it writes is whole JSON", async () => {
  const { handler } = await import("../../../functions/aws/gateway.ts");
  const got = await invoke(
    handler,
    urlEvent({
      path: "/v1/chat/completions",
      headers: { authorization: `Bearer ${key}` },
      body: { model: "echo/echo", stream: true, messages: [{ role: "user", content: "hello" }] },
    }),
  );
  expect(got.text).toContain("data: [DONE]");
  const lines = written.join("").trimEnd().split("\n");
  expect(lines.map((line) => Object.keys(JSON.parse(line) as object)[0])).toEqual(["_aws", "time"]);
});

test("the worker and the sweeper load; where nothing is kept, no job is taken for done", async () => {
  const { handler: work } = await import("../../../functions/aws/worker.ts");
  const { handler: sweep } = await import("../../../functions/aws/sweeper.ts");
  const record = { messageId: "m", receiptHandle: "r", body: '{"id":"thread/a/b"}' };
  expect(await work({ Records: [record] } as never, contextOf(1_000))).toEqual({
    batchItemFailures: [{ itemIdentifier: "m" }],
  });
  await expect(sweep({}, contextOf(1_000))).resolves.toBeUndefined();
});
