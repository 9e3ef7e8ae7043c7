// The bundles: minified ESM, split so that a vendor's SDK loads only when it is used, built-in modules taken without the ESM loader (it loads all of undici).
import { rm } from "node:fs/promises";
import { builtinModules } from "node:module";
import { join, resolve } from "node:path";
import { build, type Plugin } from "esbuild";

const builtins = new Set(builtinModules.filter((name) => !name.startsWith("_")));

/**
 * `import http from "node:http"` in ESM costs 30 ms (Node links the whole of its fetch); `process.getBuiltinModule` costs 4.
 * Named imports are made from what the module has on this Node.
 */
const leanBuiltins: Plugin = {
  name: "lean-builtins",
  setup: (bundler) => {
    bundler.onResolve({ filter: /^(?:node:)?[a-z_/0-9]+$/ }, ({ path, kind }) => {
      const name = path.replace(/^node:/, "");
      if (!builtins.has(name) && !path.startsWith("node:")) return undefined;
      return kind === "dynamic-import"
        ? { path: `node:${name}`, external: true }
        : { path: name, namespace: kind === "require-call" ? "builtin-cjs" : "builtin" };
    });
    bundler.onLoad({ filter: /.*/, namespace: "builtin" }, async ({ path }) => {
      const module = (await import(`node:${path}`)) as Record<string, unknown>;
      const names = Object.keys(module).filter((name) => name !== "default" && /^[A-Za-z_$][\w$]*$/.test(name));
      // Marked pure, so that names nobody takes are never read: some are getters that load all of fetch (48 ms).
      const taken = names.map((name) => `export const ${name} = /* @__PURE__ */ take("${name}");`);
      return {
        contents: `const m = process.getBuiltinModule("node:${path}");\nconst take = (name) => m[name];\nexport default m;\n${taken.join("\n")}`,
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
const oneStartChunk = (hubs: readonly string[]): Plugin => ({
  name: "one-start-chunk",
  setup: (bundler) => {
    bundler.onResolve({ filter: /^\.\.?\// }, ({ kind, path, resolveDir }) =>
      kind === "dynamic-import" && !hubs.includes(join(resolveDir, path))
        ? { path: join(resolveDir, path), namespace: "lazy" }
        : undefined,
    );
    bundler.onLoad({ filter: /.*/, namespace: "lazy" }, ({ path }) => ({
      contents: [...hubs.map((hub) => `import ${JSON.stringify(hub)};`), `export * from ${JSON.stringify(path)};`].join(
        "\n",
      ),
      resolveDir: root,
    }));
  },
});

const root = new URL("../", import.meta.url).pathname;
/** `node scripts/build.ts [folder]`, `dist` if not said. */
const out = resolve(root, process.argv[2] ?? "dist");
await rm(out, { recursive: true, force: true });

const result = await build({
  entryPoints: { "local/heddle": "functions/local/heddle.ts" },
  outdir: out,
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  platform: "node",
  target: "node22",
  mainFields: ["module", "main"],
  chunkNames: "local/chunks/[name]-[hash]",
  legalComments: "none",
  metafile: true,
  sourcemap: false,
  plugins: [
    leanBuiltins,
    undiciAgent,
    yamlModule,
    oneStartChunk(
      ["functions/local/server.ts", "lib/config.ts", "functions/local/banner.ts"].map((path) => join(root, path)),
    ),
  ],
  banner: { js: 'import{createRequire as __cr}from"node:module";const require=__cr(import.meta.url);' },
  logLevel: "warning",
});

const size = Object.entries(result.metafile.outputs)
  .filter(([, file]) => file.entryPoint !== undefined)
  .map(([path, file]) => `${path} ${(file.bytes / 1024).toFixed(0)} KiB`);
process.stdout.write(`${size.join("\n")}\n${Object.keys(result.metafile.outputs).length} files\n`);
