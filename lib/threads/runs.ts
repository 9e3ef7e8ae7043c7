// Runs as callers see them: read, list, cancel, and their events.
import { GatewayError, invalid } from "../model/error.ts";
import { askToStop, closeRun, endQueued, findRun, isOverdue, settleOverdue } from "./closing.ts";
import { readEvents, type ReadOptions } from "./event-reader.ts";
import { contention, findHead, loadHead, type Thread } from "./head.ts";
import type { NumberedEvent } from "./hub.ts";
import { eventPrefix, runKey, runPrefix, threadPartition, usagePrefix } from "./keys.ts";
import { decodeRun, decodeUsage, hasEnded, runAt, type Run, type UsageRecord } from "./run-items.ts";
import { type Caller, contentionTries, type ThreadStore } from "./store.ts";

const runNotFound = (): GatewayError => new GatewayError("not_found", "No such run.", { param: "run_id" });

export const getRun = async (store: ThreadStore, caller: Caller, thread: string, id: string): Promise<Run> => {
  await loadHead(store, caller, thread);
  const run = await findRun(store, caller.space, thread, id);
  if (run === undefined) throw runNotFound();
  return run;
};

export type RunPage = { runs: Run[]; hasMore: boolean };

/** Newest first, as far as their ids are Heddle's own (those sort by time). */
export const listRuns = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  options: { limit?: number; after?: string; descending?: boolean } = {},
): Promise<RunPage> => {
  await loadHead(store, caller, thread);
  const { limit = 20, descending = true } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > 100)
    throw invalid("limit", "expected a whole number from 1 to 100");
  const bound = options.after === undefined ? {} : { [descending ? "before" : "after"]: runKey(options.after) };
  const runs: Run[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.table.query({
      pk: threadPartition(caller.space, thread),
      prefix: runPrefix,
      descending,
      limit: limit + 1,
      ...bound,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const item of page.items) runs.push(decodeRun(item));
    cursor = page.next;
  } while (cursor !== undefined && runs.length <= limit);
  return { runs: runs.slice(0, limit), hasMore: runs.length > limit };
};

/** What the upstream calls of a thread used, one record a call. */
export const listUsage = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
): Promise<(UsageRecord & { run: string; step: number; at: number })[]> => {
  await loadHead(store, caller, thread);
  const records: ReturnType<typeof decodeUsage>[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.table.query({
      pk: threadPartition(caller.space, thread),
      prefix: usagePrefix,
      ...(cursor === undefined ? {} : { cursor }),
    });
    records.push(...page.items.map(decodeUsage));
    cursor = page.next;
  } while (cursor !== undefined);
  return records;
};

/** A run in progress is asked to stop, and does so with its next renewal; one that waits is cancelled here and now. */
export const cancelRun = async (store: ThreadStore, caller: Caller, thread: string, id: string): Promise<Run> => {
  for (let tried = 0; tried < contentionTries; tried += 1) {
    const head = await loadHead(store, caller, thread);
    const run = await findRun(store, caller.space, thread, id);
    if (run === undefined) throw runNotFound();
    if (hasEnded(run.state)) return run;
    if (await cancelOnce(store, head, run)) return getRun(store, caller, thread, id);
  }
  throw contention();
};

const cancelOnce = async (store: ThreadStore, head: Thread, run: Run): Promise<boolean> => {
  if (head.queue.includes(run.id)) return endQueued(store, head, run, "cancelled");
  const isActive = head.run === run.id;
  if (!isActive && head.parked !== run.id) return false;
  if (!isActive || isOverdue(head, store.clock.now())) return closeRun(store, head, "cancelled");
  return askToStop(store, head, run.id);
};

/** Replays and tails; a run whose holder is dead is ended by its readers, where no sweeper has come yet. */
export async function* runEvents(
  store: ThreadStore,
  caller: Caller,
  thread: string,
  run: string,
  options: Omit<ReadOptions, "whenStale"> = {},
): AsyncGenerator<NumberedEvent> {
  await getRun(store, caller, thread, run);
  yield* readEvents(
    store,
    { space: caller.space, thread, run },
    {
      ...options,
      whenStale: async () => {
        const head = await findHead(store, caller.space, thread);
        if (head !== undefined) await settleOverdue(store, head);
      },
    },
  );
}

/** Its events go, and with them what it said; the run itself stays, for the order and the bill, and is marked. */
export const forgetRun = async (store: ThreadStore, caller: Caller, thread: string, id: string): Promise<void> => {
  const run = await getRun(store, caller, thread, id);
  const pk = threadPartition(caller.space, thread);
  let cursor: string | undefined;
  do {
    const page = await store.table.query({
      pk,
      prefix: eventPrefix(id),
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const { sk } of page.items) await store.table.delete({ pk, sk });
    cursor = page.next;
  } while (cursor !== undefined);
  await store.table.update(
    runAt(caller.space, thread, id),
    { set: { metadata: { ...run.metadata, deleted: true }, request: {} } },
    { item: "present" },
  );
};
