import { describe, expect, test } from "vitest";
import type { StreamEvent } from "../../lib/model/event.ts";
import { GatewayError } from "../../lib/model/error.ts";
import { appendMessages } from "../../lib/threads/append.ts";
import { endTurn } from "../../lib/threads/end-turn.ts";
import { holdLease, renewLease } from "../../lib/threads/lease.ts";
import { listMessages, loadPath } from "../../lib/threads/messages.ts";
import { resumeTurn } from "../../lib/threads/resume-turn.ts";
import { loadRequest, mayBecome, runStates } from "../../lib/threads/run-items.ts";
import { cancelRun, getRun, listRuns, listUsage, runEvents } from "../../lib/threads/runs.ts";
import { startNext, startTurn } from "../../lib/threads/start-turn.ts";
import { sweep } from "../../lib/threads/sweep.ts";
import { createThread, deleteThread, getThread } from "../../lib/threads/threads.ts";
import type { Started, TurnInput } from "../../lib/threads/turns.ts";
import { createMemoryTable, tapped } from "../support/memory-table.ts";
import {
  alice,
  answerEvents,
  calls,
  createClock,
  createTestStore,
  otherProcess,
  results,
  says,
  settle,
  type TestStore,
  textOf,
  user,
  writerOf,
} from "./setup.ts";

const begin = async (store = createTestStore()): Promise<TestStore> => {
  await createThread(store, alice, { id: "t" });
  return store;
};
const start = async (store: TestStore, text: string, input: Partial<TurnInput> = {}): Promise<Started> => {
  const turn = await startTurn(store, alice, "t", { messages: [user(text)], ...input });
  if (turn.kind !== "started") throw new Error(turn.kind);
  return turn;
};
const answer = async (store: TestStore, turn: Started, text: string) => {
  const writer = writerOf(store, turn.lease);
  for (const event of answerEvents(text)) writer.write(event);
  return endTurn(store, turn.lease, writer, {
    state: "completed",
    message: says("assistant", text),
    usage: { provider: "p", model: "m", usage: { input: 10, output: 1 } },
  });
};
const path = async (store: TestStore) =>
  (await loadPath(store, await getThread(store, alice, "t"))).map(({ message }) => textOf(message));
const eventsOf = async (store: TestStore, run: string, after = 0) => {
  const events: StreamEvent[] = [];
  for await (const { event } of runEvents(store, alice, "t", run, { after })) events.push(event);
  return events;
};

