// Writes the entries of calls that hold no permit: gathered in memory, and written in blocks behind the calls.
import { toGatewayError } from "../model/error.ts";
import type { Operation, Table } from "../stores/table.ts";
import type { Log } from "../telemetry/log.ts";
import type { UsageEntry } from "./entry.ts";
import { spendPartition } from "./keys.ts";
import { entryGroups, type LedgerOptions } from "./operations.ts";
import { createTenantRegister } from "./tenants.ts";

export type UsageWriter = {
  /**
   * Resolves when the entry is written. Never rejects: while the store is down it waits its turn, in memory; functions (`immediate`)
   * are told after a few tries, and the entry goes with the next call's.
   */
  add: (entry: UsageEntry) => Promise<void>;
  /** Writes what waits, now. Gives the number of entries that could not be written within `withinMs` (10 s). */
  flush: (withinMs?: number) => Promise<number>;
  /** Entries that wait, and those that were given up since the start. */
  state: () => { waiting: number; dropped: number };
};

export type WriterOptions = LedgerOptions & {
  /** For functions: write at once, as the instance may be frozen after the call. */
  immediate?: boolean;
};

/** Runs `work` once, after `ms`; the result takes it back. Must not keep the process alive. */
export type After = (ms: number, work: () => void) => () => void;

export type WriterServices = {
  table: Pick<Table, "transact">;
  /** Which shard of its tenant takes the next block. */
  shardOf: (tenant: string) => number;
  options: WriterOptions;
  log: Pick<Log, "warn" | "error">;
  after?: After;
};

const blockEntries = 400;
const blockMs = 200;
const maxWaiting = 10_000;
const firstPauseMs = 100;
const longestPauseMs = 5_000;
/** Tries that a function's call waits for. */
const immediateTries = 3;

const afterwards: After = (ms, work) => {
  const timer = setTimeout(work, ms);
  timer.unref();
  return () => clearTimeout(timer);
};

/** Entries that share a promise. */
type Batch = { entries: UsageEntry[]; done: Promise<void>; end: () => void };
type Group = { pk: string; tenant: string; shard: number; operations: Operation[]; entries: number };

/** What waits of one tenant. Its blocks are written one after another: the sums of a day are the same items. */
type Lane = {
  tenant: string;
  batch: Batch | undefined;
  /** The batch is to be written, however small. */
  due: boolean;
  writing: Promise<void> | undefined;
  /** Made of earlier batches; tried again as they are, so that what was written after all is not written twice. */
  groups: Group[];
};

const newBatch = (): Batch => {
  let end = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { entries: [], done, end };
};

