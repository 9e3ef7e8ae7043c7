// A thousand calls from four processes at once, against every store: never one too many, and the ledger says what was settled; also where
// processes are killed in the middle of it.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LimitsConfig } from "../../lib/config-types.ts";
import type { Item, Table } from "../../lib/stores/table.ts";
import { startCosmos } from "../support/cosmos.ts";
import { dataFolder } from "../support/data.ts";
import { haveJava, startDynamodb } from "../support/dynamodb.ts";
import { createLimits } from "./setup.ts";
import { type Job, openStore, type Store } from "./worker.ts";

type Place = { store: () => Promise<Store>; stop: () => Promise<void> };

const places: [string, boolean, () => Promise<Place>][] = [
  [
    "SQLite",
    true,
    () => {
      const folder = dataFolder();
      let files = 0;
      return Promise.resolve({
        store: () => Promise.resolve({ kind: "sqlite", file: join(folder.path, `${(files += 1)}.db`) }),
        stop: () => Promise.resolve(folder.remove()),
      });
    },
  ],
  [
    "DynamoDB Local",
    haveJava(),
    async () => {
      const local = await startDynamodb();
      return {
        store: async () => ({ kind: "dynamodb", table: await local.createTable(), client: local.client }),
        stop: local.stop,
      };
    },
  ],
  [
    "the Cosmos DB emulator",
    true,
    async () => {
      const local = await startCosmos();
      return {
        store: async () => ({ kind: "cosmos", container: await local.createContainer(), options: local.options }),
        stop: local.stop,
      };
    },
  ],
];

const rate = { name: "r", by: "key", requestsPerMinute: 50, onStoreFailure: "closed" } as const;
/** For a hundred calls. */
const budget = { name: "b", by: "tenant", amount: 0.1, per: "total", alerts: [], onStoreFailure: "closed" } as const;

type Outcome = { outcomes: Record<string, number>; errors: string[] } | undefined;

const script = join(import.meta.dirname, "worker.ts");

const processes = 4;

/** What each process says at its end; undefined for one that was killed. */
const run = async (
  job: Omit<Job, "worker">,
  during: (children: ChildProcessWithoutNullStreams[]) => Promise<void>,
): Promise<Outcome[]> => {
  const children = Array.from(
    { length: processes },
    () =>
      spawn(process.execPath, [script], {
        stdio: ["pipe", "pipe", "inherit"],
      }) as unknown as ChildProcessWithoutNullStreams,
  );
  const lines = children.map((child, worker) => {
    child.stdin.write(`${JSON.stringify({ ...job, worker })}\n`);
    return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  });
  await Promise.all(lines.map((each) => each.next()));
  for (const child of children) child.stdin.write("go\n");
  await during(children);
  const outcomes = await Promise.all(
    lines.map(async (each): Promise<Outcome> => {
      const { value, done } = await each.next();
      return done === true ? undefined : (JSON.parse(value) as Outcome);
    }),
  );
  for (const child of children) if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return outcomes;
};

const total = (outcomes: Outcome[], what: string): number =>
  outcomes.reduce((sum, each) => sum + (each?.outcomes[what] ?? 0), 0);

const itemsOf = async (table: Table): Promise<Item[]> => {
  const items: Item[] = [];
  let cursor: string | undefined;
  do {
    const page = await table.query({ pk: "acme/spend/0", ...(cursor === undefined ? {} : { cursor }) });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== undefined);
  return items;
};

const numberIn = (item: Item | undefined, field: string): number => {
  const value = item?.data[field];
  return typeof value === "number" ? value : 0;
};

/** What the counts, the daily sums and the entries say, each by itself. */
const booksOf = async (table: Table) => {
  const items = await itemsOf(table);
  const limits = items.filter(({ sk }) => sk.startsWith("l:"));
  const rollups = items.filter(({ sk }) => sk.startsWith("d:"));
  return {
    used: limits.reduce((sum, each) => sum + numberIn(each, "b:b:total"), 0),
    open: limits.flatMap(({ data }) => Object.keys(data).filter((field) => field.startsWith("~"))).length,
    rolled: rollups.reduce((sum, each) => sum + numberIn(each, "cost"), 0),
    requests: rollups.reduce((sum, each) => sum + numberIn(each, "requests"), 0),
    orphans: rollups.reduce((sum, each) => sum + numberIn(each, "orphans"), 0),
    blocks: items.filter(({ sk }) => sk.startsWith("u:")).length,
  };
};

