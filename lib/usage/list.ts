// Single entries, newest first, in pages: blocks of several places, put together in the order of time.
import { invalid } from "../model/error.ts";
import { isObject, parseJson } from "../model/json.ts";
import type { Table } from "../stores/table.ts";
import type { UsageEntry } from "./entry.ts";
import { spendPartition } from "./keys.ts";
import { blockSpanMs } from "./operations.ts";
import { boundedFilters, forEachFew, shardsFor, type UsageFilters } from "./query.ts";
import { readBlocks, type TimeRange } from "./reader.ts";

export type EntriesQuery = TimeRange & {
  /** Undefined: all tenants. */
  tenant?: string;
  filters?: UsageFilters;
  limit: number;
  /** `next` of the page before. */
  cursor?: string;
};

/** `next` is absent at the end. A page may be short, or empty, and yet have a next one. */
export type EntriesPage = { entries: UsageEntry[]; next?: string };

/** Where a page ended. */
type Position = { at: number; tenant: string; id: string };

/** Entries that one page looks at: where a filter lets few through, the page is short. */
const maxScanned = 20_000;

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
/** Negative where `a` is listed before `b`. */
const compare = (a: Position, b: Position): number =>
  b.at - a.at || compareText(a.tenant, b.tenant) || compareText(a.id, b.id);

const encodeCursor = ({ at, tenant, id }: Position): string =>
  Buffer.from(JSON.stringify({ at, tenant, id })).toString("base64url");

const decodeCursor = (cursor: string): Position => {
  const value = parseJson(Buffer.from(cursor, "base64url").toString());
  if (isObject(value)) {
    const { at, tenant, id } = value;
    if (typeof at === "number" && Number.isSafeInteger(at) && typeof tenant === "string" && typeof id === "string")
      return { at, tenant, id };
  }
  throw invalid("cursor", "expected the next_cursor of another page");
};

/** One partition's entries in order. An entry is given when no block that is still to be read can have an earlier place. */
async function* newestFirst(
  table: Table,
  pk: string,
  range: TimeRange,
  after: Position | undefined,
): AsyncGenerator<UsageEntry> {
  let held: UsageEntry[] = [];
  for await (const { begins, entries } of readBlocks(table, pk, range, true)) {
    for (const entry of entries) if (after === undefined || compare(after, entry) < 0) held.push(entry);
    const ready = held.filter(({ at }) => at > begins + blockSpanMs);
    if (ready.length === 0) continue;
    held = held.filter(({ at }) => at <= begins + blockSpanMs);
    yield* ready.sort(compare);
  }
  yield* held.sort(compare);
}

type Source = { head: UsageEntry; rest: AsyncGenerator<UsageEntry> };

/** Throws `invalid_request` for a cursor that is none. */
export const listEntries = async (table: Table, query: EntriesQuery): Promise<EntriesPage> => {
  const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
  const range = { from: query.from, to: after === undefined ? query.to : Math.min(query.to, after.at + 1) };
  const filters = boundedFilters(query.filters);
  const sources: Source[] = [];
  await forEachFew(await shardsFor(table, query.tenant), async ({ tenant, shard }) => {
    const rest = newestFirst(table, spendPartition(tenant, shard), range, after);
    const first = await rest.next();
    if (first.done !== true) sources.push({ head: first.value, rest });
  });

  const entries: UsageEntry[] = [];
  let last: UsageEntry | undefined;
  for (let scanned = 0; scanned < maxScanned && entries.length < query.limit; scanned += 1) {
    let source: Source | undefined;
    for (const each of sources) if (source === undefined || compare(each.head, source.head) < 0) source = each;
    if (source === undefined) return { entries };
    last = source.head;
    const entry = last;
    if (filters.every(([name, value]) => entry[name] === value)) entries.push(entry);
    const following = await source.rest.next();
    if (following.done === true) sources.splice(sources.indexOf(source), 1);
    else source.head = following.value;
  }
  return sources.length === 0 || last === undefined ? { entries } : { entries, next: encodeCursor(last) };
};
