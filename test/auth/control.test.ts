// The item that every instance knows of within seconds: how old it may be, and who may change it.
import { describe, expect, test } from "vitest";
import { createControl } from "../../lib/auth/control.ts";
import type { BudgetRule } from "../../lib/config-types.ts";
import { failure, hold, tap } from "../support/keys.ts";
import { createMemoryTable } from "../support/memory-table.ts";

const setUp = () => {
  const clock = { time: 1_000_000, now: () => clock.time };
  const shared = createMemoryTable(clock.now);
  const instance = () => {
    const tapped = tap(shared);
    return { tapped, ...createControl(tapped.table, clock) };
  };
  return { clock, instance };
};
const budget = (name: string): BudgetRule => ({
  name,
  by: "key",
  amount: 1,
  per: "day",
  alerts: [],
  onStoreFailure: "closed",
});

describe("how old it may be", () => {
  test("read once, known at once for five seconds, refreshed behind until ten, then waited for", async () => {
    const { clock, instance } = setUp();
    const { state, tapped, change } = instance();
    const other = instance();
    const first = state();
    expect(first).toBeInstanceOf(Promise);
    expect(state()).toBe(first);
    expect(await first).toEqual({ revoked: {}, rates: [], budgets: [] });
    await other.change((old) => ({ ...old, budgets: [budget("new")] }));
    clock.time += 5_000;
    expect(state()).toMatchObject({ budgets: [] });
    expect(tapped.reads).toHaveLength(1);
    clock.time += 1;
    expect(state()).toMatchObject({ budgets: [] });
    expect(state()).toMatchObject({ budgets: [] });
    await new Promise((resolve) => setImmediate(resolve));
    expect(tapped.reads).toHaveLength(2);
    expect(state()).toMatchObject({ budgets: [budget("new")] });
    clock.time += 10_001;
    expect(state()).toBeInstanceOf(Promise);
    await change((old) => ({ ...old, budgets: [] }));
    expect(state()).toEqual({ revoked: {}, rates: [], budgets: [] });
  });

  test("while it can't be read: what was read last can be asked for, and it recovers by itself (F45)", async () => {
    const { clock, instance } = setUp();
    const { state, last, tapped } = instance();
    expect(last()).toBeUndefined();
    tapped.down = true;
    expect(await failure(() => state())).toBe("storage: The store is down.");
    tapped.down = false;
    await state();
    const { time } = clock;
    tapped.down = true;
    clock.time += 8_000;
    expect(state()).toMatchObject({ revoked: {} });
    clock.time += 8_000;
    expect(await failure(() => state())).toBe("storage: The store is down.");
    expect(last()).toMatchObject({ at: time, state: { revoked: {} } });
    tapped.down = false;
    expect(await state()).toMatchObject({ revoked: {} });
  });

  test("a read that slept with its process is not waited for", async () => {
    const { clock, instance } = setUp();
    const { state, tapped } = instance();
    hold(tapped);
    void state();
    await new Promise((resolve) => setImmediate(resolve));
    delete tapped.gate;
    clock.time += 60_000;
    expect(await state()).toMatchObject({ revoked: {} });
  });

  test("a read that a change overtook does not bring the old state back", async () => {
    const { clock, instance } = setUp();
    const { state, tapped, change } = instance();
    await state();
    clock.time += 6_000;
    const answer = hold(tapped);
    void state();
    await new Promise((resolve) => setImmediate(resolve));
    delete tapped.gate;
    await change((old) => ({ ...old, budgets: [budget("new")] }));
    answer();
    await new Promise((resolve) => setImmediate(resolve));
    expect(state()).toMatchObject({ budgets: [budget("new")] });
  });
});

test("changes at once are all kept", async () => {
  const { instance } = setUp();
  const instances = [instance(), instance(), instance()];
  await Promise.all(
    Array.from({ length: 12 }, async (_each, at) =>
      instances[at % 3]?.change((old) => ({ ...old, budgets: [...old.budgets, budget(`b${at}`)] })),
    ),
  );
  expect((await instance().state()).budgets).toHaveLength(12);
});

test("revoked keys are forgotten once they could not be used any more", async () => {
  const { clock, instance } = setUp();
  const { change } = instance();
  const { time } = clock;
  await change((old) => ({
    ...old,
    revoked: { a: time + 1_000, b: time + 9_000, c: time + 9_000 },
    revokedFrom: { a: time + 500, c: time + 5_000 },
  }));
  clock.time += 1_000;
  const kept = await change((old) => old);
  expect(kept).toMatchObject({ revoked: { b: time + 9_000, c: time + 9_000 }, revokedFrom: { c: time + 5_000 } });
  clock.time += 4_000;
  expect((await change((old) => old)).revokedFrom).toBeUndefined();
});
