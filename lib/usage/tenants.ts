// The tenants that ever spent, from the index that spans them.
import type { Item, Table } from "../stores/table.ts";
import { spendPartition, tenantIndex, tenantIndexes, tenantPrefix } from "./keys.ts";
import { tenantOperation } from "./operations.ts";

export type TenantShard = { tenant: string; shard: number };

const shardOf = ({ data }: Item): TenantShard[] => {
  const { tenant, shard } = data;
  return typeof tenant === "string" && typeof shard === "number" ? [{ tenant, shard }] : [];
};

async function* read(table: Table, pk: string, prefix?: string): AsyncGenerator<TenantShard> {
  let cursor: string | undefined;
  do {
    const page = await table.query({
      pk,
      index: true,
      limit: 1_000,
      ...(prefix === undefined ? {} : { prefix }),
      ...(cursor === undefined ? {} : { cursor }),
    });
    yield* page.items.flatMap(shardOf);
    cursor = page.next;
  } while (cursor !== undefined);
}

/** Every tenant and shard that was ever written to, in no order. The index may lag by seconds. */
export async function* listTenants(table: Table): AsyncGenerator<TenantShard> {
  for (const pk of tenantIndexes) yield* read(table, pk);
}

/** The shards of one tenant; shard 0 is always among them. */
export const shardsOf = async (table: Table, tenant: string): Promise<readonly TenantShard[]> => {
  const shards: TenantShard[] = [{ tenant, shard: 0 }];
  for await (const each of read(table, tenantIndex(tenant), tenantPrefix(tenant)))
    if (each.tenant === tenant && each.shard !== 0) shards.push(each);
  return shards;
};

/** Enough for any instance; beyond it, tenants are entered again, which changes nothing. */
const maxKnown = 10_000;

/** Enters tenants into the list, each once in this process: undefined where that was done. Rejects `storage`, to be called again. */
export const createTenantRegister = (
  table: Pick<Table, "transact">,
): ((tenant: string, shard: number) => Promise<void> | undefined) => {
  const known = new Set<string>();
  const enter = async (pk: string, tenant: string, shard: number): Promise<void> => {
    await table.transact(pk, [tenantOperation(tenant, shard)]);
    if (known.size >= maxKnown) known.clear();
    known.add(pk);
  };
  return (tenant, shard) => {
    const pk = spendPartition(tenant, shard);
    return known.has(pk) ? undefined : enter(pk, tenant, shard);
  };
};
