// A secret's value shows in no error, notice or summary (F41), whatever is wrong with it or beside it.
import { expect, test } from "vitest";
import { runCheck } from "../../functions/local/check.ts";
import { load, refusal } from "./support.ts";

const canary = "canary-4f9a1c-secret";

/** `heddle check` with this file: its exit code and all it says. */
const check = async (text: string, env: Record<string, string> = {}): Promise<{ code: number; said: string }> => {
  let said = "";
  const hear = (more: string): void => {
    said += more;
  };
  const readFile = (path: string): string | undefined => (path === "heddle.yaml" ? text : undefined);
  return { code: await runCheck([], { env, readFile, out: hear, err: hear }), said };
};

test.each([
  ["a key where a map is expected", `providers: ${canary}\n`],
  ["a key where a map of settings is expected", `providers: { openai: ${canary} }\n`],
  ["a key as a list", `providers: { openai: { apiKey: [${canary}] } }\n`],
  ["a key as an address", `providers: { openai: { baseUrl: ${canary} } }\n`],
  ["a key as an endpoint", `providers: { azure-openai: { baseUrl: ${canary} } }\n`],
  ["a key as a kind", `providers: { openai: { kind: ${canary} } }\n`],
  ["a key where a list is expected", `providers: { openai: { models: ${canary} } }\n`],
  ["a key as headers", `providers: { openai: { headers: ${canary} } }\n`],
  ["a key in a header of another type", `providers: { openai: { headers: { authorization: [${canary}] } } }\n`],
  ["a key as a port", `server: { port: ${canary} }\n`],
  ["a key as keys", `auth: { keys: ${canary} }\n`],
  ["a key as an entry of keys", `auth: { keys: [${canary}] }\n`],
  ["the same key twice", `auth: { keys: [{ name: a, key: ${canary} }, { name: b, key: ${canary} }] }\n`],
  ["a key beside an unknown setting", `providers: { openai: { apikey: ${canary} } }\n`],
  ["an unclosed quote", `providers: { openai: { apiKey: "${canary} } }\n`],
  ["a line that is no YAML", `providers:\n  openai:\n    apiKey: ${canary}: x: y\n`],
  ["an alias of YAML", `providers: { openai: { apiKey: *${canary} } }\n`],
  ["a tag of YAML", `providers: { openai: { apiKey: !${canary} x } }\n`],
  ["a variable that is none", `providers: { openai: { apiKey: "\${${canary}}" } }\n`],
  ["an unclosed variable", `providers: { openai: { apiKey: "\${OPENAI_API_KEY:-${canary}" } }\n`],
  ["a log level", `log: { level: ${canary} }\n`],
  ["a price", `prices: { gpt: ${canary} }\n`],
  [
    "open to the world beside keys",
    `auth: { mode: open, keys: [{ name: a, key: ${canary} }] }\nserver: { host: 0.0.0.0 }\n`,
  ],
])("%s: refused without the value (F41)", async (_what, text) => {
  const lines = await refusal(text);
  expect(lines.join("\n")).not.toContain(canary);
  const { code, said } = await check(text);
  expect(code).toBe(1);
  expect(said).not.toContain(canary);
});

test("a value from the environment is told by its variable's name alone (F41)", async () => {
  const env = { MY_PORT: canary, MY_KEY: canary, MY_BASE: canary };
  const text = "server:\n  port: ${MY_PORT}\nproviders:\n  openai: { apiKey: '${MY_KEY}', baseUrl: '${MY_BASE}' }\n";
  const lines = await refusal(text, env);
  expect(lines).toEqual([
    "heddle.yaml:2: server.port: expected a whole number",
    "heddle.yaml:4: providers.openai.baseUrl: expected an http(s) address",
  ]);
});

test.each([
  "OPENAI_BASE_URL",
  "AZURE_OPENAI_ENDPOINT",
  "HEDDLE_PORT",
  "HEDDLE_ENV",
  "HEDDLE_LOG_LEVEL",
  "AI_PROXY_PROVIDERS__OPENAI__API_BASE",
])("a key put into %s by mistake is not repeated (F41)", async (name) => {
  expect((await refusal(undefined, { [name]: canary })).join("\n")).not.toContain(canary);
});

test("notices and the summary of a sound configuration hold no key, and of an address the host alone (F41)", async () => {
  const text = `
providers:
  openai: { apiKey: ${canary}, headers: { x-key: ${canary} } }
  proxied: { baseUrl: "https://user:${canary}@proxy.example/v1?key=${canary}" }
  bedrock: { region: eu-west-1, accessKeyId: ${canary}, secretAccessKey: ${canary}, sessionToken: ${canary} }
auth: { mode: open, keys: [{ name: me, key: ${canary} }] }
`;
  const env = { LOG_LEVEL: canary, TIMEOUT: canary, AI_PROXY_PROVIDERS__GEMINI__API_KEY: canary, AI_PROXY_X: canary };
  const { code, said } = await check(text, env);
  expect(code).toBe(0);
  expect(said).not.toContain(canary);
  expect(said).toContain("proxied (openai-compatible): no key, at proxy.example");
  const { notices } = await load(text, env);
  expect(notices.length).toBeGreaterThanOrEqual(5);
  expect(notices.join("\n")).not.toContain(canary);
});

test.each([
  ["a forgotten colon", `providers: { openai: { apiKey "${canary}" } }\n`],
  ["a forgotten name", `providers: { openai: { ${canary} } }\n`],
  ["a forgotten name of a header", `providers: { openai: { headers: { ${canary} } } }\n`],
  ["a forgotten name in a list", `auth: { keys: [{ name: a, ${canary} }] }\n`],
  ["a key where a section is expected", `${canary}: {}\n`],
])("%s makes a name of a value: the place is told, not the name (F41)", async (_what, text) => {
  const [first = "", ...others] = await refusal(text);
  expect([first, ...others].join("\n")).not.toContain(canary);
  expect(first).toMatch(/^heddle\.yaml:1: /);
});
