// Ending a run from outside: its holder died, was told to stop by another process, or must make room. What it had said is kept.
import { GatewayError } from "../model/error.ts";
import type { Message, Part } from "../model/message.ts";
import { compact, type JsonObject } from "../model/json.ts";
import type { Operation } from "../stores/table.ts";
import { type Answerer, blockItem, encodeError, encodeEvent, type EventPlace, readBlocks } from "./event-items.ts";
import { encodeQueue, findHead, headAt, isLeased, type Thread, unmoved } from "./head.ts";
import { leafOf, placeMessages } from "./message-items.ts";
import { decodeRun, runAt, type Run, type RunState, usageItem, type UsageRecord } from "./run-items.ts";
import { contentionTries, type ThreadStore } from "./store.ts";

export type Ending = Extract<RunState, "cancelled" | "expired" | "failed">;

const endingErrors: Record<Ending, () => GatewayError> = {
  cancelled: () => new GatewayError("cancelled", "The run was cancelled."),
  expired: () =>
    new GatewayError(
      "upstream_timeout",
      "The process that carried out this run stopped. What was stored of the answer is kept; its last second may be missing.",
      { retryable: true },
    ),
  failed: () => new GatewayError("internal", "The run failed."),
};

export const endingError = (ending: Ending): GatewayError => endingErrors[ending]();

export const findRun = async (
  store: ThreadStore,
  space: string,
  thread: string,
  run: string,
): Promise<Run | undefined> => {
  const item = await store.table.get(runAt(space, thread, run));
  return item === undefined ? undefined : decodeRun(item);
};

/** What is worth keeping of an answer that broke off: what a reader saw. Calls that never ran and unfinished state are not. */
export const visibleParts = (parts: readonly Part[]): Part[] =>
  parts.flatMap((part): Part[] => {
    switch (part.type) {
      case "text":
      case "refusal":
        if (part.text === "") return [];
        break;
      case "image":
      case "document":
      case "audio":
      case "video":
        break;
      case "reasoning":
        // Kept for readers; without its signature it reaches no provider.
        if (part.text === "") return [];
        break;
      default:
        return [];
    }
    const { id: _id, ...rest } = part;
    if ("opaque" in rest) {
      const { opaque: _opaque, ...visible } = rest;
      return [visible];
    }
    return [rest];
  });

/** The writes on a run's item when it ends. */
export const runEnd = (space: string, thread: string, run: string, set: JsonObject, stays = false): Operation => ({
  update: runAt(space, thread, run),
  change: stays ? { set } : { set, remove: ["pending"], index: null },
  condition: { item: "present" },
});

/**
 * A holder may have shown events that it had not stored yet. The end is numbered beyond them: whoever saw them and asks for what comes
 * after, is told that this was the end.
 */
const mayBeUnstored = 10_000;

type Remains = { next: number; parts: Part[]; usage: UsageRecord };

/** What the dead holder stored of its step, and the number that its next event would have had. */
const remainsOf = async (store: ThreadStore, head: Thread, run: Run): Promise<Remains> => {
  const blocks = await readBlocks(store, placeOf(head, run.id), run.stepFirst);
  const events = blocks.flatMap((block) => block.events.map(({ event }) => event));
  const folded = store.foldEvents(events);
  const answerer: Answerer | undefined = blocks.find((block) => block.answerer !== undefined)?.answerer;
  const last = blocks.at(-1);
  const usage: UsageRecord =
    folded.usage === undefined
      ? {
          usage: { input: Math.round(head.tokens * head.ratio), output: store.tokensOf(folded.parts) },
          estimated: true,
        }
      : { usage: folded.usage, estimated: true };
  if (answerer !== undefined) {
    usage.provider = answerer.provider;
    usage.model = answerer.model;
  }
  return {
    next: last === undefined ? run.stepFirst : last.first + last.events.length,
    parts: visibleParts(folded.parts),
    usage,
  };
};

const placeOf = (head: Thread, run: string): EventPlace => ({ space: head.space, thread: head.id, run });

/** The writes that end a run which holds the thread. */
const heldRunEnd = async (
  store: ThreadStore,
  head: Thread,
  run: Run,
  ending: Ending,
  error: GatewayError,
): Promise<Operation[]> => {
  const now = store.clock.now();
  const remains = await remainsOf(store, head, run);
  const message: Message = { role: "assistant", parts: remains.parts };
  const { placed, operations, last } =
    remains.parts.length === 0
      ? { placed: [], operations: [], last: leafOf(head) }
      : await placeMessages(store, head, head.nextSeq, leafOf(head), [{ message }], { run: run.id, partial: true });
  const block = await blockItem(store, placeOf(head, run.id), {
    // At the place of the holder's next block, so that it is refused; with a number of its own.
    first: remains.next,
    number: remains.next + mayBeUnstored,
    texts: [encodeEvent({ type: "error", error })],
    fence: head.fence + 1,
    end: ending,
  });
  return [
    {
      update: headAt(head.space, head.id),
      change: {
        set: compact<JsonObject>({
          fence: head.fence + 1,
          nextSeq: head.nextSeq + placed.length,
          leaf: last.seq,
          leafId: last.id,
          tokens: last.pathTokens,
          updatedAt: now,
        }),
        remove: ["run", "leaseUntil", "cancel"],
      },
      // A holder that has just renewed its lease is not dead.
      condition: ending === "expired" ? unmoved(head, "leaseUntil") : unmoved(head),
    },
    ...operations,
    runEnd(
      head.space,
      head.id,
      run.id,
      compact<JsonObject>({
        state: ending,
        endedAt: now,
        endedBy: head.fence + 1,
        output: placed[0]?.id,
        error: encodeError(error),
        usage: remains.usage.usage,
      }),
    ),
    { put: block, condition: { item: "absent" } },
    { put: usageItem(head, run.id, run.step, now, remains.usage), condition: { item: "absent" } },
  ];
};

