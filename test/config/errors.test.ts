// Every problem of a configuration at once, each with file, line, path and what was expected.
import { expect, test } from "vitest";
import { load, refusal } from "./support.ts";

test.each([
  [
    "a number for a text",
    "providers:\n  openai:\n    apiKey: 7\n",
    "heddle.yaml:3: providers.openai.apiKey: expected text",
  ],
  ["a text for a number", "retry:\n  attempts: many\n", "heddle.yaml:2: retry.attempts: expected a whole number"],
  ["a number that is not whole", "retry:\n  attempts: 1.5\n", "heddle.yaml:2: retry.attempts: expected a whole number"],
  ["a number too large", "server:\n  port: 70000\n", "heddle.yaml:2: server.port: expected at most 65535"],
  ["a number too small", "retry:\n  attempts: 0\n", "heddle.yaml:2: retry.attempts: expected at least 1"],
  ["nothing left of a timeout", "timeouts:\n  idleMs: 0\n", "heddle.yaml:2: timeouts.idleMs: expected more than 0"],
  [
    "a switch that is none",
    "providers:\n  azure-openai: { baseUrl: 'https://a.example', tokenCredential: maybe }\n",
    "heddle.yaml:2: providers.azure-openai.tokenCredential: expected true or false",
  ],
  [
    "a map for a list",
    "providers:\n  openai:\n    models: { a: b }\n",
    "heddle.yaml:3: providers.openai.models: expected a list",
  ],
  ["a text for a section", "providers: openai\n", "heddle.yaml:1: providers: expected a map"],
  ["a list for the file", "- openai\n", "heddle.yaml: expected a map of settings"],
  ["a text for the file", "openai\n", "heddle.yaml: expected a map of settings"],
  [
    "a choice that is none",
    "environment: prod\n",
    "heddle.yaml:1: environment: expected one of development, staging, production",
  ],
  [
    "an address that is none",
    "providers:\n  openai:\n    baseUrl: example.com\n",
    "heddle.yaml:3: providers.openai.baseUrl: expected an http(s) address",
  ],
  [
    "a name that can't be one",
    "providers:\n  open/ai: {}\n",
    'heddle.yaml:2: providers["open/ai"]: expected a name of letters, digits, dots, dashes and underscores',
  ],
  ["a model of another type", "models:\n  fast: 7\n", "heddle.yaml:2: models.fast: expected text or a map of settings"],
  [
    "a model without targets",
    "models:\n  fast: { strategy: fallback }\n",
    "heddle.yaml:2: models.fast.targets: is missing; expected a list",
  ],
  [
    "an empty list of targets",
    "models:\n  fast:\n    targets: []\n",
    "heddle.yaml:3: models.fast.targets: expected at least 1 entry",
  ],
  [
    "a price without its output",
    "prices:\n  gpt-x: { input: 1 }\n",
    "heddle.yaml:2: prices.gpt-x.output: is missing; expected a number",
  ],
  [
    "a price below nothing",
    "prices:\n  gpt-x: { input: -1, output: 1 }\n",
    "heddle.yaml:2: prices.gpt-x.input: expected at least 0",
  ],
  [
    "a key that is too short",
    "auth:\n  keys: [{ name: me, key: short }]\n",
    "heddle.yaml:2: auth.keys[0].key: expected at least 16 characters",
  ],
  [
    "an origin with a path",
    "cors:\n  origins:\n    - https://app.example.com/page\n",
    "heddle.yaml:3: cors.origins[0]: expected * or an origin, such as https://app.example.com (no path)",
  ],
  [
    "anyone's origin with credentials",
    "cors:\n  credentials: true\n  origins: ['*']\n",
    "heddle.yaml:3: cors.origins: expected the origins by name where credentials are allowed, not *",
  ],
  [
    "a host without an address",
    "providers:\n  myhost:\n    kind: openai-compatible\n",
    "heddle.yaml:2: providers.myhost.baseUrl: is missing; expected the address of the host",
  ],
  [
    "Azure without its endpoint",
    "providers:\n  azure-openai: {}\n",
    "heddle.yaml:2: providers.azure-openai.baseUrl: is missing; expected the resource's endpoint (or AZURE_OPENAI_ENDPOINT)",
  ],
  [
    "Bedrock without a region",
    "providers:\n  bedrock: { bearerToken: abc }\n",
    "heddle.yaml:2: providers.bedrock.region: is missing; expected an AWS region (or AWS_REGION)",
  ],
  [
    "half of an AWS key",
    "providers:\n  bedrock: { region: eu-west-1, accessKeyId: abc }\n",
    "heddle.yaml:2: providers.bedrock: expected accessKeyId and secretAccessKey together",
  ],
])("%s", async (_what, text, expected) => {
  expect(await refusal(text)).toEqual([expected]);
});