describe.each(places)("%s", (_name, here, open) => {
  let place: Place;
  beforeAll(async () => {
    if (here) place = await open();
  }, 60_000);
  afterAll(async () => {
    if (here) await place.stop();
  });

  const cases: [string, Partial<LimitsConfig>, number][] = [
    ["a budget for 100", { budgets: [budget] }, 100],
    ["a rate of 50", { rates: [rate] }, 50],
    ["both, and four shards", { rates: [rate], budgets: [{ ...budget, amount: 0.048 }], shards: { acme: 4 } }, 48],
  ];

  test.skipIf(!here).each(cases)(
    "1,000 calls from 4 processes, %s: never one too many (F38, F39)",
    async (_what, limits, fit) => {
      const store = await place.store();
      const outcomes = await run({ store, limits, calls: 250, now: Date.now(), workMs: 20 }, () => Promise.resolve());
      const [through, settled] = [total(outcomes, "passed"), total(outcomes, "settled")];
      // On a machine that is busy an emulator may not answer in time: who could not be counted was refused.
      const unanswered = total(outcomes, "storage");
      expect(through).toBeLessThanOrEqual(fit);
      expect(settled).toBe(through);
      expect(total(outcomes, "rate_limited") + total(outcomes, "quota_exceeded") + unanswered).toBe(1_000 - through);
      if (unanswered === 0) {
        expect(outcomes.map((each) => each?.errors)).toEqual([[], [], [], []]);
        expect(through).toBe(fit);
      }
      if (limits.budgets === undefined || limits.shards !== undefined) return;
      const table = await openStore(store);
      const books = await booksOf(table);
      // A write whose answer was lost holds its part until it is given back, or the sweeper comes.
      const held = books.open * 1_000_000;
      expect(books.used - held).toBeLessThanOrEqual(fit * 1_000_000);
      expect(books.rolled).toBe(books.used - held);
      expect(books.requests).toBe(books.blocks);
      if (unanswered === 0)
        expect(books).toEqual({
          used: fit * 1_000_000,
          rolled: fit * 1_000_000,
          requests: fit,
          blocks: fit,
          open: 0,
          orphans: 0,
        });
      await table.close();
    },
    120_000,
  );

  test.skipIf(!here)(
    "killed between reserve and settle: the sums agree when the sweeper has passed",
    async () => {
      const store = await place.store();
      const limits: Partial<LimitsConfig> = {
        budgets: [budget],
        rates: [{ ...rate, requestsPerMinute: 1_000, concurrent: 200 }],
      };
      const now = Date.now();
      const outcomes = await run({ store, limits, calls: 100, now, workMs: 400 }, async (children) => {
        await sleep(50 + Math.random() * 300);
        children[0]?.kill("SIGKILL");
        await sleep(Math.random() * 200);
        children[1]?.kill("SIGKILL");
      });
      const table = await openStore(store);
      const before = await booksOf(table);
      expect(before.used).toBeLessThanOrEqual(100_000_000);
      expect(before.used - before.rolled).toBe(before.open * 1_000_000);
      const sweeper = createLimits(table, limits, { clock: { now: now + 180_000 } });
      await sweeper.limiter.sweep();
      const books = await booksOf(table);
      expect(books).toMatchObject({ open: 0, orphans: before.open, used: before.used, rolled: before.used });
      expect(books.requests).toBeGreaterThanOrEqual(total(outcomes, "settled"));
      const counts = (await itemsOf(table)).find(({ sk }) => sk === "l:key:key1");
      expect(numberIn(counts, "c:r")).toBe(0);
      await table.close();
    },
    120_000,
  );
});
