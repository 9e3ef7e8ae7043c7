// heddle.schema.json: what editors check is what Heddle checks.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as z from "zod";
import { describedPaths, publishedSchema } from "../../lib/config/published.ts";
import { configSchema } from "../../lib/config/schema.ts";

const published = readFileSync(new URL("../../heddle.schema.json", import.meta.url), "utf8");
const schema = JSON.parse(published) as Record<string, unknown>;
/** The published schema read back as a check of its own, by the JSON Schema it says and nothing else. */
const editor = z.fromJSONSchema(schema);

test("the published schema is what scripts/schema.ts makes (else: npm run schema)", () => {
  expect(published).toBe(publishedSchema());
});

test.each([
  ["nothing", {}],
  ["an editor's own line", { $schema: "./heddle.schema.json" }],
  [
    "providers",
    {
      providers: {
        openai: { apiKey: "k" },
        "my.host-1": { kind: "openai-compatible", baseUrl: "http://h/v1" },
        echo: {},
      },
    },
  ],
  [
    "all of a provider",
    {
      providers: {
        a: {
          kind: "bedrock",
          region: "r",
          accessKeyId: "i",
          secretAccessKey: "s",
          headers: { a: "b" },
          betas: ["*"],
          models: ["m"],
          pace: 0,
        },
      },
    },
  ],
  [
    "dialect",
    {
      providers: {
        a: { dialect: { reasoningEffort: true, refuses: ["seed"], structuredOutput: "none" }, wires: ["openai-chat"] },
      },
    },
  ],
  ["a dialect with a name for its effort", { providers: { a: { dialect: { reasoningEffort: "openrouter" } } } }],
  [
    "models",
    { models: { fast: "openai/gpt", smart: { strategy: "fallback", targets: ["a", "b/c"], maxOutputTokens: 5 } } },
  ],
  ["prices", { prices: { "openai/gpt": { input: 0, output: 1.5, perCall: 0.1 } } }],
  ["servers", { server: { port: 0, host: "::1", drainMs: 0 }, retry: { attempts: 10 }, timeouts: { idleMs: 0.5 } }],
  [
    "access",
    {
      auth: { mode: "keys", keys: [{ name: "a", key: "0123456789abcdef" }] },
      cors: { origins: ["*", "null", "https://a.example:1"] },
    },
  ],
  ["the Siili API", { siili: { prefix: "/api/chat", model: "a", system: "b", speechModel: "c" } }],
  ["logs", { log: { level: "silent" }, dataDir: "x", environment: "staging" }],
] as const)("both accept %s", (_what, value) => {
  expect(configSchema.safeParse(value).success).toBe(true);
  expect(editor.safeParse(value).success).toBe(true);
});

test.each([
  ["an unknown section", { provders: {} }],
  ["an unknown setting", { providers: { a: { apikey: "k" } } }],
  ["an unknown setting deep inside", { providers: { a: { dialect: { streaming: true } } } }],
  ["a name that can't be one", { providers: { "a/b": {} } }],
  ["an unknown kind", { providers: { a: { kind: "cohere" } } }],
  ["an address that is none", { providers: { a: { baseUrl: "example.com" } } }],
  ["a header of another type", { providers: { a: { headers: { x: 1 } } } }],
  ["a wire that a host can't have", { providers: { a: { wires: ["gemini-generate"] } } }],
  ["no wires", { providers: { a: { wires: [] } } }],
  ["a pace below nothing", { providers: { a: { pace: -1 } } }],
  ["a number for a model", { models: { fast: 1 } }],
  ["a model without targets", { models: { fast: {} } }],
  ["no targets", { models: { fast: { targets: [] } } }],
  ["a strategy that is none", { models: { fast: { strategy: "random", targets: ["a"] } } }],
  ["half of a price", { prices: { m: { input: 1 } } }],
  ["a price below nothing", { prices: { m: { input: 1, output: -1 } } }],
  ["a port too high", { server: { port: 65_536 } }],
  ["a port that is not whole", { server: { port: 1.5 } }],
  ["a timeout of nothing", { timeouts: { idleMs: 0 } }],
  ["no tries", { retry: { attempts: 0 } }],
  ["too many tries", { retry: { attempts: 11 } }],
  ["a short key", { auth: { keys: [{ name: "a", key: "short" }] } }],
  ["a key without a name", { auth: { keys: [{ key: "0123456789abcdef" }] } }],
  ["cross-origin access of nobody's", { cors: {} }],
  ["an origin with a path", { cors: { origins: ["https://a.example/x"] } }],
  ["a level that is none", { log: { level: "trace" } }],
  ["a prefix that is other routes' own", { siili: { prefix: "/v1/chat" } }],
  ["a list", []],
  ["a text", "openai"],
] as const)("both refuse %s", (_what, value) => {
  expect(configSchema.safeParse(value).success).toBe(false);
  expect(editor.safeParse(value).success).toBe(false);
});

test("editors accept a variable where a number, a switch, a choice or a form is wanted", () => {
  const value = {
    environment: "${ENV}",
    providers: { a: { kind: "${KIND}", baseUrl: "${BASE}/v1", tokenCredential: "${T:-false}", pace: "${PACE}" } },
    models: { fast: { targets: ["${A}"], maxOutputTokens: "${M}" } },
    server: { port: "${PORT:-8787}" },
    auth: { keys: [{ name: "a", key: "${KEY}" }] },
    cors: { origins: ["${ORIGIN}"], credentials: "${C}" },
  };
  const told = editor.safeParse(value);
  expect(told.error?.issues).toBeUndefined();
});

/** Every path of the schema, `*` for any name. */
const pathsOf = (node: unknown, path: readonly string[] = []): string[] => {
  if (typeof node !== "object" || node === null) return [];
  const { properties, additionalProperties, anyOf } = node as Record<string, unknown>;
  return [
    path.join("."),
    ...Object.entries((properties ?? {}) as Record<string, unknown>).flatMap(([key, each]) =>
      pathsOf(each, [...path, key]),
    ),
    ...pathsOf(additionalProperties, [...path, "*"]),
    ...(Array.isArray(anyOf) ? anyOf.flatMap((each) => pathsOf(each, path)) : []),
  ];
};

test("each description is of a setting that exists", () => {
  const paths = new Set(pathsOf(schema));
  expect(describedPaths.filter((path) => !paths.has(path))).toEqual([]);
});
