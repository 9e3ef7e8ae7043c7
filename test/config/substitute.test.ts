// `${NAME}` in a configuration: filled in everywhere, typed where a type is wanted, never silently missing.
import { expect, test } from "vitest";
import { load, provider, refusal } from "./support.ts";

test("is filled in wherever a value stands, in part or whole", async () => {
  const config = await load(
    `providers:
  openai:
    apiKey: \${MY_KEY}
    baseUrl: https://\${HOST}:\${PORT}/v1
    headers: { x-team: "team \${TEAM}" }
    models: ["\${MODEL}", other]
models:
  fast: openai/\${MODEL}
auth:
  keys: [{ name: me, key: "\${CALLER}" }]
`,
    { MY_KEY: "k", HOST: "h.example", PORT: "81", TEAM: "weave", MODEL: "gpt-x", CALLER: "0123456789abcdef" },
  );
  expect(provider(config, "openai")).toMatchObject({
    apiKey: "k",
    baseUrl: "https://h.example:81/v1",
    headers: { "x-team": "team weave" },
    models: ["gpt-x", "other"],
  });
  expect(config.models[0]?.targets).toEqual(["openai/gpt-x"]);
  expect(config.auth.keys[0]?.key).toBe("0123456789abcdef");
});

test("every name that is not set is told, with line, path and name, and once", async () => {
  const text =
    "providers:\n  openai:\n    apiKey: ${NOT_THERE}\n    baseUrl: ${NOR_THIS}/v1\nauth:\n  keys:\n    - { name: a, key: '${EMPTY}' }\n";
  expect(await refusal(text, { EMPTY: "" })).toEqual([
    "heddle.yaml:3: providers.openai.apiKey: the environment variable NOT_THERE is not set (${NOT_THERE:-} lets it be absent)",
    "heddle.yaml:4: providers.openai.baseUrl: the environment variable NOR_THIS is not set (${NOR_THIS:-} lets it be absent)",
    "heddle.yaml:7: auth.keys[0].key: the environment variable EMPTY is not set (${EMPTY:-} lets it be absent)",
  ]);
});

test("a default stands in for a name that is absent or empty", async () => {
  const text =
    "dataDir: ${DATA:-/var/lib/heddle}\nserver: { host: '${H:-::1}' }\nproviders: { openai: { apiKey: '${K:-}' } }\n";
  expect(await load(text)).toMatchObject({ dataDir: "/var/lib/heddle", server: { host: "::1" } });
  expect((await load(text, { DATA: "", H: "127.0.0.2" })).server.host).toBe("127.0.0.2");
});

test("numbers and switches may come from the environment", async () => {
  const text =
    "server: { port: '${P}' }\nretry: { attempts: '${A:-3}' }\ncors: { origins: [], credentials: '${C}' }\nprices: { m: { input: '${I}', output: 2 } }\n";
  const config = await load(text, { P: "9000", C: "true", I: "0.25" });
  expect(config).toMatchObject({
    server: { port: 9000 },
    retry: { attempts: 3 },
    cors: { credentials: true },
    prices: { m: { input: 0.25 } },
  });
  expect(await refusal("server: { port: '${P}' }\n", { P: "nine" })).toEqual([
    "heddle.yaml:1: server.port: expected a whole number",
  ]);
});

test("a text stays a text where the value looks like a number", async () => {
  const config = await load("providers: { openai: { apiKey: '${K}', models: ['${M}'] } }\n", { K: "12345", M: "true" });
  expect(provider(config, "openai")).toMatchObject({ apiKey: "12345", models: ["true"] });
});

test("$${ is a plain ${, and what begins like a variable and is none is refused", async () => {
  const config = await load("providers: { openai: { apiKey: 'a$${B}c $5 {d}' } }\n");
  expect(provider(config, "openai").apiKey).toBe("a${B}c $5 {d}");
  for (const wrong of ["${1ST}", "${}", "${A-B}", "${A", "x ${ y"])
    expect(await refusal(`dataDir: '${wrong}'\n`, { A: "1" })).toEqual([
      "heddle.yaml:1: dataDir: expected ${NAME} or ${NAME:-default}; write $${ for a plain ${",
    ]);
});

test("what a variable holds is not looked into again, and can't change the file's structure", async () => {
  const config = await load("dataDir: '${A}'\n", { A: "${B}\nlog: { level: debug }", B: "never" });
  expect(config.dataDir).toBe("${B}\nlog: { level: debug }");
  expect(config.log.level).toBe("info");
});
