import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFileBlobs } from "../../lib/blobs/files.ts";
import { blobsContract } from "../contracts/blobs.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-blobs-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

blobsContract("files", async () => openFileBlobs({ folder: join(folder, "deep/down") }));

describe("file blobs", () => {
  const bytes = new TextEncoder().encode("content");

  test("a put leaves one file, and a folder goes with its last blob", async () => {
    const blobs = openFileBlobs({ folder: join(folder, "tidy") });
    const hash = await blobs.put("tenant/thread", bytes);
    expect(await readdir(join(folder, "tidy/tenant/thread"))).toEqual([hash]);
    await blobs.delete("tenant/thread", hash);
    expect(await readdir(join(folder, "tidy/tenant"))).toEqual([]);
  });

  test("puts and deletes at the same time don't hurt each other", async () => {
    const blobs = openFileBlobs({ folder: join(folder, "busy") });
    const all = Array.from({ length: 40 }, (_, at) => new TextEncoder().encode(`content ${at}`));
    await Promise.all(all.map(async (each) => blobs.delete("t", await blobs.put("t", each))));
    const hashes = await Promise.all(all.map((each) => blobs.put("t", each)));
    expect((await readdir(join(folder, "busy/t"))).sort()).toEqual(hashes.sort());
  });

  test("bytes that were changed behind its back are an outage, not an answer", async () => {
    const blobs = openFileBlobs({ folder: join(folder, "damaged") });
    const hash = await blobs.put("t", bytes);
    await writeFile(join(folder, "damaged/t", hash), "other");
    await expect(blobs.get("t", hash)).rejects.toMatchObject({ code: "storage", retryable: false });
    await blobs.put("t", bytes);
    expect(await blobs.get("t", hash)).toEqual(bytes);
  });

  test("a folder that can't be written is an outage", async () => {
    await writeFile(join(folder, "file"), "");
    const blobs = openFileBlobs({ folder: join(folder, "file/below") });
    await expect(blobs.put("t", bytes)).rejects.toMatchObject({ code: "storage" });
    await chmod(join(folder, "file"), 0o600);
  });
});
