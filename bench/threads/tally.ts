// Counts what threads ask of a store: calls, items and bytes, by phase of a turn. Sizes are those of items as JSON, keys included.
import type { Blobs } from "../../lib/blobs/blobs.ts";
import type { JsonObject } from "../../lib/model/json.ts";
import type { Change, Item, Key, NewItem, Operation, Table } from "../../lib/stores/table.ts";

export type Count = {
  transactions: number;
  /** Writes outside transactions: event blocks, renewals of the lease. */
  singleWrites: number;
  itemsWritten: number;
  bytesWritten: number;
  gets: number;
  queries: number;
  itemsRead: number;
  bytesRead: number;
  blobPuts: number;
  /** The cloud's own units: by DynamoDB's rules from the items, or as a meter before the store reads them from the requests. */
  readUnits: number;
  writeUnits: number;
  /** Requests over HTTP. */
  requests: number;
};

const noCount = (): Count => ({
  transactions: 0,
  singleWrites: 0,
  itemsWritten: 0,
  bytesWritten: 0,
  gets: 0,
  queries: 0,
  itemsRead: 0,
  bytesRead: 0,
  blobPuts: 0,
  readUnits: 0,
  writeUnits: 0,
  requests: 0,
});

export const sumOf = (counts: readonly Count[]): Count => {
  const sum = noCount();
  for (const count of counts) for (const name of Object.keys(sum) as (keyof Count)[]) sum[name] += count[name];
  return sum;
};

export const shareOf = (count: Count, parts: number): Count => {
  const share = noCount();
  for (const name of Object.keys(share) as (keyof Count)[]) share[name] = count[name] / parts;
  return share;
};

export type Tally = {
  table: Table;
  blobs: Blobs;
  /** What is counted from now on is counted under this name. */
  phase: (name: string) => void;
  add: (change: Partial<Count>) => void;
  /** Resolves when no call of the table is under way. */
  idle: () => Promise<void>;
  /** What was counted since the last call, by phase. */
  take: () => Map<string, Count>;
  /** Bytes that stay when events have expired. */
  keptBytes: () => number;
};

const sizeOf = ({ pk, sk, data, ipk, isk }: NewItem): number =>
  Buffer.byteLength(JSON.stringify(data)) + pk.length + sk.length + (ipk?.length ?? 0) + (isk?.length ?? 0);

const changed = (item: NewItem | undefined, key: Key, change: Change): NewItem => {
  const data: JsonObject = { ...item?.data, ...change.set };
  for (const name of change.remove ?? []) delete data[name];
  for (const [name, by] of Object.entries(change.add ?? {})) data[name] = Number(data[name] ?? 0) + by;
  const { expiresAt } = item ?? {};
  const index = change.index === undefined ? item : (change.index ?? undefined);
  return {
    ...key,
    data,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(index?.ipk === undefined || index.isk === undefined ? {} : { ipk: index.ipk, isk: index.isk }),
  };
};

/** A write unit for each KB begun, twice in a transaction; the index takes the item as well. */
const kilobytes = (bytes: number): number => Math.ceil(bytes / 1024);
const indexed = (item: NewItem | undefined): boolean => item?.ipk !== undefined;

