// What callers may use, at what pace, for what money: over a real table, with a clock of the test's own.
import { afterEach, describe, expect, test } from "vitest";
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
): Promise<TestLimits & { table: Table }> => {
  const clock = more.clock ?? { now: Date.UTC(2026, 10, 21, 12) };
  const table = await openSqlite({ file: ":memory:", now: () => clock.now });
  tables.push(table);
  return { ...createLimits(table, limits, { ...more, clock }), table };
};

const rate = { name: "r", by: "key", onStoreFailure: "open" } as const;
const budget = { name: "b", by: "key", onStoreFailure: "closed", alerts: [0.5, 1], per: "day" } as const;
const ada = caller();
const bob = caller({ user: "bob", owner: "bob", key: "key2" });

const itemsOf = async (table: Table): Promise<Record<string, Record<string, unknown>>> =>
  Object.fromEntries((await table.query({ pk: "acme/spend/0" })).items.map(({ sk, data }) => [sk, data]));
const usedOf = async (table: Table, sk = "l:key:key1", field = "b:b:2026-11-21"): Promise<unknown> =>
  (await itemsOf(table))[sk]?.[field];
const ledgerOf = async (table: Table): Promise<number> => {
  let sum = 0;
  for (const [sk, data] of Object.entries(await itemsOf(table)))
    if (sk.startsWith("d:")) sum += (data["cost"] as number | undefined) ?? 0;
  return sum;
};

