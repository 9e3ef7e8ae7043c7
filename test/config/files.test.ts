// Files as they lie about: JSON, the defaults by name, the .env examples, and every configuration that the documentation shows.
import { globSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { expect, test } from "vitest";
import { load, provider } from "./support.ts";

const root = new URL("../../", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, root), "utf8");

test("JSON works as YAML does, with lines in its errors too", async () => {
  const text = JSON.stringify(
    { $schema: "./heddle.schema.json", providers: { openai: { apiKey: "${K}" } }, models: { fast: "openai/x" } },
    undefined,
    2,
  );
  const config = await load(text, { K: "k" }, "heddle.json");
  expect(config.source).toBe("heddle.json");
  expect(provider(config, "openai").apiKey).toBe("k");
  await expect(load('{\n  "server": {\n    "port": "x"\n  }\n}', {}, "heddle.json")).rejects.toThrow(
    "heddle.json:3: server.port: expected a whole number",
  );
});

test.each(["heddle.yaml", "heddle.yml", "heddle.json"])("%s is found by its name", async (name) => {
  expect((await load("{}", {}, name)).source).toBe(name);
});

test("the example of the design: aliases, hosts, fallback", async () => {
  const config = await load(
    `providers:
  openai:
    apiKey: \${OPENAI_API_KEY}
  ollama:
    kind: openai-compatible
    baseUrl: http://127.0.0.1:11434/v1
models:
  fast: openai/gpt-5.4-mini
  smart:
    strategy: fallback
    targets: [anthropic/claude-opus-5, openai/gpt-5.5]
`,
    { OPENAI_API_KEY: "a", ANTHROPIC_API_KEY: "b" },
  );
  expect(config.models).toEqual([
    { name: "fast", strategy: "fallback", targets: ["openai/gpt-5.4-mini"] },
    { name: "smart", strategy: "fallback", targets: ["anthropic/claude-opus-5", "openai/gpt-5.5"] },
  ]);
});

test.each(["development", "staging", "production"])(".env.%s is a configuration, and holds no key", async (name) => {
  const env = parseEnv(read(`.env.${name}`)) as Record<string, string>;
  const config = await load(undefined, env);
  expect(config.environment).toBe(name);
  expect(config.server).toMatchObject({ host: "127.0.0.1", port: 8787 });
  expect(Object.entries(env).filter(([key, value]) => /KEY|TOKEN|SECRET/.test(key) && value !== "")).toEqual([]);
});

/** Blocks of YAML or JSON in the documentation that are whole configurations: they begin with a section of one. */
const shown = globSync(["*.md", "docs/**/*.md", "examples/*.md"], { cwd: root }).flatMap((name) =>
  [...read(name).matchAll(/^```(?:ya?ml|json)\n([\s\S]*?)^```$/gm)]
    .map(([, text = ""], at) => ({ name: `${name} #${at + 1}`, text }))
    .filter(({ text }) =>
      /^(?:#.*\n)*(?:\{\s*"\$?|)(?:schema|environment|providers|models|prices|retry|timeouts|server|auth|cors|log|dataDir)\b/.test(
        text,
      ),
    ),
);

test("every configuration in the documentation is accepted", async () => {
  for (const { name, text } of shown) {
    // Whatever variable it names is set, as it is where the example is followed.
    const names = [...text.matchAll(/\$\{(\w+)/g)].map(([, variable = ""]) => variable);
    const env = Object.fromEntries(
      names.map((variable, at) => [
        variable,
        /URL|ENDPOINT/.test(variable) ? "https://host.example" : `value-${at}-0123456789abcdef`,
      ]),
    );
    const keys = { OPENAI_API_KEY: "k", ANTHROPIC_API_KEY: "k", GEMINI_API_KEY: "k" };
    const problem = await load(text, { ...keys, ...env }).then(
      () => undefined,
      (error: unknown) => String(error),
    );
    expect({ name, problem }).toEqual({ name, problem: undefined });
  }
});
