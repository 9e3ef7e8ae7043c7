// Who may import whom: one table, checked against every import; no cycles; the gateway bundles for no platform at all.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Folders of lib, and what each may import besides itself. `config-types` is types alone. `*` is anything in lib. */
const allowed: Record<string, readonly string[]> = {
  model: [],
  http: ["model"],
  wires: ["model", "http"],
  providers: ["model", "http", "wires", "config-types", "remote"],
  routing: ["model"],
  telemetry: ["model", "config-types"],
  auth: ["model", "config-types", "stores", "secrets"],
  secrets: ["model", "remote"],
  usage: ["model", "stores", "auth", "config-types", "telemetry"],
  limits: ["model", "stores", "auth", "usage", "config-types", "telemetry"],
  remote: ["model"],
  stores: ["model", "remote"],
  threads: ["model", "stores", "blobs", "queues"],
  queues: ["model", "remote"],
  blobs: ["model", "remote"],
  config: ["model", "config-types", "providers", "wires", "auth"],
  "config-types": ["providers", "wires", "auth"],
  chat: ["model", "http", "wires", "providers", "routing", "telemetry", "auth", "limits"],
  turns: [
    "model",
    "http",
    "wires",
    "providers",
    "routing",
    "telemetry",
    "chat",
    "threads",
    "stores",
    "blobs",
    "queues",
    "auth",
    "limits",
  ],
  routes: ["*"],
  gateway: ["*"],
  services: ["*"],
};

/** Packages that only providers, the implementations of ports and functions may load: the vendors' SDKs. */
const mayLoadSdk: ReadonlySet<string> = new Set(["providers", "stores", "blobs", "queues", "secrets", "remote"]);
const vendorSdk = /^(?:openai|@anthropic-ai\/|@google\/|@aws-sdk\/|@azure\/|@smithy\/)/;

const filesUnder = (folder: string): string[] =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesUnder(path) : path.endsWith(".ts") ? [path] : [];
  });

type Import = { from: string; specifier: string; typeOnly: boolean; dynamic?: boolean };

