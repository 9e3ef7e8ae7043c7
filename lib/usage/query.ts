// Usage of a time, in groups: whole days come from their sums, parts of days from the entries, so that all agree to the last digit.
import { invalid } from "../model/error.ts";
import type { JsonObject } from "../model/json.ts";
import type { Table } from "../stores/table.ts";
import { addCounts, addEntry, countNames, noCounts, type Counts } from "./counts.ts";
import { bounded } from "./encode.ts";
import { spendPartition } from "./keys.ts";
import { dayMs, dayOf, type LedgerOptions } from "./operations.ts";
import { allowanceOf, readBlocks, readRollups, type Allowance, type TimeRange } from "./reader.ts";
import { listTenants, shardsOf, type TenantShard } from "./tenants.ts";

/** What usage can be grouped by. `wire` is told by entries alone. */
export const usageDimensions = ["day", "tenant", "key", "user", "provider", "model", "operation", "wire"] as const;
export type UsageDimension = (typeof usageDimensions)[number];

export const filterNames = ["key", "user", "model", "provider"] as const;
export type UsageFilters = { [name in (typeof filterNames)[number]]?: string };

export type UsageQuery = TimeRange & {
  /** Undefined: all tenants. */
  tenant?: string;
  groupBy: readonly UsageDimension[];
  filters?: UsageFilters;
};

export type UsageGroup = {
  /** In the order of `groupBy`. */
  values: readonly string[];
  /** The name of the key as it was last, where the groups are keys. */
  keyName?: string;
  counts: Counts;
};

export type UsageSums = { groups: UsageGroup[]; total: Counts };

/** Rows that one query may read, of all tenants together. */
const maxRows = 200_000;
const maxDays = 1_000;
const tenantsAtOnce = 8;

/** One rollup or one entry, as far as groups and filters ask. */
type Row = Record<Exclude<UsageDimension, "wire">, string> & { wire?: string; name: string };

type Stretches = { whole: TimeRange | undefined; parts: TimeRange[] };

const stretchesOf = ({ from, to, groupBy }: UsageQuery): Stretches => {
  const first = Math.ceil(from / dayMs) * dayMs;
  const last = Math.floor(to / dayMs) * dayMs;
  if (first >= last || groupBy.includes("wire")) return { whole: undefined, parts: [{ from, to }] };
  const parts = [
    { from, to: first },
    { from: last, to },
  ].filter((part) => part.from < part.to);
  return { whole: { from: first, to: last }, parts };
};

const checkRange = (query: UsageQuery, { parts }: Stretches, { retentionDays }: LedgerOptions, now: number): void => {
  const { from, to } = query;
  if (to - from > maxDays * dayMs) throw invalid("from", `expected a range of at most ${maxDays} days`);
  const kept = now - retentionDays * dayMs;
  for (const part of parts)
    if (part.from < kept)
      throw invalid(
        part.from === from ? "from" : "to",
        `single entries are kept for ${retentionDays} days; before ${new Date(kept).toISOString()} expected whole days (UTC), not grouped by wire`,
      );
};

export const boundedFilters = (filters: UsageFilters = {}): [keyof UsageFilters, string][] =>
  filterNames.flatMap((name) => {
    const value = filters[name];
    return value === undefined ? [] : [[name, bounded(value)] as [typeof name, string]];
  });

const text = (data: JsonObject, field: string): string => {
  const value = data[field];
  return typeof value === "string" ? value : "";
};

const rowOf = (data: JsonObject): Row => ({
  day: text(data, "day"),
  tenant: text(data, "tenant"),
  key: text(data, "key"),
  name: text(data, "name"),
  user: text(data, "user"),
  provider: text(data, "provider"),
  model: text(data, "model"),
  operation: text(data, "operation"),
});

const countsOf = (data: JsonObject): Partial<Counts> => {
  const counts: Partial<Counts> = {};
  for (const name of countNames) {
    const value = data[name];
    if (typeof value === "number") counts[name] = value;
  }
  return counts;
};

/** Gathers rows into groups. */
const createGroups = (query: UsageQuery) => {
  const filters = boundedFilters(query.filters);
  /** `named`: the day that the key's name is of. */
  const groups = new Map<string, { group: UsageGroup; named: string }>();
  const total = noCounts();
  const byKey = query.groupBy.includes("key");
  return {
    total,
    groups,
    add: (row: Row, sum: (counts: Counts) => void): void => {
      if (!filters.every(([name, value]) => row[name] === value)) return;
      sum(total);
      const values = query.groupBy.map((name) => row[name] ?? "");
      const id = JSON.stringify(values);
      let found = groups.get(id);
      if (found === undefined) {
        found = { group: { values, counts: noCounts() }, named: "" };
        groups.set(id, found);
      }
      const { group, named } = found;
      if (byKey && row.day >= named) {
        group.keyName = row.name;
        found.named = row.day;
      }
      sum(group.counts);
    },
  };
};

type Groups = ReturnType<typeof createGroups>;

const readShard = async (
  table: Table,
  { tenant, shard }: TenantShard,
  { whole, parts }: Stretches,
  groups: Groups,
  allow: Allowance,
): Promise<void> => {
  const pk = spendPartition(tenant, shard);
  if (whole !== undefined)
    for await (const data of readRollups(table, pk, whole)) {
      allow(1);
      const counts = countsOf(data);
      groups.add(rowOf(data), (sum) => addCounts(sum, counts));
    }
  for (const part of parts)
    for await (const { entries } of readBlocks(table, pk, part, false)) {
      allow(entries.length + 1);
      for (const entry of entries) groups.add({ ...entry, day: dayOf(entry.at) }, (sum) => addEntry(sum, entry));
    }
};

/** The shards of one tenant, or all of them. */
export const shardsFor = async (table: Table, tenant: string | undefined): Promise<readonly TenantShard[]> => {
  if (tenant !== undefined) return shardsOf(table, tenant);
  const all: TenantShard[] = [];
  for await (const each of listTenants(table)) all.push(each);
  return all;
};

/** `work` for each, a few at once. */
export const forEachFew = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(tenantsAtOnce, items.length) }, worker));
};

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Groups by day, then by cost, the dearest first. Throws `invalid_request` with `from` or `to` where the range is too large, or reaches
 * into days whose entries are needed and gone.
 */
export const queryUsage = async (
  table: Table,
  query: UsageQuery,
  options: LedgerOptions,
  now: number,
): Promise<UsageSums> => {
  const stretches = stretchesOf(query);
  checkRange(query, stretches, options, now);
  const gathered = createGroups(query);
  const allow = allowanceOf(maxRows, query);
  await forEachFew(await shardsFor(table, query.tenant), (shard) =>
    readShard(table, shard, stretches, gathered, allow),
  );
  const day = query.groupBy.indexOf("day");
  const groups = Array.from(gathered.groups.values(), ({ group }) => group).sort(
    (a, b) =>
      compareText(a.values[day] ?? "", b.values[day] ?? "") ||
      b.counts.cost - a.counts.cost ||
      b.counts.requests - a.counts.requests ||
      compareText(a.values.join("\n"), b.values.join("\n")),
  );
  return { groups, total: gathered.total };
};
