// A vendor's SDK loads only when its provider is first asked for something that needs it: told by the bundle, and by a process that runs.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const vendors = /^(?:openai|@anthropic-ai\/|@google\/|@aws-sdk\/|@azure\/)/;

describe("SDKs", () => {
  it("are behind dynamic imports in the bundle, and each kind of provider in a chunk of its own", async () => {
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: ["lib/providers/registry.ts"],
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      outdir: "out",
      write: false,
      metafile: true,
      external: ["openai", "@anthropic-ai/*", "@google/*", "@aws-sdk/*", "@azure/*"],
      logLevel: "silent",
    });
    const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
    const sdks = imports.filter(({ path }) => vendors.test(path));
    expect([...new Set(sdks.map(({ path }) => path))].sort()).toEqual([
      "@anthropic-ai/sdk",
      "@aws-sdk/credential-providers",
      "@azure/identity",
      "@google/generative-ai",
      "openai",
    ]);
    expect(sdks.filter(({ kind }) => kind !== "dynamic-import")).toEqual([]);

    const entry = Object.values(metafile.outputs).find((output) => output.entryPoint === "lib/providers/registry.ts");
    const eager = new Set(Object.keys(entry?.inputs ?? {}));
    const walk = (paths: readonly string[]): void => {
      for (const path of paths) {
        const output = metafile.outputs[path];
        if (output === undefined) continue;
        for (const input of Object.keys(output.inputs)) eager.add(input);
        walk(output.imports.filter(({ kind }) => kind === "import-statement").map((each) => each.path));
      }
    };
    walk((entry?.imports ?? []).filter(({ kind }) => kind === "import-statement").map(({ path }) => path));
    const kinds = [
      "openai.ts",
      "anthropic.ts",
      "gemini.ts",
      "azure-openai.ts",
      "openai-compatible.ts",
      "services/openai.ts",
    ];
    expect(kinds.filter((file) => eager.has(`lib/providers/${file}`))).toEqual([]);
  });

  it("are not loaded by chat calls and claims; each by its first service alone", async () => {
    const script = `
      import { registerHooks } from "node:module";
      import { createServer } from "node:http";
      const loaded = new Set();
      registerHooks({ resolve: (name, context, next) => {
        const found = next(name, context);
        const vendor = /node_modules\\/(openai|@anthropic-ai\\/sdk|@google\\/generative-ai|@azure\\/identity)\\//.exec(found.url);
        if (vendor) loaded.add(vendor[1]);
        return found;
      } });
      const { createRegistry } = await import("./lib/providers/registry.ts");
      const { createNodeTransport } = await import("./lib/http/node-transport.ts");
      const server = createServer((_, response) => response.end('{"data":[],"models":[],"embeddings":[]}'));
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      const baseUrl = "http://127.0.0.1:" + server.address().port;
      const transport = createNodeTransport({ connectMs: 1000, headersMs: 1000, idleMs: 1000 });
      const config = (kind) => ({ id: kind, kind, apiKey: "key-canary", baseUrl, headers: {}, models: [], dialect: {}, betas: [] });
      const kinds = ["openai", "anthropic", "gemini", "azure-openai"];
      const registry = createRegistry(kinds.map(config), { transport, now: Date.now });
      const wires = { openai: "openai-chat", anthropic: "anthropic-messages", gemini: "gemini-generate", "azure-openai": "openai-chat" };
      const signal = new AbortController().signal;
      const steps = [];
      const step = (name) => steps.push([name, [...loaded].sort()]);
      registry.claim("gpt-5.5");
      for (const kind of kinds) {
        const provider = await registry.get(kind);
        const response = await provider.send({ wire: wires[kind], operation: "generate", model: "m", stream: false, headers: {}, body: "{}" }, signal);
        for await (const _ of response.body);
      }
      step("chat");
      await (await registry.get("gemini")).services.embeddings({ model: "m", input: "a" }, signal);
      step("gemini");
      await (await registry.get("anthropic")).services.listModels(signal);
      step("anthropic");
      await (await registry.get("openai")).services.listModels(signal);
      step("openai");
      console.log(JSON.stringify(steps));
      process.exit(0);
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
      cwd: root,
    });
    expect(JSON.parse(stdout)).toEqual([
      ["chat", []],
      ["gemini", ["@google/generative-ai"]],
      ["anthropic", ["@anthropic-ai/sdk", "@google/generative-ai"]],
      ["openai", ["@anthropic-ai/sdk", "@google/generative-ai", "openai"]],
    ]);
  });
});