describe("rates", () => {
  test("as many requests pass at once as a minute has, then one each time that its share of the minute is over", async () => {
    const limits = await over({ rates: [{ ...rate, requestsPerMinute: 50 }] });
    expect(await passed(Array.from({ length: 80 }, () => limits.ask(demand(ada))))).toBe(50);
    limits.clock.now += 1_199;
    await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "rate_limited", details: { retryAfterMs: 1 } });
    limits.clock.now += 1;
    await limits.ask(demand(ada));
    await expect(limits.ask(demand(ada))).rejects.toMatchObject({
      code: "rate_limited",
      details: { retryAfterMs: 1_200 },
    });
    limits.clock.now += 60_000;
    expect(await passed(Array.from({ length: 80 }, () => limits.ask(demand(ada))))).toBe(50);
  });

  test("an odd rate lets through as many as it says", async () => {
    const limits = await over({ rates: [{ ...rate, requestsPerMinute: 7 }] });
    expect(await passed(Array.from({ length: 9 }, () => limits.ask(demand(ada))))).toBe(7);
  });

  test("each key, user, tenant and model has a count of its own", async () => {
    for (const by of ["key", "user", "model"] as const) {
      const limits = await over({ rates: [{ ...rate, by, requestsPerMinute: 1 }] });
      await limits.ask(demand(ada));
      const other = by === "model" ? demand(ada, { model: "other" }) : demand(bob);
      await limits.ask(other);
      await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "rate_limited" });
    }
    const limits = await over({ rates: [{ ...rate, by: "tenant", requestsPerMinute: 1 }] });
    await limits.ask(demand(ada));
    await expect(limits.ask(demand(bob))).rejects.toMatchObject({ code: "rate_limited" });
    await limits.ask(demand(caller({ tenant: "other" })));
  });

  test("a refused request takes nothing of any limit (F39)", async () => {
    const limits = await over({
      rates: [
        { ...rate, requestsPerMinute: 10 },
        { ...rate, name: "all", by: "tenant", requestsPerMinute: 3 },
      ],
    });
    expect(await passed(Array.from({ length: 8 }, () => limits.ask(demand(ada))))).toBe(3);
    const { [`l:key:key1`]: item } = await itemsOf(limits.table);
    expect(item?.["t:r"]).toBe(limits.clock.now * 1_000 + 3 * 6_000_000);
  });

  test("limits hold across instances (F39)", async () => {
    const limits = await over({ rates: [{ ...rate, requestsPerMinute: 5 }] });
    const other = createLimits(limits.table, { rates: [{ ...rate, requestsPerMinute: 5 }] }, { clock: limits.clock });
    const tries = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? limits : other).ask(demand(ada)));
    expect(await passed(tries)).toBe(5);
  });

  test("tokens are taken by estimate, and settled", async () => {
    const limits = await over({ rates: [{ ...rate, tokensPerMinute: 2_000 }] });
    await limits.call(demand(ada, { input: 500, output: 500 }), { input: 100, output: 100 });
    await limits.call(demand(ada, { input: 500, output: 500 }), { input: 100, output: 100 });
    await limits.call(demand(ada, { input: 500, output: 500 }), { input: 900, output: 900 });
    await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "rate_limited" });
  });

  test("a call larger than all of a minute's tokens may go when nothing else is under way, and is paid after", async () => {
    const limits = await over({ rates: [{ ...rate, tokensPerMinute: 600 }] });
    await limits.call(demand(ada, { input: 5_000, output: 0 }), { input: 1_200, output: 0 });
    limits.clock.now += 60_000;
    await expect(limits.ask(demand(ada, { input: 10 }))).rejects.toMatchObject({ code: "rate_limited" });
    limits.clock.now += 61_000;
    await limits.ask(demand(ada, { input: 10 }));
  });

  test("what is given back late is no more than what time has not given back by itself", async () => {
    const limits = await over({ rates: [{ ...rate, tokensPerMinute: 600 }] });
    const asked = demand(ada, { input: 600, output: 0 });
    const permit = await limits.ask(asked);
    limits.clock.now += 60_000;
    await limits.ask(demand(ada, { input: 300, output: 0 }));
    await permit?.settle(undefined);
    const { [`l:key:key1`]: item } = await itemsOf(limits.table);
    expect(item?.["k:r"]).toBe(limits.clock.now * 1_000 + 30_000_000);
  });

  test("only so many are under way at once; the end of one lets the next in", async () => {
    const limits = await over({ rates: [{ ...rate, concurrent: 2 }] });
    const permits = [await limits.ask(demand(ada)), await limits.ask(demand(ada))];
    await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "rate_limited" });
    await permits[0]?.settle(undefined);
    await permits[0]?.settle(undefined);
    await limits.ask(demand(ada));
    await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "rate_limited" });
  });

  test("what died under way holds its place no longer than its reservation, whoever asks next", async () => {
    const limits = await over({ rates: [{ ...rate, concurrent: 1 }] });
    await limits.ask(demand(ada));
    limits.clock.now += 60_001;
    await limits.ask(demand(ada));
    await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "rate_limited" });
  });

  test("what a refusal says is remembered: the store is not asked again before its time", async () => {
    const limits = await over({ rates: [{ ...rate, requestsPerMinute: 1 }] });
    await limits.ask(demand(ada));
    await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "rate_limited" });
    await limits.table.close();
    tables.length = 0;
    await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "rate_limited" });
  });

  test("a rule is for those it matches", async () => {
    const match = { users: ["a*"], models: ["p/m"] };
    const limits = await over({ rates: [{ ...rate, match, requestsPerMinute: 1 }] });
    await limits.ask(demand(ada));
    expect(await limits.ask(demand(ada, { model: "free" }))).toBeUndefined();
    expect(await limits.ask(demand(bob))).toBeUndefined();
    await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "rate_limited" });
  });

  test("the limits of a credential's own are counted by key", async () => {
    const limits = await over({});
    const own = caller({ limits: { requestsPerMinute: 1, budgets: [{ amount: 1, per: "total" }] } });
    await limits.ask(demand(own));
    await expect(limits.ask(demand(own))).rejects.toMatchObject({ code: "rate_limited" });
    expect(await limits.ask(demand(ada))).toBeUndefined();
  });

  test("shards have their shares: together never more, and all of it can be used", async () => {
    const limits = await over({ rates: [{ ...rate, requestsPerMinute: 10 }], shards: { acme: 4 } });
    expect(await passed(Array.from({ length: 40 }, () => limits.ask(demand(ada))))).toBe(10);
    const few = await over({ rates: [{ ...rate, concurrent: 3 }], shards: { acme: 8 } });
    expect(await passed(Array.from({ length: 12 }, () => few.ask(demand(ada))))).toBe(3);
  });
});

