// `npm run azure`: an event from a file, answered on stdout as it streams; or the app on a port.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleAzure } from "../../../scripts/bundle.ts";
import { until } from "../../support/gateway.ts";

const root = new URL("../../../", import.meta.url).pathname;
const main = join(root, "functions/local/azure/main.ts");
const event = (name: string): string => join(root, `events/azure/${name}.json`);

describe("npm run azure", () => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-command-"));
  const env = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" };
  const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [main, "--app", folder, ...args], { encoding: "utf8", timeout: 15_000, env });
  beforeAll(async () => {
    copyFileSync(join(root, "host.json"), join(folder, "host.json"));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", main: "dist/azure/index.mjs" }));
    writeFileSync(join(folder, "local.settings.json"), JSON.stringify({ Values: { HEDDLE_LOG_LEVEL: "silent" } }));
    await bundleAzure(join(folder, "dist"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("answers an event from a file", () => {
    const { status, stdout, stderr } = run(event("messages"));
    expect(stderr).toContain("HTTP 200");
    expect(stdout).toContain("event: message_stop");
    expect(stderr).toContain("Executed 'Functions.gateway' (Succeeded");
    expect(status).toBe(0);
  });

  test("a client that leaves sees no more", () => {
    const { status, stdout, stderr } = run(event("messages"), "--drop-after", "1");
    expect(stdout).toContain("event: message_start");
    expect(stdout).not.toContain("event: message_stop");
    expect(stderr).toContain("The client has left after 1 chunks.");
    expect(status).toBe(0);
  });

  test("a function that the app has not, as its settings are", () => {
    const { status, stderr } = run(event("queue"));
    expect(stderr).toContain("There is no function worker: the app has gateway");
    expect(status).toBe(1);
  });

  test("a wrong option or event is told with the usage", () => {
    const wrong = run("--port", "x");
    expect(wrong.stderr).toContain("--port must be a whole number");
    expect(wrong.stderr).toContain("--drop-after N");
    expect(wrong.status).toBe(2);
    const none = run(join(folder, "package.json"));
    expect(none.stderr).toContain('an event has "method" and "url"');
    expect(none.status).toBe(2);
  });

  test("a folder that is no function app", () => {
    const { status, stderr } = run("--app", tmpdir());
    expect(stderr).toContain("is no function app");
    expect(status).toBe(1);
  });

  test("serves, lists what there is, and ends when it is told to", async () => {
    const child = spawn(process.execPath, [main, "--app", folder, "--port", "0"], { env });
    let said = "";
    child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
    await until(() => said.includes("It knows no key yet"), "it is ready");
    const [, url] = /gateway: \[GET,[A-Z,]+\] (http:\/\/127\.0\.0\.1:\d+)\/\{\*path\}/.exec(said) ?? [];
    expect((await fetch(`${url}/health`)).status).toBe(200);
    child.kill("SIGTERM");
    const [code] = (await once(child, "exit")) as [number | null];
    expect(code).toBe(0);
  });
});
