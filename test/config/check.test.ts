// `heddle check` as a user runs it: a process, its exit code, its two outputs.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const cli = fileURLToPath(new URL("../../functions/local/heddle.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "heddle-check-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Run = { code: number; out: string; err: string };
const heddle = (args: readonly string[], env: Record<string, string> = {}): Promise<Run> =>
  new Promise((resolve) => {
    // Nothing of the test's own environment, and nothing of the folder it runs in.
    execFile(process.execPath, [cli, ...args], { cwd: folder, env }, (error, out, err) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err });
    });
  });

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return name;
};

test("a sound file: what it means, on stdout, and 0", async () => {
  const name = file(
    "good.yaml",
    `providers:
  openai: { apiKey: "\${OPENAI_API_KEY}" }
  anthropic: {}
  ollama: { kind: openai-compatible, baseUrl: "http://127.0.0.1:11434/v1" }
models:
  fast: openai/gpt-5.4-mini
  smart: { targets: [anthropic/claude-opus-5, fast] }
auth: { keys: [{ name: console, key: "\${CALLER_KEY}" }] }
`,
  );
  const { code, out, err } = await heddle(["check", name], {
    OPENAI_API_KEY: "canary-key-of-openai",
    CALLER_KEY: "canary-key-of-a-caller",
    AI_PROXY_SERVER__PORT: "9000",
  });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toBe(`good.yaml: ok
  environment  development
  address      127.0.0.1:9000
  access       keys of console
  provider     openai (openai): key set
  provider     anthropic (anthropic): KEY MISSING
  provider     ollama (openai-compatible): no key, at 127.0.0.1:11434
  provider     echo (echo): needs no key
  model        fast -> openai/gpt-5.4-mini
  model        smart -> anthropic/claude-opus-5, then fast (openai/gpt-5.4-mini)
  notice       AI_PROXY_SERVER__PORT is read as HEDDLE_PORT
`);
});

test("a broken file: every problem on stderr, nothing on stdout, and 1", async () => {
  const name = file(
    "bad.yaml",
    "providers:\n  openai: { apikey: canary-key }\nmodels:\n  fast: [openai/x]\nserver:\n  port: ${NO_PORT}\n",
  );
  expect(await heddle(["check", name])).toEqual({
    code: 1,
    out: "",
    err: `bad.yaml:2: providers.openai.apikey: unknown setting; did you mean apiKey?
bad.yaml:4: models.fast: expected text or a map of settings
bad.yaml:6: server.port: the environment variable NO_PORT is not set (\${NO_PORT:-} lets it be absent)
`,
  });
});

test("no file at all: the environment alone", async () => {
  const { code, out } = await heddle(["check"], { GEMINI_API_KEY: "canary" });
  expect(code).toBe(0);
  expect(out).toContain("no file, environment only: ok\n");
  expect(out).toContain("access       open, on loopback only\n");
  expect(out).toContain("provider     gemini (gemini): key set\n");
});

test("a file that is not there", async () => {
  expect(await heddle(["check", "nowhere.yaml"])).toEqual({
    code: 1,
    out: "",
    err: "nowhere.yaml: the file does not exist\n",
  });
});

test("`serve` says the same of a broken configuration, and ends with 1", async () => {
  const name = file("open.yaml", "server: { host: 0.0.0.0 }\n");
  expect(await heddle(["serve"], { HEDDLE_CONFIG: name })).toEqual({
    code: 1,
    out: "",
    err: "open.yaml:1: server.host: open access listens on loopback only; expected 127.0.0.1, or auth.keys\n",
  });
});

test("a command that is none: how it is used, and 2", async () => {
  const { code, err } = await heddle(["chekc"]);
  expect(code).toBe(2);
  expect(err).toContain("heddle check [file]");
});
