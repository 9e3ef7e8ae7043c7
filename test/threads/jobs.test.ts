import { describe, expect, test } from "vitest";
import { GatewayError } from "../../lib/model/error.ts";
import { createInProcessQueue } from "../../lib/queues/in-process.ts";
import type { Queue, QueueMessage } from "../../lib/queues/queue.ts";
import {
  cancelJob,
  claimJob,
  createJob,
  endCancelledJob,
  failJob,
  finishJob,
  getJob,
  jobRef,
  overdueJobs,
  renewJob,
} from "../../lib/threads/jobs.ts";
import { sweepShards } from "../../lib/threads/keys.ts";
import { sweep } from "../../lib/threads/sweep.ts";
import type { MemoryTable } from "../support/memory-table.ts";
import { alice, bob, createTestStore } from "./setup.ts";

const shards = Array.from({ length: sweepShards }, (_, shard) => shard);

const recorder = (): Queue & { sent: [QueueMessage, number | undefined][] } => {
  const sent: [QueueMessage, number | undefined][] = [];
  return {
    sent,
    send: async (message, delay) => {
      sent.push([message, delay]);
    },
  };
};

describe("a job", () => {
  test("is made, claimed once, done, and read by its owner alone", async () => {
    const store = createTestStore();
    const queue = recorder();
    const job = await createJob(store, queue, alice, { kind: "run", payload: { thread: "t" } });
    expect(queue.sent).toEqual([[{ id: jobRef(job) }, undefined]]);
    const claims = await Promise.all([1, 2, 3].map(() => claimJob(store, jobRef(job), 1000)));
    const won = claims.filter((claim) => claim !== undefined);
    expect(won).toHaveLength(1);
    expect(won[0]).toMatchObject({ job: { state: "running", attempts: 1, payload: { thread: "t" } } });
    await finishJob(store, won[0]!, { ok: true });
    expect(await getJob(store, alice, job.id)).toMatchObject({ state: "completed", result: { ok: true } });
    expect(await claimJob(store, jobRef(job), 1000)).toBeUndefined();
    await expect(getJob(store, bob, job.id)).rejects.toMatchObject({ code: "not_found" });
    await expect(finishJob(store, won[0]!, {})).rejects.toMatchObject({ code: "conflict" });
  });

  test("of a dead worker is taken over, and the dead one is refused", async () => {
    const store = createTestStore();
    const queue = recorder();
    const job = await createJob(store, queue, alice, { kind: "run", payload: null });
    const dead = await claimJob(store, jobRef(job), 1000);
    expect(await overdueJobs(store, shards)).toEqual([]);
    await store.clock.advance(62_000);
    expect(await overdueJobs(store, shards)).toEqual([jobRef(job)]);
    const next = await claimJob(store, jobRef(job), 1000);
    expect(next?.job.attempts).toBe(2);
    await expect(renewJob(store, dead!, 1000)).rejects.toMatchObject({ code: "conflict" });
    await expect(finishJob(store, dead!, 1)).rejects.toMatchObject({ code: "conflict" });
    await finishJob(store, next!, 2);
    expect(await overdueJobs(store, shards)).toEqual([]);
  });

  test("whose message was lost is found", async () => {
    const store = createTestStore();
    const broken: Queue = { send: () => Promise.reject(new GatewayError("storage", "down")) };
    await expect(createJob(store, broken, alice, { id: "j", kind: "run", payload: 1 })).rejects.toMatchObject({
      code: "storage",
    });
    await store.clock.advance(61_000);
    expect(await overdueJobs(store, shards)).toEqual([jobRef({ space: "acme", id: "j" })]);
  });

  test("fails for good, or is tried again", async () => {
    const store = createTestStore();
    const queue = recorder();
    const job = await createJob(store, queue, alice, { kind: "run", payload: 1 });
    const error = new GatewayError("overloaded", "Busy.");
    await failJob(store, queue, (await claimJob(store, jobRef(job), 1000))!, error, 30);
    expect(queue.sent.at(-1)).toEqual([{ id: jobRef(job) }, 30]);
    expect(await getJob(store, alice, job.id)).toMatchObject({ state: "queued", error: { code: "overloaded" } });
    await failJob(store, queue, (await claimJob(store, jobRef(job), 1000))!, error);
    expect(await getJob(store, alice, job.id)).toMatchObject({ state: "failed", attempts: 2 });
  });

  test("is cancelled: at once while it waits, by its worker while it runs", async () => {
    const store = createTestStore();
    const queue = recorder();
    const waiting = await createJob(store, queue, alice, { kind: "run", payload: 1 });
    expect(await cancelJob(store, alice, waiting.id)).toMatchObject({ state: "cancelled" });
    expect(await claimJob(store, jobRef(waiting), 1000)).toBeUndefined();
    const running = await createJob(store, queue, alice, { kind: "run", payload: 1 });
    const claim = (await claimJob(store, jobRef(running), 1000))!;
    expect(await renewJob(store, claim, 1000)).toEqual({ cancelled: false });
    expect(await cancelJob(store, alice, running.id)).toMatchObject({ state: "running", cancelRequested: true });
    expect(await renewJob(store, claim, 1000)).toEqual({ cancelled: true });
    await endCancelledJob(store, claim);
    expect(await getJob(store, alice, running.id)).toMatchObject({ state: "cancelled" });
  });

  test("with a large payload and result leaves nothing behind when its time is over (F52)", async () => {
    const store = createTestStore();
    const queue = recorder();
    const payload = "p".repeat(200_000);
    const job = await createJob(store, queue, alice, { kind: "run", payload });
    const claim = (await claimJob(store, jobRef(job), 1000))!;
    expect(claim.job.payload).toBe(payload);
    await finishJob(store, claim, payload.toUpperCase());
    expect((await getJob(store, alice, job.id)).result).toBe(payload.toUpperCase());
    expect(JSON.stringify(queue.sent)).not.toContain("ppp");
    await store.clock.advance(31 * 86_400_000);
    await sweep(store);
    expect(store.blobs.all.size).toBe(0);
    expect((store.table as MemoryTable).all()).toEqual([]);
  });
});

