// What is published to Azure Functions: one entry that registers all, whole in itself but for what the host brings, small at its start.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import type { Metafile } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleAzure, eagerFiles } from "../../scripts/bundle.ts";

const root = new URL("../../", import.meta.url).pathname;
const out = mkdtempSync(join(tmpdir(), "heddle-build-"));
afterAll(() => rmSync(out, { recursive: true, force: true }));

/** KiB that Node reads, compiles and runs before the app is known to the host: the transport and the Functions library are half of it. */
const mostAtStart = 860;
/** KiB of all files: what is published, and lies on each instance. */
const mostInAll = 3_950;
/** KiB that the first call of a key loads beyond the start: tokens, secrets and the table, which is half of it. */
const mostAtFirstKey = 800;
/** Which are large, and wait in chunks of their own until they are used. */
const late =
  /node_modules\/(?:@aws-sdk|@aws-crypto|@smithy|openai|@anthropic-ai|@google|yaml|zod|jose|@azure\/(?!functions))\//;

/** What the Functions worker provides, and loads the app with. */
const worker = `
const Module = require("node:module");
const registered = [];
const core = {
  version: "3.10.0",
  hostVersion: "4.1040.0",
  log: () => undefined,
  setProgrammingModel: () => undefined,
  getProgrammingModel: () => undefined,
  registerFunction: ({ name }) => void registered.push(name),
  registerHook: (name) => void registered.push(name),
  Disposable: class {},
};
const original = Module.prototype.require;
Module.prototype.require = function (id) {
  return id === "@azure/functions-core" ? core : original.call(this, id);
};
import(require("node:path").resolve(require("./package.json").main)).then(
  () => process.stdout.write(JSON.stringify(registered) + "\\n", () => process.exit(0)),
  (error) => {
    process.stderr.write(String(error && error.stack));
    process.exit(1);
  },
);
`;

describe("the bundle of the function app", () => {
  let metafile: Metafile;
  const folder = join(out, "azure");
  beforeAll(async () => {
    metafile = await bundleAzure(out);
  });

  /** Paths in a metafile are the project's. */
  const inFolder = (path: string): string => relative(folder, resolve(root, path));

  test("is whole in itself: what it imports lies in its folder, in Node, or in the host", () => {
    const outside = Object.values(metafile.outputs)
      .flatMap(({ imports }) => imports)
      .filter(({ path, external }) =>
        external === true
          ? !path.startsWith("node:") && path !== "@azure/functions-core"
          : inFolder(path).startsWith(".."),
      );
    expect(outside).toEqual([]);
  });

  test("holds no source map", () => {
    expect(readdirSync(folder, { recursive: true }).filter((file) => String(file).endsWith(".map"))).toEqual([]);
    expect(readdirSync(join(out, "maps/azure"))).toContain("index.mjs.map");
  });

  test("is within its sizes, at its start and whole", () => {
    const sum = (paths: readonly string[]): number =>
      paths.reduce((bytes, path) => bytes + (metafile.outputs[path]?.bytes ?? 0), 0) / 1024;
    const start = sum(eagerFiles(metafile));
    expect(start).toBeGreaterThan(100);
    expect(start).toBeLessThan(mostAtStart);
    expect(sum(Object.keys(metafile.outputs).filter((path) => !path.endsWith(".map")))).toBeLessThan(mostInAll);
  });

  test("is within its size for the first call of a key, and holds nothing of the SDKs that is never used here", () => {
    const loaded = new Set(eagerFiles(metafile));
    const start = [...loaded];
    const load = (path: string): void => {
      const file = metafile.outputs[path];
      if (file === undefined || loaded.has(path)) return;
      loaded.add(path);
      for (const { path: next, kind } of file.imports) if (kind === "import-statement") load(next);
    };
    const used = ["/@azure/identity/", "/@azure/keyvault-secrets/", "/@azure/cosmos/", "lib/stores/cosmos.ts"];
    const entries = Object.entries(metafile.outputs).filter(([, { entryPoint = "" }]) =>
      used.some((each) => entryPoint.includes(each)),
    );
    expect(entries.length).toBe(used.length);
    for (const [path] of entries) load(path);
    const bytes = [...loaded].reduce((sum, path) => sum + (metafile.outputs[path]?.bytes ?? 0), 0);
    const before = start.reduce((sum, path) => sum + (metafile.outputs[path]?.bytes ?? 0), 0);
    expect((bytes - before) / 1024).toBeLessThan(mostAtFirstKey);
    const all = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
    expect(all.filter((path) => /node_modules\/(?:semver|@azure\/keyvault-keys|apache-arrow)\//.test(path))).toEqual(
      [],
    );
  });

  test("loads no SDK at its start", () => {
    const early = eagerFiles(metafile).flatMap((path) => Object.keys(metafile.outputs[path]?.inputs ?? {}));
    expect(early.filter((path) => late.test(path))).toEqual([]);
  });

  test("loads in a bare directory, where nothing is installed and only the worker's own module is there", () => {
    const bare = mkdtempSync(join(tmpdir(), "heddle-bare-"));
    try {
      const { main } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { main: string };
      mkdirSync(join(bare, "dist"));
      cpSync(folder, join(bare, "dist/azure"), { recursive: true });
      writeFileSync(join(bare, "package.json"), JSON.stringify({ type: "module", main }));
      writeFileSync(join(bare, "worker.cjs"), worker);
      const { status, stdout, stderr } = spawnSync(process.execPath, ["worker.cjs"], {
        cwd: bare,
        encoding: "utf8",
        timeout: 15_000,
        env: {
          PATH: process.env["PATH"] ?? "",
          HEDDLE_QUEUE: "heddle-jobs",
          HEDDLE_COSMOS_ENDPOINT: "https://cosmos.example",
          AzureWebJobsStorage: "UseDevelopmentStorage=true",
        },
      });
      expect(stderr).toBe("");
      expect(status).toBe(0);
      expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toEqual([
        "gateway",
        "worker",
        "sweeper",
        "appTerminate",
      ]);
    } finally {
      rmSync(bare, { recursive: true, force: true });
    }
  });
});
