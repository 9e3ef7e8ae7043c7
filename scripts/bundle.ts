// How bundles are made: minified ESM, split so that a vendor's SDK loads only when it is used, built-in modules taken without the ESM loader (it loads all of undici).
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { build, type BuildOptions, type Metafile, type Plugin } from "esbuild";
import { readConfigFile } from "../lib/config/file.ts";
import { hasVariables, seal } from "../lib/config/sealed.ts";

const root = new URL("../", import.meta.url).pathname;

const builtins = new Set(builtinModules.filter((name) => !name.startsWith("_")));

/**
 * `import http from "node:http"` in ESM costs 30 ms (Node links the whole of its fetch); `process.getBuiltinModule` costs 4.
 * Named imports are made from what the module has on this Node.
 */
const leanBuiltins: Plugin = {
  name: "lean-builtins",
  setup: (bundler) => {
    bundler.onResolve({ filter: /^(?:node:)?[a-z_/0-9]+$/ }, ({ path, kind, importer }) => {
      const name = path.replace(/^node:/, "");
      if (!builtins.has(name) && !path.startsWith("node:")) return undefined;
      return kind === "dynamic-import"
        ? { path: `node:${name}`, external: true }
        : kind === "require-call"
          ? { path: name, namespace: "builtin-cjs" }
          : // One for each importer: a shared one would read, at the start, what only some late chunk takes.
            { path: `${name} for ${importer}`, namespace: "builtin", pluginData: name };
    });
    bundler.onLoad({ filter: /.*/, namespace: "builtin" }, async ({ pluginData }) => {
      const specifier = `node:${String(pluginData)}`;
      const module = (await import(specifier)) as Record<string, unknown>;
      const names = Object.keys(module).filter((name) => name !== "default" && /^[A-Za-z_$][\w$]*$/.test(name));
      // Marked pure, so that names nobody takes are never read: some are getters that load all of fetch (48 ms).
      const taken = names.map((name) => `export const ${name} = /* @__PURE__ */ take("${name}");`);
      return {
        contents: `const m = process.getBuiltinModule("${specifier}");\nconst take = (name) => m[name];\nexport default m;\n${taken.join("\n")}`,
        loader: "js",
      };
    });
    // CommonJS packages take the module whole.
    bundler.onLoad({ filter: /.*/, namespace: "builtin-cjs" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule("node:${path}");`,
      loader: "js",
    }));
  },
};

/** Of undici only its dispatcher: the whole package holds a fetch, a cache and a WebSocket, and takes 30 ms to start. */
const undiciAgent: Plugin = {
  name: "undici-agent",
  setup: (bundler) => {
    bundler.onResolve({ filter: /^undici$/ }, () => ({ path: "undici", namespace: "undici-agent" }));
    bundler.onLoad({ filter: /.*/, namespace: "undici-agent" }, () => ({
      contents: `export { default as Agent } from "undici/lib/dispatcher/agent.js";`,
      resolveDir: root,
    }));
    // Never used here: HTTP/2 is off (`allowH2: false`) and loads node:http2 (14 ms); milo is a parser that only a variable switches on.
    bundler.onLoad({ filter: /undici\/lib\/(?:dispatcher\/client-h2|milo\/(?:simd|no-simd))\.js$/ }, () => ({
      contents: `module.exports = () => { throw new Error("not in this bundle"); };`,
      loader: "js",
    }));
  },
};

/** Without what Azure's SDKs hold for uses that are none here. */
const leanAzure: Plugin = {
  name: "lean-azure",
  setup: (bundler) => {
    // Asked of semver, which takes 12 ms to start, and true of every Node that this runs on.
    bundler.onLoad({ filter: /jsonwebtoken\/lib\/(?:asymmetricKeyDetails|rsaPssKeyDetails|ps)Supported\.js$/ }, () => ({
      contents: "module.exports = true;",
      loader: "js",
    }));
    // Encryption by the client of Cosmos DB, and lists of blobs in Arrow's format.
    bundler.onResolve({ filter: /^(?:@azure\/keyvault-keys|apache-arrow)$/ }, ({ path }) => ({
      path,
      namespace: "unused",
    }));
    bundler.onLoad({ filter: /.*/, namespace: "unused" }, ({ path }) => ({
      contents: [
        `function absent() { throw new Error("${path} is not in this bundle"); }`,
        "export { absent as KeyClient, absent as tableFromIPC };",
      ].join("\n"),
      loader: "js",
    }));
  },
};

/** `yaml` as ESM: a CommonJS package behind a dynamic import has no names to take. */
const yamlModule: Plugin = {
  name: "yaml-module",
  setup: (bundler) => {
    bundler.onResolve({ filter: /^yaml$/ }, () => ({ path: join(root, "node_modules/yaml/browser/index.js") }));
  },
};

/**
 * What is loaded at the start lies in one file, not in fifty: esbuild puts modules together that are reached from the same entry points, and every
 * lazy import is one. Here each lazy module reaches all of `hubs` too, which are loaded by then. None of them may await at its top level.
 */
const oneStartChunk = (hubs: readonly string[]): Plugin => {
  const paths = hubs.map((hub) => join(root, hub));
  return {
    name: "one-start-chunk",
    setup: (bundler) => {
      bundler.onResolve({ filter: /^\.\.?\// }, ({ kind, path, resolveDir }) =>
        kind === "dynamic-import" && !paths.includes(join(resolveDir, path))
          ? { path: join(resolveDir, path), namespace: "lazy" }
          : undefined,
      );
      bundler.onLoad({ filter: /.*/, namespace: "lazy" }, ({ path }) => ({
        contents: [
          ...paths.map((hub) => `import ${JSON.stringify(hub)};`),
          `export * from ${JSON.stringify(path)};`,
        ].join("\n"),
        resolveDir: root,
      }));
    },
  };
};

const common = {
  absWorkingDir: root,
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  platform: "node",
  mainFields: ["module", "main"],
  legalComments: "none",
  metafile: true,
  plugins: [leanBuiltins, undiciAgent, leanAzure, yamlModule],
  // For what packages require at run time; made when it is called, as most chunks never call it.
  banner: {
    js: 'const require=(id)=>process.getBuiltinModule("node:module").createRequire(import.meta.url)(id);',
  },
  logLevel: "warning",
} as const satisfies BuildOptions;

/** The local server, in `out`/local. */
export const bundleLocal = async (out: string): Promise<Metafile> => {
  await rm(join(out, "local"), { recursive: true, force: true });
  const { metafile } = await build({
    ...common,
    plugins: [
      ...common.plugins,
      oneStartChunk(["functions/local/server.ts", "lib/config.ts", "functions/local/banner.ts"]),
    ],
    entryPoints: { "local/heddle": "functions/local/heddle.ts" },
    outdir: out,
    target: "node22",
    chunkNames: "local/chunks/[name]-[hash]",
    sourcemap: false,
  });
  return metafile;
};

/** The functions on Lambda that there are: their names are their folders' below `dist/aws`. */
export const lambdaNames = ["gateway", "worker", "sweeper", "smoke"].filter((name) =>
  existsSync(join(root, `functions/aws/${name}.ts`)),
);

export type FunctionBundle = {
  /** Where it begins. Default: the function's own file. */
  source?: string;
  /** A heddle.yaml. Default: the project's own, where there is one. */
  config?: string;
};

/** The configuration as it is read fastest. Throws ConfigError where it can't be used, as far as that shows before its variables are known. */
const builtConfig = async (path: string): Promise<string> => {
  const text = await readFile(path, "utf8");
  const { parse } = await import("yaml");
  const settings: unknown = parse(text);
  if (hasVariables(JSON.stringify(settings) ?? "")) return seal(settings);
  return seal((await readConfigFile({}, () => text, path)).file);
};

/**
 * A folder that is whole in itself: `index.mjs`, its chunks, and heddle.yaml. Source maps lie apart, in `maps`: they are not deployed, and
 * Node would read them at a cold start.
 */
const bundleFolder = async (
  folder: string,
  maps: string,
  {
    source,
    config = join(root, "heddle.yaml"),
    target,
    external = [],
  }: FunctionBundle & { source: string; target: string; external?: string[] },
): Promise<Metafile> => {
  await Promise.all([folder, maps].map((each) => rm(each, { recursive: true, force: true })));
  const { metafile, outputFiles } = await build({
    ...common,
    entryPoints: { index: source },
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    target,
    external,
    chunkNames: "chunks/[name]-[hash]",
    sourcemap: "external",
    write: false,
  });
  for (const { path, contents } of outputFiles) {
    const to = path.endsWith(".map") ? join(maps, relative(folder, path)) : path;
    await mkdir(dirname(to), { recursive: true });
    await writeFile(to, contents);
  }
  if (existsSync(config)) await writeFile(join(folder, "heddle.yaml"), await builtConfig(config));
  return metafile;
};

/** One function on Lambda, in `out`/aws/`name`: its `index.mjs` exports `handler`. */
export const bundleLambda = (out: string, name: string, options: FunctionBundle = {}): Promise<Metafile> =>
  bundleFolder(resolve(out, "aws", name), resolve(out, "maps/aws", name), {
    source: `functions/aws/${name}.ts`,
    ...options,
    target: "node24",
  });

/** The function app on Azure, in `out`/azure: its `index.mjs` registers all functions. What it imports from the host is the host's own. */
export const bundleAzure = (out: string, options: FunctionBundle = {}): Promise<Metafile> =>
  bundleFolder(resolve(out, "azure"), resolve(out, "maps/azure"), {
    source: "functions/azure/index.ts",
    ...options,
    target: "node22",
    external: ["@azure/functions-core"],
  });

/** The files that load before the first call: the entry, and all that is imported from it without waiting. */
export const eagerFiles = ({ outputs }: Metafile): string[] => {
  const seen = new Set<string>();
  const walk = (path: string): void => {
    const file = outputs[path];
    if (file === undefined || seen.has(path)) return;
    seen.add(path);
    for (const { path: next, kind } of file.imports) if (kind === "import-statement") walk(next);
  };
  for (const [path, { entryPoint }] of Object.entries(outputs))
    // A dynamic import is an entry point too, to esbuild.
    if (entryPoint !== undefined && /(?:^|\/)(?:index\.mjs|heddle\.js)$/.test(path)) walk(path);
  return [...seen];
};
