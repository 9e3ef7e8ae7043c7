// Where the ledger lies: a tenant's spending, by shard, in one partition with what limits it, so that both change in one transaction.
import { bucketOf, paddedTime, safe, short } from "../model/storage-key.ts";

/** The entries, rollups and limits of a tenant. Tenants with few calls have shard 0 alone. */
export const spendPartition = (tenant: string, shard: number): string => `${safe(tenant)}/spend/${shard}`;

const blockPrefix = "u:";
/** A block of entries, by the time of its earliest. Ids are unique within a tenant. */
export const blockKey = (at: number, id: string): string => `${blockPrefix}${paddedTime(at)}:${short(id)}`;
/** The least key of the blocks that begin at this time. */
export const blockTime = (at: number): string => `${blockPrefix}${paddedTime(at)}`;

/** What rollups tell apart within a day. */
export type Dimensions = { key: string; user: string; provider: string; model: string; operation: string };

export const rollupPrefix = "d:";

/** Long names are told apart by a hash: five of them fit into a key of every store, also where it writes `.` and `%` as two, `!` as three. */
const dimension = (name: string): string => {
  const encoded = safe(name).replaceAll("!", "%21");
  return encoded.length <= 100
    ? encoded
    : `${encoded.slice(0, 30)}~${process.getBuiltinModule("node:crypto").hash("sha256", name, "hex")}`;
};

/** `day`: `YYYY-MM-DD`, UTC. */
export const rollupKey = (day: string, { key, user, provider, model, operation }: Dimensions): string =>
  `${rollupPrefix}${day}:${[key, user, provider, model, operation].map(dimension).join(":")}`;

/** In the partition of the spending itself: written with the first entry. */
export const tenantKey = "tenant";
const tenantBuckets = 8;
const tenantIndexAt = (bucket: number): string => `~tenants/${bucket}`;
export const tenantIndexes: readonly string[] = Array.from({ length: tenantBuckets }, (_, at) => tenantIndexAt(at));
export const tenantIndex = (tenant: string): string => tenantIndexAt(bucketOf(tenant, tenantBuckets));
/** All shards of a tenant. */
export const tenantPrefix = (tenant: string): string => `${short(tenant)}/`;
export const tenantEntry = (tenant: string, shard: number): string => `${tenantPrefix(tenant)}${shard}`;
