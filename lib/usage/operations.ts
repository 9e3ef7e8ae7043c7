// The ledger's writes: entries in blocks, and the sums of each day, in one transaction with whatever else is written of a call.
import { GatewayError } from "../model/error.ts";
import type { JsonObject } from "../model/json.ts";
import type { Operation } from "../stores/table.ts";
import { addEntry, countNames, noCounts, type Counts } from "./counts.ts";
import { encodeEntry, entryBytes, storable } from "./encode.ts";
import type { UsageEntry } from "./entry.ts";
import { blockKey, rollupKey, spendPartition, tenantEntry, tenantIndex, tenantKey } from "./keys.ts";

export type LedgerOptions = {
  /** Days that entries are kept. */
  retentionDays: number;
  /** Days that the sums of a day are kept. */
  rollupDays: number;
};

export const dayMs = 86_400_000;
/** From the earliest entry of a block to its latest: a reader of a time looks at the blocks that begin so long before it, too. */
export const blockSpanMs = 10_000;
const blockBytes = 200_000;
const maxOperations = 80;

let lastDay = -1;
let lastName = "";
/** `YYYY-MM-DD`, UTC. */
export const dayOf = (at: number): string => {
  const day = Math.floor(at / dayMs);
  if (day !== lastDay) {
    lastName = new Date(day * dayMs).toISOString().slice(0, 10);
    lastDay = day;
  }
  return lastName;
};

type Rollup = { day: string; entry: UsageEntry; counts: Counts };
type Group = { entries: UsageEntry[]; bytes: number; rollups: Map<string, Rollup> };

/** Tells apart what rollups tell apart, without the cost of a storage key. */
const groupingOf = (day: string, { key, user, provider, model, operation }: UsageEntry): string =>
  `${day}${key.length}:${key}${user.length}:${user}${provider.length}:${provider}${model.length}:${model}${operation}`;

const gather = (entries: readonly UsageEntry[]): Group[] => {
  const groups: Group[] = [];
  let group: Group | undefined;
  const ordered = entries.map(storable).sort((a, b) => a.at - b.at);
  for (const entry of ordered) {
    const day = dayOf(entry.at);
    const grouping = groupingOf(day, entry);
    const bytes = entryBytes(entry);
    if (
      group === undefined ||
      group.bytes + bytes > blockBytes ||
      entry.at - (group.entries[0]?.at ?? 0) > blockSpanMs ||
      (group.rollups.size + 2 > maxOperations && !group.rollups.has(grouping))
    ) {
      group = { entries: [], bytes: 0, rollups: new Map() };
      groups.push(group);
    }
    group.entries.push(entry);
    group.bytes += bytes;
    let rollup = group.rollups.get(grouping);
    if (rollup === undefined) {
      rollup = { day, entry, counts: noCounts() };
      group.rollups.set(grouping, rollup);
    }
    addEntry(rollup.counts, entry);
  }
  return groups;
};

const blockOperation = (pk: string, entries: readonly UsageEntry[], { retentionDays }: LedgerOptions): Operation => {
  const [first] = entries;
  const { at, id, tenant } = first ?? { at: 0, id: "", tenant: "" };
  return {
    put: {
      pk,
      sk: blockKey(at, id),
      data: { tenant, entries: entries.map(encodeEntry) },
      expiresAt: Math.ceil(((entries.at(-1)?.at ?? at) + retentionDays * dayMs) / 1000),
    },
    condition: { item: "absent" },
  };
};

const rollupOperation = (pk: string, { day, entry, counts }: Rollup, { rollupDays }: LedgerOptions): Operation => {
  const add: Record<string, number> = {};
  for (const name of countNames) if (counts[name] !== 0) add[name] = counts[name];
  const set: JsonObject = {
    tenant: entry.tenant,
    day,
    key: entry.key,
    name: entry.name,
    user: entry.user,
    provider: entry.provider,
    model: entry.model,
    operation: entry.operation,
  };
  return {
    update: { pk, sk: rollupKey(day, entry) },
    change: { set, add, expiresAt: Math.ceil((Date.parse(day) + (rollupDays + 1) * dayMs) / 1000) },
  };
};

/**
 * Writes `entries`, all of one tenant, into `pk` (`spendPartition`): as few transactions as the stores' bounds allow. The first operation
 * of each is the block: where its condition fails, all of the transaction was written before.
 */
export const entryGroups = (pk: string, entries: readonly UsageEntry[], options: LedgerOptions): Operation[][] =>
  gather(entries).map((group) => [
    blockOperation(pk, group.entries, options),
    ...Array.from(group.rollups.values(), (rollup) => rollupOperation(pk, rollup, options)),
  ]);

/** The same for what fits into one transaction: two operations for one entry. Throws `internal` for what doesn't fit. */
export const entryOperations = (pk: string, entries: readonly UsageEntry[], options: LedgerOptions): Operation[] => {
  const [group = [], more] = entryGroups(pk, entries, options);
  if (more !== undefined) throw new GatewayError("internal", "Usage entries don't fit into one transaction.");
  return group;
};

/** Enters a tenant into the list of those that ever spent. Once is enough; where its condition fails, it was there. */
export const tenantOperation = (tenant: string, shard: number): Operation => ({
  put: {
    pk: spendPartition(tenant, shard),
    sk: tenantKey,
    data: { tenant, shard },
    ipk: tenantIndex(tenant),
    isk: tenantEntry(tenant, shard),
  },
  condition: { item: "absent" },
});