test.each([
  [
    "providers:\n  openai:\n    apikey: x\n",
    "heddle.yaml:3: providers.openai.apikey: unknown setting; did you mean apiKey?",
  ],
  [
    "providers:\n  openai:\n    base_url: x\n",
    "heddle.yaml:3: providers.openai.base_url: unknown setting; did you mean baseUrl?",
  ],
  ["provider: {}\n", "heddle.yaml:1: provider: unknown setting; did you mean providers?"],
  ["server: { prot: 1 }\n", "heddle.yaml:1: server.prot: unknown setting; did you mean port?"],
  [
    "models:\n  fast: { target: [echo/echo] }\n",
    "heddle.yaml:2: models.fast.target: unknown setting; did you mean targets?",
  ],
  [
    "prices:\n  m: { input: 1, output: 1, cachedinput: 1 }\n",
    "heddle.yaml:2: prices.m.cachedinput: unknown setting; did you mean cachedInput?",
  ],
  [
    "providers:\n  openai: { dialect: { maxTokenField: max_tokens } }\n",
    "heddle.yaml:2: providers.openai.dialect.maxTokenField: unknown setting; did you mean maxTokensField?",
  ],
  [
    "auth:\n  keys:\n    - nam: me\n      key: 0123456789abcdef\n",
    "heddle.yaml:3: auth.keys[0].nam: unknown setting; did you mean name?",
  ],
  ["log: { colour: red }\n", "heddle.yaml:1: log.colour: unknown setting; expected one of level"],
])("a misspelt setting is shown its meaning: %j", async (text, expected) => {
  expect(await refusal(text)).toContain(expected);
});

test("names that lead nowhere are told with what was probably meant", async () => {
  const text = `providers:
  openai: { apiKey: abc }
models:
  fast: opnai/gpt-5.4-mini
  smart:
    targets:
      - fast
      - claude-opus-5
      - fsat
      - openai/
      - gemini/gemini-3-pro
`;
  expect(await refusal(text)).toEqual([
    "heddle.yaml:4: models.fast: there is no provider 'opnai'; did you mean openai?",
    "heddle.yaml:8: models.smart.targets[1]: 'claude-opus-5' is no alias, and no configured provider claims it; write provider/model",
    "heddle.yaml:9: models.smart.targets[2]: 'fsat' is no alias, and no configured provider claims it; did you mean fast?",
    "heddle.yaml:10: models.smart.targets[3]: expected a model after the provider",
    "heddle.yaml:11: models.smart.targets[4]: the provider 'gemini' is off: set GEMINI_API_KEY, or write it under providers",
  ]);
});

test("aliases that lead back to themselves are refused, once for each of them", async () => {
  expect(await refusal("models:\n  a: b\n  b: { targets: [c] }\n  c: a\n  d: a\n")).toEqual([
    "heddle.yaml:2: models.a: the alias leads back to itself: a -> b -> c -> a",
    "heddle.yaml:3: models.b: the alias leads back to itself: b -> c -> a -> b",
    "heddle.yaml:4: models.c: the alias leads back to itself: c -> a -> b -> c",
  ]);
});

