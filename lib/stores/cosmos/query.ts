// Queries as SQL. Ids and places sort as the keys do, so that a range of keys is a range of strings, and a cursor is the last of
// them: no continuation token of the service's, which would tie a page to the query that made it.
import type { QueryIterator, SqlParameter, SqlQuerySpec } from "@azure/cosmos";
import { decodeCursor, encodeCursor } from "../shared/cursor.ts";
import { isEmpty, rangeOf } from "../shared/range.ts";
import type { Page, Query } from "../table.ts";
import { decodeDocument, type Stored } from "./document.ts";
import { idOf } from "./ids.ts";

const pageBytes = 1_000_000;

const limitOf = (asked: Query): number => asked.limit ?? 100;

export type CompiledQuery = {
  readonly spec: SqlQuerySpec;
  /** One more than asked for, which says whether there is more. */
  readonly options: { readonly maxItemCount: number; readonly partitionKey?: string };
};

/** Undefined where nothing can be found. The index is asked over all partitions. */
export const compileQuery = (asked: Query, nowSeconds: number): CompiledQuery | undefined => {
  const range = rangeOf(asked);
  if (isEmpty(range) || limitOf(asked) <= 0) return undefined;
  const index = asked.index === true;
  const sort = index ? "c.place" : "c.id";
  const descending = asked.descending === true;
  const where = [index ? "c.ipk = @pk" : "c.pk = @pk", "(c.expiresAt = null OR c.expiresAt > @now)"];
  const parameters: SqlParameter[] = [
    { name: "@pk", value: asked.pk },
    { name: "@now", value: nowSeconds },
  ];
  const bound = (name: string, test: string, value: string): void => {
    where.push(`${sort} ${test} ${name}`);
    parameters.push({ name, value });
  };
  if (range.from !== undefined) bound("@from", ">=", idOf(range.from));
  if (range.to !== undefined) bound("@to", "<", idOf(range.to));
  if (asked.cursor !== undefined) bound("@cursor", descending ? "<" : ">", decodeCursor(asked.cursor, 1)[0] ?? "");
  const maxItemCount = limitOf(asked) + 1;
  const order = `${sort} ${descending ? "DESC" : "ASC"}`;
  return {
    spec: { query: `SELECT TOP ${maxItemCount} * FROM c WHERE ${where.join(" AND ")} ORDER BY ${order}`, parameters },
    options: { maxItemCount, ...(index ? {} : { partitionKey: asked.pk }) },
  };
};

/** About how long a document's texts are: enough to keep pages small. */
const sizeOf = (stored: Stored): number => {
  let size = 500;
  for (const value of Object.values(stored.data))
    size += typeof value === "string" ? value.length : typeof value === "object" ? JSON.stringify(value).length : 8;
  return size;
};

export type Found = { readonly stored: readonly Stored[]; readonly more: boolean };

/** Reads on until there are `most`, or enough bytes for a page. */
export const readAtMost = async (pages: QueryIterator<Stored>, most: number): Promise<Found> => {
  const stored: Stored[] = [];
  let bytes = 0;
  let more = true;
  while (more && stored.length < most && bytes < pageBytes) {
    const { resources } = await pages.fetchNext();
    for (const each of resources ?? []) {
      stored.push(each);
      bytes += sizeOf(each);
    }
    more = pages.hasMoreResults();
  }
  return { stored, more };
};

export const pageOf = (asked: Query, { stored, more }: Found): Page => {
  const limit = limitOf(asked);
  const kept = stored.slice(0, limit);
  const items = kept.map(decodeDocument);
  const last = kept.at(-1);
  if (last === undefined || (stored.length <= limit && !more)) return { items };
  return { items, next: encodeCursor([asked.index === true ? (last.place ?? "") : last.id]) };
};
