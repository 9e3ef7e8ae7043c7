// Configuration without a file: the names people already use, those of predecessors, and nothing at all.
import { expect, test } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { load, provider, refusal } from "./support.ts";

test("no configuration at all: echo, on loopback, open to whoever is on this machine", async () => {
  const config = await load();
  expect(config.providers).toEqual([expect.objectContaining({ id: "echo", kind: "echo" })]);
  expect(config.server).toMatchObject({ host: "127.0.0.1", port: 8787 });
  expect(config).toMatchObject({
    auth: { mode: "open", keys: [] },
    environment: "development",
    dataDir: ".heddle",
    notices: [],
  });
  expect(config.cors).toBeUndefined();
  expect(config.source).toBeUndefined();
});

test("no configuration at all: the server answers", async () => {
  const gateway = await startGateway();
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify({ model: "echo", messages: [{ role: "user", content: "Hello [[pace 0]]" }] }),
  });
  expect(response.status).toBe(200);
  expect(JSON.stringify(await response.json())).toContain("You said: Hello");
  await gateway.stop();
});

test.each(["0.0.0.0", "::", "192.168.1.10", "heddle.example", "127.0.0.1.example", "128.0.0.1"])(
  "open access refuses to listen on %s",
  async (host) => {
    const told = "open access listens on loopback only; expected 127.0.0.1, or auth.keys";
    expect(await refusal(undefined, { HEDDLE_HOST: host })).toEqual([`environment: HEDDLE_HOST: ${told}`]);
    expect(await refusal("{}", { AI_PROXY_SERVER__HOST: host })).toEqual([
      `environment: AI_PROXY_SERVER__HOST: ${told}`,
    ]);
    expect(await refusal(`auth: { mode: open }\nserver: { host: "${host}" }\n`)).toEqual([
      `heddle.yaml:2: server.host: ${told}`,
    ]);
  },
);

test.each(["127.0.0.1", "127.1.2.3", "localhost", "::1"])("open access listens on %s", async (host) => {
  expect((await load(undefined, { HEDDLE_HOST: host })).server.host).toBe(host);
});

test("with keys it listens anywhere", async () => {
  const config = await load("auth: { keys: [{ name: a, key: 0123456789abcdef }] }\n", { HEDDLE_HOST: "0.0.0.0" });
  expect(config).toMatchObject({ auth: { mode: "keys" }, server: { host: "0.0.0.0" } });
});

test.each([
  ["OPENAI_API_KEY", "openai", "apiKey", {}],
  ["OPENAI_BASE_URL", "openai", "baseUrl", { OPENAI_API_KEY: "k" }],
  ["ANTHROPIC_API_KEY", "anthropic", "apiKey", {}],
  ["ANTHROPIC_BASE_URL", "anthropic", "baseUrl", { ANTHROPIC_API_KEY: "k" }],
  ["GEMINI_API_KEY", "gemini", "apiKey", {}],
  ["GOOGLE_API_KEY", "gemini", "apiKey", {}],
  ["GEMINI_BASE_URL", "gemini", "baseUrl", { GEMINI_API_KEY: "k" }],
  ["AZURE_OPENAI_ENDPOINT", "azure-openai", "baseUrl", {}],
  ["AZURE_OPENAI_API_KEY", "azure-openai", "apiKey", { AZURE_OPENAI_ENDPOINT: "https://a.example" }],
  ["AWS_BEARER_TOKEN_BEDROCK", "bedrock", "bearerToken", { AWS_REGION: "eu-west-1" }],
  ["AWS_REGION", "bedrock", "region", { AWS_BEARER_TOKEN_BEDROCK: "k" }],
] as const)("%s alone is enough: %s.%s", async (name, id, setting, beside) => {
  const value = name.endsWith("_URL") || name.endsWith("ENDPOINT") ? "https://host.example" : "value-of-it";
  const config = await load(undefined, { ...beside, [name]: value });
  expect(provider(config, id)).toMatchObject({ kind: id, [setting]: value });
  expect(config.providers.map((each) => each.id).toSorted()).toEqual([id, "echo"].toSorted());
  expect(config.notices).toEqual([]);
});

