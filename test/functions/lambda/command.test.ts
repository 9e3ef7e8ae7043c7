// `npm run lambda`: an event from a file, answered on stdout as it streams.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleLambda } from "../../../scripts/bundle.ts";
import { runtimeClient } from "../../support/lambda.ts";

const entry = await runtimeClient();
const main = new URL("../../../functions/local/lambda/main.ts", import.meta.url).pathname;

const event = {
  version: "2.0",
  rawPath: "/v1/messages",
  rawQueryString: "",
  headers: { "content-type": "application/json", "x-api-key": "example-key-for-local-invocations-only" },
  requestContext: { http: { method: "POST", path: "/v1/messages", sourceIp: "192.0.2.1" }, requestId: "event" },
  body: JSON.stringify({
    model: "echo/echo",
    max_tokens: 100,
    stream: true,
    messages: [{ role: "user", content: "Hello from Lambda" }],
  }),
  isBase64Encoded: false,
};

describe.skipIf(entry === undefined)("npm run lambda", () => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-command-"));
  const file = join(folder, "event.json");
  const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [main, "--dist", folder, ...args], {
      encoding: "utf8",
      timeout: 15_000,
      env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" },
    });
  beforeAll(async () => {
    writeFileSync(file, JSON.stringify(event));
    await bundleLambda(folder, "gateway");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("answers an event from a file", () => {
    const { status, stdout, stderr } = run(file);
    expect(stderr).toContain("HTTP 200");
    expect(stdout).toContain("event: message_stop");
    expect(stderr).toContain("Max Memory Used");
    expect(status).toBe(0);
  });

  test("a client that leaves sees no more, and the function ends its work (F54)", () => {
    const { status, stdout, stderr } = run(file, "--drop-after", "1");
    expect(stdout).toContain("event: message_start");
    expect(stdout).not.toContain("event: message_stop");
    expect(stderr).toContain("The client has left");
    expect(stderr).toContain("END RequestId");
    expect(status).toBe(0);
  });

  test("a wrong option is told with the usage", () => {
    const { status, stderr } = run("--port", "x");
    expect(stderr).toContain("--port must be a whole number");
    expect(stderr).toContain("--drop-after N");
    expect(status).toBe(2);
  });

  test("a function that was not built", () => {
    const { status, stderr } = run(file, "--function", "sweeper");
    expect(stderr).toContain("npm run build");
    expect(status).toBe(1);
  });
});
