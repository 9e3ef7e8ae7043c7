import { describe, expect, test } from "vitest";
import { GatewayError } from "../../lib/model/error.ts";
import type { StreamEvent } from "../../lib/model/event.ts";
import { endTurn } from "../../lib/threads/end-turn.ts";
import type { NumberedEvent } from "../../lib/threads/hub.ts";
import { runEvents } from "../../lib/threads/runs.ts";
import { startTurn } from "../../lib/threads/start-turn.ts";
import { sweep } from "../../lib/threads/sweep.ts";
import { createThread } from "../../lib/threads/threads.ts";
import type { Started } from "../../lib/threads/turns.ts";
import { createMemoryTable, type MemoryTable, tapped } from "../support/memory-table.ts";
import {
  alice,
  answerEvents,
  createClock,
  createTestStore,
  otherProcess,
  settle,
  type TestStore,
  user,
  writerOf,
} from "./setup.ts";

const begin = async (store = createTestStore(), id = "t") => {
  await createThread(store, alice, { id });
  const turn = (await startTurn(store, alice, id, { messages: [user("q")] })) as Started;
  return { store, turn, writer: writerOf(store, turn.lease) };
};
const blocks = (store: TestStore) =>
  (store.table as MemoryTable)
    .all()
    .filter(({ sk }) => sk.startsWith("e:"))
    .sort((a, b) => (a.sk < b.sk ? -1 : 1))
    .map(({ data }) => [data["first"], data["count"]]);
const word = (text: string): StreamEvent => ({ type: "part-delta", index: 0, delta: { type: "text", text } });

/** Reads in the background; `seen` grows. */
const follow = (store: TestStore, run: string, after = 0, thread = "t") => {
  const seen: NumberedEvent[] = [];
  const leave = new AbortController();
  const done = (async () => {
    for await (const event of runEvents(store, alice, thread, run, { after, signal: leave.signal })) seen.push(event);
  })();
  return { seen, done, leave: () => leave.abort() };
};

