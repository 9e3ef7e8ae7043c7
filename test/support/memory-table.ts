// A table in memory: the port's meaning in its plainest form, with a tap that can count or break any operation.
import type { JsonObject } from "../../lib/model/json.ts";
import type {
  Change,
  Condition,
  FieldTest,
  Item,
  Key,
  NewItem,
  Operation,
  Page,
  Query,
  Table,
  Written,
} from "../../lib/stores/table.ts";

export type MemoryTable = Table & {
  /** Everything that is stored and has not expired, by key. */
  all: () => Item[];
};

const nameOf = ({ pk, sk }: Key): string => `${pk}\u0000${sk}`;
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const testHolds = (test: FieldTest, data: JsonObject | undefined): boolean => {
  const value = data?.[test.field];
  const missing = value === undefined || value === null;
  if (test.is === "absent") return missing;
  if (missing) return test.orAbsent === true;
  const wanted = test.value;
  if (wanted === undefined || typeof value !== typeof wanted) return test.is === "!=";
  const order = value === wanted ? 0 : (value as string | number) < (wanted as string | number) ? -1 : 1;
  switch (test.is) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    default:
      return order >= 0;
  }
};

const holds = (condition: Condition | undefined, item: Item | undefined): boolean =>
  condition === undefined ||
  ((condition.item === undefined || (condition.item === "present") === (item !== undefined)) &&
    (condition.version === undefined || condition.version === item?.version) &&
    (condition.fields ?? []).every((test) => testHolds(test, item?.data)));