describe("budgets", () => {
  test("only what is affordable passes, for a caller seen for the first time too (F38)", async () => {
    const limits = await over({ budgets: [{ ...budget, amount: 0.01 }] });
    // A thousand tokens at most are a tenth of a cent.
    expect(await passed(Array.from({ length: 40 }, () => limits.ask(demand(ada))))).toBe(10);
    await expect(limits.ask(demand(ada))).rejects.toMatchObject({
      code: "quota_exceeded",
      details: { retryAfterMs: 12 * 3_600_000 },
    });
  });

  test("what was not spent is given back, and the ledger says what was settled", async () => {
    const limits = await over({ budgets: [{ ...budget, amount: 0.01 }] });
    for (let at = 0; at < 20; at += 1) await limits.call(demand(ada), { input: 100, output: 150 });
    expect(await usedOf(limits.table)).toBe(20 * 250_000);
    expect(await ledgerOf(limits.table)).toBe(20 * 250_000);
    expect(
      Object.keys((await itemsOf(limits.table))["l:key:key1"] ?? {}).filter((field) => field.startsWith("~")),
    ).toEqual([]);
  });

  test("free models pass an exhausted budget (F40)", async () => {
    const limits = await over({ budgets: [{ ...budget, amount: 0 }] });
    await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "quota_exceeded" });
    await limits.call(demand(ada, { model: "free" }), { input: 10, output: 10 });
  });

  test("a model whose price nobody knows is refused to those who have a budget, or let through by configuration (F37)", async () => {
    const limits = await over({ budgets: [{ ...budget, amount: 1 }] });
    await expect(limits.ask(demand(ada, { model: "strange" }))).rejects.toMatchObject({
      code: "permission",
      details: { param: "model" },
    });
    const lax = await over({ budgets: [{ ...budget, amount: 1 }], unpriced: "allow" });
    await lax.call(demand(ada, { model: "strange" }), { input: 10, output: 10 });
  });

  test("days and months begin anew, a total never does", async () => {
    for (const [per, ms] of [
      ["day", 86_400_000],
      ["month", 31 * 86_400_000],
      ["total", 0],
    ] as const) {
      const limits = await over({ budgets: [{ ...budget, per, amount: 0.001 }] });
      await limits.ask(demand(ada));
      await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "quota_exceeded" });
      limits.clock.now += ms === 0 ? 400 * 86_400_000 : ms;
      if (per === "total") await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "quota_exceeded" });
      else await limits.ask(demand(ada));
    }
  });

  test("a call that reached no provider costs nothing", async () => {
    const limits = await over({ budgets: [{ ...budget, amount: 0.001 }] });
    for (let at = 0; at < 5; at += 1) await limits.call(demand(ada));
    expect(await usedOf(limits.table)).toBe(0);
    expect(await ledgerOf(limits.table)).toBe(0);
  });

  test("a caller who leaves before the first word pays for the prompt", async () => {
    const limits = await over({ budgets: [{ ...budget, amount: 1 }] });
    const asked = demand(ada, { input: 400, output: 600 });
    const permit = await limits.ask(asked);
    await permit?.settle({
      id: "x",
      at: limits.clock.now,
      tenant: "acme",
      key: "key1",
      name: "app",
      user: "ada",
      requestId: asked.requestId,
      wire: "openai-chat",
      operation: "generate",
      provider: "p",
      model: "m",
      requestedModel: "p/m",
      usage: { input: 0, output: 0 },
      cost: 0,
      totalMs: 1,
      status: 499,
      error: "cancelled",
      attempts: 1,
    });
    expect(await usedOf(limits.table)).toBe(400_000);
    expect(await ledgerOf(limits.table)).toBe(400_000);
  });

  test("what died between reserve and settle is settled at its estimate, once, and stands in the ledger", async () => {
    const limits = await over({ budgets: [{ ...budget, amount: 1 }] });
    const asked = demand(ada, { thread: "t1" });
    const permit = await limits.ask(asked);
    await limits.ask(demand(ada));
    await limits.limiter.sweep();
    expect(await ledgerOf(limits.table)).toBe(0);
    limits.clock.now += 180_000;
    await limits.limiter.sweep();
    await limits.limiter.sweep();
    expect(await usedOf(limits.table)).toBe(2_000_000);
    expect(await ledgerOf(limits.table)).toBe(2_000_000);
    // It was only slow: what it came to is known too late.
    await limits.record(recordOf(asked, { input: 1, output: 1 }), ada, undefined, permit);
    expect(await usedOf(limits.table)).toBe(2_000_000);
    expect(await ledgerOf(limits.table)).toBe(2_000_000);
  });

  test("a call under budgets of several subjects is settled in all of them, in whatever order the rules stand", async () => {
    const tenant = { ...budget, name: "t", by: "tenant", per: "month", amount: 10 } as const;
    const user = { ...budget, name: "u", by: "user", per: "total", amount: 10 } as const;
    for (const budgets of [
      [tenant, user, { ...budget, amount: 10 }],
      [{ ...budget, amount: 10 }, user, tenant],
    ]) {
      const limits = await over({ budgets });
      await limits.call(demand(ada), { input: 100, output: 100 });
      expect([
        await usedOf(limits.table),
        await usedOf(limits.table, "l:user:ada", "b:u:total"),
        await usedOf(limits.table, "l:tenant:", "b:t:2026-11"),
        await ledgerOf(limits.table),
      ]).toEqual([200_000, 200_000, 200_000, 200_000]);
    }
  });

  test("each share of a budget is told once, whoever comes to it first", async () => {
    const clock = { now: Date.UTC(2026, 10, 21, 12) };
    const limits = await over({ budgets: [{ ...budget, amount: 0.01 }] }, { clock });
    const other = createLimits(limits.table, { budgets: [{ ...budget, amount: 0.01 }] }, { clock });
    for (let at = 0; at < 10; at += 1)
      await (at % 2 === 0 ? limits : other).call(demand(ada), { input: 500, output: 500 });
    await limits.flush();
    await other.flush();
    const alerts = [...limits.alerts, ...other.alerts].sort((one, two) => one.share - two.share);
    expect(alerts.map(({ share, subject, amount }) => [share, subject, amount])).toEqual([
      [0.5, "key1", 0.01],
      [1, "key1", 0.01],
    ]);
  });
});