/** `rules`: count DynamoDB's units here (its emulator tells fewer for a transaction than the service's rules give). */
export const createTally = (table: Table, blobs: Blobs, rules?: "dynamodb"): Tally => {
  /** Items as they stand: a change of one field writes all of it. */
  const shadow = new Map<string, NewItem>();
  let counts = new Map<string, Count>();
  let phase = "";
  let running = 0;
  let waiting: (() => void)[] = [];

  const current = (): Count => {
    let count = counts.get(phase);
    if (count === undefined) counts.set(phase, (count = noCount()));
    return count;
  };
  const add = (change: Partial<Count>): void => {
    const count = current();
    for (const [name, by] of Object.entries(change)) count[name as keyof Count] += by;
  };
  const nameOf = ({ pk, sk }: Key): string => `${pk}\n${sk}`;
  const during = async <T>(work: Promise<T>): Promise<T> => {
    running += 1;
    try {
      return await work;
    } finally {
      running -= 1;
      if (running === 0) {
        const woken = waiting;
        waiting = [];
        for (const wake of woken) wake();
      }
    }
  };
  const writeUnits = (before: NewItem | undefined, after: NewItem | undefined, times: number): void => {
    if (rules === undefined) return;
    const bytes = Math.max(before === undefined ? 0 : sizeOf(before), after === undefined ? 0 : sizeOf(after), 1);
    const inIndex = indexed(before) || indexed(after) ? kilobytes(bytes) : 0;
    add({ writeUnits: times * kilobytes(bytes) + inIndex });
  };
  /** `times`: what a write costs here, in plain ones. */
  const wrote = (operation: Operation, times = 1): void => {
    if ("check" in operation) return;
    if ("delete" in operation) {
      const gone = shadow.get(nameOf(operation.delete));
      shadow.delete(nameOf(operation.delete));
      add({ itemsWritten: 1 });
      writeUnits(gone, undefined, times);
      return;
    }
    const key = "put" in operation ? operation.put : operation.update;
    const before = shadow.get(nameOf(key));
    const item = "put" in operation ? operation.put : changed(before, operation.update, operation.change);
    shadow.set(nameOf(item), item);
    add({ itemsWritten: 1, bytesWritten: sizeOf(item) });
    writeUnits(before, item, times);
  };
  const read = (items: readonly Item[], isIndex = false): void => {
    const bytes = items.reduce((sum, item) => sum + sizeOf(item), 0);
    add({ itemsRead: items.length, bytesRead: bytes });
    // Consistent reads cost one for each 4 KB begun of a page; the index reads at half of that.
    if (rules !== undefined) add({ readUnits: Math.max(1, Math.ceil(bytes / 4096)) * (isIndex ? 0.5 : 1) });
  };

  return {
    table: {
      get: async (key) => {
        add({ gets: 1 });
        const item = await during(table.get(key));
        read(item === undefined ? [] : [item]);
        return item;
      },
      put: async (item, condition) => {
        add({ singleWrites: 1 });
        const written = await during(table.put(item, condition));
        if (written.ok) wrote({ put: item });
        return written;
      },
      update: async (key, change, condition) => {
        add({ singleWrites: 1 });
        const written = await during(table.update(key, change, condition));
        if (written.ok) wrote({ update: key, change });
        return written;
      },
      delete: async (key, condition) => {
        add({ singleWrites: 1 });
        const written = await during(table.delete(key, condition));
        if (written.ok) wrote({ delete: key });
        return written;
      },
      query: async (query) => {
        add({ queries: 1 });
        const page = await during(table.query(query));
        read(page.items, query.index === true);
        return page;
      },
      transact: async (pk, operations) => {
        add({ transactions: 1 });
        const written = await during(table.transact(pk, operations));
        if (written.ok) for (const operation of operations) wrote(operation, 2);
        return written;
      },
      close: () => table.close(),
    },
    blobs: {
      ...blobs,
      put: (scope, bytes) => {
        add({ blobPuts: 1 });
        return blobs.put(scope, bytes);
      },
    },
    phase: (name) => {
      phase = name;
    },
    add,
    idle: async () => {
      // Whoever was answered may ask again at once.
      for (let quiet = 0; quiet < 3; quiet += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        if (running > 0) {
          await new Promise<void>((resolve) => waiting.push(resolve));
          quiet = 0;
        }
      }
    },
    take: () => {
      const taken = counts;
      counts = new Map();
      return taken;
    },
    keptBytes: () => {
      let sum = 0;
      for (const item of shadow.values()) if (item.expiresAt === undefined) sum += sizeOf(item);
      return sum;
    },
  };
};