test("a misspelt kind as a provider's name is pointed out", async () => {
  expect(await refusal("providers:\n  anthropc: { apiKey: abc }\n")).toEqual([
    "heddle.yaml:2: providers.anthropc.baseUrl: is missing; expected the address of the host; or did you mean the provider anthropic?",
  ]);
});

test("two keys of one name, or one key under two names", async () => {
  const text =
    "auth:\n  keys:\n    - { name: a, key: 0123456789abcdef }\n    - { name: a, key: fedcba9876543210 }\n    - { name: b, key: 0123456789abcdef }\n";
  expect(await refusal(text)).toEqual([
    "heddle.yaml:4: auth.keys[1].name: the name is that of auth.keys[0] too",
    "heddle.yaml:5: auth.keys[2].key: the key is that of auth.keys[0] too",
  ]);
});

test.each([
  ["a: [1\n", /^heddle\.yaml:\d: not valid YAML/],
  ["a: 1\na: 2\n", /^heddle\.yaml:2: a key stands twice in one map$/],
  ["cors: { origins: [*] }\n", /^heddle\.yaml:1: /],
  ["a: 1\n---\nb: 1\n", /^heddle\.yaml:\d: expected one document$/],
  ["a:\n\t- b\n", /^heddle\.yaml:2: /],
  ["a: !secret b\n", /^heddle\.yaml:1: tags \(!name\) are not known here$/],
  ["a: *nowhere\n", /^heddle\.yaml(?::1)?: /],
  ['{"providers": {}', /^heddle\.yaml:1: /],
])("what is no YAML is told with its line: %j", async (text, expected) => {
  const [first] = await refusal(text);
  expect(first).toMatch(expected);
});

test("all problems are told at once, in the order of the file's lines", async () => {
  const lines = await refusal("environment: x\nprovders: {}\nretry: { attempts: 99 }\nlog: { level: loud }\n");
  expect(lines.map((line) => line.split(": ").slice(0, 2).join(" "))).toEqual([
    "heddle.yaml:1 environment",
    "heddle.yaml:2 provders",
    "heddle.yaml:3 retry.attempts",
    "heddle.yaml:4 log.level",
  ]);
});

test("a file that was named and does not exist", async () => {
  expect(await refusal(undefined, { HEDDLE_CONFIG: "conf/mine.yaml" })).toEqual([
    "conf/mine.yaml: the file does not exist",
  ]);
});

test.each([
  ["HEDDLE_PORT", "http", "environment: HEDDLE_PORT: expected a port from 0 to 65535"],
  ["HEDDLE_PORT", "65536", "environment: HEDDLE_PORT: expected a port from 0 to 65535"],
  ["HEDDLE_ENV", "prod", "environment: HEDDLE_ENV: expected one of development, staging, production"],
  ["HEDDLE_LOG_LEVEL", "loud", "environment: HEDDLE_LOG_LEVEL: expected one of debug, info, warn, error, silent"],
  ["OPENAI_BASE_URL", "localhost:1", "environment: OPENAI_BASE_URL: expected an http(s) address"],
  ["AZURE_OPENAI_ENDPOINT", "my-resource", "environment: AZURE_OPENAI_ENDPOINT: expected an http(s) address"],
  ["AI_PROXY_SERVER__PORT", "x", "environment: AI_PROXY_SERVER__PORT: expected a port from 0 to 65535"],
  [
    "AI_PROXY_PROVIDERS__GEMINI__API_BASE",
    "x",
    "environment: AI_PROXY_PROVIDERS__GEMINI__API_BASE: expected an http(s) address",
  ],
])("%s=%s is refused under the name it was given", async (name, value, expected) => {
  expect(await refusal(undefined, { [name]: value })).toEqual([expected]);
});

test("empty sections and providers without settings are no errors", async () => {
  const config = await load("providers:\n  echo:\nmodels:\n  # fast: echo/echo\nauth:\n");
  expect(config.providers.map(({ id }) => id)).toEqual(["echo"]);
  expect((await load("")).source).toBe("heddle.yaml");
  expect((await load("# nothing yet\n")).auth.mode).toBe("open");
});