describe("a turn", () => {
  test("the state machine has no way out of an end", () => {
    for (const { ended, next } of Object.values(runStates)) expect(next.length === 0).toBe(ended);
    expect(mayBecome("queued", "in_progress")).toBe(true);
    expect(mayBecome("requires_action", "in_progress")).toBe(true);
    expect(mayBecome("completed", "in_progress")).toBe(false);
  });

  test("messages, run, answer, usage and events, and the next turn at once (F47)", async () => {
    const store = await begin();
    for (const [question, reply] of [
      ["q1", "a1"],
      ["q2", "a2"],
    ] as const) {
      const turn = await start(store, question);
      expect(await getRun(store, alice, "t", turn.run.id)).toMatchObject({ state: "in_progress" });
      expect(await answer(store, turn, reply)).toMatchObject({ state: "completed", waiting: false });
      expect(await eventsOf(store, turn.run.id)).toEqual(answerEvents(reply));
    }
    expect(await path(store)).toEqual(["q1", "a1", "q2", "a2"]);
    expect((await listRuns(store, alice, "t")).runs.map(({ state }) => state)).toEqual(["completed", "completed"]);
    expect(await listUsage(store, alice, "t")).toHaveLength(2);
  });

  test("costs the same however long the thread is, and one transaction at each end", async () => {
    const clock = createClock();
    const table = tapped(createMemoryTable(clock.now), {});
    const store = await begin(createTestStore({ table, clock }));
    const costs = new Set<string>();
    for (let n = 0; n < 120; n += 1) {
      const before = { ...table.counted };
      await answer(store, await start(store, `q${n}`), `a${n}`);
      await settle();
      const { reads, writes, transactions, operations } = table.counted;
      costs.add(
        `reads ${reads - before.reads}, blocks ${writes - before.writes}, transactions ${transactions - before.transactions}, operations ${operations - before.operations}`,
      );
    }
    expect([...costs]).toEqual(["reads 1, blocks 1, transactions 2, operations 9"]);
  });

  test("regenerating an answer makes a sibling of it", async () => {
    const store = await begin();
    const first = await start(store, "q");
    await answer(store, first, "a1");
    const again = await start(store, "", { messages: [], parentId: first.messages[0]!.id });
    await answer(store, again, "a2");
    expect(await path(store)).toEqual(["q", "a2"]);
    expect((await listMessages(store, alice, "t")).messages.map(({ parentSeq }) => parentSeq)).toEqual([-1, 0, 0]);
  });

  test("the same call again finds its run instead of beginning another, running or ended", async () => {
    const store = await begin();
    const input = { messages: [user("q", "c1")] };
    const turn = await startTurn(store, alice, "t", input);
    expect(await startTurn(store, alice, "t", input)).toMatchObject({ kind: "known", run: { state: "in_progress" } });
    await answer(store, turn as Started, "a");
    expect(await startTurn(store, alice, "t", input)).toMatchObject({ kind: "known", run: { state: "completed" } });
    expect(await path(store)).toEqual(["q", "a"]);
  });

  test("an end that the store did before it failed is not done twice", async () => {
    const clock = createClock();
    let breakAfter = false;
    const table = tapped(createMemoryTable(clock.now), {
      after: () => {
        if (breakAfter) {
          breakAfter = false;
          throw new GatewayError("storage", "down");
        }
      },
    });
    const store = await begin(createTestStore({ table, clock }));
    const turn = await start(store, "q");
    const writer = writerOf(store, turn.lease);
    for (const event of answerEvents("a")) writer.write(event);
    await writer.flush();
    const end = {
      state: "completed",
      message: says("assistant", "a"),
      usage: { usage: { input: 1, output: 1 } },
    } as const;
    breakAfter = true;
    await expect(endTurn(store, turn.lease, writer, end)).rejects.toMatchObject({ code: "storage" });
    const ended = await endTurn(store, turn.lease, writer, end);
    expect(ended).toMatchObject({ state: "completed", message: { seq: 1 } });
    expect(await path(store)).toEqual(["q", "a"]);
    expect(await eventsOf(store, turn.run.id)).toEqual(answerEvents("a"));
  });
});

test("a large request lies apart from its run, which is written at every step (F52)", async () => {
  const store = await begin();
  const request = { tools: ["t".repeat(300_000)] };
  const turn = await start(store, "q", { run: { request } });
  await startTurn(store, alice, "t", { messages: [user("q2")], run: { request }, onConflict: "enqueue" });
  await answer(store, turn, "a");
  const next = await startNext(store, "acme", "t");
  for (const { run } of [turn, next!])
    expect(await loadRequest(store, "acme", await getRun(store, alice, "t", run.id))).toEqual(request);
  expect(store.blobs.all.size).toBe(1);
});

