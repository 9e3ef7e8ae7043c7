// Reads blocks and rollups of one partition, in pages, within a bound on all the work of a query.
import { GatewayError } from "../model/error.ts";
import type { Json, JsonObject } from "../model/json.ts";
import type { Item, Table } from "../stores/table.ts";
import { decodeEntry } from "./encode.ts";
import type { UsageEntry } from "./entry.ts";
import { blockTime, rollupPrefix } from "./keys.ts";
import { blockSpanMs, dayOf } from "./operations.ts";

/** From `from` (included) to `to` (excluded), Unix milliseconds. */
export type TimeRange = { from: number; to: number };

export const describeRange = ({ from, to }: TimeRange): string =>
  `${new Date(from).toISOString()} to ${new Date(to).toISOString()}`;

/** Counts down what a query may read. Throws a 400 that names the range when it is used up. */
export type Allowance = (rows: number) => void;

export const allowanceOf = (rows: number, range: TimeRange): Allowance => {
  let left = rows;
  return (read) => {
    left -= read;
    if (left < 0)
      throw new GatewayError(
        "invalid_request",
        `from: the usage of ${describeRange(range)} is more than one query reads; ask for a shorter range, for whole days, or for one tenant`,
        { param: "from" },
      );
  };
};

const entriesOf = ({ data }: Item): UsageEntry[] => {
  const { tenant, entries } = data;
  if (typeof tenant !== "string" || !Array.isArray(entries)) return [];
  return entries.flatMap((row: Json) => (Array.isArray(row) ? [decodeEntry(tenant, row)] : []));
};

/** Entries of the time, in blocks, by the time of their earliest. `descending`: the latest block first. */
export async function* readBlocks(
  table: Table,
  pk: string,
  { from, to }: TimeRange,
  descending: boolean,
): AsyncGenerator<{ begins: number; entries: UsageEntry[] }> {
  let cursor: string | undefined;
  do {
    const page = await table.query({
      pk,
      after: blockTime(from - blockSpanMs),
      before: blockTime(to),
      descending,
      limit: 100,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const item of page.items) {
      const entries = entriesOf(item);
      yield {
        begins: entries[0]?.at ?? 0,
        entries: entries.filter(({ at }) => at >= from && at < to),
      };
    }
    cursor = page.next;
  } while (cursor !== undefined);
}

/** The sums of whole days: `from` and `to` are midnights. */
export async function* readRollups(table: Table, pk: string, { from, to }: TimeRange): AsyncGenerator<JsonObject> {
  let cursor: string | undefined;
  do {
    const page = await table.query({
      pk,
      after: rollupPrefix + dayOf(from),
      before: rollupPrefix + dayOf(to),
      limit: 1_000,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const { data } of page.items) yield data;
    cursor = page.next;
  } while (cursor !== undefined);
}