describe("the store is down (F45)", () => {
  const breakable = (table: Table): Table & { down: boolean; calls: number } => {
    const broken = { ...table, down: false, calls: 0 };
    const guarded =
      <Arguments extends unknown[], Result>(call: (...given: Arguments) => Promise<Result>) =>
      (...given: Arguments): Promise<Result> => {
        broken.calls += 1;
        return broken.down ? Promise.reject(new GatewayError("storage", "The store is down.")) : call(...given);
      };
    broken.get = guarded(table.get.bind(table));
    broken.put = guarded(table.put.bind(table));
    broken.update = guarded(table.update.bind(table));
    broken.transact = guarded(table.transact.bind(table));
    broken.query = guarded(table.query.bind(table));
    return broken;
  };

  const make = async (limits: Partial<LimitsConfig>, more: Parameters<typeof createLimits>[2] = {}) => {
    const clock = { now: Date.UTC(2026, 10, 21, 12) };
    const table = await openSqlite({ file: ":memory:", now: () => clock.now });
    tables.push(table);
    const broken = breakable(table);
    return { ...createLimits(broken, limits, { ...more, clock }), table: broken };
  };

  test("a limit that is open lets calls through, one that is closed refuses them; both recover by themselves", async () => {
    const open = await make({ rates: [{ ...rate, requestsPerMinute: 1 }] });
    open.table.down = true;
    expect(await passed(Array.from({ length: 5 }, () => open.ask(demand(ada))))).toBe(5);
    await open.limiter.ready();
    open.table.down = false;
    open.clock.now += 1_001;
    expect(await passed(Array.from({ length: 5 }, () => open.ask(demand(ada))))).toBe(1);

    const closed = await make({
      rates: [{ ...rate, requestsPerMinute: 100 }],
      budgets: [{ ...budget, amount: 1 }],
    });
    closed.table.down = true;
    await expect(closed.ask(demand(ada))).rejects.toMatchObject({ code: "storage", status: 503 });
    await expect(closed.limiter.ready()).rejects.toMatchObject({ code: "storage" });
    closed.table.down = false;
    await closed.limiter.ready();
    await closed.ask(demand(ada));
  });

  test("calls don't wait for a store that is down one after the other", async () => {
    const limits = await make({ rates: [{ ...rate, requestsPerMinute: 1 }] });
    limits.table.down = true;
    for (let at = 0; at < 20; at += 1) await limits.ask(demand(ada));
    expect(limits.table.calls).toBe(1);
    limits.clock.now += 1_001;
    await limits.ask(demand(ada));
    expect(limits.table.calls).toBe(2);
  });

  test("a model that is free passes a closed budget, though nobody can ask what is left (F40)", async () => {
    const limits = await make({ budgets: [{ ...budget, amount: 1 }] });
    limits.table.down = true;
    await expect(limits.ask(demand(ada))).rejects.toMatchObject({ code: "storage" });
    await limits.ask(demand(ada, { model: "free" }));
  });

  test("a call that can't be settled now is settled when the store is back, and never twice", async () => {
    const limits = await make({ budgets: [{ ...budget, amount: 1 }] });
    const asked = demand(ada);
    const permit = await limits.ask(asked);
    limits.table.down = true;
    await limits.record(recordOf(asked, { input: 10, output: 10 }), ada, undefined, permit);
    expect(limits.errors).toHaveLength(1);
    limits.table.down = false;
    limits.clock.now += 180_000;
    await limits.limiter.sweep();
    expect(await usedOf(limits.table)).toBe(1_000_000);
    expect(await ledgerOf(limits.table)).toBe(1_000_000);
  });

  test("limits of run time that nobody has ever read hold as the configuration says", async () => {
    const dynamic = () => Promise.reject(new GatewayError("storage", "The store is down."));
    const open = await make({}, { dynamic });
    expect(await open.ask(demand(ada))).toBeUndefined();
    const closed = await make({ onStoreFailure: "closed" }, { dynamic });
    await expect(closed.ask(demand(ada))).rejects.toMatchObject({ code: "storage" });
    expect(await closed.ask(demand(caller({ selfProving: true })))).toBeUndefined();
  });
});