describe("two runs at once", () => {
  test("one wins, the other is told that the thread is busy (F49)", async () => {
    const store = await begin();
    const turns = await Promise.allSettled(["a", "b", "c"].map((text) => start(store, text)));
    expect(turns.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const turn of turns.filter(({ status }) => status === "rejected"))
      expect(turn).toMatchObject({ reason: { code: "thread_busy", status: 409 } });
    await expect(appendMessages(store, alice, "t", [user("x")])).rejects.toMatchObject({ code: "thread_busy" });
    expect((await listMessages(store, alice, "t")).messages).toHaveLength(1);
  });

  test("an enqueued run whose input is lost fails, and holds up nobody", async () => {
    const store = await begin();
    const first = await start(store, "q1");
    const large = "x".repeat(200_000);
    const lost = await startTurn(store, alice, "t", { messages: [user(large)], onConflict: "enqueue" });
    const next = await startTurn(store, alice, "t", { messages: [user("q3")], onConflict: "enqueue" });
    await answer(store, first, "a1");
    store.blobs.all.clear();
    const begun = await startNext(store, alice.space, "t");
    expect(begun?.run.id).toBe(next.run.id);
    const run = await getRun(store, alice, "t", lost.run.id);
    expect(run).toMatchObject({ state: "failed", error: { code: "internal" } });
    expect(await eventsOf(store, lost.run.id)).toMatchObject([{ type: "error" }]);
    await answer(store, begun!, "a3");
    expect(await path(store)).toEqual(["q1", "a1", "q3", "a3"]);
    expect((await sweep(store)).waiting).toEqual([]);
  });

  test("enqueued runs begin in order, with their messages, when the one before has ended", async () => {
    const store = await begin();
    const first = await start(store, "q1");
    const queued = [];
    for (const text of ["q2", "q3"])
      queued.push(await startTurn(store, alice, "t", { messages: [user(text, text)], onConflict: "enqueue" }));
    expect(queued).toMatchObject([{ kind: "queued" }, { kind: "queued" }]);
    expect(await startTurn(store, alice, "t", { messages: [user("q2", "q2")], onConflict: "enqueue" })).toMatchObject({
      kind: "known",
      run: { state: "queued" },
    });
    expect(await startNext(store, "acme", "t")).toBeUndefined();
    expect((await answer(store, first, "a1")).waiting).toBe(true);
    // Whoever comes now waits behind them.
    await expect(start(store, "late")).rejects.toMatchObject({ code: "thread_busy" });
    expect((await sweep(store)).waiting).toEqual([{ space: "acme", thread: "t" }]);
    const second = await startNext(store, "acme", "t");
    expect((await answer(store, second!, "a2")).waiting).toBe(true);
    const third = await startNext(store, "acme", "t");
    expect((await answer(store, third!, "a3")).waiting).toBe(false);
    expect(await path(store)).toEqual(["q1", "a1", "q2", "a2", "q3", "a3"]);
    expect((await sweep(store)).waiting).toEqual([]);
  });

  test("an interrupt ends the run that is there, keeps what it said, and takes over", async () => {
    const store = await begin();
    const first = await start(store, "q1");
    const writer = writerOf(store, first.lease);
    for (const event of answerEvents("half", "more").slice(0, 3)) writer.write(event);
    await writer.flush();
    const second = await start(store, "q2", { onConflict: "interrupt" });
    expect(await getRun(store, alice, "t", first.run.id)).toMatchObject({
      state: "cancelled",
      error: { code: "cancelled" },
    });
    await expect(renewLease(store, first.lease)).rejects.toMatchObject({ code: "conflict" });
    writer.write({ type: "part-delta", index: 0, delta: { type: "text", text: "zombie" } });
    await writer.flush();
    expect(writer.lost.aborted).toBe(true);
    await expect(
      endTurn(store, first.lease, writer, { state: "completed", message: says("assistant", "zombie") }),
    ).rejects.toMatchObject({ code: "conflict" });
    await answer(store, second, "a2");
    expect(await path(store)).toEqual(["q1", "half", "q2", "a2"]);
    const events = await eventsOf(otherProcess(store), first.run.id);
    expect(events.at(-1)).toMatchObject({ type: "error", error: { code: "cancelled" } });
    expect(JSON.stringify(events)).not.toContain("zombie");
  });

  test("background work waits on a free thread too, until a worker begins it", async () => {
    const store = await begin();
    const input: TurnInput = { messages: [user("q", "c")], later: true, run: { id: "resp_1" } };
    expect(await startTurn(store, alice, "t", input)).toMatchObject({ kind: "queued", run: { id: "resp_1" } });
    expect(await startTurn(store, alice, "t", input)).toMatchObject({ kind: "known", run: { state: "queued" } });
    const events = eventsOf(otherProcess(store), "resp_1");
    const begun = await startNext(otherProcess(store), "acme", "t");
    expect(begun?.run).toMatchObject({ id: "resp_1", state: "in_progress" });
    await answer(store, begun!, "a");
    await store.clock.advance(2000);
    expect(await events).toEqual(answerEvents("a"));
    expect(await path(store)).toEqual(["q", "a"]);
    expect(await startTurn(store, alice, "t", input)).toMatchObject({ kind: "known", run: { state: "completed" } });
  });

  test("a queued run is cancelled without ever beginning, and its readers end", async () => {
    const store = await begin();
    const first = await start(store, "q1");
    const queued = await startTurn(store, alice, "t", { messages: [user("q2")], onConflict: "enqueue" });
    const id = queued.kind === "queued" ? queued.run.id : "";
    const reading = eventsOf(store, id);
    expect(await cancelRun(store, alice, "t", id)).toMatchObject({ state: "cancelled" });
    await store.clock.advance(100);
    expect(await reading).toMatchObject([{ type: "error", error: { code: "cancelled" } }]);
    expect((await answer(store, first, "a1")).waiting).toBe(false);
    expect(await startNext(store, "acme", "t")).toBeUndefined();
    expect(await path(store)).toEqual(["q1", "a1"]);
  });

  test("the queue has an end", async () => {
    const store = await begin();
    store.limits = { ...store.limits, queueLength: 2 };
    await start(store, "q");
    for (const text of ["1", "2"])
      await startTurn(store, alice, "t", { messages: [user(text)], onConflict: "enqueue" });
    await expect(startTurn(store, alice, "t", { messages: [user("3")], onConflict: "enqueue" })).rejects.toMatchObject({
      code: "thread_busy",
    });
  });
});

