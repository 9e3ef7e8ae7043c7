// AWS's own runtime client (aws-lambda-ric), the one that the managed runtime runs: built once into the user's cache, never a dependency.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, open, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const version = "4.0.2";
/** Its package.json and lock file: every version and checksum of what is built. */
const manifest = new URL("./runtime-client/", import.meta.url).pathname;
const tools = ["cmake", "g++", "make", "python3", "xz", "npm"];

const cacheFolder = (): string => process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
const folder = join(cacheFolder(), "heddle", `aws-lambda-ric-${version}-${process.platform}-${process.arch}`);
const entryIn = (place: string): string => join(place, "node_modules/aws-lambda-ric/index.mjs");
const isBuilt = (place: string): boolean => existsSync(join(place, "node_modules/aws-lambda-ric/rapid-client.node"));

const has = (tool: string): boolean => spawnSync(tool, ["--version"], { stdio: "ignore" }).error === undefined;

/** Why it can't run on this machine; undefined where it can. */
const obstacle = (): string | undefined => {
  if (Number(process.versions.node.split(".")[0]) < 22) return `it needs Node 22, this is ${process.versions.node}`;
  if (process.platform !== "linux") return `it builds on Linux alone, this is ${process.platform}: use a container`;
  if (isBuilt(folder)) return undefined;
  const missing = tools.filter((tool) => !has(tool));
  return missing.length === 0 ? undefined : `to build it these are missing: ${missing.join(", ")}`;
};

/** npm's own settings for the project that called us: they would lead the build astray. */
const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?:package_|lifecycle_|config_(?:local_)?prefix)/.test(name)),
  );

const npmCi = (place: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn("npm", ["ci", "--no-audit", "--no-fund", "--foreground-scripts"], {
      cwd: place,
      env: cleanEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let tail = "";
    const keep = (bytes: Buffer): void => {
      tail = (tail + bytes.toString()).slice(-2_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`npm ci ended with ${code}:\n${tail}`));
    });
  });

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** True once this process has the lock, false when another one has done the work. */
const lock = async (path: string): Promise<boolean> => {
  for (;;) {
    try {
      const file = await open(path, "wx");
      await file.write(String(process.pid));
      await file.close();
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (isBuilt(folder)) return false;
    const holder = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
    // An empty file is one that is just being written.
    if (holder !== 0 && !isAlive(holder)) await rm(path, { force: true });
    else await sleep(500);
  }
};

const build = async (): Promise<void> => {
  const above = join(folder, "..");
  await mkdir(above, { recursive: true });
  const lockFile = `${folder}.lock`;
  if (!(await lock(lockFile))) return;
  try {
    if (isBuilt(folder)) return;
    const place = await mkdtemp(`${folder}.`);
    try {
      await cp(manifest, place, { recursive: true });
      await npmCi(place);
      await rm(folder, { recursive: true, force: true });
      await rename(place, folder);
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  } finally {
    await rm(lockFile, { force: true });
  }
};

export type RuntimeClient = { entry: string } | { problem: string };

/** The client's entry file, built if need be (about a minute, once a machine); or why there is none. `say` hears of the wait. */
export const findRuntimeClient = async (say: (line: string) => void): Promise<RuntimeClient> => {
  const problem = obstacle();
  if (problem !== undefined) return { problem: `aws-lambda-ric can't be had here: ${problem}.` };
  if (!isBuilt(folder)) {
    say(`Building aws-lambda-ric ${version} into ${folder}: about a minute, this once.`);
    try {
      await build();
    } catch (error) {
      return { problem: `aws-lambda-ric could not be built: ${String(error)}` };
    }
  }
  return { entry: entryIn(folder) };
};
