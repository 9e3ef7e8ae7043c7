// The function app as it is deployed, built for a test file into a bare folder, under the local Functions host.
import { copyFileSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleAzure } from "../../../scripts/bundle.ts";
import { startFunctions, type TestFunctions, type TestFunctionsOptions } from "../../support/azure.ts";
import { type Instance, keepIn, writeConfig } from "../clouds/app.ts";

export type FunctionApp = {
  start: (options?: TestFunctionsOptions) => Promise<TestFunctions>;
  /** Stops all that was started. */
  stop: () => Promise<void>;
};

/** host.json is the project's own, so are package.json's lines that the host reads. `more` is for the end of heddle.yaml. */
export const buildApp = async (
  upstream: string,
  env: Record<string, string> = {},
  more?: string,
): Promise<FunctionApp> => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-azure-"));
  const config = join(folder, "heddle.yaml");
  writeConfig(config, upstream, more);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", main: "dist/azure/index.mjs" }));
  copyFileSync(new URL("../../../host.json", import.meta.url), join(folder, "host.json"));
  await bundleAzure(join(folder, "dist"));
  const { keep, stop } = keepIn<TestFunctions>(folder);
  return {
    start: async (options = {}) =>
      keep(await startFunctions(folder, { ...options, env: { HEDDLE_CONFIG: config, ...env, ...options.env } })),
    stop,
  };
};

/** What the host takes for a fault of the app: there must be none. */
export const faults = ({ logs }: Pick<Instance, "logs">): string[] =>
  logs.filter((line) => /\(Failed, Id=|uncaught|Unhandled|Unexpected call to 'log'|is in error/i.test(line));

/** The lines that the worker wrote: each is whole JSON. Throws where one is not. */
export const linesOf = ({ output }: TestFunctions): Record<string, unknown>[] =>
  output.map((line) => JSON.parse(line) as Record<string, unknown>);
