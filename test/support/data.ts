// A folder for one test's data, gone with it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type DataFolder = { path: string; remove: () => void };

export const dataFolder = (): DataFolder => {
  const path = mkdtempSync(join(tmpdir(), "heddle-test-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
};
