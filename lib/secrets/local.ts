// Secrets of a server with a disk: environment variables, else files below the data folder. The pepper is made where there is none.
import { randomBytes, randomUUID } from "node:crypto";
import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError } from "../model/error.ts";
import type { Secrets } from "./secrets.ts";

export type LocalSecretsOptions = {
  /** An environment variable; undefined where it is not set. */
  variable: (name: string) => string | undefined;
  /** Where the files are; absent: variables alone, and nothing is made. */
  folder?: string;
};

/** Names that are made up of random bytes on first use. */
const made: ReadonlySet<string> = new Set(["pepper"]);
const namePattern = /^[a-z][a-z0-9-]{0,60}$/;
/** A file system without links shows a file before it is filled: how often, and how long apart, it is read again. */
const tries = 40;
const pauseMs = 25;

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

const outage = (cause: unknown): GatewayError =>
  cause instanceof GatewayError
    ? cause
    : new GatewayError("storage", "The secrets' files can't be read or written.", { cause });

const readIfThere = async (path: string): Promise<string | undefined> => {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
};

const writeNew = async (path: string, text: string): Promise<void> => {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
};

/** What stands there is never overwritten: of processes that race, the first one's value is everybody's. */
const make = async (folder: string, path: string): Promise<void> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const text = `${randomBytes(48).toString("base64url")}\n`;
  const draft = `${path}.${randomUUID()}.part`;
  try {
    await writeNew(draft, text);
    // A link appears whole, and only where nothing is.
    await link(draft, path);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(error) ?? "")) throw error;
    await writeNew(path, text).catch((thrown: unknown) => {
      if (codeOf(thrown) !== "EEXIST") throw thrown;
    });
  } finally {
    await rm(draft, { force: true });
  }
};

/** `pepper` is HEDDLE_PEPPER, else the file `pepper`. What can't be read throws `storage`. */
export const createLocalSecrets = ({ variable, folder }: LocalSecretsOptions): Secrets => ({
  get: async (name) => {
    if (!namePattern.test(name)) return undefined;
    const set = variable(`HEDDLE_${name.toUpperCase().replaceAll("-", "_")}`);
    if (set !== undefined && set !== "") return set;
    if (folder === undefined) return undefined;
    const path = join(folder, name);
    try {
      for (let tried = 0; tried < tries; tried += 1) {
        const value = await readIfThere(path);
        if (value === undefined) {
          if (!made.has(name)) return undefined;
          await make(folder, path);
        } else if (value !== "") return value;
        else await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    } catch (error) {
      throw outage(error);
    }
    throw new GatewayError("storage", `The secret '${name}' is an empty file.`);
  },
});