describe("blocks", () => {
  test("the first event at once, then every second, or 4 KB, and at the end of a tool call", async () => {
    const { store, turn, writer } = await begin();
    writer.write({ type: "response-start", id: "r", model: "m" });
    await settle();
    expect(blocks(store)).toEqual([[1, 1]]);
    writer.write(word("a"));
    writer.write(word("b"));
    await settle();
    expect(blocks(store)).toHaveLength(1);
    await store.clock.advance(1000);
    expect(blocks(store)).toEqual([
      [1, 1],
      [2, 2],
    ]);
    writer.write(word("x".repeat(5000)));
    await settle();
    expect(blocks(store).at(-1)).toEqual([4, 1]);
    writer.write({ type: "part-start", index: 1, part: { type: "tool-call", callId: "c", name: "f", arguments: "" } });
    await settle();
    expect(blocks(store).at(-1)).toEqual([4, 1]);
    writer.write({ type: "part-end", index: 1 });
    await settle();
    expect(blocks(store).at(-1)).toEqual([5, 2]);
    writer.write(word("c"));
    writer.write({ type: "response-end", reason: "end" });
    await store.clock.advance(5000);
    expect(blocks(store).at(-1)).toEqual([7, 1]);
    await endTurn(store, turn.lease, writer, { state: "completed" });
    expect(blocks(store).at(-1)).toEqual([8, 1]);
    expect(store.clock.sleeping()).toBe(0);
  });

  test("an event larger than an item is kept (F52)", async () => {
    const { store, turn, writer } = await begin();
    const event: StreamEvent = { type: "part-delta", index: 0, delta: { type: "data", base64: "A".repeat(600_000) } };
    writer.write(event);
    writer.write({ type: "response-end", reason: "end" });
    await endTurn(store, turn.lease, writer, { state: "completed" });
    const reader = follow(otherProcess(store), turn.run.id);
    await reader.done;
    expect(reader.seen[0]).toEqual({ n: 1, event });
  });

  test("a store that is down for a while loses nothing and stops nobody", async () => {
    const clock = createClock();
    let down = false;
    const memory = createMemoryTable(clock.now);
    const table = tapped(memory, {
      before: () => {
        if (down) throw new GatewayError("storage", "down");
      },
    });
    const { store, turn, writer } = await begin(createTestStore({ table, clock }));
    const near = follow(store, turn.run.id);
    down = true;
    for (const event of answerEvents("a", "b").slice(0, -1)) writer.write(event);
    await clock.advance(3000);
    expect(writer.outage()).toMatchObject({ code: "storage" });
    expect(near.seen).toHaveLength(5);
    down = false;
    await clock.advance(1000);
    expect(writer.outage()).toBeUndefined();
    writer.write(answerEvents().at(-1)!);
    await endTurn(store, turn.lease, writer, { state: "completed" });
    await near.done;
    expect(near.seen.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

test("a block that was stored though the store said it failed is not stored twice", async () => {
  const clock = createClock();
  let lie = false;
  const table = tapped(createMemoryTable(clock.now), {
    after: () => {
      if (!lie) return;
      lie = false;
      throw new GatewayError("storage", "no answer");
    },
  });
  for (const retry of [true, false]) {
    const { store, turn, writer } = await begin(createTestStore({ table, clock }), retry ? "t1" : "t2");
    const events = answerEvents("a", "b");
    lie = true;
    writer.write(events[0]!);
    await settle();
    expect(writer.outage()).toBeDefined();
    for (const event of events.slice(1)) writer.write(event);
    // The next block finds it, or the end does.
    if (retry) await clock.advance(1000);
    await endTurn(store, turn.lease, writer, { state: "completed" });
    const reader = follow(otherProcess(store), turn.run.id, 0, turn.lease.head.id);
    await reader.done;
    expect(reader.seen.map(({ event }) => event)).toEqual(events);
  }
});

describe("reading", () => {
  test("beside the writer, every event at once; the end only when the next turn may begin (F47)", async () => {
    const { store, turn, writer } = await begin();
    const reader = follow(store, turn.run.id);
    const [first, ...rest] = answerEvents("a", "b");
    writer.write(first!);
    await settle();
    expect(reader.seen).toHaveLength(1);
    for (const event of rest) writer.write(event);
    await settle();
    expect(reader.seen.map(({ event }) => event.type)).not.toContain("response-end");
    await endTurn(store, turn.lease, writer, { state: "completed" });
    const next = startTurn(store, alice, "t", { messages: [user("next")] });
    await reader.done;
    expect(reader.seen.map(({ event }) => event)).toEqual([first, ...rest]);
    expect((await next).kind).toBe("started");
  });

  test("from another process: what is stored, then what comes, in order and once", async () => {
    const { store, turn, writer } = await begin();
    const far = otherProcess(store);
    const reader = follow(far, turn.run.id);
    const words = Array.from({ length: 30 }, (_, n) => `word ${n} `);
    const events = answerEvents(...words);
    for (const event of events) {
      writer.write(event);
      await store.clock.advance(150);
    }
    await endTurn(store, turn.lease, writer, { state: "completed" });
    await store.clock.advance(2000);
    await reader.done;
    expect(reader.seen.map(({ event }) => event)).toEqual(events);
    expect(reader.seen.map(({ n }) => n)).toEqual(events.map((_, at) => at + 1));
    expect(store.clock.sleeping()).toBe(0);
  });

  test("cut at any event and resumed elsewhere, live or after the end, it equals the uncut one (F50)", async () => {
    const { store, turn, writer } = await begin();
    const events = answerEvents("a", "b", "x".repeat(5000), "c", "d");
    const readers: ReturnType<typeof follow>[] = [];
    for (const [at, event] of events.entries()) {
      writer.write(event);
      await store.clock.advance(400);
      for (const where of [store, otherProcess(store)]) readers.push(follow(where, turn.run.id, at));
    }
    await endTurn(store, turn.lease, writer, { state: "completed" });
    await store.clock.advance(2000);
    for (const [index, reader] of readers.entries()) {
      await reader.done;
      expect(reader.seen.map(({ event }) => event)).toEqual(events.slice(Math.floor(index / 2)));
    }
    for (let after = 0; after <= events.length; after += 1) {
      const late = follow(otherProcess(store), turn.run.id, after);
      await late.done;
      expect(late.seen.map(({ n }) => n)).toEqual(events.map((_, at) => at + 1).slice(after));
    }
  });

  test("a reader ahead of what is stored misses nothing when it comes", async () => {
    const { store, turn, writer } = await begin();
    for (const event of answerEvents("a", "b", "c", "d", "e").slice(0, -1)) writer.write(event);
    await settle();
    expect(blocks(store)).toEqual([[1, 1]]);
    const reader = follow(otherProcess(store), turn.run.id, 4);
    await settle();
    // Stored between its first look and its second.
    await writer.flush();
    writer.write({ type: "response-end", reason: "end" });
    await endTurn(store, turn.lease, writer, { state: "completed" });
    await store.clock.advance(3000);
    await reader.done;
    expect(reader.seen.map(({ n }) => n)).toEqual([5, 6, 7, 8, 9]);
  });

  test("a slow reader beside the writer loses nothing, and holds nothing up", async () => {
    const { store, turn, writer } = await begin();
    const reader = runEvents(store, alice, "t", turn.run.id)[Symbol.asyncIterator]();
    const events = answerEvents(...Array.from({ length: 2000 }, (_, n) => `${n} `.padEnd(50)));
    writer.write(events[0]!);
    expect((await reader.next()).value).toEqual({ n: 1, event: events[0] });
    for (const event of events.slice(1)) writer.write(event);
    await store.clock.advance(3000);
    await endTurn(store, turn.lease, writer, { state: "completed" });
    for (const [at, event] of events.slice(1).entries())
      expect((await reader.next()).value).toEqual({ n: at + 2, event });
    expect((await reader.next()).done).toBe(true);
  });

  test("events that died with their process: the reader is told, and the run ends (F49)", async () => {
    const { store, turn, writer } = await begin();
    const near = follow(store, turn.run.id);
    writer.write(answerEvents()[0]!);
    await settle();
    writer.write(word("never stored"));
    writer.write(word("nor this"));
    await settle();
    expect(near.seen).toHaveLength(3);
    near.leave();
    await near.done;
    const survivor = otherProcess(store);
    await store.clock.advance(0);
    // The process is gone: its timers with it.
    const resumed = follow(survivor, turn.run.id, 3);
    const table = store.table as MemoryTable;
    const frozen = table.all().filter(({ sk }) => sk.startsWith("e:"));
    expect(frozen).toHaveLength(1);
    void writer.closed("lost");
    await store.clock.advance(store.limits.leaseMs + 10_000);
    await resumed.done;
    // Beyond what the dead process may have shown: nobody has seen the end who hasn't.
    const [end] = resumed.seen;
    expect(end?.n).toBeGreaterThan(1_000);
    const after = follow(survivor, turn.run.id, end?.n ?? 0);
    await after.done;
    expect(after.seen).toEqual([]);
    expect(resumed.seen).toMatchObject([{ event: { type: "error", error: { retryable: true } } }]);
    expect((await sweep(survivor)).expired).toEqual([]);
  });

  test("a reader that leaves leaves nothing behind", async () => {
    const { store, turn } = await begin();
    const readers = [store, otherProcess(store)].map((where) => follow(where, turn.run.id));
    await store.clock.advance(100);
    for (const reader of readers) {
      reader.leave();
      await reader.done;
    }
    expect(store.clock.sleeping()).toBe(0);
  });

  test("errors survive the log, without their cause", async () => {
    const { store, turn, writer } = await begin();
    const error = new GatewayError("rate_limited", "Slow down.", { retryAfterMs: 5, cause: new Error("secret") });
    writer.write({ type: "error", error });
    await endTurn(store, turn.lease, writer, { state: "failed", error });
    const reader = follow(otherProcess(store), turn.run.id);
    await reader.done;
    expect(reader.seen).toMatchObject([{ event: { error: { code: "rate_limited", details: { retryAfterMs: 5 } } } }]);
    expect(JSON.stringify((store.table as MemoryTable).all())).not.toContain("secret");
  });

  test("after their time events are gone, and a reader is told so", async () => {
    const { store, turn, writer } = await begin();
    writer.write({ type: "response-end", reason: "end" });
    await endTurn(store, turn.lease, writer, { state: "completed" });
    await store.clock.advance(store.limits.eventsTtlSeconds * 1000 + 1000);
    await expect(follow(store, turn.run.id).done).rejects.toMatchObject({ code: "not_found" });
  });
});
