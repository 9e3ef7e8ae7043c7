import { entryGroups } from "./operations.ts";
import type { UsageEntry } from "./entry.ts";
import { spendPartition } from "./keys.ts";
export type UsageWriter = { add: (entry: UsageEntry) => Promise<void>; flush: () => Promise<void> };
export const createUsageWriter = (s: any): UsageWriter => ({
  add: async (entry) => { const pk = spendPartition(entry.tenant, 0); for (const g of entryGroups(pk, [entry], s.options)) await s.table.transact(pk, g); },
  flush: async () => undefined,
});
