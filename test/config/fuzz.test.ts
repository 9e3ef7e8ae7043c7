// Any document at all: accepted, or refused by a ConfigError that repeats none of its values (F41).
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { loadConfig } from "../../lib/config.ts";
import { ConfigError } from "../../lib/config/problems.ts";

const canary = "canary-7b1e-value";

const settings = [
  "kind",
  "apiKey",
  "baseUrl",
  "headers",
  "models",
  "dialect",
  "betas",
  "wires",
  "region",
  "accessKeyId",
  "pace",
  "tokenCredential",
  "mode",
  "keys",
  "name",
  "key",
  "origins",
  "credentials",
  "host",
  "port",
  "level",
  "attempts",
  "idleMs",
  "input",
  "output",
  "apikey",
  "__proto__",
];
// Models are left out: their targets are names, which errors do tell.
const sections = [
  "providers",
  "prices",
  "retry",
  "timeouts",
  "server",
  "auth",
  "cors",
  "log",
  "dataDir",
  "environment",
  "$schema",
  "unknown",
];

const { value } = fc.letrec<{ value: unknown; scalar: unknown; list: unknown; map: unknown }>((tie) => ({
  value: fc.oneof({ maxDepth: 5, depthSize: "medium" }, tie("scalar"), tie("map"), tie("list")),
  scalar: fc.oneof(
    fc.constantFrom(
      canary,
      `\${${canary}}`,
      `https://${canary}/`,
      "${SECRET}",
      "${SECRET:-x}",
      "${NOT_SET}",
      "$${x}",
      "",
      "openai",
      true,
      null,
    ),
    fc.integer(),
    fc.double(),
  ),
  list: fc.array(tie("value"), { maxLength: 3 }),
  map: fc.dictionary(fc.constantFrom(...settings, "openai", "echo", "bedrock"), tie("value"), { maxKeys: 4 }),
}));
const documents = fc.dictionary(fc.constantFrom(...sections), value, { maxKeys: 5 });

/** What loading ends with: the problems' text, or undefined where it is accepted. Anything but a ConfigError is thrown on. */
const outcome = async (text: string): Promise<string | undefined> => {
  try {
    await loadConfig({
      env: { SECRET: `${canary}-of-the-environment` },
      readFile: (path) => (path === "heddle.yaml" ? text : undefined),
    });
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
};

test("documents of the grammar's own words in any order", async () => {
  await fc.assert(
    fc.asyncProperty(documents, async (document) => {
      for (const text of [stringify(document), JSON.stringify(document)])
        expect((await outcome(text)) ?? "").not.toContain(canary);
    }),
    { numRuns: 400 },
  );
});

const marks = "{}[]:,-\"'&*!|>%@`#\n\t \\".split("");

// The seed is fixed: a key may well be cut into the name of a provider, and names are told.
test("texts of any kind, whole or cut", async () => {
  const whole = `providers:\n  openai: { apiKey: "${canary}", headers: { a: '${canary}' } }\nauth:\n  keys: [{ name: a, key: ${canary} }]\n`;
  const cut = fc
    .tuple(fc.nat(whole.length), fc.string({ maxLength: 6, unit: fc.constantFrom(...marks) }))
    .map(([at, more]) => whole.slice(0, at) + more + whole.slice(at + 2));
  await fc.assert(
    fc.asyncProperty(fc.oneof(cut, fc.string()), async (text) => {
      expect((await outcome(text)) ?? "").not.toContain(canary);
    }),
    { numRuns: 600, seed: 7 },
  );
});
