// The table in one SQLite file, by Node's own driver: development, containers with a volume, tests. Several processes may
// share the file. With the write-ahead log a killed process loses nothing it acknowledged; a power cut may lose the last writes.
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../model/error.ts";
import type { JsonObject } from "../model/json.ts";
import { decodeCursor, encodeCursor } from "./shared/cursor.ts";
import { rangeOf, isEmpty } from "./shared/range.ts";
import { checkKeys, checkTransaction, holds, isExpired, keyOf, outcomeOf } from "./shared/semantics.ts";
import type { Item, Key, Operation, Page, Query, Table, Written } from "./table.ts";

export type SqliteOptions = {
  /** A path, whose folder is made where it is missing, or `:memory:`. */
  readonly file: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
};

const schema = `
  CREATE TABLE IF NOT EXISTS items (
    pk TEXT NOT NULL, sk TEXT NOT NULL, version INTEGER NOT NULL, data TEXT NOT NULL,
    expires_at NUMERIC, ipk TEXT, isk TEXT, UNIQUE (pk, sk)
  );
  CREATE INDEX IF NOT EXISTS items_by_index ON items (ipk, isk, pk, sk) WHERE ipk IS NOT NULL;
  CREATE INDEX IF NOT EXISTS items_by_expiry ON items (expires_at) WHERE expires_at IS NOT NULL;
`;

const pageBytes = 1_000_000;
/** Each try waits this long for another process's write, blocking; between tries the process goes on. */
const busyMs = 100;
const busyTries = 30;
/** Expired items are deleted with every so many writes, a few at a time. */
const sweepEvery = 200;
const sweepAtMost = 500;

type Row = {
  pk: string;
  sk: string;
  version: number;
  data: string;
  expires_at: number | null;
  ipk: string | null;
  isk: string | null;
};

const itemOf = (row: Row): Item => ({
  pk: row.pk,
  sk: row.sk,
  version: row.version,
  data: JSON.parse(row.data) as JsonObject,
  ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
  ...(row.ipk === null || row.isk === null ? {} : { ipk: row.ipk, isk: row.isk }),
});

/** Where a page ended: `[sk]`, or `[isk, pk, sk]` in the index. */
const cursorOf = (row: Row, index: boolean): string => encodeCursor(index ? [row.isk ?? "", row.pk, row.sk] : [row.sk]);

/** SQLITE_BUSY and SQLITE_LOCKED, extended codes included: another process holds the file for a moment. */
const isBusy = (error: unknown): boolean => {
  const code =
    error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode & 0xff : 0;
  return code === 5 || code === 6;
};

const outage = (cause: unknown): GatewayError =>
  cause instanceof GatewayError ? cause : new GatewayError("storage", "The SQLite store failed.", { cause });

