// Calls whose process died: settled at their estimate, which their budgets have held all along, and entered into the ledger.
import type { JsonObject } from "../model/json.ts";
import type { Item } from "../stores/table.ts";
import { entryOperations } from "../usage/operations.ts";
import type { EngineServices } from "./engine.ts";
import { dueAt, dueBefore, reservationField, reservationIndex, reservationPrefix, sweepShards } from "./keys.ts";
import { shardOf, type Update, writeWhatIsThere } from "./permit.ts";
import { decodeReservation, orphanEntry, type Reservation } from "./reservation.ts";

const reservationsOf = (data: JsonObject): Reservation[] =>
  Object.entries(data).flatMap(([field, value]) => {
    if (!field.startsWith(reservationPrefix)) return [];
    const kept = decodeReservation(field.slice(reservationPrefix.length), value);
    return kept === undefined ? [] : [kept];
  });

type Services = Pick<EngineServices, "table" | "usage" | "now" | "views" | "register">;

/** False where another was faster. */
const settleOrphan = async (
  { table, usage, now, views }: Services,
  tenant: string,
  { pk, sk }: Pick<Item, "pk" | "sk">,
  kept: Reservation,
): Promise<boolean> => {
  const adds = new Map<string, Record<string, number>>([[sk, {}]]);
  for (const [at, field] of kept.counts) adds.set(at, { ...adds.get(at), [field]: -1 });
  const field = reservationField(kept.id);
  const operations = [...adds].map(([at, add]): Update => ({
    update: { pk, sk: at },
    change: { add, ...(at === sk ? { remove: [field] } : {}) },
    condition: at === sk ? { fields: [{ field, is: "!=", value: "" }] } : { item: "present" },
  }));
  const ledger = usage.ledger === "off" ? [] : entryOperations(pk, [orphanEntry(kept, tenant, now())], usage);
  const written = await writeWhatIsThere(table, pk, operations, ledger);
  for (const at of adds.keys()) {
    views.set(pk, at, undefined);
    views.forget(pk, at);
  }
  return written.length > 0;
};

/** Settles those of an item whose time is over. True where there was one: there may be room now. */
export const reclaim = async (services: Services, tenant: string, item: Item): Promise<boolean> => {
  const now = services.now();
  const dead = reservationsOf(item.data).filter(({ until }) => until <= now);
  for (const kept of dead) await settleOrphan(services, tenant, item, kept);
  return dead.length > 0;
};

/** The tenant of a partition, as its name was encoded. */
const tenantOf = (pk: string): string => decodeURIComponent(pk.slice(0, pk.indexOf("/")));

/** Looks at every item whose last reservation has run out. Safe to run anywhere, by several at once. */
export const sweepOrphans = async (services: Services): Promise<void> => {
  const { table } = services;
  for (let shard = 0; shard < sweepShards; shard += 1) {
    let cursor: string | undefined;
    do {
      const page = await table.query({
        pk: reservationIndex(shard),
        index: true,
        before: dueBefore(services.now()),
        limit: 50,
        ...(cursor === undefined ? {} : { cursor }),
      });
      cursor = page.next;
      for (const { pk, sk } of page.items) {
        // The index may lag behind.
        const item = await table.get({ pk, sk });
        if (item?.isk === undefined || item.isk >= dueBefore(services.now())) continue;
        const tenant = tenantOf(pk);
        if (await reclaim(services, tenant, item)) await services.register(tenant, shardOf(pk));
        const now = await table.get({ pk, sk });
        if (now === undefined) continue;
        const left = reservationsOf(now.data).map(({ until }) => until);
        // A call that came meanwhile has moved the entry itself, and the version with it.
        await table.update(
          { pk, sk },
          { index: left.length === 0 ? null : { ipk: reservationIndex(shard), isk: dueAt(Math.min(...left)) } },
          { version: now.version },
        );
      }
    } while (cursor !== undefined);
  }
};

/** For readers of an item: the calls that are under way, or were when their process died. */
export const openReservations = (data: JsonObject): Pick<Reservation, "cost" | "key" | "user" | "until">[] =>
  reservationsOf(data);