describe("leases", () => {
  test("a dead run's lease expires: its text and usage are kept, its calls are not, the thread goes on (F49, F51)", async () => {
    const store = await begin();
    const turn = await start(store, "q");
    const writer = writerOf(store, turn.lease);
    writer.answeredBy({ provider: "p", model: "m-1", maker: "p" });
    const half: StreamEvent[] = [
      ...answerEvents("some text").slice(0, 4),
      { type: "part-start", index: 1, part: { type: "tool-call", callId: "c", name: "f", arguments: "" } },
      { type: "part-delta", index: 1, delta: { type: "arguments", text: '{"a' } },
    ];
    for (const event of half) writer.write(event);
    await writer.flush();
    expect((await sweep(store)).expired).toEqual([]);
    await store.clock.advance(store.limits.leaseMs + 1);
    const other = otherProcess(store);
    expect((await sweep(other)).expired).toEqual([{ space: "acme", thread: "t", run: turn.run.id }]);
    expect((await sweep(other)).expired).toEqual([]);
    expect(await getRun(store, alice, "t", turn.run.id)).toMatchObject({
      state: "expired",
      error: { retryable: true },
    });
    const kept = (await listMessages(store, alice, "t")).messages[1];
    expect(kept).toMatchObject({ partial: true, message: { parts: [{ type: "text", text: "some text" }] } });
    expect(await listUsage(store, alice, "t")).toMatchObject([{ run: turn.run.id, model: "m-1", estimated: true }]);
    expect((await eventsOf(other, turn.run.id)).at(-1)).toMatchObject({ type: "error" });
    await answer(other, await start(other, "q2"), "a2");
    expect(await path(store)).toEqual(["q", "some text", "q2", "a2"]);
  });

  test("a holder that stores events, or renews, while the sweeper is at work loses nothing", async () => {
    for (const act of ["stores", "renews"] as const) {
      const store = await begin();
      const turn = await start(store, "q");
      const writer = writerOf(store, turn.lease);
      for (const event of answerEvents("one", "two").slice(0, 3)) writer.write(event);
      await writer.flush();
      await store.clock.advance(store.limits.leaseMs + 1);
      let isFirst = true;
      const table = tapped(store.table, {
        before: async () => {
          if (!isFirst) return;
          isFirst = false;
          if (act === "renews") {
            await renewLease(store, turn.lease);
            return;
          }
          writer.write({ type: "part-delta", index: 0, delta: { type: "text", text: "two" } });
          await writer.flush();
        },
      });
      const swept = await sweep({ ...otherProcess(store), table });
      expect(swept.expired).toHaveLength(act === "stores" ? 1 : 0);
      writer.write({ type: "response-end", reason: "end" });
      const ended = await endTurn(store, turn.lease, writer, {
        state: "completed",
        message: says("assistant", "whole"),
      }).catch(() => "refused");
      expect(ended === "refused").toBe(act === "stores");
      expect(await path(store)).toEqual(["q", act === "stores" ? "onetwo" : "whole"]);
    }
  });

  test("whoever comes next settles an expired lease, without a sweeper", async () => {
    const store = await begin();
    const dead = await start(store, "q1");
    await store.clock.advance(store.limits.leaseMs + 1);
    await answer(store, await start(store, "q2"), "a2");
    expect(await path(store)).toEqual(["q1", "q2", "a2"]);
    expect(await getRun(store, alice, "t", dead.run.id)).toMatchObject({ state: "expired" });
  });

  test("a held lease is renewed for as long as the run takes, and leaves no timer behind (F56)", async () => {
    const store = await begin();
    const turn = await start(store, "q");
    const held = holdLease(store, turn.lease);
    await store.clock.advance(store.limits.leaseMs * 5);
    expect((await sweep(store)).expired).toEqual([]);
    expect(held.signal.aborted).toBe(false);
    await held.stop();
    await answer(store, turn, "a");
    await settle();
    expect(store.clock.sleeping()).toBe(0);
  });

  test("a cancellation reaches the holder at once in its process, with the next renewal in another (F54)", async () => {
    for (const from of ["here", "elsewhere"]) {
      const store = await begin();
      const turn = await start(store, "q");
      const held = holdLease(store, turn.lease);
      await settle();
      const run = await cancelRun(from === "here" ? store : otherProcess(store), alice, "t", turn.run.id);
      expect(run.state).toBe("in_progress");
      if (from === "elsewhere") await store.clock.advance(store.limits.leaseMs / 3);
      await settle();
      expect(held.signal.aborted).toBe(true);
      expect(held.signal.reason).toMatchObject({ code: "cancelled" });
      await held.stop();
    }
  });

  test("a holder that was fenced out is told so", async () => {
    const store = await begin();
    const turn = await start(store, "q");
    const held = holdLease(store, turn.lease);
    await deleteThread(store, alice, "t");
    await store.clock.advance(store.limits.leaseMs);
    expect(held.signal.reason).toMatchObject({ code: "conflict" });
    await held.stop();
  });
});