/** Opens the file, and makes it where it is missing, in a folder for its owner alone. Throws `storage` where it can't. */
export const openSqlite = async (options: SqliteOptions): Promise<Table> => {
  const [{ DatabaseSync }, { mkdirSync }, path] = await Promise.all([
    import("node:sqlite"),
    import("node:fs"),
    import("node:path"),
  ]);
  const now = (): number => (options.now ?? Date.now)() / 1000;

  /** Nothing of a busy try was done, so that all of it may be tried again. */
  const patiently = async <T>(work: () => T): Promise<T> => {
    for (let tried = 1; ; tried += 1) {
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || tried >= busyTries) throw outage(error);
        await sleep(5 + Math.random() * 10 * tried);
      }
    }
  };

  const database = await patiently(() => {
    if (options.file !== ":memory:") mkdirSync(path.dirname(options.file), { recursive: true, mode: 0o700 });
    const opened = new DatabaseSync(options.file, { timeout: busyMs });
    try {
      opened.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
      opened.exec(schema);
    } catch (error) {
      opened.close();
      throw error;
    }
    return opened;
  });

  const select = database.prepare("SELECT * FROM items WHERE pk = ? AND sk = ?");
  const upsert = database.prepare(`
    INSERT INTO items (pk, sk, version, data, expires_at, ipk, isk) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (pk, sk) DO UPDATE SET version = excluded.version, data = excluded.data, expires_at = excluded.expires_at,
      ipk = excluded.ipk, isk = excluded.isk`);
  const remove = database.prepare("DELETE FROM items WHERE pk = ? AND sk = ?");
  const sweep = database.prepare(
    "DELETE FROM items WHERE rowid IN (SELECT rowid FROM items WHERE expires_at <= ? LIMIT ?)",
  );
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const rollback = database.prepare("ROLLBACK");
  const pages = new Map<string, ReturnType<typeof database.prepare>>();

  const read = (key: Key, at: number): Item | undefined => {
    const row = select.get(key.pk, key.sk) as Row | undefined;
    const item = row === undefined ? undefined : itemOf(row);
    return item === undefined || isExpired(item, at) ? undefined : item;
  };

  const apply = (operation: Operation, before: Item | undefined): Item | undefined => {
    const outcome = outcomeOf(operation, before);
    const key = keyOf(operation);
    if (outcome === "keep") return before;
    if (outcome === "delete") {
      remove.run(key.pk, key.sk);
      return undefined;
    }
    const { version, data, expiresAt, ipk, isk } = outcome.write;
    upsert.run(key.pk, key.sk, version, JSON.stringify(data), expiresAt ?? null, ipk ?? null, isk ?? null);
    return outcome.write;
  };

  let writes = 0;
  /** The operations in one SQLite transaction, and what the last of them left. */
  const run = (operations: readonly Operation[]): Written => {
    const at = now();
    begin.run();
    try {
      const before = operations.map((operation) => read(keyOf(operation), at));
      const failed = operations.findIndex((operation, position) => !holds(operation.condition, before[position]));
      if (failed >= 0) {
        rollback.run();
        const item = before[failed];
        return { ok: false, failed, ...(item === undefined ? {} : { item }) };
      }
      let last: Item | undefined;
      for (const [position, operation] of operations.entries()) last = apply(operation, before[position]);
      if (writes % sweepEvery === 0) sweep.run(at, sweepAtMost);
      commit.run();
      writes += 1;
      return { ok: true, ...(last === undefined ? {} : { item: last }) };
    } catch (error) {
      // A failed statement may have ended the transaction by itself.
      if (database.isTransaction) rollback.run();
      throw error;
    }
  };

  const write = (operation: Operation): Promise<Written> =>
    patiently(() => {
      checkKeys(operation);
      return run([operation]);
    });

  const page = (query: Query): Page => {
    const range = rangeOf(query);
    const limit = query.limit ?? 100;
    if (isEmpty(range) || limit <= 0) return { items: [] };
    const index = query.index === true;
    const [partition, sort] = index ? ["ipk", "isk"] : ["pk", "sk"];
    const order = index ? ["isk", "pk", "sk"] : ["sk"];
    const direction = query.descending === true ? "DESC" : "ASC";
    const where = [`${partition} = ?`, "(expires_at IS NULL OR expires_at > ?)"];
    const values: (string | number)[] = [query.pk, now()];
    if (range.from !== undefined) {
      where.push(`${sort} >= ?`);
      values.push(range.from);
    }
    if (range.to !== undefined) {
      where.push(`${sort} < ?`);
      values.push(range.to);
    }
    if (query.cursor !== undefined) {
      where.push(`(${order.join(", ")}) ${direction === "DESC" ? "<" : ">"} (${order.map(() => "?").join(", ")})`);
      values.push(...decodeCursor(query.cursor, order.length));
    }
    const sql = `SELECT * FROM items WHERE ${where.join(" AND ")} ORDER BY ${order.map((each) => `${each} ${direction}`).join(", ")} LIMIT ?`;
    const statement = pages.get(sql) ?? database.prepare(sql);
    pages.set(sql, statement);

    const rows: Row[] = [];
    let bytes = 0;
    // One more than asked for says whether there is more.
    for (const each of statement.iterate(...values, limit + 1)) {
      const row = each as Row;
      bytes += row.data.length;
      const last = rows.at(-1);
      if (last !== undefined && (rows.length === limit || bytes > pageBytes))
        return { items: rows.map(itemOf), next: cursorOf(last, index) };
      rows.push(row);
    }
    return { items: rows.map(itemOf) };
  };

  return {
    get: (key) => patiently(() => read(key, now())),
    put: (item, condition) => write({ put: item, ...(condition && { condition }) }),
    update: (key, change, condition) => write({ update: key, change, ...(condition && { condition }) }),
    delete: (key, condition) => write({ delete: key, ...(condition && { condition }) }),
    query: (query) => patiently(() => page(query)),
    transact: (pk, operations) =>
      patiently(() => {
        checkTransaction(pk, operations);
        const done = run(operations);
        return done.ok ? { ok: true } : done;
      }),
    close: () =>
      patiently(() => {
        if (database.isOpen) database.close();
      }),
  };
};
