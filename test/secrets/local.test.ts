// Secrets of a server with a disk.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createLocalSecrets } from "../../lib/secrets/local.ts";
import { type DataFolder, dataFolder } from "../support/data.ts";
import { failure } from "../support/keys.ts";

const folders: DataFolder[] = [];
afterEach(() => {
  for (const each of folders.splice(0)) each.remove();
});
const newFolder = (): string => {
  const made = dataFolder();
  folders.push(made);
  return join(made.path, "secrets");
};
const none = (): undefined => undefined;

test("the pepper is made once, for its owner alone, and stays", async () => {
  const folder = newFolder();
  const pepper = await createLocalSecrets({ variable: none, folder }).get("pepper");
  expect(pepper).toMatch(/^[A-Za-z0-9_-]{64}$/);
  expect(statSync(join(folder, "pepper")).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(readdirSync(folder)).toEqual(["pepper"]);
  expect(await createLocalSecrets({ variable: none, folder }).get("pepper")).toBe(pepper);
  expect(await createLocalSecrets({ variable: none, folder: newFolder() }).get("pepper")).not.toBe(pepper);
});

test("a variable comes first, and no file is made for it", async () => {
  const folder = newFolder();
  const variable = (name: string): string | undefined => (name === "HEDDLE_PEPPER" ? "from-a-variable" : undefined);
  expect(await createLocalSecrets({ variable, folder }).get("pepper")).toBe("from-a-variable");
  expect(existsSync(folder)).toBe(false);
});

test("other secrets are read and never made; names that are none lead nowhere", async () => {
  const folder = newFolder();
  const secrets = createLocalSecrets({ variable: none, folder });
  expect(await secrets.get("bootstrap-key")).toBeUndefined();
  mkdirSync(folder);
  writeFileSync(join(folder, "bootstrap-key"), "a-fake-secret\n");
  writeFileSync(join(folder, "..", "outside"), "a-fake-secret\n");
  expect(await secrets.get("bootstrap-key")).toBe("a-fake-secret");
  for (const name of ["../outside", "", "A", "a/b"]) expect(await secrets.get(name)).toBeUndefined();
  expect(await createLocalSecrets({ variable: none }).get("pepper")).toBeUndefined();
});

test("an empty file is a file that is being written: it is waited for, then refused, never overwritten", async () => {
  const folder = newFolder();
  mkdirSync(folder);
  const path = join(folder, "pepper");
  writeFileSync(path, "");
  const waiting = createLocalSecrets({ variable: none, folder }).get("pepper");
  setTimeout(() => writeFileSync(path, "written at last\n"), 60);
  expect(await waiting).toBe("written at last");
  writeFileSync(path, "");
  const refused = await failure(() => createLocalSecrets({ variable: none, folder }).get("pepper"));
  expect(refused).toMatch(/^storage: .*empty/);
  expect(readFileSync(path, "utf8")).toBe("");
});

test("a folder that can't be written is an outage, told without what it would have held", async () => {
  const folder = newFolder();
  mkdirSync(folder);
  writeFileSync(join(folder, "file"), "");
  const secrets = createLocalSecrets({ variable: none, folder: join(folder, "file") });
  expect(await failure(() => secrets.get("pepper"))).toBe("storage: The secrets' files can't be read or written.");
  chmodSync(folder, 0o700);
});

test("processes that race end with one value", { timeout: 30_000 }, async () => {
  const folder = newFolder();
  const script = `
    import { createLocalSecrets } from ${JSON.stringify(new URL("../../lib/secrets/local.ts", import.meta.url).href)};
    const secrets = createLocalSecrets({ variable: () => undefined, folder: ${JSON.stringify(folder)} });
    const found = await Promise.all(Array.from({ length: 4 }, () => secrets.get("pepper")));
    process.stdout.write(JSON.stringify(found));`;
  const run = (): Promise<string[]> =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script]);
      let out = "";
      child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
      child.on("error", reject);
      child.on("close", () => resolve(JSON.parse(out) as string[]));
    });
  const found = (await Promise.all([run(), run(), run()])).flat();
  expect(found).toHaveLength(12);
  expect(new Set(found).size).toBe(1);
  expect(readdirSync(folder)).toEqual(["pepper"]);
});
