import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import { tableContract } from "../contracts/table.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-sqlite-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

tableContract("SQLite in memory", () => openSqlite({ file: ":memory:" }));
tableContract("SQLite in a file, opened twice", () => openSqlite({ file: join(folder, "deep/down/table.db") }));

describe("SQLite", () => {
  test("what was written is there after it was opened again", async () => {
    const file = join(folder, "again.db");
    const first = await openSqlite({ file });
    await first.put({ pk: "t", sk: "a", data: { n: 1 } });
    await first.close();
    await first.close();
    const second = await openSqlite({ file });
    expect(await second.get({ pk: "t", sk: "a" })).toEqual({ pk: "t", sk: "a", version: 1, data: { n: 1 } });
    await second.close();
  });

  test("time is what the options say: an item ends at its second", async () => {
    let now = 1_000_000;
    const table = await openSqlite({ file: ":memory:", now: () => now });
    await table.put({ pk: "t", sk: "a", data: {}, expiresAt: 1001 });
    expect(await table.get({ pk: "t", sk: "a" })).toBeDefined();
    now = 1_001_000;
    expect(await table.get({ pk: "t", sk: "a" })).toBeUndefined();
    await table.close();
  });

  test("expired items are swept from the file", async () => {
    const { DatabaseSync } = await import("node:sqlite");
    const file = join(folder, "sweep.db");
    const table = await openSqlite({ file });
    for (let at = 0; at < 250; at += 1) await table.put({ pk: "t", sk: `${at}`, data: {}, expiresAt: 1000 });
    await table.close();
    const database = new DatabaseSync(file);
    expect(database.prepare("SELECT count(*) AS n FROM items").get()?.["n"]).toBeLessThan(60);
    database.close();
  });

  test("several processes share a file: every sum counts, and no affordable one is lost", async () => {
    const file = join(folder, "shared.db");
    const table = await openSqlite({ file });
    const module = new URL("../../lib/stores/sqlite.ts", import.meta.url).href;
    const script = `
      const { openSqlite } = await import(${JSON.stringify(module)});
      const table = await openSqlite({ file: ${JSON.stringify(file)} });
      const affordable = { fields: [{ field: "spent", is: "<", value: 250, orAbsent: true }] };
      for (let at = 0; at < 150; at += 1) {
        await table.update({ pk: "t", sk: "sum" }, { add: { n: 1 } });
        await table.update({ pk: "t", sk: "budget" }, { add: { spent: 1 } }, affordable);
      }
      await table.close();`;
    const codes = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "ignore" });
        const [code] = (await once(child, "exit")) as [number];
        return code;
      }),
    );
    expect(codes).toEqual([0, 0, 0]);
    expect(await table.get({ pk: "t", sk: "sum" })).toMatchObject({ version: 450, data: { n: 450 } });
    expect(await table.get({ pk: "t", sk: "budget" })).toMatchObject({ version: 250, data: { spent: 250 } });
    await table.close();
  });

  test("a file that is no database is an outage", async () => {
    const file = join(folder, "text.db");
    await writeFile(file, "this is not a database, but a text that is long enough to be looked at ".repeat(20));
    await expect(openSqlite({ file })).rejects.toMatchObject({ code: "storage", status: 503, retryable: true });
  });

  test("a write waits for another process's transaction, and a closed store is an outage", async () => {
    const { DatabaseSync } = await import("node:sqlite");
    const file = join(folder, "locked.db");
    const table = await openSqlite({ file });
    const holder = new DatabaseSync(file);
    holder.exec("BEGIN IMMEDIATE");
    const waiting = table.put({ pk: "t", sk: "a", data: {} });
    setTimeout(() => holder.exec("COMMIT"), 300);
    expect((await waiting).ok).toBe(true);
    holder.close();
    await table.close();
    await expect(table.get({ pk: "t", sk: "a" })).rejects.toMatchObject({ code: "storage" });
  });
});