export const createUsageWriter = (services: WriterServices): UsageWriter => {
  const { table, shardOf, options, log, after = afterwards } = services;
  const immediate = options.immediate === true;
  const register = createTenantRegister(table);
  const lanes = new Map<string, Lane>();
  const written = Promise.resolve();
  /** Ends the pauses between tries. */
  const pauses = new Set<() => void>();
  /** Runs only while batches are gathered. */
  let stopTimer: (() => void) | undefined;
  let gathered = 0;
  let waiting = 0;
  let dropped = 0;
  let down = false;

  const drop = (entries: number): void => {
    const before = dropped;
    dropped += entries;
    if (before === 0 || Math.floor(before / 1_000) !== Math.floor(dropped / 1_000))
      log.warn("usage entries were dropped", { dropped });
  };

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        stop();
        pauses.delete(end);
        resolve();
      };
      const stop = after(ms, end);
      pauses.add(end);
    });

  const groupsOf = (tenant: string, entries: readonly UsageEntry[]): Group[] => {
    const shard = shardOf(tenant);
    const pk = spendPartition(tenant, shard);
    return entryGroups(pk, entries, options).map((operations) => {
      const [block] = operations;
      const rows = block !== undefined && "put" in block ? block.put.data["entries"] : undefined;
      return { pk, tenant, shard, operations, entries: Array.isArray(rows) ? rows.length : 0 };
    });
  };

  /** False where the store is down; what no retry can write is given up. */
  const write = async (group: Group): Promise<boolean> => {
    try {
      await register(group.tenant, group.shard);
      // A block that is there already was written by a try whose answer was lost.
      await table.transact(group.pk, group.operations);
      if (down) log.warn("usage entries are written again", { waiting, dropped });
      down = false;
    } catch (thrown) {
      if (toGatewayError(thrown).code === "storage") {
        if (!down) log.warn("usage entries wait: the store is down", { waiting });
        down = true;
        return false;
      }
      log.error("usage entries can't be written", { cause: thrown });
      drop(group.entries);
    }
    waiting -= group.entries;
    return true;
  };

  const stopWaiting = (): void => {
    stopTimer?.();
    stopTimer = undefined;
  };

  /** The batch of a lane becomes groups; gives what to tell those who wait for it. */
  const take = (lane: Lane): (() => void) | undefined => {
    const { batch } = lane;
    if (batch === undefined) return undefined;
    lane.batch = undefined;
    lane.due = false;
    gathered -= 1;
    if (gathered === 0) stopWaiting();
    try {
      lane.groups.push(...groupsOf(lane.tenant, batch.entries));
    } catch (thrown) {
      log.error("usage entries can't be written", { cause: thrown });
      drop(batch.entries.length);
      waiting -= batch.entries.length;
    }
    return batch.end;
  };

  const isDue = ({ batch, due }: Lane): boolean =>
    batch !== undefined && (due || immediate || batch.entries.length >= blockEntries);

  const work = async (lane: Lane): Promise<void> => {
    let tries = 0;
    let ends: (() => void)[] = [];
    while (lane.groups.length > 0 || isDue(lane)) {
      if (lane.groups.length === 0) {
        const end = take(lane);
        if (end !== undefined) ends.push(end);
      }
      const [group] = lane.groups;
      if (group === undefined || (await write(group))) {
        lane.groups.shift();
        tries = 0;
        if (lane.groups.length > 0) continue;
        for (const end of ends) end();
        ends = [];
        continue;
      }
      tries += 1;
      if (immediate && tries >= immediateTries) {
        const end = take(lane);
        if (end !== undefined) ends.push(end);
        break;
      }
      await pause(Math.min(longestPauseMs, firstPauseMs * 2 ** (tries - 1)) * (0.75 + Math.random() / 2));
    }
    for (const end of ends) end();
    lane.writing = undefined;
    if (lane.batch === undefined && lane.groups.length === 0) lanes.delete(lane.tenant);
  };

  const run = (lane: Lane): void => {
    if (lane.writing !== undefined) return;
    // Set before the work begins, which may end at once.
    lane.writing = Promise.resolve().then(() => work(lane));
  };

  const startAll = (): void => {
    stopWaiting();
    for (const lane of lanes.values()) {
      lane.due = lane.batch !== undefined;
      if (lane.due || lane.groups.length > 0) run(lane);
    }
  };

  const laneOf = (tenant: string): Lane => {
    const lane: Lane = { tenant, batch: undefined, due: false, writing: undefined, groups: [] };
    lanes.set(tenant, lane);
    return lane;
  };

  return {
    add: (entry) => {
      if (waiting >= maxWaiting) {
        drop(1);
        return written;
      }
      waiting += 1;
      const lane = lanes.get(entry.tenant) ?? laneOf(entry.tenant);
      if (lane.batch === undefined) {
        lane.batch = newBatch();
        gathered += 1;
      }
      const { batch } = lane;
      batch.entries.push(entry);
      if (immediate || batch.entries.length >= blockEntries) run(lane);
      else stopTimer ??= after(blockMs, startAll);
      return batch.done;
    },
    flush: async (withinMs = 10_000) => {
      startAll();
      for (const end of pauses) end();
      let stop = (): void => undefined;
      const late = new Promise<void>((resolve) => {
        stop = after(withinMs, resolve);
      });
      const running = Promise.all(Array.from(lanes.values(), async ({ writing }) => writing));
      await Promise.race([running, late]);
      stop();
      return waiting;
    },
    state: () => ({ waiting, dropped }),
  };
};
