// What runs without a caller: jobs of the queue, and the sweep, which counts those that wait.
import type { StorageQueueHandler, TimerHandler } from "@azure/functions";
import { messageId } from "../../lib/queues/queue.ts";
import { boundsOf, type Lifetime } from "../shared/lifetime.ts";
import type { Runtime } from "./runtime.ts";

/** What host.json gives a function that isn't HTTP (`functionTimeout`). */
export const functionMs = 30 * 60_000;

const within = async (runtime: Runtime, work: (time: Lifetime) => Promise<void>): Promise<void> => {
  const time = runtime.begin(boundsOf(functionMs));
  try {
    await work(time);
  } finally {
    const gateway = await runtime.gateway().catch(() => undefined);
    const flush = async (): Promise<void> => gateway?.flush();
    // Usage that can't be written now waits for the next flush. A job that was done isn't to come again for it.
    await time.finish(() =>
      flush().catch((cause: unknown) => runtime.log.error("usage could not be written", { cause })),
    );
    runtime.end(time);
  }
};

/** The host hides a message for as long as its function runs, gives it out again where that throws, and puts it into the poison queue in the end. */
export const createWorker =
  (runtime: Runtime): StorageQueueHandler =>
  (message) =>
    within(runtime, async (time) => {
      const id = messageId(message);
      if (id === undefined) throw new Error("A message that names no job.");
      const gateway = await runtime.gateway();
      // A job that is begun in a process that ends would fail. It comes again.
      if (time.over.aborted) throw time.over.reason;
      await gateway.work(id, time.over);
    });

/** It throws what fails: the function's own failure is what the alert counts, and the schedule comes again. */
export const createSweeper =
  (runtime: Runtime): TimerHandler =>
  () =>
    within(runtime, async (time) => {
      try {
        const gateway = await runtime.gateway();
        await gateway.sweep(time.over);
      } finally {
        // Azure itself counts a queue once an hour, and only with all others of the account.
        await runtime.countJobs();
      }
    });