describe("the queue of a process", () => {
  const build = (options: { handler: (message: QueueMessage) => Promise<void>; concurrency?: number }) => {
    const store = createTestStore();
    const failures: [string, boolean][] = [];
    const queue = createInProcessQueue({
      ...options,
      attempts: 3,
      sleep: store.clock.sleep,
      onFailure: ({ id }, _error, final) => failures.push([id, final]),
    });
    return { queue, failures, clock: store.clock };
  };

  test("hands out every message, so many at once, not inside of the call that sent it", async () => {
    let running = 0;
    let most = 0;
    const seen: string[] = [];
    const { queue } = build({
      concurrency: 2,
      handler: async ({ id }) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(id);
        running -= 1;
      },
    });
    await Promise.all(Array.from({ length: 7 }, (_, n) => queue.send({ id: String(n) })));
    expect(seen).toEqual([]);
    await queue.idle();
    expect(seen.toSorted()).toEqual(["0", "1", "2", "3", "4", "5", "6"]);
    expect(most).toBe(2);
  });

  test("delays, tries again with pauses, and gives up", async () => {
    const seen: number[] = [];
    const { queue, failures, clock } = build({
      handler: async () => {
        seen.push(clock.now());
        throw new Error("no");
      },
    });
    const start = clock.now();
    await queue.send({ id: "a" }, 10);
    await clock.advance(60_000);
    await queue.idle();
    expect(seen.map((at) => at - start)).toEqual([10_000, 11_000, 13_000]);
    expect(failures).toEqual([
      ["a", false],
      ["a", false],
      ["a", true],
    ]);
  });

  test("closes: what runs ends, what waits is dropped, no timer stays (F56)", async () => {
    let ended = false;
    const { queue, clock } = build({
      handler: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        ended = true;
      },
    });
    await queue.send({ id: "a" });
    await queue.send({ id: "b" }, 3600);
    await Promise.resolve();
    await queue.close();
    expect(ended).toBe(true);
    expect(clock.sleeping()).toBe(0);
  });
});
