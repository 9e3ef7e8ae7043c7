// Blobs as files in a folder: development, containers with a volume, tests. Each is written beside its place and moved there,
// so that no reader ever sees half of one, whatever is killed when.
import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError } from "../model/error.ts";
import { checkHash, partsOf, type Blobs } from "./blobs.ts";
import { hashOf, intact } from "./hash.ts";

export type FileBlobsOptions = {
  /** Made where it is missing. */
  readonly folder: string;
};

/** A name that no file system takes for another: capitals are marked, as some file systems don't tell them apart. */
const fileName = (part: string): string =>
  encodeURIComponent(part)
    .replaceAll(/[_*]/g, (each) => `_${each === "_" ? "u" : "s"}`)
    .replaceAll(/[A-Z]/g, (each) => `_-${each.toLowerCase()}`)
    .replaceAll(/^\.|\.$/g, "_d");

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");

const outage = (cause: unknown): GatewayError =>
  cause instanceof GatewayError
    ? cause
    : new GatewayError("storage", "The blob files can't be read or written.", { cause });

/** How often a put begins again because its folder was deleted in between, being empty. */
const mostTries = 5;

export const openFileBlobs = (options: FileBlobsOptions): Blobs => {
  const folderOf = (scope: string): string => join(options.folder, ...partsOf(scope).map(fileName));

  const write = async (folder: string, hash: string, bytes: Uint8Array): Promise<void> => {
    // What people said lies here: for its owner alone.
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const temporary = join(folder, `${hash}.${randomUUID()}.part`);
    try {
      const file = await open(temporary, "wx");
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, join(folder, hash));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  };

  return {
    put: async (scope, bytes) => {
      const folder = folderOf(scope);
      const hash = hashOf(bytes);
      for (let tried = 1; ; tried += 1) {
        try {
          await write(folder, hash, bytes);
          return hash;
        } catch (error) {
          if (!isMissing(error) || tried >= mostTries) throw outage(error);
        }
      }
    },
    get: async (scope, hash) => {
      const file = join(folderOf(scope), checkHash(hash));
      try {
        return intact(new Uint8Array(await readFile(file)), hash);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw outage(error);
      }
    },
    delete: async (scope, hash) => {
      const folder = folderOf(scope);
      try {
        await rm(join(folder, checkHash(hash)), { force: true });
        await rmdir(folder);
      } catch (error) {
        const code = error instanceof Error && "code" in error ? error.code : undefined;
        // The folder goes with its last blob, unless another came in meanwhile.
        if (code !== "ENOTEMPTY" && code !== "EEXIST" && !isMissing(error)) throw outage(error);
      }
    },
  };
};