/** The writes that end a run which waits for its tools. Its calls stay in the history, where they are answered for it (F51). */
const parkedRunEnd = (store: ThreadStore, head: Thread, run: Run, ending: Ending, error: GatewayError): Operation[] => {
  const now = store.clock.now();
  return [
    {
      update: headAt(head.space, head.id),
      change: { set: { fence: head.fence + 1, updatedAt: now }, remove: ["parked", "parkedUntil"] },
      condition: unmoved(head),
    },
    runEnd(head.space, head.id, run.id, {
      state: ending,
      endedAt: now,
      endedBy: head.fence + 1,
      error: encodeError(error),
    }),
  ];
};

/**
 * Ends the run that holds the thread, or that is parked on it, whoever its holder is; the holder is refused from then on.
 * False where another one has changed the thread since `head` was read: nothing is written then.
 */
export const closeRun = async (
  store: ThreadStore,
  head: Thread,
  ending: Ending,
  error = endingError(ending),
): Promise<boolean> => {
  const id = head.run ?? head.parked;
  if (id === undefined) return true;
  const run = await findRun(store, head.space, head.id, id);
  if (run === undefined) throw new GatewayError("internal", "A thread's run is missing.");
  const operations =
    head.run === undefined
      ? parkedRunEnd(store, head, run, ending, error)
      : await heldRunEnd(store, head, run, ending, error);
  const pk = headAt(head.space, head.id).pk;
  const written = await store.table.transact(pk, operations);
  if (written.ok) {
    store.hub.wake(id);
    store.hub.wake(cancelName(id));
  }
  return written.ok;
};

/** Ends a run that waits. False where another one has changed the thread since `head` was read: nothing is written then. */
export const endQueued = async (
  store: ThreadStore,
  head: Thread,
  run: Run,
  ending: Ending,
  error = endingError(ending),
): Promise<boolean> => {
  const now = store.clock.now();
  const queue = encodeQueue(head.queue.filter((each) => each !== run.id));
  const block = await blockItem(store, placeOf(head, run.id), {
    first: 1,
    texts: [encodeEvent({ type: "error", error })],
    fence: head.fence,
    end: ending,
  });
  const at = headAt(head.space, head.id);
  const written = await store.table.transact(at.pk, [
    {
      update: at,
      change: {
        set: compact<JsonObject>({ queue, updatedAt: now }),
        ...(queue === undefined ? { remove: ["queue"] } : {}),
      },
      condition: unmoved(head),
    },
    runEnd(head.space, head.id, run.id, { state: ending, endedAt: now, error: encodeError(error) }),
    { put: block, condition: { item: "absent" } },
  ]);
  if (written.ok) store.hub.wake(run.id);
  return written.ok;
};

/** What a run's holder listens to within its process. */
export const cancelName = (run: string): string => `cancel:${run}`;

/** A flag that the holder reads with its next renewal, and at once within this process. False where it holds the thread no longer. */
export const askToStop = async (store: ThreadStore, head: Thread, run: string): Promise<boolean> => {
  const written = await store.table.update(
    headAt(head.space, head.id),
    { set: { cancel: run } },
    { item: "present", fields: [{ field: "run", is: "=", value: run }] },
  );
  if (written.ok) store.hub.wake(cancelName(run));
  return written.ok;
};

export const isOverdue = (head: Thread, now: number): boolean =>
  (head.run !== undefined && !isLeased(head, now)) || (head.parked !== undefined && (head.parkedUntil ?? 0) <= now);

/** The thread with no dead run on it: a lease that ran out is settled by whoever comes first. Gives the newest head. */
export const settleOverdue = async (store: ThreadStore, first: Thread): Promise<Thread> => {
  let head = first;
  for (let tried = 0; isOverdue(head, store.clock.now()) && tried < contentionTries; tried += 1) {
    await closeRun(store, head, "expired");
    const now = await findHead(store, head.space, head.id);
    if (now === undefined) throw new GatewayError("not_found", "No such thread.", { param: "thread_id" });
    head = now;
  }
  return head;
};
