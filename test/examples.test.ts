// Every example as a reader would run it: a process of its own, against a gateway with nothing but echo.
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type TestGateway } from "./support/gateway.ts";

const run = promisify(execFile);
const folder = fileURLToPath(new URL("../examples/", import.meta.url));
const files = readdirSync(folder).filter((name) => /\.(?:ts|sh)$/.test(name) && name !== "settings.ts");

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway("providers: { echo: { kind: echo, pace: 0 } }");
});
afterAll(() => gateway.stop());

test.each(files)("%s", { timeout: 60_000 }, async (name) => {
  const command = name.endsWith(".sh") ? "bash" : process.execPath;
  const { stdout } = await run(command, [`${folder}${name}`], {
    env: { ...process.env, HEDDLE_URL: gateway.url, NODE_NO_WARNINGS: "1" },
    timeout: 50_000,
  });
  expect(stdout.trim().length).toBeGreaterThan(20);
});

test("the list names every example", async () => {
  const { readFile } = await import("node:fs/promises");
  const readme = await readFile(`${folder}README.md`, "utf8");
  for (const name of files) expect(readme).toContain(`examples/${name}`);
});
