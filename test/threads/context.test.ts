import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Message } from "../../lib/model/message.ts";
import { appendMessages } from "../../lib/threads/append.ts";
import { loadContext, planSummary, storeSummary } from "../../lib/threads/context.ts";
import { forkThread } from "../../lib/threads/forks.ts";
import type { ContextStrategy } from "../../lib/threads/head.ts";
import { listMessages } from "../../lib/threads/messages.ts";
import { createThread, getThread, patchThread } from "../../lib/threads/threads.ts";
import { cutAt, historyBudget, settleRatio } from "../../lib/threads/window.ts";
import { createMemoryTable, tapped } from "../support/memory-table.ts";
import { alice, calls, createClock, createTestStore, results, says, type TestStore, textOf } from "./setup.ts";

const begin = async (strategy: ContextStrategy = "window", store = createTestStore()): Promise<TestStore> => {
  await createThread(store, alice, { id: "t", strategy, system: "Be brief." });
  return store;
};
/** About 100 estimated tokens each. */
const long = (role: Message["role"], name: string): Message => says(role, `${name} ${"w".repeat(360 - name.length)}`);
const add = (store: TestStore, ...messages: Message[]) =>
  appendMessages(
    store,
    alice,
    "t",
    messages.map((message) => ({ message })),
  );
const context = async (store: TestStore, window?: number, id = "t") =>
  loadContext(store, await getThread(store, alice, id), {
    maker: "m",
    ...(window === undefined ? {} : { window, output: 100 }),
  });
const names = (messages: readonly Message[]) => messages.map((message) => textOf(message).split(" ")[0]);

describe("arithmetic", () => {
  test("the budget is the window without the answer's share and what is fixed, in estimated tokens", () => {
    expect(historyBudget({ window: 1000, output: 200, fixed: 100, ratio: 1 })).toBe(700);
    expect(historyBudget({ window: 1000, output: 200, fixed: 100, ratio: 2 })).toBe(300);
    expect(historyBudget({ window: 1000, output: 5000, fixed: 5000, ratio: 1 })).toBe(100);
  });

  test("the cut moves in steps, never leaves more than the budget, nor less than three quarters of it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 100, max: 50_000 }), (tokens, budget) => {
        const left = tokens - cutAt(tokens, budget);
        expect(left).toBeLessThanOrEqual(budget);
        expect(left).toBeGreaterThanOrEqual(Math.min(tokens, budget - Math.floor(budget / 4)));
        expect(cutAt(tokens + 1, budget)).toBeGreaterThanOrEqual(cutAt(tokens, budget));
      }),
    );
  });

  test("the provider's own count corrects the estimate, upwards at once, and seldom", () => {
    expect(settleRatio(1, 1400, 1000)).toBe(1.5);
    expect(settleRatio(1.5, 1450, 1000)).toBe(1.5);
    expect(settleRatio(1.5, 1300, 1000)).toBe(1.5);
    expect(settleRatio(1.5, 1000, 1000)).toBe(1);
    expect(settleRatio(1, undefined, 1000)).toBe(1);
    expect(settleRatio(1, 400, 10)).toBe(1);
  });
});

describe("window", () => {
  test("what fits is sent whole, instructions first", async () => {
    const store = await begin();
    await add(store, says("system", "Opening."), says("user", "q"), says("assistant", "a"), says("system", "later"));
    const { system, messages, cut } = await context(store, 10_000);
    expect(system.map(({ text }) => text)).toEqual(["Be brief.", "Opening."]);
    expect(messages.map(textOf)).toEqual(["q", "a", "later"]);
    expect(cut).toBe(false);
  });

  test("a long thread begins with a turn, and keeps its beginning for many turns (prompt caches)", async () => {
    const store = await begin();
    const begins: string[] = [];
    for (let n = 0; n < 60; n += 1) {
      await add(store, long("user", `q${n}`));
      const { messages, tokens } = await context(store, 2_100);
      expect(tokens).toBeLessThanOrEqual(2_000);
      expect(messages[0]?.role).toBe("user");
      expect(names(messages).at(-1)).toBe(`q${n}`);
      begins.push(names(messages)[0]!);
      await add(store, long("assistant", `a${n}`));
    }
    const moves = begins.filter((each, at) => at > 0 && begins[at - 1] !== each).length;
    expect(moves).toBeGreaterThan(10);
    expect(moves).toBeLessThan(30);
  });

  test("reads as much as the window holds, however long the thread is", async () => {
    const clock = createClock();
    const table = tapped(createMemoryTable(clock.now), {});
    const store = await begin("window", createTestStore({ table, clock }));
    const costs: number[] = [];
    for (let n = 0; n < 40; n += 1) {
      await add(
        store,
        ...Array.from({ length: 10 }, (_, at) => [long("user", `q${at}`), long("assistant", "a")]).flat(),
      );
      const head = await getThread(store, alice, "t");
      const { reads } = table.counted;
      await loadContext(store, head, { maker: "m", window: 4_000, output: 100 });
      costs.push(table.counted.reads - reads);
    }
    expect(Math.max(...costs)).toBeLessThanOrEqual(2);
  });

  test("never parts a call from its result, in turns however long (F51)", async () => {
    const store = await begin();
    await add(store, long("user", "old"), long("assistant", "old"), long("user", "question"));
    for (let n = 0; n < 30; n += 1) {
      await add(store, calls(`c${n}`), {
        ...results(`c${n}`),
        parts: [...results(`c${n}`).parts, ...long("user", `r${n}`).parts],
      });
      const { messages } = await context(store, 1_100);
      const parts = messages.flatMap((message) => message.parts);
      const asked = parts.flatMap((part) => (part.type === "tool-call" ? [part.callId] : []));
      const answered = parts.flatMap((part) => (part.type === "tool-result" ? [part.callId] : []));
      expect(answered).toEqual(asked);
      // The words that began the turn stay, whatever of its middle goes.
      expect(names(messages)).toContain("question");
      expect(messages[0]?.role).toBe("user");
    }
  });

  test("the newest message is sent though it is larger than the budget by itself", async () => {
    const store = await begin();
    await add(store, long("user", "a"), long("assistant", "b"), says("user", "x".repeat(50_000)));
    expect((await context(store, 1_000)).messages).toHaveLength(1);
  });

  test("`none` cuts nothing; so does a model whose window is not known", async () => {
    const store = await begin("none");
    await add(store, ...Array.from({ length: 30 }, (_, n) => long("user", `q${n}`)));
    expect((await context(store, 1_000)).messages).toHaveLength(30);
    await patchThread(store, alice, "t", { strategy: "window" });
    expect((await context(store)).messages).toHaveLength(30);
    expect((await context(store, 1_000)).messages.length).toBeLessThan(10);
  });
});

