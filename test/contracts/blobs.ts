// What every place for blobs promises, as one suite: run by test/blobs/*.test.ts against each of them.
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import type { Blobs } from "../../lib/blobs/blobs.ts";

const text = (of: string): Uint8Array => new TextEncoder().encode(of);

export const blobsContract = (name: string, open: () => Promise<Blobs>): void => {
  describe(`blobs contract: ${name}`, () => {
    let blobs: Blobs;
    let scope: string;
    beforeAll(async () => {
      blobs = await open();
      scope = `tenant/${randomUUID()}`;
    });

    test("what was put is got by the SHA-256 of its content", async () => {
      const bytes = text("hello, 🧵");
      const hash = await blobs.put(scope, bytes);
      expect(hash).toBe(createHash("sha256").update(bytes).digest("hex"));
      expect(await blobs.get(scope, hash)).toEqual(bytes);
    });

    test("any bytes, none, and megabytes", async () => {
      for (const bytes of [
        new Uint8Array(),
        Uint8Array.of(0, 255, 10, 13, 0),
        new Uint8Array(randomBytes(5_000_000)),
      ]) {
        const got = await blobs.get(scope, await blobs.put(scope, bytes));
        expect(got?.length).toBe(bytes.length);
        expect(Buffer.compare(got ?? Buffer.from("none"), bytes)).toBe(0);
      }
    });

    test("what was never put is undefined", async () => {
      expect(await blobs.get(scope, "0".repeat(64))).toBeUndefined();
      expect(await blobs.get("never/was", "0".repeat(64))).toBeUndefined();
    });

    test("putting the same again changes nothing, at the same time neither", async () => {
      const bytes = new Uint8Array(randomBytes(200_000));
      const hashes = await Promise.all(Array.from({ length: 8 }, () => blobs.put(scope, bytes)));
      expect(new Set(hashes).size).toBe(1);
      expect(await blobs.get(scope, hashes[0] ?? "")).toEqual(bytes);
    });

    test("a delete takes one blob of one scope, and does no harm twice", async () => {
      const other = `tenant/${randomUUID()}`;
      const hash = await blobs.put(scope, text("here and there"));
      await blobs.put(other, text("here and there"));
      await blobs.delete(scope, hash);
      await blobs.delete(scope, hash);
      await blobs.delete("never/was", hash);
      expect(await blobs.get(scope, hash)).toBeUndefined();
      expect(await blobs.get(other, hash)).toEqual(text("here and there"));
      await blobs.delete(other, hash);
      await blobs.put(other, text("here and there"));
      expect(await blobs.get(other, hash)).toEqual(text("here and there"));
    });

    test("scopes that look alike stay apart", async () => {
      const own = randomUUID();
      const names = [
        "a",
        "A",
        "a.",
        ".a",
        "a b",
        "a+b",
        "a%20b",
        "ä",
        "a\\b",
        "a:b",
        "a*",
        "_a",
        "_-a",
        "?",
        "#",
        "..a",
        "日本",
        "a/b",
      ];
      const bytes = text("same");
      const hash = await blobs.put(own, bytes);
      for (const each of names)
        expect({ each, found: await blobs.get(`${own}/${each}`, hash) }).toEqual({ each, found: undefined });
      for (const each of names) await blobs.put(`${own}/${each}`, bytes);
      for (const each of names) {
        expect(await blobs.get(`${own}/${each}`, hash)).toEqual(bytes);
        await blobs.delete(`${own}/${each}`, hash);
        expect({ each, found: await blobs.get(`${own}/${each}`, hash) }).toEqual({ each, found: undefined });
      }
      expect(await blobs.get(own, hash)).toEqual(bytes);
    });

    test("no scope and no name reaches out of its place", async () => {
      const hash = "0".repeat(64);
      const internal = { code: "internal" };
      for (const bad of ["", "..", "a/..", "a//b", "/a", "a/", "./a"]) {
        await expect(blobs.put(bad, text("x"))).rejects.toMatchObject(internal);
        await expect(blobs.get(bad, hash)).rejects.toMatchObject(internal);
        await expect(blobs.delete(bad, hash)).rejects.toMatchObject(internal);
      }
      for (const bad of ["", "../../etc/passwd", "A".repeat(64), `${hash}0`]) {
        await expect(blobs.get("a", bad)).rejects.toMatchObject(internal);
        await expect(blobs.delete("a", bad)).rejects.toMatchObject(internal);
      }
    });
  });
};
