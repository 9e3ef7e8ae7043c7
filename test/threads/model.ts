// Random histories of one thread: several processes that append, run, cancel, crash between any two writes, and come back.
// What must hold is checked after every step, and once more when all runs have ended.
import * as fc from "fast-check";
import { expect } from "vitest";
import { GatewayError } from "../../lib/model/error.ts";
import { asNumber, asString } from "../../lib/model/json.ts";
import type { StreamEvent } from "../../lib/model/event.ts";
import type { Item, Table } from "../../lib/stores/table.ts";
import { appendMessages } from "../../lib/threads/append.ts";
import { endTurn } from "../../lib/threads/end-turn.ts";
import type { EventWriter } from "../../lib/threads/event-log.ts";
import { findHead } from "../../lib/threads/head.ts";
import { threadPartition } from "../../lib/threads/keys.ts";
import { renewLease } from "../../lib/threads/lease.ts";
import { loadPath } from "../../lib/threads/messages.ts";
import { resumeTurn } from "../../lib/threads/resume-turn.ts";
import { decodeRun, hasEnded, type Run } from "../../lib/threads/run-items.ts";
import { cancelRun, runEvents } from "../../lib/threads/runs.ts";
import { startNext, startTurn } from "../../lib/threads/start-turn.ts";
import { sweep } from "../../lib/threads/sweep.ts";
import { createThread } from "../../lib/threads/threads.ts";
import type { Lease, OnConflict } from "../../lib/threads/turns.ts";
import { tapped } from "../support/memory-table.ts";
import {
  alice,
  calls,
  createClock,
  createMemoryBlobs,
  createTestStore,
  results,
  says,
  type TestClock,
  type TestStore,
  user,
  writerOf,
} from "./setup.ts";

type Simple =
  | { type: "append"; process: number; count: number; again: boolean }
  | { type: "start"; process: number; conflict: OnConflict; later: boolean; again: boolean }
  | { type: "write"; turn: number; words: number; flush: boolean }
  | { type: "end"; turn: number; how: "completed" | "failed" | "requires_action" }
  | { type: "resume"; process: number; again: boolean }
  | { type: "renew"; turn: number }
  | { type: "cancel"; process: number }
  | { type: "next"; process: number }
  | { type: "sweep"; process: number };
type Step = Simple | { type: "together"; steps: Simple[] } | { type: "advance"; ms: number };

const process_ = fc.nat({ max: 1 });
const turn = fc.nat({ max: 3 });
const weighted = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary });
const simple: fc.Arbitrary<Simple> = fc.oneof(
  weighted(
    2,
    fc.record({
      type: fc.constant("append" as const),
      process: process_,
      count: fc.integer({ min: 1, max: 3 }),
      again: fc.boolean(),
    }),
  ),
  weighted(
    4,
    fc.record({
      type: fc.constant("start" as const),
      process: process_,
      conflict: fc.constantFrom<OnConflict>("reject", "enqueue", "interrupt"),
      later: fc.nat({ max: 3 }).map((n) => n === 0),
      again: fc.boolean(),
    }),
  ),
  weighted(
    3,
    fc.record({
      type: fc.constant("write" as const),
      turn,
      words: fc.integer({ min: 1, max: 4 }),
      flush: fc.boolean(),
    }),
  ),
  weighted(
    4,
    fc.record({
      type: fc.constant("end" as const),
      turn,
      how: fc.constantFrom("completed" as const, "failed" as const, "requires_action" as const),
    }),
  ),
  weighted(2, fc.record({ type: fc.constant("resume" as const), process: process_, again: fc.boolean() })),
  weighted(1, fc.record({ type: fc.constant("renew" as const), turn })),
  weighted(1, fc.record({ type: fc.constant("cancel" as const), process: process_ })),
  weighted(3, fc.record({ type: fc.constant("next" as const), process: process_ })),
  weighted(1, fc.record({ type: fc.constant("sweep" as const), process: process_ })),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  weighted(10, simple),
  weighted(
    3,
    fc.record({
      type: fc.constant("together" as const),
      steps: fc.array(simple, { minLength: 2, maxLength: 4, size: "max" }),
    }),
  ),
  weighted(1, fc.record({ type: fc.constant("advance" as const), ms: fc.constantFrom(500, 6_000, 20_000, 700_000) })),
);
/** How many writes until the next crash, and whether the write that crashes was done. */
const crash = fc.record({ after: fc.integer({ min: 1, max: 25 }), done: fc.boolean() });