describe("summaries", () => {
  /** Its summaries name every message that they stand for. */
  const summarise = async (store: TestStore, window = 2_100) => {
    const head = await getThread(store, alice, "t");
    const plan = await planSummary(store, head, { window, output: 100 });
    if (plan === undefined) return undefined;
    await storeSummary(
      store,
      head,
      plan,
      `${plan.previous ?? ""}[${names(plan.messages.map(({ message }) => message)).join(",")}]`,
    );
    return plan;
  };

  test("stand for what is long past, roll on, and delete nothing", async () => {
    const store = await begin("summarize");
    const made: string[] = [];
    for (let n = 0; n < 40; n += 1) {
      await add(store, long("user", `q${n}`));
      const { system, messages, tokens } = await context(store, 2_100);
      expect(tokens).toBeLessThanOrEqual(2_100);
      const told = `${system.map(({ text }) => text).join(" ")},${names(messages).join(",")},`;
      // Every turn is either told or summed up, and none is both.
      for (let at = 0; at <= n; at += 1) expect(told.split(new RegExp(`[[,]q${at}[\\],]`))).toHaveLength(2);
      await add(store, long("assistant", `a${n}`));
      const plan = await summarise(store);
      if (plan !== undefined) made.push(plan.upTo.id);
    }
    expect(made.length).toBeGreaterThan(3);
    expect(made.length).toBeLessThan(15);
    expect((await listMessages(store, alice, "t", { limit: 100 })).messages).toHaveLength(80);
  });

  test("a branch that leaves before the summary's end doesn't use it", async () => {
    const store = await begin("summarize");
    const placed = [];
    for (let n = 0; n < 10; n += 1)
      placed.push(...(await add(store, long("user", `q${n}`), long("assistant", `a${n}`))));
    const plan = await summarise(store);
    expect(plan).toBeDefined();
    await appendMessages(store, alice, "t", [{ message: says("user", "branch") }], { parentId: placed[1]!.id });
    const { system, messages } = await context(store, 2_100);
    expect(system).toHaveLength(1);
    expect(names(messages)).toEqual(["q0", "a0", "branch"]);
  });

  test("a summary that nobody made in time leaves the window's cut", async () => {
    const store = await begin("summarize");
    for (let n = 0; n < 30; n += 1) await add(store, long("user", `q${n}`), long("assistant", `a${n}`));
    const { messages, tokens, cut } = await context(store, 2_100);
    expect(cut).toBe(true);
    expect(tokens).toBeLessThanOrEqual(2_000);
    expect(messages[0]?.role).toBe("user");
  });

  test("short threads cost no look at their messages", async () => {
    const store = await begin("summarize");
    await add(store, long("user", "q"), long("assistant", "a"));
    expect(await summarise(store)).toBeUndefined();
    await patchThread(store, alice, "t", { strategy: "window" });
    expect(await summarise(store, 100)).toBeUndefined();
  });
});

test("a fork's context is that of the thread it came from, and its own", async () => {
  const store = await begin();
  await add(store, says("user", "q"), says("assistant", "a"));
  await forkThread(store, alice, "t", { id: "f" });
  await appendMessages(store, alice, "f", [{ message: says("user", "f") }]);
  const { system, messages } = await context(store, 10_000, "f");
  expect([system.length, messages.map(textOf)]).toEqual([1, ["q", "a", "f"]]);
});
