// The banner's line to try is a line that a shell can run, whatever the names in the configuration.
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { banner } from "../../../functions/local/banner.ts";
import { loadConfig } from "../../../lib/config.ts";

const bannerOf = async (yaml: string, env: Record<string, string> = {}): Promise<string> => {
  const config = await loadConfig({
    env: { HEDDLE_CONFIG: "heddle.yaml", ...env },
    readFile: (path) => (path.endsWith("heddle.yaml") ? yaml : undefined),
  });
  return banner(config, "http://127.0.0.1:8787", "1.2.3");
};
const lineOf = (text: string): string => text.slice(text.indexOf("curl "));

describe.skipIf(process.platform === "win32")("the line to try", () => {
  test.each([
    ["echo", "{}", "echo/echo"],
    ["an alias", "models: { fast: echo/echo }", "fast"],
    ["an alias with quotes", `models: { "it's \\"$HOME\\" \`id\`": echo/echo }`, `it's "$HOME" \`id\``],
  ])("%s", async (_name, yaml, model) => {
    // `curl` becomes a function that shows its arguments.
    const script = `curl() { for each; do printf '%s\\0' "$each"; done; }\n${lineOf(await bannerOf(yaml))}`;
    const args = execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1);
    expect(args.slice(0, -1)).toEqual([
      "-N",
      "http://127.0.0.1:8787/v1/chat/completions",
      "-H",
      "content-type: application/json",
      "-d",
    ]);
    expect(JSON.parse(args.at(-1) ?? "")).toMatchObject({ model, stream: true });
  });
});

test("tells where each kind of client is pointed, and what was noticed", async () => {
  const text = await bannerOf("{}", { AI_PROXY_SERVER__PORT: "9999" });
  expect(text).toContain("Heddle 1.2.3 listens on http://127.0.0.1:8787\n");
  expect(text).toMatch(/OpenAI +base URL http:\/\/127\.0\.0\.1:8787\/v1\n/);
  expect(text).toMatch(/Anthropic +base URL http:\/\/127\.0\.0\.1:8787\n/);
  expect(text).toMatch(/Gemini +base URL http:\/\/127\.0\.0\.1:8787\n/);
  expect(text).toMatch(/notice +AI_PROXY_SERVER__PORT is read as HEDDLE_PORT\n/);
});

test("no credential in it, whatever kind it is (F41)", async () => {
  const canary = "canary-0123456789abcdef";
  const text = await bannerOf(
    `
providers:
  openai: { apiKey: ${canary}-1, headers: { x-a: ${canary}-2 } }
  aws: { kind: bedrock, region: us-east-1, accessKeyId: ${canary}-3, secretAccessKey: ${canary}-4, sessionToken: ${canary}-5 }
  azure-openai: { apiKey: ${canary}-6, baseUrl: "https://x:${canary}-7@example.test" }
auth: { keys: [{ name: one, key: ${canary}-8 }] }
`,
    { GEMINI_API_KEY: `${canary}-9`, ANTHROPIC_API_KEY: `${canary}-10` },
  );
  expect(text).toContain("gemini");
  expect(text).not.toContain("canary");
});