describe("what it costs", () => {
  const counting = (table: Table) => {
    const counts = { reads: 0, writes: 0 };
    const counted =
      <Arguments extends unknown[], Result>(kind: keyof typeof counts, call: (...given: Arguments) => Result) =>
      (...given: Arguments): Result => {
        counts[kind] += 1;
        return call(...given);
      };
    const wrapped: Table = {
      ...table,
      get: counted("reads", table.get.bind(table)),
      query: counted("reads", table.query.bind(table)),
      put: counted("writes", table.put.bind(table)),
      update: counted("writes", table.update.bind(table)),
      transact: counted("writes", table.transact.bind(table)),
    };
    return { wrapped, counts };
  };

  test("one write before the call and one after it for a caller with rates and budgets of several kinds, and no read", async () => {
    const clock = { now: Date.UTC(2026, 10, 21, 12) };
    const table = await openSqlite({ file: ":memory:", now: () => clock.now });
    tables.push(table);
    const { wrapped, counts } = counting(table);
    const limits = createLimits(
      wrapped,
      {
        rates: [
          { ...rate, requestsPerMinute: 100, tokensPerMinute: 1_000_000, concurrent: 10 },
          { ...rate, name: "t", by: "tenant", requestsPerMinute: 1_000 },
        ],
        budgets: [
          { ...budget, amount: 1, alerts: [] },
          { ...budget, name: "all", by: "tenant", per: "month", amount: 10, alerts: [] },
        ],
      },
      { clock },
    );
    await limits.call(demand(ada), { input: 10, output: 10 });
    counts.writes = 0;
    counts.reads = 0;
    const asked = demand(ada);
    const permit = await limits.ask(asked);
    expect(counts).toEqual({ reads: 0, writes: 1 });
    await limits.record(recordOf(asked, { input: 10, output: 10 }), ada, undefined, permit);
    expect(counts).toEqual({ reads: 0, writes: 2 });
    await limits.flush();
    expect(counts).toEqual({ reads: 0, writes: 2 });
  });

  test("nothing is asked of the store for a caller without limits", async () => {
    const { wrapped, counts } = counting(await openSqlite({ file: ":memory:" }));
    tables.push(wrapped);
    const limits = createLimits(wrapped, { rates: [{ ...rate, match: { users: ["bob"] }, requestsPerMinute: 1 }] });
    expect(limits.limiter.admit(demand(ada))).toBeUndefined();
    expect(counts).toEqual({ reads: 0, writes: 0 });
  });

  test("nothing is kept, and nobody limited, where there is no store", () => {
    const limits = createLimits(undefined, {});
    expect(limits.limiter.admit(demand(ada))).toBeUndefined();
    expect(limits.record(recordOf(demand(ada), { input: 1, output: 1 }), ada, undefined, undefined)).toBeUndefined();
  });
});