export const createMemoryTable = (now: () => number = Date.now): MemoryTable => {
  const items = new Map<string, Item>();

  const alive = (item: Item | undefined): Item | undefined =>
    item !== undefined && (item.expiresAt === undefined || item.expiresAt * 1000 > now()) ? item : undefined;
  const find = (key: Key): Item | undefined => alive(items.get(nameOf(key)));
  const copy = (item: Item): Item => structuredClone(item);

  const stored = (item: NewItem): Item => ({ ...structuredClone(item), version: (find(item)?.version ?? 0) + 1 });

  const changed = (key: Key, change: Change): Item => {
    const old = find(key);
    const data: JsonObject = { ...old?.data, ...structuredClone(change.set) };
    for (const name of change.remove ?? []) delete data[name];
    for (const [name, by] of Object.entries(change.add ?? {})) {
      const value = data[name];
      data[name] = (typeof value === "number" ? value : 0) + by;
    }
    const expiresAt = change.expiresAt === undefined ? old?.expiresAt : change.expiresAt;
    const index =
      change.index === undefined
        ? old?.ipk !== undefined && old.isk !== undefined
          ? { ipk: old.ipk, isk: old.isk }
          : null
        : change.index;
    return {
      pk: key.pk,
      sk: key.sk,
      version: (old?.version ?? 0) + 1,
      data: JSON.parse(JSON.stringify(data)) as JsonObject,
      ...(expiresAt === undefined || expiresAt === null ? {} : { expiresAt }),
      ...(index === null ? {} : { ipk: index.ipk, isk: index.isk }),
    };
  };

  const keyOf = (operation: Operation): Key =>
    "put" in operation
      ? operation.put
      : "update" in operation
        ? operation.update
        : "delete" in operation
          ? operation.delete
          : operation.check;

  const apply = (operation: Operation): Item | undefined => {
    if ("check" in operation) return undefined;
    if ("delete" in operation) {
      items.delete(nameOf(operation.delete));
      return undefined;
    }
    const item = "put" in operation ? stored(operation.put) : changed(operation.update, operation.change);
    if (JSON.stringify(item.data).length > 390_000) throw new Error(`item too large: ${item.sk}`);
    items.set(nameOf(item), item);
    return copy(item);
  };

  const run = (operations: readonly Operation[]): Written => {
    const failed = operations.findIndex((operation) => !holds(operation.condition, find(keyOf(operation))));
    const failing = operations[failed];
    if (failing !== undefined) {
      const item = find(keyOf(failing));
      return item === undefined ? { ok: false, failed } : { ok: false, failed, item: copy(item) };
    }
    const results = operations.map(apply);
    const item = operations.length === 1 ? results[0] : undefined;
    return item === undefined ? { ok: true } : { ok: true, item };
  };

  const page = (query: Query): Page => {
    const sortOf = (item: Item): string => (query.index === true ? (item.isk ?? "") : item.sk);
    const found = [...items.values()]
      .filter((item) => alive(item) !== undefined && (query.index === true ? item.ipk : item.pk) === query.pk)
      .filter((item) => {
        const sort = sortOf(item);
        return (
          (query.prefix === undefined || sort.startsWith(query.prefix)) &&
          (query.after === undefined || byBytes(sort, query.after) > 0) &&
          (query.before === undefined || byBytes(sort, query.before) < 0)
        );
      })
      .sort((a, b) => byBytes(sortOf(a), sortOf(b)) || byBytes(nameOf(a), nameOf(b)));
    if (query.descending === true) found.reverse();
    const start =
      query.cursor === undefined
        ? 0
        : found.findIndex((item) => `${sortOf(item)}|${nameOf(item)}` === query.cursor) + 1;
    const limit = query.limit ?? 100;
    const items_ = found.slice(start, start + limit);
    const last = items_.at(-1);
    return last !== undefined && found.length > start + limit
      ? { items: items_.map(copy), next: `${sortOf(last)}|${nameOf(last)}` }
      : { items: items_.map(copy) };
  };

  // One turn of the event loop before each operation: whatever runs at once is interleaved as it would be over a network.
  const later = (): Promise<void> => Promise.resolve();

  return {
    get: async (key) => {
      await later();
      const item = find(key);
      return item === undefined ? undefined : copy(item);
    },
    put: async (item, condition) => {
      await later();
      return run([condition === undefined ? { put: item } : { put: item, condition }]);
    },
    update: async (key, change, condition) => {
      await later();
      return run([condition === undefined ? { update: key, change } : { update: key, change, condition }]);
    },
    delete: async (key, condition) => {
      await later();
      return run([condition === undefined ? { delete: key } : { delete: key, condition }]);
    },
    query: async (query) => {
      await later();
      return page(query);
    },
    transact: async (pk, operations) => {
      await later();
      const keys = operations.map(keyOf);
      if (operations.length === 0 || operations.length > 100) throw new Error(`${operations.length} operations`);
      if (keys.some((key) => key.pk !== pk)) throw new Error("a transaction over several partitions");
      if (new Set(keys.map((key) => key.sk)).size !== keys.length) throw new Error("two operations on one item");
      const written = run(operations);
      return written.ok ? { ok: true } : written;
    },
    close: async () => {},
    all: () => [...items.values()].filter((item) => alive(item) !== undefined).map(copy),
  };
};

export type Operations = { reads: number; writes: number; transactions: number; operations: number };

/** The same table with a tap: `before` runs ahead of every write, `after` behind it, and either may throw. */
export const tapped = (
  table: Table,
  tap: { before?: (operations: number) => void | Promise<void>; after?: () => void | Promise<void> },
): Table & { counted: Operations } => {
  const counted: Operations = { reads: 0, writes: 0, transactions: 0, operations: 0 };
  const write = async (operations: number, work: () => Promise<Written>): Promise<Written> => {
    counted.operations += operations;
    await tap.before?.(operations);
    const written = await work();
    await tap.after?.();
    return written;
  };
  return {
    counted,
    get: (key) => {
      counted.reads += 1;
      return table.get(key);
    },
    query: (query) => {
      counted.reads += 1;
      return table.query(query);
    },
    put: (item, condition) => {
      counted.writes += 1;
      return write(1, () => table.put(item, condition));
    },
    update: (key, change, condition) => {
      counted.writes += 1;
      return write(1, () => table.update(key, change, condition));
    },
    delete: (key, condition) => {
      counted.writes += 1;
      return write(1, () => table.delete(key, condition));
    },
    transact: (pk, operations) => {
      counted.transactions += 1;
      return write(operations.length, () => table.transact(pk, operations));
    },
    close: () => table.close(),
  };
};
