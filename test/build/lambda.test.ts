// What is deployed to Lambda: each folder whole in itself, small at its start, SDKs in chunks that load when they are used.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import type { Metafile } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../lib/config.ts";
import { bundleLambda, eagerFiles, lambdaNames } from "../../scripts/bundle.ts";

const root = new URL("../../", import.meta.url).pathname;
const out = mkdtempSync(join(tmpdir(), "heddle-build-"));
afterAll(() => rmSync(out, { recursive: true, force: true }));

/** KiB that Node reads, compiles and runs before the first call. What grows beyond this is to be loaded when it is used. */
const mostAtStart = 480;
const vendor =
  /node_modules\/(?:@aws-sdk|@aws-crypto|@smithy|openai|@anthropic-ai|@google|@azure|undici|yaml|zod|jose)\//;

describe.each(lambdaNames)("the bundle of %s", (name) => {
  let metafile: Metafile;
  let folder: string;
  beforeAll(async () => {
    metafile = await bundleLambda(out, name);
    folder = join(out, "aws", name);
  });

  /** Paths in a metafile are the project's. */
  const inFolder = (path: string): string => relative(folder, resolve(root, path));

  test("is whole in itself: what it imports lies in its folder or in Node", () => {
    const outside = Object.values(metafile.outputs)
      .flatMap(({ imports }) => imports)
      .filter(({ path, external }) =>
        external === true ? !path.startsWith("node:") : inFolder(path).startsWith(".."),
      );
    expect(outside).toEqual([]);
  });

  test("its source maps lie apart", () => {
    expect(readdirSync(folder, { recursive: true }).filter((file) => String(file).endsWith(".map"))).toEqual([]);
    expect(readdirSync(join(out, "maps/aws", name))).toContain("index.mjs.map");
  });

  test("loads little at its start", () => {
    const bytes = eagerFiles(metafile).reduce((sum, path) => sum + (metafile.outputs[path]?.bytes ?? 0), 0);
    expect(bytes / 1024).toBeGreaterThan(1);
    expect(bytes / 1024).toBeLessThan(mostAtStart);
  });

  test("loads no SDK at its start", () => {
    const early = eagerFiles(metafile).flatMap((path) => Object.keys(metafile.outputs[path]?.inputs ?? {}));
    expect(early.filter((path) => vendor.test(path))).toEqual([]);
  });

  test("has each provider's and each store's SDK in chunks of its own", () => {
    const sdk = /node_modules\/(@aws-sdk\/client-[a-z0-9-]+|openai|@anthropic-ai\/sdk|@google\/generative-ai)\//;
    const mixed = Object.entries(metafile.outputs).flatMap(([path, { inputs }]) => {
      const names = Object.keys(inputs);
      if (!names.some((input) => sdk.test(input))) return [];
      const own = names.filter((input) => /^(?:lib|functions)\//.test(input));
      return own.length === 0 ? [] : [`${path}: ${own.join(", ")}`];
    });
    expect(mixed).toEqual([]);
  });
});

describe("the configuration that is built in", () => {
  const config = join(out, "given.yaml");
  const built = join(out, "aws/sweeper/heddle.yaml");
  const build = async (yaml: string): Promise<string> => {
    writeFileSync(config, yaml);
    await bundleLambda(out, "sweeper", { config });
    return readFileSync(built, "utf8");
  };
  const modelsOf = async (text: string, env: Record<string, string> = {}): Promise<unknown> =>
    (await loadConfig({ env, readFile: (path) => (path === "heddle.yaml" ? text : undefined) })).models;

  test("says the same, without its comments", async () => {
    const text = await build("# Said once.\nproviders:\n  echo:\nmodels:\n  fast: echo/echo # the quickest\n");
    expect(text).not.toContain("quickest");
    expect(await modelsOf(text)).toEqual([{ name: "fast", strategy: "fallback", targets: ["echo/echo"] }]);
  });

  test("takes variables from where it runs, and is checked there", async () => {
    const text = await build("models:\n  fast: ${FAST}\n");
    expect(await modelsOf(text, { FAST: "echo/echo" })).toMatchObject([{ targets: ["echo/echo"] }]);
    await expect(modelsOf(text)).rejects.toThrow("FAST");
  });

  test("is checked again where somebody changed it", async () => {
    const text = await build("models:\n  fast: echo/echo\n");
    await expect(modelsOf(text.replace("models", "modells"))).rejects.toThrow("modells");
  });

  test("fails the build where it can't be used", async () => {
    await expect(build("modells: {}\n")).rejects.toThrow("modells");
  });
});

test("there are functions to bundle", () => {
  expect(lambdaNames).toContain("gateway");
});