const importsOf = (file: string): Import[] => {
  const text = readFileSync(file, "utf8").replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const found: Import[] = [];
  for (const match of text.matchAll(/(?:^|\n)\s*(import|export)\s+(type\s+)?[^;"']*?from\s*["']([^"']+)["']/g))
    found.push({ from: file, specifier: match[3] ?? "", typeOnly: match[2] !== undefined });
  for (const match of text.matchAll(/(?:^|[^\w.])import\(\s*["']([^"']+)["']\s*\)/g))
    found.push({ from: file, specifier: match[1] ?? "", typeOnly: false, dynamic: true });
  for (const match of text.matchAll(/(?:^|\n)\s*import\s+["']([^"']+)["']/g))
    found.push({ from: file, specifier: match[1] ?? "", typeOnly: false });
  return found;
};

const layerOf = (path: string): string => {
  const inside = relative(join(root, "lib"), path);
  return (inside.split("/")[0] ?? "").replace(/\.ts$/, "");
};

const lib = filesUnder(join(root, "lib"));
const imports = lib.flatMap(importsOf);

describe("architecture", () => {
  test("the import table reads something", () => {
    expect(lib.length).toBeGreaterThan(40);
    expect(imports.length).toBeGreaterThan(100);
  });

  test("every folder of lib imports only what the table allows", () => {
    const wrong = imports.flatMap(({ from, specifier }) => {
      if (!specifier.startsWith(".")) return [];
      const to = resolve(dirname(from), specifier);
      const here = layerOf(from);
      const rules = allowed[here];
      if (!to.startsWith(join(root, "lib"))) return [`${relative(root, from)} leaves lib: ${specifier}`];
      const there = layerOf(to);
      if (rules === undefined) return [`${here} has no row in the table`];
      return there === here || rules.includes("*") || rules.includes(there)
        ? []
        : [`${relative(root, from)} -> ${relative(root, to)}`];
    });
    expect(wrong).toEqual([]);
  });

  test("a vendor's SDK is loaded by providers and the implementations of ports alone; wires take its types", () => {
    const wrong = imports.flatMap(({ from, specifier, typeOnly }) =>
      vendorSdk.test(specifier) && !mayLoadSdk.has(layerOf(from)) && !(typeOnly && layerOf(from) === "wires")
        ? [`${relative(root, from)} -> ${specifier}`]
        : [],
    );
    expect(wrong).toEqual([]);
  });

  test("stores, blobs, queues and secrets are known by their ports alone: only functions choose an implementation", () => {
    const ports = new Set([
      "lib/stores/table.ts",
      "lib/blobs/blobs.ts",
      "lib/secrets/secrets.ts",
      "lib/queues/queue.ts",
    ]);
    const implemented = new Set(["stores", "blobs", "secrets", "queues"]);
    const wrong = imports.flatMap(({ from, specifier }) => {
      if (!specifier.startsWith(".")) return [];
      const to = relative(root, resolve(dirname(from), specifier));
      const there = to.startsWith("lib/") ? layerOf(join(root, to)) : "";
      return implemented.has(there) && layerOf(from) !== there && !ports.has(to)
        ? [`${relative(root, from)} -> ${to}`]
        : [];
    });
    expect(wrong).toEqual([]);
  });

  test("the SDKs of stores, blobs, queues, secrets and credentials load when one is opened, not before", () => {
    const wrong = imports.flatMap(({ from, specifier, typeOnly, dynamic }) =>
      vendorSdk.test(specifier) &&
      ["stores", "blobs", "queues", "secrets", "remote"].includes(layerOf(from)) &&
      !typeOnly &&
      !dynamic
        ? [`${relative(root, from)} -> ${specifier}`]
        : [],
    );
    expect(wrong).toEqual([]);
  });

  test("no import cycles at run time", () => {
    const graph = new Map<string, string[]>();
    for (const { from, specifier, typeOnly } of imports)
      if (!typeOnly && specifier.startsWith("."))
        graph.set(from, [...(graph.get(from) ?? []), resolve(dirname(from), specifier)]);
    const done = new Set<string>();
    const cycles: string[] = [];
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) {
        cycles.push([...path.slice(path.indexOf(file)), file].map((each) => relative(root, each)).join(" -> "));
        return;
      }
      if (done.has(file)) return;
      for (const next of graph.get(file) ?? []) walk(next, [...path, file]);
      done.add(file);
    };
    for (const file of graph.keys()) walk(file, []);
    expect(cycles).toEqual([]);
  });

  test("no default exports, no `any`, files of a size that can be read", () => {
    const wrong = [...lib, ...filesUnder(join(root, "functions"))].flatMap((file) => {
      const text = readFileSync(file, "utf8");
      const name = relative(root, file);
      return [
        ...(/^export default /m.test(text) ? [`${name}: default export`] : []),
        ...(/[:<]\s*any\b/.test(text.replaceAll(/\/\/.*$|\/\*[\s\S]*?\*\//gm, "")) ? [`${name}: any`] : []),
        ...(text.split("\n").length > 400 && !name.endsWith(".data.ts") ? [`${name}: over 400 lines`] : []),
      ];
    });
    expect(wrong).toEqual([]);
  });

  test("the gateway bundles for a neutral platform: built-ins come by getBuiltinModule, SDKs only behind dynamic imports", async () => {
    const result = await build({
      entryPoints: [join(root, "lib/gateway.ts")],
      bundle: true,
      write: false,
      format: "esm",
      platform: "neutral",
      mainFields: ["module", "main"],
      splitting: true,
      outdir: "out",
      metafile: true,
      external: ["openai", "openai/*", "@anthropic-ai/*", "@google/*", "@aws-sdk/*", "@azure/*"],
      logLevel: "silent",
    });
    const entry = Object.values(result.metafile.outputs).find((output) => output.entryPoint === "lib/gateway.ts");
    const outside = (entry?.imports ?? []).filter((each) => each.external === true && each.kind !== "dynamic-import");
    expect(outside.map((each) => each.path)).toEqual([]);
    // The node: modules that the library takes by process.getBuiltinModule: a short list, all of them in every runtime it is deployed on.
    const taken = new Set(
      lib.flatMap((file) =>
        [...readFileSync(file, "utf8").matchAll(/getBuiltinModule\(\s*"node:([a-z_/]+)"/g)].map((match) => match[1]),
      ),
    );
    expect([...taken]).toEqual(expect.arrayContaining(["http", "https", "zlib"]));
    for (const name of taken)
      expect(["buffer", "crypto", "dns", "dns/promises", "http", "https", "net", "stream", "zlib", "url"]).toContain(
        name,
      );
  });
});
