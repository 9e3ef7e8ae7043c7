// Ways around a limit that were found, and are shut: over a real table, with a clock of the test's own.
import { afterEach, expect, test } from "vitest";
import type { Table } from "../../lib/stores/table.ts";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import type { LimitsConfig } from "../../lib/config-types.ts";
import { GatewayError } from "../../lib/model/error.ts";
import { caller, createLimits, demand, passed, recordOf, type TestLimits } from "./setup.ts";

const tables: Table[] = [];
afterEach(async () => {
  for (const table of tables.splice(0)) await table.close();
});

const over = async (
  limits: Partial<LimitsConfig>,
  more: Parameters<typeof createLimits>[2] = {},
  wrap: (table: Table) => Table = (table) => table,
): Promise<TestLimits & { table: Table }> => {
  const clock = more.clock ?? { now: Date.UTC(2026, 10, 21, 12) };
  const table = await openSqlite({ file: ":memory:", now: () => clock.now });
  tables.push(table);
  return { ...createLimits(wrap(table), limits, { ...more, clock }), table };
};

const rate = { name: "r", by: "key", onStoreFailure: "open" } as const;
const budget = { name: "b", by: "key", onStoreFailure: "closed", alerts: [], per: "day" } as const;
const ada = caller();

const itemsOf = async (table: Table): Promise<Record<string, Record<string, unknown>>> =>
  Object.fromEntries((await table.query({ pk: "acme/spend/0" })).items.map(({ sk, data }) => [sk, data]));
const countsOf = async (table: Table): Promise<Record<string, unknown>> => (await itemsOf(table))["l:key:key1"] ?? {};

test("a rule of the configuration that has the name of one of the run is not given back twice", async () => {
  const rules = { budgets: [{ ...budget, amount: 1 }], rates: [{ ...rate, concurrent: 1 }] };
  const limits = await over(rules, { dynamic: () => rules });
  await limits.call(demand(ada), { input: 100, output: 100 });
  expect(await countsOf(limits.table)).toMatchObject({ "b:b:2026-11-21": 200_000, "c:r": 0 });
  expect(await passed(Array.from({ length: 5 }, () => limits.ask(demand(ada))))).toBe(1);
});

test("an instance whose clock is behind leaves the count of the day that has begun", async () => {
  const midnight = Date.UTC(2026, 10, 22);
  const rules = { budgets: [{ ...budget, amount: 1 }] };
  const ahead = await over(rules, { clock: { now: midnight + 1 } });
  await ahead.call(demand(ada), { input: 100, output: 100 });
  const behind = createLimits(ahead.table, rules, { clock: { now: midnight - 1 } });
  await behind.call(demand(ada), { input: 1, output: 1 });
  await behind.call(demand(ada), { input: 1, output: 1 });
  expect(await countsOf(ahead.table)).toMatchObject({ "b:b:2026-11-22": 200_000 });
});

test("an item that is gone keeps no call from being settled", async () => {
  const limits = await over({
    budgets: [
      { ...budget, amount: 1 },
      { ...budget, name: "all", by: "tenant", amount: 1 },
    ],
  });
  const asked = demand(ada);
  const permit = await limits.ask(asked);
  await limits.table.delete({ pk: "acme/spend/0", sk: "l:tenant:" });
  const used = { input: 100, output: 100 };
  await limits.record(recordOf(asked, used), ada, undefined, permit);
  expect(await countsOf(limits.table)).toMatchObject({ "b:b:2026-11-21": 200_000 });
  const entries = Object.entries(await itemsOf(limits.table)).filter(([sk]) => sk.startsWith("d:"));
  expect(entries.map(([, data]) => data["cost"])).toEqual([200_000]);
});

/** Its next write is done, and nobody hears of it. */
const mute = (table: Table): { table: Table; next: () => void } => {
  let left = 0;
  const told = <T>(written: T): T => {
    if (left === 0) return written;
    left -= 1;
    throw new GatewayError("storage", "The store doesn't answer.");
  };
  return {
    next: () => {
      left = 1;
    },
    table: {
      ...table,
      transact: async (pk, operations) => told(await table.transact(pk, operations)),
      update: async (key, change, condition) => told(await table.update(key, change, condition)),
    },
  };
};

test.each([
  ["closed", []],
  ["open", []],
  ["closed", [{ ...budget, name: "all", by: "tenant", amount: 1 } as const]],
] as const)(
  "what was reserved though the store never said so is given back: nobody pays for a refused call, or twice (%s)",
  async (onStoreFailure, first) => {
    let next: () => void = () => undefined;
    const budgets = [...first, { ...budget, onStoreFailure, amount: 1 }];
    const limits = await over({ budgets }, {}, (table) => {
      const muted = mute(table);
      next = muted.next;
      return muted.table;
    });
    next();
    await limits.ask(demand(ada)).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    limits.clock.now += 600_000;
    await limits.limiter.sweep();
    expect((await countsOf(limits.table))["b:b:2026-11-21"]).toBe(0);
    expect(Object.keys(await itemsOf(limits.table)).filter((sk) => sk.startsWith("d:"))).toEqual([]);
  },
);

test.each(["M", "models/m", "MODELS/M"])("a model is counted as one, spelt %s too", async (model) => {
  const byModel = { ...rate, by: "model", requestsPerMinute: 1 } as const;
  const matching = { ...rate, name: "dear", match: { models: ["p/m"] }, concurrent: 1 };
  for (const rule of [byModel, matching]) {
    const limits = await over({ rates: [rule] });
    await limits.ask(demand(ada));
    await expect(limits.ask(demand(ada, { model }))).rejects.toMatchObject({ code: "rate_limited" });
  }
});

test("as many calls under way as the store's item holds are too many calls, not too large ones", async () => {
  const limits = await over({ budgets: [{ ...budget, amount: 1 }] }, {}, (table) => ({
    ...table,
    update: async () =>
      Promise.reject(new GatewayError("request_too_large", "An item is larger than the store takes.")),
  }));
  await expect(limits.ask(demand(ada))).rejects.toMatchObject({
    code: "rate_limited",
    details: { retryAfterMs: expect.any(Number) as number },
  });
});