test("HEDDLE_* names come before the file", async () => {
  const text = "environment: staging\nserver: { host: localhost, port: 1 }\nlog: { level: error }\ndataDir: a\n";
  const env = {
    HEDDLE_ENV: "production",
    HEDDLE_HOST: "::1",
    HEDDLE_PORT: "2",
    HEDDLE_LOG_LEVEL: "debug",
    HEDDLE_DATA: "b",
  };
  expect(await load(text, env)).toMatchObject({
    environment: "production",
    server: { host: "::1", port: 2 },
    log: { level: "debug" },
    dataDir: "b",
  });
  expect((await load("{}", { HEDDLE_CONFIG: "my.yaml" }, "my.yaml")).source).toBe("my.yaml");
});

test("an empty variable counts as none", async () => {
  const env = { OPENAI_API_KEY: "", HEDDLE_PORT: "", HEDDLE_CONFIG: "", HEDDLE_ENV: "", AI_PROXY_SERVER__PORT: "" };
  expect(await load(undefined, env)).toEqual(await load());
});

test("GEMINI_API_KEY comes before GOOGLE_API_KEY", async () => {
  const config = await load(undefined, { GEMINI_API_KEY: "a", GOOGLE_API_KEY: "b" });
  expect(provider(config, "gemini").apiKey).toBe("a");
});

test("plain AWS keys don't turn Bedrock on; named in the file, it takes them, and never mixes two sets", async () => {
  const env = {
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "id",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_SESSION_TOKEN: "token",
  };
  expect((await load(undefined, env)).providers.map(({ id }) => id)).toEqual(["echo"]);
  expect(provider(await load("providers: { bedrock: }\n", env), "bedrock")).toMatchObject({
    region: "eu-west-1",
    accessKeyId: "id",
    secretAccessKey: "secret",
    sessionToken: "token",
  });
  const own = provider(await load("providers: { bedrock: { accessKeyId: x, secretAccessKey: y } }\n", env), "bedrock");
  expect(own).toMatchObject({ region: "eu-west-1", accessKeyId: "x", secretAccessKey: "y" });
  expect(own.sessionToken).toBeUndefined();
});

test("a file's setting comes before the environment's, which fills in the rest of its own provider alone", async () => {
  const text =
    "providers:\n  openai: { baseUrl: 'https://mine.example/v1' }\n  other: { kind: openai, apiKey: mine }\n  anthropic: { apiKey: mine }\n";
  const config = await load(text, {
    OPENAI_API_KEY: "k",
    OPENAI_BASE_URL: "https://env.example",
    ANTHROPIC_API_KEY: "k",
  });
  expect(provider(config, "openai")).toMatchObject({ apiKey: "k", baseUrl: "https://mine.example/v1" });
  expect(provider(config, "other").baseUrl).toBeUndefined();
  expect(provider(config, "anthropic").apiKey).toBe("mine");
});

