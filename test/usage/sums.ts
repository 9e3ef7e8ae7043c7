// What any store must make of entries: rollups, queries and lists agree with a plain sum, however entries were written.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Table } from "../../lib/stores/table.ts";
import { addEntry, noCounts, type Counts } from "../../lib/usage/counts.ts";
import { storable } from "../../lib/usage/encode.ts";
import type { UsageEntry } from "../../lib/usage/entry.ts";
import { spendPartition } from "../../lib/usage/keys.ts";
import { listEntries } from "../../lib/usage/list.ts";
import { dayMs, dayOf, entryGroups, tenantOperation } from "../../lib/usage/operations.ts";
import { queryUsage, usageDimensions, type UsageDimension, type UsageQuery } from "../../lib/usage/query.ts";
import { anyEntry, options, start } from "./entries.ts";

const now = start + 6 * dayMs;

/** Tables last from case to case: each case has tenants of its own. */
let cases = 0;

/** Writes entries in batches as writers do; `twice` writes some of them again, as a retry would. */
const writeAll = async (table: Table, entries: readonly UsageEntry[], batch: number, twice: boolean): Promise<void> => {
  const places = Map.groupBy(entries, ({ tenant, cost }) => JSON.stringify([tenant, cost % 2]));
  for (const [place, own] of places) {
    const [tenant, shard] = JSON.parse(place) as [string, number];
    const pk = spendPartition(tenant, shard);
    await table.transact(pk, [tenantOperation(tenant, shard)]);
    for (let at = 0; at < own.length; at += batch)
      for (const operations of entryGroups(pk, own.slice(at, at + batch), options)) {
        expect(await table.transact(pk, operations)).toEqual({ ok: true });
        if (twice) expect(await table.transact(pk, operations)).toMatchObject({ ok: false, failed: 0 });
      }
  }
};

const valuesOf = (entry: UsageEntry, groupBy: readonly UsageDimension[]): string[] =>
  groupBy.map((name) => (name === "day" ? dayOf(entry.at) : entry[name]));

/** The plain sum. */
const expected = (
  entries: readonly UsageEntry[],
  query: UsageQuery,
): { groups: Map<string, Counts>; total: Counts } => {
  const groups = new Map<string, Counts>();
  const total = noCounts();
  for (const each of entries) {
    const entry = storable(each);
    if (entry.at < query.from || entry.at >= query.to) continue;
    if (query.tenant !== undefined && entry.tenant !== query.tenant) continue;
    if (query.filters?.user !== undefined && each.user !== query.filters.user) continue;
    if (query.filters?.model !== undefined && each.model !== query.filters.model) continue;
    const id = JSON.stringify(valuesOf(entry, query.groupBy));
    const counts = groups.get(id) ?? noCounts();
    groups.set(id, counts);
    addEntry(counts, entry);
    addEntry(total, entry);
  }
  return { groups, total };
};

const time = fc.oneof(
  fc.integer({ min: -1, max: 5 }).map((day) => start + day * dayMs),
  fc.integer({ min: start - dayMs, max: start + 6 * dayMs }),
);

export const sumsAgree = (name: string, open: () => Promise<Table>, runs: number): void => {
  test(`${name}: entries, rollups, queries and lists agree, with retries`, { timeout: 60_000 }, async () => {
    const table = await open();
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyEntry, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 20 }),
        fc.boolean(),
        fc.uniqueArray(fc.constantFrom(...usageDimensions), { maxLength: 3 }),
        time,
        time,
        fc.constantFrom({}, { user: "ada" }, { user: `${"u".repeat(2_000)}v`, model: "m:2" }),
        fc.integer({ min: 1, max: 15 }),
        async (drawn, batch, twice, groupBy, one, other, filters, limit) => {
          cases += 1;
          const entries = drawn.map((each) => ({ ...each, tenant: `${each.tenant}/${cases}` }));
          await writeAll(table, entries, batch, twice);
          const range = { from: Math.min(one, other), to: Math.max(one, other) };
          const tenant = entries[0]?.tenant ?? "";
          const query = { ...range, tenant, groupBy, filters };
          const sums = await queryUsage(table, query, options, now);
          const plain = expected(entries, query);
          expect(sums.total).toEqual(plain.total);
          expect(new Map(sums.groups.map(({ values, counts }) => [JSON.stringify(values), counts]))).toEqual(
            plain.groups,
          );
          // All tenants of this case, among those of others.
          const all = { ...range, groupBy: ["tenant"] as const, filters };
          const everywhere = await queryUsage(table, all, options, now);
          const own = everywhere.groups.filter(({ values }) => values[0]?.endsWith(`/${cases}`) === true);
          expect(new Map(own.map(({ values, counts }) => [JSON.stringify(values), counts]))).toEqual(
            expected(entries, all).groups,
          );
          // Pages put together are the list, newest first.
          const listed: UsageEntry[] = [];
          let cursor: string | undefined;
          do {
            const page = await listEntries(table, {
              ...range,
              tenant,
              filters,
              limit,
              ...(cursor === undefined ? {} : { cursor }),
            });
            expect(page.entries.length).toBeLessThanOrEqual(limit);
            listed.push(...page.entries);
            cursor = page.next;
          } while (cursor !== undefined);
          expect(listed.map(({ at }) => at)).toEqual(listed.map(({ at }) => at).toSorted((a, b) => b - a));
          expect(listed.map(({ id }) => id).toSorted()).toEqual(
            entries
              .filter(
                (entry) =>
                  entry.tenant === tenant &&
                  entry.at >= range.from &&
                  entry.at < range.to &&
                  (filters.user === undefined || entry.user === filters.user) &&
                  (filters.model === undefined || entry.model === filters.model),
              )
              .map(({ id }) => id)
              .toSorted(),
          );
        },
      ),
      { numRuns: runs },
    );
    await table.close();
  });
};