type History = { steps: Step[]; crashes: { after: number; done: boolean }[]; delays: number[] };
export const histories: fc.Arbitrary<History> = fc.record({
  steps: fc.array(step, { minLength: 5, maxLength: 40, size: "max" }),
  crashes: fc.array(crash, { maxLength: 6, size: "max" }),
  delays: fc.array(fc.nat({ max: 4 }), { minLength: 7, maxLength: 7 }),
});

type Holder = {
  lease: Lease;
  writer: EventWriter;
  process: Process;
  events: StreamEvent[];
  index: number;
  stepOf: string;
};
type Process = { store: TestStore; dead: boolean };

/** What is expected where others are at work, or a process dies. Anything else is a fault. */
const isExpected = (thrown: unknown): boolean =>
  thrown instanceof GatewayError && ["thread_busy", "conflict", "storage"].includes(thrown.code);

const createWorld = (base: Table, clock: TestClock, history: History) => {
  const blobs = createMemoryBlobs();
  const crashes = [...history.crashes];
  let untilCrash = crashes[0]?.after ?? Infinity;
  let operation = 0;
  let names = 0;
  const processes: Process[] = [];
  const holders: Holder[] = [];
  const acknowledged = new Set<string>();
  const answers = new Set<string>();
  const durable = new Map<string, StreamEvent[]>();
  const thread = `t${crypto.randomUUID().slice(0, 8)}`;
  const place = { space: "acme", thread };

  const boot = (at: number): Process => {
    const process: Process = { dead: false, store: createTestStore({ clock, blobs }) };
    const die = (): never => {
      process.dead = true;
      throw new GatewayError("storage", "crash");
    };
    let crashing = false;
    process.store.table = tapped(base, {
      before: async () => {
        operation += 1;
        for (let n = history.delays[operation % history.delays.length] ?? 0; n > 0; n -= 1) await Promise.resolve();
        if (process.dead) die();
        untilCrash -= 1;
        crashing = untilCrash === 0;
        if (!crashing) return;
        const done = crashes.shift()?.done === true;
        untilCrash = crashes[0]?.after ?? Infinity;
        if (!done) die();
      },
      after: () => {
        if (process.dead || crashing) die();
      },
    });
    processes[at] = process;
    return process;
  };

  const alive = async (at: number): Promise<TestStore> => {
    const process = processes[at];
    if (process !== undefined && !process.dead) return process.store;
    // The dead one's timers go with it.
    const gone = holders.filter((each) => each.process === process);
    for (const holder of gone) holders.splice(holders.indexOf(holder), 1);
    const { store } = boot(at);
    for (const holder of gone) await holder.writer.closed("lost");
    return store;
  };

  const hold = (process: number, store: TestStore, lease: Lease): void => {
    const running = processes[process]!;
    holders.push({
      lease,
      writer: writerOf(store, lease),
      process: running,
      events: [],
      index: 0,
      stepOf: `${lease.run}/${lease.step}`,
    });
  };
  const name = (): string => `c${(names += 1)}`;

  /** As a client does: once, and once more under the same names where the answer never came. */
  const insist = async (process: number, again: boolean, work: (store: TestStore) => Promise<void>): Promise<void> => {
    for (let tried = 0; tried < (again ? 3 : 1); tried += 1)
      try {
        await work(await alive(process));
        return;
      } catch (thrown) {
        if (!isExpected(thrown)) throw thrown;
        if (thrown instanceof GatewayError && thrown.code === "thread_busy") return;
      }
  };

  const run = async (each: Simple): Promise<void> => {
    const living = holders.filter(({ process }) => !process.dead);
    const holder = "turn" in each ? living[each.turn % Math.max(1, living.length)] : undefined;
    switch (each.type) {
      case "append": {
        const ids = Array.from({ length: each.count }, name);
        await insist(each.process, each.again, async (store) => {
          await appendMessages(
            store,
            alice,
            thread,
            ids.map((id) => user(id, id)),
          );
          for (const id of ids) acknowledged.add(id);
        });
        return;
      }
      case "start": {
        const id = name();
        await insist(each.process, each.again, async (store) => {
          const begun = await startTurn(store, alice, thread, {
            messages: [user(id, id)],
            onConflict: each.conflict,
            later: each.later,
          });
          acknowledged.add(id);
          if (begun.kind === "started") hold(each.process, store, begun.lease);
        });
        return;
      }
      case "write":
        if (holder === undefined) return;
        for (let n = 0; n < each.words; n += 1) {
          const event: StreamEvent =
            holder.index === 0
              ? { type: "part-start", index: 0, part: { type: "text", text: "" } }
              : { type: "part-delta", index: 0, delta: { type: "text", text: `${name()} ` } };
          holder.index += 1;
          holder.events.push(event);
          holder.writer.write(event);
        }
        if (!each.flush) return;
        {
          const written = holder.events.length;
          await holder.writer.flush();
          const isStored = holder.writer.outage() === undefined && !holder.writer.lost.aborted && !holder.process.dead;
          if (isStored) durable.set(holder.stepOf, holder.events.slice(0, written));
        }
        return;
      case "end": {
        if (holder === undefined) return;
        holders.splice(holders.indexOf(holder), 1);
        const text = name();
        holder.writer.write({ type: "response-end", reason: "end" });
        const isStale = await isFenced(holder.lease);
        try {
          const ended = await endTurn(holder.process.store, holder.lease, holder.writer, {
            state: each.how,
            message: each.how === "requires_action" ? calls(`call-${text}`) : says("assistant", text),
            usage: { usage: { input: 1, output: 1 } },
          });
          expect(ended.message).toBeDefined();
          // Who was fenced out before is refused, whatever else goes on.
          expect(isStale).toBe(false);
          if (each.how !== "requires_action") answers.add(text);
          durable.set(holder.stepOf, [...holder.events, { type: "response-end", reason: "end" }]);
        } catch (thrown) {
          await holder.writer.closed("lost");
          if (!isExpected(thrown)) throw thrown;
        }
        return;
      }
      case "resume": {
        const id = name();
        await insist(each.process, each.again, async (store) => {
          const head = await findHead(store, "acme", thread);
          const parked = head?.parked;
          if (parked === undefined) return;
          const waiting = (await everything()).runs.find((one) => one.id === parked);
          const resumed = await resumeTurn(store, alice, thread, parked, [
            { message: results(...(waiting?.pending ?? [])), clientId: id },
          ]);
          acknowledged.add(id);
          if (resumed.kind === "started") hold(each.process, store, resumed.lease);
        });
        return;
      }
      case "renew": {
        if (holder === undefined) return;
        const isStale = await isFenced(holder.lease);
        try {
          await renewLease(holder.process.store, holder.lease);
          expect(isStale).toBe(false);
        } catch (thrown) {
          if (!isExpected(thrown)) throw thrown;
        }
        return;
      }
      case "cancel":
        await insist(each.process, false, async (store) => {
          const { runs } = await everything();
          const some = runs.findLast((one) => !hasEnded(one.state));
          if (some !== undefined) await cancelRun(store, alice, thread, some.id);
        });
        return;
      case "next":
        await insist(each.process, false, async (store) => {
          const begun = await startNext(store, "acme", thread);
          if (begun !== undefined) hold(each.process, store, begun.lease);
        });
        return;
      case "sweep":
        await insist(each.process, false, async (store) => void (await sweep(store)));
    }
  };

  const isFenced = async ({ fence }: Lease): Promise<boolean> => {
    const head = await findHead({ ...processes[0]!.store, table: base }, "acme", thread);
    return head?.fence !== fence;
  };

  const allItems = async (prefix: string): Promise<Item[]> => {
    const items: Item[] = [];
    let cursor: string | undefined;
    do {
      const page = await base.query({
        pk: threadPartition("acme", thread),
        prefix,
        ...(cursor === undefined ? {} : { cursor }),
      });
      items.push(...page.items);
      cursor = page.next;
    } while (cursor !== undefined);
    return items;
  };
  const everything = async (): Promise<{ messages: Item[]; runs: Run[]; usage: Item[] }> => ({
    messages: await allItems("m:"),
    runs: (await allItems("r:")).map(decodeRun),
    usage: await allItems("u:"),
  });

  const check = async (): Promise<void> => {
    const head = (await findHead({ ...processes[0]!.store, table: base }, "acme", thread))!;
    const { messages, runs, usage } = await everything();
    // Gapless, and in a tree whose branches all begin with what was there before.
    expect(messages.map(({ data }) => data["seq"])).toEqual(messages.map((_, at) => at));
    expect(head.nextSeq).toBe(messages.length);
    for (const { data } of messages) {
      const parent = messages[asNumber(data["parentSeq"])!];
      expect(parent?.data["id"]).toBe(data["parentId"]);
      expect(asNumber(data["parentSeq"])).toBeLessThan(asNumber(data["seq"])!);
    }
    // No message twice.
    const ids = messages.flatMap(({ data }) => asString(data["clientId"]) ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    const said = messages.filter(({ data }) => data["role"] === "assistant").map(({ data }) => asString(data["run"]));
    for (const one of runs) expect(said.filter((id) => id === one.id).length).toBeLessThanOrEqual(one.step);
    // One active run, and the head knows the same as the runs.
    const inState = (state: Run["state"]): string[] => runs.filter((one) => one.state === state).map(({ id }) => id);
    expect(inState("in_progress")).toEqual(head.run === undefined ? [] : [head.run]);
    expect(inState("requires_action")).toEqual(head.parked === undefined ? [] : [head.parked]);
    expect(new Set(inState("queued"))).toEqual(new Set(head.queue));
    // Every call paid for once.
    for (const one of runs)
      if (one.startedAt !== undefined && (hasEnded(one.state) || one.state === "requires_action"))
        expect(usage.filter(({ data }) => data["run"] === one.id)).toHaveLength(one.step);
    // What was acknowledged is there: as a message, or with a turn that waits or was cancelled while it waited.
    const waiting = new Set(
      (await allItems("c:")).filter(({ data }) => data["run"] !== undefined).map(({ sk }) => sk.slice(2)),
    );
    const stored = new Set(ids);
    for (const id of acknowledged) expect(stored.has(id) || waiting.has(id)).toBe(true);
    const bodies = messages.map(({ data }) => asString(data["body"]) ?? "");
    for (const text of answers) expect(bodies.filter((body) => body.includes(`"${text}"`))).toHaveLength(1);
  };

  /** Everyone is gone; whoever comes can go on. */
  const finish = async (): Promise<void> => {
    crashes.length = 0;
    untilCrash = Infinity;
    for (const holder of holders.splice(0)) await holder.writer.closed("lost");
    const { store } = boot(0);
    for (let n = 0; n < 60; n += 1) {
      await clock.advance(700_000);
      await sweep(store);
      const begun = await startNext(store, "acme", thread);
      if (begun === undefined) break;
      const writer = writerOf(store, begun.lease);
      writer.write({ type: "response-end", reason: "end" });
      await endTurn(store, begun.lease, writer, { state: "completed", usage: { usage: { input: 1, output: 1 } } });
    }
    await check();
    const head = (await findHead(store, "acme", thread))!;
    expect([head.run, head.parked, head.queue]).toEqual([undefined, undefined, []]);
    expect((await loadPath(store, head)).at(-1)?.id).toBe(head.leafId);
    for (const { id, step: steps } of (await everything()).runs) {
      const events: StreamEvent[] = [];
      let n = 0;
      for await (const each of runEvents(store, alice, thread, id)) {
        n += 1;
        // An end that another one wrote is numbered beyond what its dead holder may have shown.
        if (each.event.type === "error" && each.n > n) n = each.n;
        expect(each.n).toBe(n);
        events.push(each.event);
      }
      // What was stored is all there, in its order; between it may stand what was stored though nobody was told.
      const texts = events.map((event) => JSON.stringify(event));
      let from = 0;
      const kept = Array.from({ length: steps }, (_, at) => durable.get(`${id}/${at + 1}`) ?? []);
      for (const event of kept.flat()) {
        const at = texts.indexOf(JSON.stringify(event), from);
        expect(at).toBeGreaterThanOrEqual(from);
        from = at + 1;
      }
      expect(["response-end", "error"]).toContain(events.at(-1)?.type);
    }
    await startTurn(store, alice, thread, { messages: [user("the thread goes on")] });
  };

  return { place, boot, run, check, finish, clock };
};

/** Runs one history from an empty thread to its end. */
export const playHistory = async (open: (now: () => number) => Promise<Table>, history: History): Promise<void> => {
  // Stores that sweep by their own clock must not find everything expired.
  const clock = createClock(Date.now());
  const table = await open(clock.now);
  try {
    const world = createWorld(table, clock, { ...history, crashes: history.crashes });
    await createThread(createTestStore({ table, clock }), alice, { id: world.place.thread });
    world.boot(0);
    world.boot(1);
    for (const each of history.steps) {
      if (each.type === "advance") await clock.advance(each.ms);
      else if (each.type === "together") await Promise.all(each.steps.map(world.run));
      else await world.run(each);
      await world.check();
    }
    await world.finish();
  } finally {
    await table.close();
  }
};
