// The writer behind calls without limits: blocks, a store that fails for a while, answers that are lost, what can't be kept.
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { GatewayError } from "../../lib/model/error.ts";
import type { Json } from "../../lib/model/json.ts";
import { spendPartition } from "../../lib/usage/keys.ts";
import { createUsageWriter, type After, type WriterOptions } from "../../lib/usage/writer.ts";
import { createMemoryTable, tapped } from "../support/memory-table.ts";
import { entry, options, start } from "./entries.ts";

/** Time that passes when a test says so. */
const clock = () => {
  const timers = new Set<{ ms: number; work: () => void }>();
  const after: After = (ms, work) => {
    const timer = { ms, work };
    timers.add(timer);
    return () => timers.delete(timer);
  };
  const settle = async () => {
    for (let turns = 0; turns < 20; turns += 1) await turn();
  };
  return {
    after,
    timers,
    settle,
    /** All timers that wait, run. */
    pass: async () => {
      const due = [...timers];
      timers.clear();
      for (const { work } of due) work();
      await settle();
    },
  };
};

const setup = (more: Partial<WriterOptions> = {}) => {
  const memory = createMemoryTable(() => start);
  const time = clock();
  const warnings: string[] = [];
  let failing: "no" | "before" | "after" | "bug" = "no";
  const outage = () => new GatewayError("storage", "The store is down.");
  const table = tapped(memory, {
    before: () => {
      if (failing === "before") throw outage();
      if (failing === "bug") throw new GatewayError("request_too_large", "Too large.");
    },
    after: () => {
      if (failing === "after") throw outage();
    },
  });
  const writer = createUsageWriter({
    table,
    shardOf: () => 0,
    options: { ...options, ...more },
    log: {
      warn: (message) => void warnings.push(message),
      error: (message) => void warnings.push(message),
    },
    after: time.after,
  });
  const blocks = (tenant = "acme") =>
    memory
      .all()
      .filter((item) => item.pk === spendPartition(tenant, 0) && item.sk.startsWith("u:"))
      .map((item) => (item.data["entries"] as Json[]).length);
  const requests = () =>
    memory
      .all()
      .filter((item) => item.sk.startsWith("d:"))
      .reduce((sum, item) => sum + Number(item.data["requests"]), 0);
  const fail = (how: typeof failing) => {
    failing = how;
  };
  return { memory, table, writer, time, warnings, blocks, requests, fail };
};

test("entries wait for company: four hundred of a tenant, or a fifth of a second, and no timer without entries", async () => {
  const { writer, time, blocks, requests, table } = setup();
  expect(time.timers.size).toBe(0);
  const first = Array.from({ length: 400 }, () => writer.add(entry()));
  await time.settle();
  await Promise.all(first);
  expect(blocks()).toEqual([400]);
  expect(time.timers.size).toBe(0);
  const few = writer.add(entry());
  void writer.add(entry({ tenant: "other" }));
  await time.settle();
  expect(blocks()).toEqual([400]);
  expect([...time.timers].map(({ ms }) => ms)).toEqual([200]);
  await time.pass();
  await few;
  expect(blocks().sort((a, b) => a - b)).toEqual([1, 400]);
  expect(blocks("other")).toEqual([1]);
  expect(requests()).toBe(402);
  expect(time.timers.size).toBe(0);
  // Three blocks, and each tenant entered once.
  expect(table.counted.transactions).toBe(5);
  expect(writer.state()).toEqual({ waiting: 0, dropped: 0 });
});

test("functions write at once, and what comes meanwhile goes together", async () => {
  const { writer, time, blocks } = setup({ immediate: true });
  await writer.add(entry());
  expect(blocks()).toEqual([1]);
  const one = writer.add(entry());
  await turn();
  await Promise.all([one, writer.add(entry()), writer.add(entry())]);
  expect(blocks().reduce((a, b) => a + b)).toBe(4);
  expect(time.timers.size).toBe(0);
});

test("a store that is down for a while: nothing is lost, nothing is written twice (F45)", async () => {
  const { writer, time, blocks, requests, warnings, fail } = setup();
  fail("before");
  const entries = Array.from({ length: 60 }, () => writer.add(entry()));
  for (let pauses = 0; pauses < 6; pauses += 1) {
    await time.settle();
    await time.pass();
  }
  expect(blocks()).toEqual([]);
  expect(writer.state()).toEqual({ waiting: 60, dropped: 0 });
  // From here on writes are done, but their answers are lost.
  fail("after");
  for (let pauses = 0; pauses < 3; pauses += 1) await time.pass();
  fail("no");
  for (let pauses = 0; pauses < 3; pauses += 1) await time.pass();
  await Promise.all(entries);
  expect(blocks().reduce((a, b) => a + b)).toBe(60);
  expect(requests()).toBe(60);
  expect(warnings).toEqual(["usage entries wait: the store is down", "usage entries are written again"]);
  expect(writer.state()).toEqual({ waiting: 0, dropped: 0 });
});

test("a function's call is not held for as long as the store is down: its entry goes with the next", async () => {
  const { writer, time, blocks, requests, fail } = setup({ immediate: true });
  fail("before");
  const waiting = writer.add(entry());
  for (let pauses = 0; pauses < 3; pauses += 1) {
    await time.settle();
    await time.pass();
  }
  await waiting;
  expect(writer.state().waiting).toBe(1);
  expect(time.timers.size).toBe(0);
  fail("no");
  await writer.add(entry());
  expect(blocks()).toEqual([1, 1]);
  expect(requests()).toBe(2);
  expect(writer.state().waiting).toBe(0);
});

test("at most 10,000 entries wait; the oldest are kept, the others counted", async () => {
  const { writer, time, requests, warnings, fail } = setup();
  fail("before");
  for (let at = 0; at < 10_500; at += 1) void writer.add(entry({ cost: at }));
  await time.settle();
  expect(writer.state()).toEqual({ waiting: 10_000, dropped: 500 });
  expect(warnings.filter((each) => each === "usage entries were dropped")).toHaveLength(1);
  fail("no");
  expect(await writer.flush()).toBe(0);
  expect(requests()).toBe(10_000);
});

test("what no retry can write is given up, and holds nothing else back", async () => {
  const { writer, time, requests, warnings, fail } = setup();
  fail("bug");
  const lost = writer.add(entry());
  await time.pass();
  await lost;
  fail("no");
  const kept = writer.add(entry());
  await time.pass();
  await kept;
  expect(requests()).toBe(1);
  expect(writer.state()).toEqual({ waiting: 0, dropped: 1 });
  expect(warnings).toContain("usage entries can't be written");
});

test("flush writes what waits, and says what it could not within its time", async () => {
  const { writer, time, requests, fail } = setup();
  void writer.add(entry());
  expect(await writer.flush()).toBe(0);
  expect(requests()).toBe(1);
  fail("before");
  void writer.add(entry());
  const flushed = writer.flush(50);
  await time.settle();
  await time.pass();
  expect(await flushed).toBe(1);
  fail("no");
  expect(await writer.flush()).toBe(0);
  expect(requests()).toBe(2);
  expect(time.timers.size).toBe(0);
});