test("AI_PROXY_* names are taken, each with a notice of the name alone", async () => {
  const config = await load(undefined, {
    AI_PROXY_SERVER__HOST: "localhost",
    AI_PROXY_SERVER__PORT: "9001",
    AI_PROXY_PROVIDERS__OPENAI__API_KEY: "ko",
    AI_PROXY_PROVIDERS__OPENAI__API_BASE: "https://o.example/v1",
    AI_PROXY_PROVIDERS__ANTHROPIC__API_KEY: "ka",
    AI_PROXY_PROVIDERS__ANTHROPIC__API_BASE: "https://a.example",
    AI_PROXY_PROVIDERS__GEMINI__API_KEY: "kg",
    AI_PROXY_PROVIDERS__GEMINI__API_BASE: "https://g.example",
  });
  expect(config.server).toMatchObject({ host: "localhost", port: 9001 });
  expect(provider(config, "openai")).toMatchObject({ apiKey: "ko", baseUrl: "https://o.example/v1" });
  expect(provider(config, "anthropic")).toMatchObject({ apiKey: "ka", baseUrl: "https://a.example" });
  expect(provider(config, "gemini")).toMatchObject({ apiKey: "kg", baseUrl: "https://g.example" });
  expect(config.notices.toSorted()).toEqual([
    "AI_PROXY_PROVIDERS__ANTHROPIC__API_BASE is read as ANTHROPIC_BASE_URL",
    "AI_PROXY_PROVIDERS__ANTHROPIC__API_KEY is read as ANTHROPIC_API_KEY",
    "AI_PROXY_PROVIDERS__GEMINI__API_BASE is read as GEMINI_BASE_URL",
    "AI_PROXY_PROVIDERS__GEMINI__API_KEY is read as GEMINI_API_KEY",
    "AI_PROXY_PROVIDERS__OPENAI__API_BASE is read as OPENAI_BASE_URL",
    "AI_PROXY_PROVIDERS__OPENAI__API_KEY is read as OPENAI_API_KEY",
    "AI_PROXY_SERVER__HOST is read as HEDDLE_HOST",
    "AI_PROXY_SERVER__PORT is read as HEDDLE_PORT",
  ]);
});

test("our own name comes before a predecessor's, and an unknown one is said to be unused", async () => {
  const config = await load(undefined, {
    HEDDLE_PORT: "1",
    AI_PROXY_SERVER__PORT: "2",
    GOOGLE_API_KEY: "ours",
    AI_PROXY_PROVIDERS__GEMINI__API_KEY: "theirs",
    AI_PROXY_LOGGING__LEVEL: "debug",
    CACHE_ENABLED: "true",
  });
  expect(config.server.port).toBe(1);
  expect(provider(config, "gemini").apiKey).toBe("ours");
  expect(config.notices.toSorted()).toEqual([
    "AI_PROXY_LOGGING__LEVEL is not used",
    "AI_PROXY_PROVIDERS__GEMINI__API_KEY is not used: GOOGLE_API_KEY is set",
    "AI_PROXY_SERVER__PORT is not used: HEDDLE_PORT is set",
    "CACHE_ENABLED is not used",
  ]);
});

test("LOG_LEVEL and TIMEOUT are taken with a notice, give way to the file, and never stop the start", async () => {
  const env = { LOG_LEVEL: "DEBUG", TIMEOUT: "30" };
  const config = await load(undefined, env);
  expect(config).toMatchObject({ log: { level: "debug" }, timeouts: { headersMs: 30_000 } });
  expect(config.notices).toEqual(["LOG_LEVEL is read as log.level", "TIMEOUT is read as timeouts.headersMs"]);
  const written = await load("log: { level: warn }\ntimeouts: { headersMs: 5 }\n", env);
  expect(written).toMatchObject({ log: { level: "warn" }, timeouts: { headersMs: 5 }, notices: [] });
  const odd = await load(undefined, { LOG_LEVEL: "VERBOSE", TIMEOUT: "-1" });
  expect(odd.notices).toEqual([
    "LOG_LEVEL is not used: expected one of debug, info, warn, error, silent",
    "TIMEOUT is not used: expected seconds, more than 0",
  ]);
});

test("in production there is no echo unless it is written, and having no provider is said", async () => {
  const config = await load(undefined, { HEDDLE_ENV: "production" });
  expect(config.providers).toEqual([]);
  expect(config.notices).toEqual(["no provider is on: every model call will fail"]);
  expect(provider(await load("providers: { echo: { pace: 5 } }\n", { HEDDLE_ENV: "production" }), "echo").pace).toBe(5);
});

test("betas pass to Anthropic all, to others none unless they are written (F21)", async () => {
  const config = await load(
    "providers: { anthropic: { apiKey: a }, bedrock: { region: r }, openai: { apiKey: a, betas: [x] } }\n",
  );
  expect(["anthropic", "bedrock", "openai"].map((id) => provider(config, id).betas)).toEqual([["*"], [], ["x"]]);
});
