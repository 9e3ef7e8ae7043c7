import type { JsonObject } from "../model/json.ts";

/**
 * The only storage port. Everything that lasts (threads, runs, keys, budgets, jobs, idempotency) is written once over it.
 * An item lives at `pk` and `sk`; `pk` begins with the tenant. Strings sort by their UTF-8 bytes.
 * A condition that doesn't hold is a value (`{ ok: false }`), an outage throws a `GatewayError` with the code `storage`.
 */
export interface Table {
  /** Always the newest version: reads are consistent. Items past `expiresAt` are never returned, whether swept or not. */
  get(key: Key): Promise<Item | undefined>;
  /** Writes the whole item; `version` becomes 1 for a new one, the old one plus 1 otherwise. Without a condition it overwrites. */
  put(item: NewItem, condition?: Condition): Promise<Written>;
  /** Changes top-level fields of an item's data; creates the item when it isn't there, unless the condition forbids it. */
  update(key: Key, change: Change, condition?: Condition): Promise<Written>;
  /** Deleting what isn't there is no failure, unless the condition asks for it. */
  delete(key: Key, condition?: Condition): Promise<Written>;
  /** One page of a partition, or of the index, in the order of the sort key. */
  query(query: Query): Promise<Page>;
  /** All of the operations or none. One partition, at most 100 operations, one operation an item. */
  transact(pk: string, operations: readonly Operation[]): Promise<Written>;
  close(): Promise<void>;
}

export interface Key {
  readonly pk: string;
  readonly sk: string;
}

export interface Item extends Key {
  /** 1 for a new item, one more with every write. */
  readonly version: number;
  readonly data: JsonObject;
  /** Seconds since 1970. */
  readonly expiresAt?: number;
  /** Partition and sort key in the secondary index, which may lag behind by seconds. Both or none. */
  readonly ipk?: string;
  readonly isk?: string;
}

export type NewItem = Omit<Item, "version">;

export interface Change {
  readonly set?: JsonObject;
  readonly remove?: readonly string[];
  /** Numbers added to top-level fields; a missing field counts as 0. */
  readonly add?: Readonly<Record<string, number>>;
  /** Seconds since 1970; null lets the item live for ever. Absent: unchanged. */
  readonly expiresAt?: number | null;
  /** null takes the item out of the index. Absent: unchanged. */
  readonly index?: { readonly ipk: string; readonly isk: string } | null;
}

/** Every test must hold. `item: "absent"` also holds for an expired item. */
export interface Condition {
  readonly item?: "absent" | "present";
  readonly version?: number;
  readonly fields?: readonly FieldTest[];
}

/** A test of a top-level field of the data. With `orAbsent`, a missing field (or item) passes too. */
export interface FieldTest {
  readonly field: string;
  readonly is: "=" | "!=" | "<" | "<=" | ">" | ">=" | "absent";
  readonly value?: string | number | boolean;
  readonly orAbsent?: boolean;
}

export type Written =
  /** `item`: as it stands after a put or an update; absent after a delete or a transaction. */
  | { readonly ok: true; readonly item?: Item }
  /** `failed`: the index of the operation whose condition didn't hold (0 outside transactions); `item`: what stood in its way, where the store says. */
  | { readonly ok: false; readonly failed: number; readonly item?: Item };

export type Operation =
  | { readonly put: NewItem; readonly condition?: Condition }
  | { readonly update: Key; readonly change: Change; readonly condition?: Condition }
  | { readonly delete: Key; readonly condition?: Condition }
  /** Writes nothing, but the transaction fails when the condition doesn't hold. */
  | { readonly check: Key; readonly condition: Condition };

export interface Query {
  readonly pk: string;
  /** `pk` is an `ipk`, and bounds and order are those of `isk`. */
  readonly index?: boolean;
  readonly prefix?: string;
  /** Bounds of the sort key: `after` and `before` exclude it. */
  readonly after?: string;
  readonly before?: string;
  readonly descending?: boolean;
  /** At most this many items; a page may hold fewer though there are more (1 MB at most). Default 100. */
  readonly limit?: number;
  /** `next` of the page before; means something to its store only. */
  readonly cursor?: string;
}

export interface Page {
  readonly items: readonly Item[];
  /** Absent at the end. */
  readonly next?: string;
}
