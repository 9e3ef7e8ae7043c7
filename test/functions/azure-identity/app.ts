// The function app as it is published, built for a test file.
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleAzure } from "../../../scripts/bundle.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

export type BuiltApp = { folder: string; remove: () => void };

export const buildApp = async (): Promise<BuiltApp> => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-app-"));
  await bundleAzure(join(folder, "dist"));
  copyFileSync(join(root, "host.json"), join(folder, "host.json"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", main: "dist/azure/index.mjs" }));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
};
