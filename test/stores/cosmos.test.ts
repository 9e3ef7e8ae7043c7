import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCosmos } from "../../lib/stores/cosmos.ts";
import { idOf } from "../../lib/stores/cosmos/ids.ts";
import type { Table } from "../../lib/stores/table.ts";
import { tableContract } from "../contracts/table.ts";
import { startCosmos, type LocalCosmos } from "../support/cosmos.ts";
import { freePort } from "../support/dynamodb.ts";
import { startLossy, type Lossy } from "../support/lossy.ts";

let local: LocalCosmos;
let container: string;
beforeAll(async () => {
  local = await startCosmos();
  container = await local.createContainer();
});
afterAll(() => local.stop());
const open = (): Promise<Table> => openCosmos({ ...local.options, container });

tableContract("Cosmos DB, emulated", open);

describe("Cosmos DB, emulated", () => {
  let table: Table;
  beforeAll(async () => {
    table = await open();
  });
  afterAll(() => table.close());

  test("time to live: the service deletes what has expired, and nothing else", async () => {
    const own = await local.createContainer();
    const swept = await openCosmos({ ...local.options, container: own });
    const now = Math.floor(Date.now() / 1000);
    await swept.put({ pk: "p", sk: "soon", data: {}, expiresAt: now + 60 });
    await swept.put({ pk: "p", sk: "late", data: {}, expiresAt: now + 6000 });
    await swept.put({ pk: "p", sk: "never", data: {} });
    await swept.put({ pk: "p", sk: "kept", data: {}, expiresAt: now + 60 });
    await swept.update({ pk: "p", sk: "kept" }, { expiresAt: null });
    await swept.put({ pk: "p", sk: "past", data: {}, expiresAt: now - 60 });
    expect(await local.sweep(own, 10)).toBe(1);
    expect(await local.sweep(own, 120)).toBe(1);
    expect((await swept.query({ pk: "p" })).items.map((item) => item.sk)).toEqual(["kept", "late", "never"]);
    await swept.close();
  });

  test("an item or a transaction over 2 MB is refused with a clear error, and nothing is written", async () => {
    const text = "x".repeat(1_500_000);
    const expected = { code: "request_too_large", message: expect.stringContaining("2 MB") as string };
    await expect(table.put({ pk: "large", sk: "a", data: { text: text + text } })).rejects.toMatchObject(expected);
    const puts = ["b", "c"].map((sk) => ({ put: { pk: "large", sk, data: { text } } }));
    await expect(table.transact("large", puts)).rejects.toMatchObject(expected);
    expect((await table.query({ pk: "large" })).items).toEqual([]);
  });

  test("throttled calls, and writes that the service asks to repeat, are tried again; sums too", async () => {
    const key = { pk: "slow", sk: "a" };
    await table.put({ ...key, data: { n: 1 } });
    local.refusals.push(429, 449, 429);
    expect(await table.update(key, { add: { n: 1 } })).toMatchObject({ ok: true, item: { data: { n: 2 } } });
    local.refusals.push(429);
    expect((await table.get(key))?.data).toEqual({ n: 2 });
    local.refusals.push(429, 429);
    expect(await table.transact("slow", [{ update: key, change: { add: { n: 1 } } }])).toEqual({ ok: true });
    expect((await table.get(key))?.data).toEqual({ n: 3 });
  });

  test("the service's own failure leaves a sum's outcome open, and is told at once", async () => {
    const key = { pk: "slow", sk: "b" };
    await table.put({ ...key, data: { n: 1 } });
    local.refusals.push(500);
    await expect(table.update(key, { add: { n: 1 } })).rejects.toMatchObject({ code: "storage", retryable: true });
    local.refusals.push(500, 503);
    expect(await table.put({ ...key, data: { n: 5 } })).toMatchObject({ ok: true });
  });

  test("a container that isn't there, or a key that is refused, is an outage that no retry ends", async () => {
    local.refusals.push(401);
    await expect(table.put({ pk: "p", sk: "a", data: {} })).rejects.toMatchObject({
      code: "storage",
      retryable: false,
    });
  });

  test("nobody at the address is an outage, soon", async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const nobody = await openCosmos({ ...local.options, endpoint, container, policy: { tries: 3 } });
    await expect(nobody.get({ pk: "a", sk: "a" })).rejects.toMatchObject({ code: "storage", retryable: true });
    await expect(nobody.update({ pk: "a", sk: "a" }, { add: { n: 1 } })).rejects.toMatchObject({ code: "storage" });
    await nobody.close();
  });

  describe("answers that are lost", () => {
    let lossy: Lossy;
    let lossyTable: Table;
    beforeAll(async () => {
      lossy = await startLossy(local.options.endpoint);
      lossyTable = await openCosmos({ ...local.options, endpoint: lossy.url, container });
      await lossyTable.get({ pk: "lost", sk: "first" });
    });
    afterAll(async () => {
      await lossyTable.close();
      await lossy.stop();
    });

    test("a put that was done is found done, by its token, and not taken for another's", async () => {
      const key = { pk: "lost", sk: "put" };
      lossy.plan.push("lose-answer");
      expect(await lossyTable.put({ ...key, data: { n: 1 } }, { item: "absent" })).toMatchObject({
        ok: true,
        item: { version: 1, data: { n: 1 } },
      });
      lossy.plan.push("lose-answer");
      expect(await lossyTable.put({ ...key, data: { n: 2 } }, { version: 1 })).toMatchObject({
        ok: true,
        item: { version: 2 },
      });
      lossy.plan.push("lose-request");
      expect(await lossyTable.put({ ...key, data: { n: 3 } }, { version: 2 })).toMatchObject({
        ok: true,
        item: { version: 3 },
      });
      expect(await lossyTable.get(key)).toMatchObject({ version: 3, data: { n: 3 } });
    });

    test("a sum is never done twice: without a version its outcome is an outage, with one it is found out", async () => {
      const key = { pk: "lost", sk: "sum" };
      await lossyTable.put({ ...key, data: { n: 0 } });
      lossy.plan.push("lose-answer");
      await expect(lossyTable.update(key, { add: { n: 1 } })).rejects.toMatchObject({ code: "storage" });
      expect((await lossyTable.get(key))?.data).toEqual({ n: 1 });
      lossy.plan.push("lose-answer");
      expect(await lossyTable.update(key, { add: { n: 1 } }, { version: 2 })).toMatchObject({
        ok: true,
        item: { version: 3 },
      });
      expect((await lossyTable.get(key))?.data).toEqual({ n: 2 });
    });

    test("a transaction is done once, though its answer is lost", async () => {
      const key = { pk: "lost", sk: "t1" };
      await lossyTable.put({ ...key, data: { n: 0 } });
      lossy.plan.push("pass", "lose-answer");
      const written = await lossyTable.transact("lost", [
        { update: key, change: { add: { n: 1 } } },
        { put: { pk: "lost", sk: "t2", data: {} }, condition: { item: "absent" } },
      ]);
      expect(written).toEqual({ ok: true });
      expect(await lossyTable.get(key)).toMatchObject({ version: 2, data: { n: 1 } });
    });

    test("a lost condition after a lost answer is an outage, for it may be our own doing", async () => {
      const key = { pk: "lost", sk: "delete" };
      await lossyTable.put({ ...key, data: {} });
      lossy.plan.push("pass", "lose-answer");
      await expect(lossyTable.delete(key, { version: 1 })).rejects.toMatchObject({ code: "storage" });
      await lossyTable.put({ ...key, data: {} });
      lossy.plan.push("lose-answer");
      expect(await lossyTable.delete(key)).toEqual({ ok: true });
    });
  });

  test("ids are legal, one for one, and in the order of the keys' bytes", () => {
    const bytes = Array.from({ length: 0x250 }, (_, at) => String.fromCodePoint(at));
    const keys = [
      ...bytes,
      ...bytes.map((each) => `a${each}`),
      ...bytes.map((each) => `${each}a`),
      "🦊",
      "\uffff",
      "",
      "a/b",
    ];
    const sorted = [...new Set(keys)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const ids = sorted.map(idOf);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => (a < b ? -1 : 1)));
    expect(ids.filter((id) => /[^\x21-\x7e]|[/\\?#%]/.test(id))).toEqual([]);
  });
});
