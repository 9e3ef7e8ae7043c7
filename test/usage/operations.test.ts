// What the ledger writes: blocks and rollups in one transaction, within every store's bounds, once.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { addCounts, addEntry, noCounts } from "../../lib/usage/counts.ts";
import { decodeEntry, encodeEntry } from "../../lib/usage/encode.ts";
import type { UsageEntry } from "../../lib/usage/entry.ts";
import { rollupKey, spendPartition } from "../../lib/usage/keys.ts";
import { entryGroups, entryOperations, tenantOperation } from "../../lib/usage/operations.ts";
import { listTenants, shardsOf } from "../../lib/usage/tenants.ts";
import type { Json } from "../../lib/model/json.ts";
import { idOf } from "../../lib/stores/cosmos/ids.ts";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import { anyEntry, entry, options, start } from "./entries.ts";

const pk = spendPartition("acme", 0);
const open = () => openSqlite({ file: ":memory:", now: () => start });

test("one entry is two operations: its block and the sums of its day", async () => {
  const table = await open();
  const one = entry({ usage: { input: 10, output: 5, cachedInput: 4 }, status: 502, error: "upstream_error" });
  const operations = entryOperations(pk, [one], options);
  expect(operations).toHaveLength(2);
  expect(await table.transact(pk, operations)).toEqual({ ok: true });
  // Again: refused as a whole.
  expect(await table.transact(pk, operations)).toMatchObject({ ok: false, failed: 0 });
  const { items } = await table.query({ pk });
  expect(items.map((item) => item.sk.slice(0, 2))).toEqual(["d:", "u:"]);
  expect(items[0]?.data).toMatchObject({
    day: "2026-03-01",
    user: "ada",
    requests: 1,
    errors: 1,
    input: 10,
    cachedInput: 4,
    cost: 1_234_567,
  });
  const [row] = (items[1]?.data["entries"] ?? []) as Json[][];
  expect(decodeEntry("acme", row ?? [])).toEqual(one);
  expect(items.map((item) => item.expiresAt)).toEqual([start / 1000 + 401 * 86_400, start / 1000 + 90 * 86_400]);
  await table.close();
});

test("an entry comes back as it was, whatever is absent", () => {
  fc.assert(
    fc.property(anyEntry, (each) => {
      expect(decodeEntry(each.tenant, encodeEntry(each))).toEqual(each);
    }),
  );
  const full = entry({
    thread: "thread_1",
    ttftMs: 3.5,
    error: "overloaded",
    priceVersion: "2026-01-01",
    usage: {
      input: 9,
      output: 8,
      cachedInput: 1,
      cacheWrite: 2,
      cacheWriteLong: 1,
      reasoning: 3,
      inputAudio: 4,
      outputAudio: 5,
    },
  });
  expect(decodeEntry("acme", encodeEntry(full))).toEqual(full);
});

test("many entries: groups within the bounds, whose rollups and blocks both sum to the entries", () => {
  const sum = (entries: readonly UsageEntry[]) => {
    const counts = noCounts();
    for (const each of entries) addEntry(counts, each);
    return counts;
  };
  fc.assert(
    fc.property(fc.array(anyEntry, { minLength: 1, maxLength: 300 }), (entries) => {
      const fromBlocks: UsageEntry[] = [];
      const fromRollups = noCounts();
      for (const operations of entryGroups(pk, entries, options)) {
        expect(operations.length).toBeLessThanOrEqual(80);
        const [block, ...rollups] = operations;
        if (block === undefined || !("put" in block)) throw new Error("no block");
        expect(Buffer.byteLength(JSON.stringify(block.put.data))).toBeLessThan(250_000);
        const rows = (block.put.data["entries"] as Json[][]).map((row) => decodeEntry("", row));
        expect((rows.at(-1)?.at ?? 0) - (rows[0]?.at ?? 0)).toBeLessThanOrEqual(10_000);
        fromBlocks.push(...rows);
        const keys = new Set<string>();
        for (const each of rollups) {
          if (!("update" in each)) throw new Error("no rollup");
          expect(Buffer.byteLength(each.update.sk)).toBeLessThanOrEqual(1_023);
          keys.add(each.update.sk);
          addCounts(fromRollups, each.change.add ?? {});
        }
        expect(keys.size).toBe(rollups.length);
      }
      expect(fromBlocks.map((each) => each.id).sort()).toEqual(entries.map((each) => each.id).sort());
      expect(sum(fromBlocks)).toEqual(sum(entries));
      expect(fromRollups).toEqual(sum(entries));
    }),
    { numRuns: 40 },
  );
});

test("long names are cut and still told apart; what doesn't fit into one transaction is refused", () => {
  const long = "x".repeat(5_000);
  const operations = entryOperations(
    pk,
    [entry({ user: long }), entry({ user: `${long}y` }), entry({ user: "\uD800", requestedModel: long })],
    options,
  );
  expect(operations).toHaveLength(4);
  expect(JSON.stringify(operations).length).toBeLessThan(10_000);
  const many = Array.from({ length: 200 }, (_, at) => entry({ user: `user ${at}` }));
  expect(entryGroups(pk, many, options).length).toBe(3);
  expect(() => entryOperations(pk, many, options)).toThrow("one transaction");
});

test("a rollup's key fits into every store, whatever the names", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom("!", ".", "%", "~", "é", "a"), maxLength: 200 }), {
        minLength: 5,
        maxLength: 5,
      }),
      ([key = "", user = "", provider = "", model = "", operation = ""]) => {
        const sk = rollupKey("2026-03-01", { key, user, provider, model, operation });
        expect(idOf(sk).length).toBeLessThanOrEqual(1_023);
      },
    ),
  );
  const dots = ".".repeat(100);
  const sk = rollupKey("2026-03-01", { key: dots, user: dots, provider: dots, model: dots, operation: dots });
  expect(idOf(sk).length).toBeLessThanOrEqual(1_023);
});

test("tenants that ever spent are listed, with their shards", async () => {
  const table = await open();
  const tenants = ["acme", "acme", "b/c", "~x"];
  for (const [at, tenant] of tenants.entries()) {
    const shard = at === 1 ? 3 : 0;
    const operation = tenantOperation(tenant, shard);
    expect(await table.transact(spendPartition(tenant, shard), [operation])).toEqual({ ok: true });
    expect(await table.transact(spendPartition(tenant, shard), [operation])).toMatchObject({ ok: false });
  }
  const listed: string[] = [];
  for await (const { tenant, shard } of listTenants(table)) listed.push(`${tenant} ${shard}`);
  expect(listed.sort()).toEqual(["acme 0", "acme 3", "b/c 0", "~x 0"]);
  expect(await shardsOf(table, "acme")).toEqual([
    { tenant: "acme", shard: 0 },
    { tenant: "acme", shard: 3 },
  ]);
  expect(await shardsOf(table, "acm")).toEqual([{ tenant: "acm", shard: 0 }]);
  await table.close();
});