describe("tools", () => {
  const park = async (store: TestStore) => {
    const turn = await start(store, "q");
    const writer = writerOf(store, turn.lease);
    const events: StreamEvent[] = [
      { type: "response-start", id: "r", model: "m" },
      { type: "response-end", reason: "tool-calls" },
    ];
    for (const event of events) writer.write(event);
    await endTurn(store, turn.lease, writer, { state: "requires_action", message: calls("c1", "c2") });
    return turn;
  };

  test("a run waits for its outputs and goes on with them, its events numbered on", async () => {
    const store = await begin();
    const turn = await park(store);
    expect(await getRun(store, alice, "t", turn.run.id)).toMatchObject({
      state: "requires_action",
      pending: ["c1", "c2"],
    });
    expect(await eventsOf(store, turn.run.id)).toHaveLength(2);
    await expect(resumeTurn(store, alice, "t", turn.run.id, [{ message: results("c1") }])).rejects.toMatchObject({
      code: "invalid_request",
      details: { param: "tool_outputs" },
    });
    const resumed = await resumeTurn(store, alice, "t", turn.run.id, [
      { message: results("c1", "c2"), clientId: "out" },
    ]);
    expect(resumed).toMatchObject({ kind: "started", lease: { step: 2, firstEvent: 3 } });
    expect(
      await resumeTurn(store, alice, "t", turn.run.id, [{ message: results("c1", "c2"), clientId: "out" }]),
    ).toMatchObject({ kind: "known" });
    const reading = eventsOf(otherProcess(store), turn.run.id, 2);
    await answer(store, resumed as Started, "done");
    await store.clock.advance(1000);
    expect(await reading).toEqual(answerEvents("done"));
    expect(await eventsOf(store, turn.run.id)).toHaveLength(2 + answerEvents("done").length);
    expect((await listUsage(store, alice, "t")).map(({ step }) => step)).toEqual([2]);
  });

  test("a new turn that brings the outputs completes the parked run", async () => {
    const store = await begin();
    const parked = await park(store);
    const turn = await start(store, "", { messages: [{ message: results("c1", "c2") }] });
    await answer(store, turn, "done");
    expect(await getRun(store, alice, "t", parked.run.id)).toMatchObject({ state: "completed" });
  });

  test("a new turn that doesn't is refused, or ends the parked run if it may", async () => {
    const store = await begin();
    const parked = await park(store);
    await expect(start(store, "something else")).rejects.toMatchObject({ code: "thread_busy" });
    const turn = await start(store, "something else", { onConflict: "interrupt" });
    await answer(store, turn, "fine");
    expect(await getRun(store, alice, "t", parked.run.id)).toMatchObject({ state: "cancelled" });
    await expect(
      resumeTurn(store, alice, "t", parked.run.id, [{ message: results("c1", "c2") }]),
    ).rejects.toMatchObject({ code: "conflict" });
  });

  test("outputs that never come expire", async () => {
    const store = await begin();
    const parked = await park(store);
    await store.clock.advance(store.limits.parkedMs + 1);
    expect((await sweep(store)).expired).toEqual([{ space: "acme", thread: "t", run: parked.run.id }]);
    await answer(store, await start(store, "on"), "a");
    expect(await getRun(store, alice, "t", parked.run.id)).toMatchObject({ state: "expired" });
  });
});
