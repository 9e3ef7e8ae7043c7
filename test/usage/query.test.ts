// Usage of a time: agreement in every store, tenants apart, bounds that say what to ask instead.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCosmos } from "../../lib/stores/cosmos.ts";
import { openDynamodb } from "../../lib/stores/dynamodb.ts";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import type { Table } from "../../lib/stores/table.ts";
import { encodeEntry } from "../../lib/usage/encode.ts";
import type { UsageEntry } from "../../lib/usage/entry.ts";
import { spendPartition } from "../../lib/usage/keys.ts";
import { listEntries } from "../../lib/usage/list.ts";
import { dayMs, entryGroups } from "../../lib/usage/operations.ts";
import { queryUsage } from "../../lib/usage/query.ts";
import { startCosmos, type LocalCosmos } from "../support/cosmos.ts";
import { haveJava, startDynamodb, type LocalDynamodb } from "../support/dynamodb.ts";
import { createMemoryTable } from "../support/memory-table.ts";
import { entry, options, start } from "./entries.ts";
import { sumsAgree } from "./sums.ts";

sumsAgree("SQLite", () => openSqlite({ file: ":memory:", now: () => start }), 60);

describe.skipIf(!haveJava())("DynamoDB", () => {
  let local: LocalDynamodb;
  let table: string;
  beforeAll(async () => {
    local = await startDynamodb();
    table = await local.createTable();
  });
  afterAll(() => local.stop());
  sumsAgree("DynamoDB Local", () => openDynamodb({ table, client: local.client, now: () => start }), 6);
});

describe("Cosmos DB", () => {
  let local: LocalCosmos;
  let container: string;
  beforeAll(async () => {
    local = await startCosmos();
    container = await local.createContainer();
  });
  afterAll(() => local.stop());
  sumsAgree("Cosmos DB, emulated", () => openCosmos({ ...local.options, container, now: () => start }), 4);
});

const write = async (table: Table, entries: readonly UsageEntry[], shard = 0): Promise<void> => {
  const pk = spendPartition(entries[0]?.tenant ?? "", shard);
  for (const operations of entryGroups(pk, entries, options)) await table.transact(pk, operations);
};

test("a tenant's name that begins like another's, or looks like a key, sees nothing of it", async () => {
  const table = createMemoryTable(() => start);
  await write(table, [entry({ tenant: "acme" })]);
  const range = { from: start, to: start + dayMs };
  for (const tenant of ["acm", "acme/spend/0", "acme%2F", "ACME", "", "~tenants"]) {
    const { groups, total } = await queryUsage(table, { ...range, tenant, groupBy: ["user"] }, options, start);
    expect(groups).toEqual([]);
    expect(total.requests).toBe(0);
    expect(await listEntries(table, { ...range, tenant, limit: 10 })).toEqual({ entries: [] });
  }
});

test("a cursor tells a place, not a tenant: another's is of no use", async () => {
  const table = createMemoryTable(() => start);
  await write(table, [entry({ tenant: "acme" }), entry({ tenant: "acme", at: start + 1 })]);
  await write(table, [entry({ tenant: "zeta", user: "zoe" })]);
  const range = { from: start, to: start + dayMs };
  const { next = "" } = await listEntries(table, { ...range, tenant: "acme", limit: 1 });
  const page = await listEntries(table, { ...range, tenant: "zeta", limit: 10, cursor: next });
  expect(page.entries.map(({ tenant }) => tenant)).toEqual(["zeta"]);
  for (const cursor of ["x", "", "bnVsbA", Buffer.from('{"at":"1"}').toString("base64url")])
    await expect(listEntries(table, { ...range, tenant: "acme", limit: 1, cursor })).rejects.toMatchObject({
      code: "invalid_request",
      details: { param: "cursor" },
    });
});

test("parts of days whose entries are gone are refused, whole days are not", async () => {
  const table = createMemoryTable(() => start);
  const now = start + 200 * dayMs;
  const ask = (from: number, to: number, groupBy: readonly ("wire" | "day")[] = []) =>
    queryUsage(table, { from, to, tenant: "acme", groupBy }, options, now);
  await expect(ask(start, start + dayMs)).resolves.toBeDefined();
  await expect(ask(start + 1, start + dayMs)).rejects.toMatchObject({ details: { param: "from" } });
  await expect(ask(start, start + dayMs + 1)).rejects.toMatchObject({ details: { param: "to" } });
  await expect(ask(start, start + dayMs, ["wire"])).rejects.toMatchObject({
    message: expect.stringContaining("kept for 90 days") as string,
  });
  await expect(ask(start - 2_000 * dayMs, start)).rejects.toMatchObject({ details: { param: "from" } });
});

test("a range with more than a query reads is refused by name", async () => {
  const table = createMemoryTable(() => start);
  const row = encodeEntry(entry({ tenant: "acme" }));
  const endless: Table = {
    ...table,
    query: async (query) =>
      query.index === true
        ? { items: [] }
        : {
            items: Array.from({ length: 100 }, () => ({
              pk: query.pk,
              sk: "u:",
              version: 1,
              data: { tenant: "acme", entries: Array.from({ length: 200 }, () => row) },
            })),
            next: "more",
          },
  };
  const query = { from: start, to: start + dayMs - 1, tenant: "acme", groupBy: [] };
  await expect(queryUsage(endless, query, options, start)).rejects.toMatchObject({
    code: "invalid_request",
    details: { param: "from" },
    message: expect.stringContaining("2026-03-01T00:00:00.000Z to 2026-03-01T23:59:59.999Z") as string,
  });
});

test("a list whose filter lets nothing through ends its page, and goes on", async () => {
  const table = createMemoryTable(() => start);
  const entries = Array.from({ length: 25_000 }, (_, at) => entry({ at: start + at }));
  await write(table, [...entries, entry({ user: "late" })]);
  const range = { from: start, to: start + dayMs };
  const first = await listEntries(table, { ...range, tenant: "acme", filters: { user: "late" }, limit: 10 });
  expect(first.entries).toEqual([]);
  expect(first.next).toBeDefined();
  const second = await listEntries(table, {
    ...range,
    tenant: "acme",
    filters: { user: "late" },
    limit: 10,
    cursor: first.next ?? "",
  });
  expect(second.entries.map(({ user }) => user)).toEqual(["late"]);
  expect(second.next).toBeUndefined();
});
