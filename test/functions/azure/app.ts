// The function app as its index registers it, under the fake host, with a configuration of its own.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { vi } from "vitest";
import { dataFolder } from "../../support/data.ts";
import { type FakeHost, startFakeHost } from "./fake-host.ts";

export const key = "hd-a-fake-key-of-the-configuration";

export type App = {
  host: FakeHost;
  /** What it wrote to stdout. */
  written: string[];
  /** Puts the process back as it was. */
  restore: () => void;
};

/** Once in a process. `yaml` is for the end of heddle.yaml, which names the key. */
export const startApp = async (yaml: string, env: Record<string, string> = {}): Promise<App> => {
  const folder = dataFolder();
  const before = { ...process.env };
  const path = join(folder.path, "models.yaml");
  writeFileSync(path, `auth: { keys: [{ name: app, key: ${key} }] }\n${yaml}`);
  Object.assign(process.env, { HEDDLE_CONFIG: path, HEDDLE_ENV: "staging", ...env });
  const written: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    written.push(String(chunk));
    return true;
  });
  const host = await startFakeHost(() => import("../../../functions/azure/index.ts"));
  return {
    host,
    written,
    restore: () => {
      vi.restoreAllMocks();
      process.env = before;
      folder.remove();
    },
  };
};
