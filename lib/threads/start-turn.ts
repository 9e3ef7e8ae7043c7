// The start of a turn: one transaction with its messages, its run and the thread's lease. Who comes second waits, is refused, or interrupts.
import { GatewayError, invalid } from "../model/error.ts";
import { compact, type JsonObject } from "../model/json.ts";
import type { Operation } from "../stores/table.ts";
import { findBody, storeBody } from "./bodies.ts";
import { askToStop, cancelName, closeRun, endQueued, findRun, runEnd, settleOverdue } from "./closing.ts";
import { checkId, contention, encodeQueue, findHead, headAt, loadHead, type Thread, unmoved } from "./head.ts";
import { clientIdKey, newRunId, threadPartition } from "./keys.ts";
import { placeMessages } from "./message-items.ts";
import {
  appendMessages,
  busy,
  checkLeaf,
  checkMessages,
  headAfter,
  messagesPerTransaction,
  resolveParent,
} from "./append.ts";
import { type Claim, knownMessages, loadKnown } from "./claims.ts";
import { decodeRun, type Run, runAt, runItem, withoutLargeRequest } from "./run-items.ts";
import { type Caller, contentionTries, type ThreadStore } from "./store.ts";
import { answered, findKnownTurn, leaseOn, type Started, type TurnInput, type TurnStart } from "./turns.ts";

export const startTurn = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  input: TurnInput,
): Promise<TurnStart> => {
  checkMessages(input.messages);
  if (input.run?.id !== undefined) checkId(input.run.id, "run_id");
  const cut = Math.max(0, input.messages.length - messagesPerTransaction);
  if (cut > 0) {
    if (input.onConflict === "enqueue" || input.later === true)
      throw invalid("messages", `expected at most ${messagesPerTransaction} messages for a run that may have to wait`);
    if (input.onConflict === "interrupt") await interrupt(store, caller, thread);
    const before = await appendMessages(store, caller, thread, input.messages.slice(0, cut), {
      ...parentOption(input.parentId),
      ...(input.ifLeaf === undefined ? {} : { ifLeaf: input.ifLeaf }),
    });
    const last = before.at(-1);
    return startWith(store, caller, thread, {
      ...input,
      messages: input.messages.slice(cut),
      ...(input.parentId === undefined || last === undefined ? {} : { parentId: last.id }),
      ...(input.ifLeaf === undefined || last === undefined ? {} : { ifLeaf: last.seq }),
    });
  }
  return startWith(store, caller, thread, input);
};

/** How long a holder in this very process may take to stop; one elsewhere is not waited for. */
const stopMs = 1_500;

/** The holder is asked first, where it is near: it keeps every word it has said. Then the run is ended over its head. */
const stopRun = async (store: ThreadStore, head: Thread): Promise<boolean> => {
  const { run } = head;
  if (run !== undefined && store.hub.awaited(cancelName(run)) && (await askToStop(store, head, run))) {
    const late = new AbortController();
    await Promise.race([store.hub.changed(head.id, late.signal), store.clock.sleep(stopMs, late.signal)]);
    late.abort();
    const now = await findHead(store, head.space, head.id);
    if (now?.run !== run) return true;
    return closeRun(store, now, "cancelled");
  }
  return closeRun(store, head, "cancelled");
};

const interrupt = async (store: ThreadStore, caller: Caller, thread: string): Promise<void> => {
  for (let tried = 0; tried < contentionTries; tried += 1) {
    const head = await loadHead(store, caller, thread);
    if ((head.run === undefined && head.parked === undefined) || (await stopRun(store, head))) return;
  }
  throw contention();
};

const parentOption = (parentId: string | null | undefined): { parentId?: string | null } =>
  parentId === undefined ? {} : { parentId };

const startWith = async (store: ThreadStore, caller: Caller, thread: string, input: TurnInput): Promise<TurnStart> => {
  let known = new Map<string, Claim>();
  for (let tried = 0; tried < contentionTries; tried += 1) {
    const head = await settleOverdue(store, await loadHead(store, caller, thread));
    const parked =
      head.run === undefined && head.parked !== undefined
        ? await findRun(store, caller.space, thread, head.parked)
        : undefined;
    const answers = answered(input.messages);
    const isAnswered = parked?.pending.every((call) => answers.has(call)) === true;
    const isBusy = head.run !== undefined || (head.parked !== undefined && !isAnswered);
    const mustWait = isBusy || (head.queue.length > 0 && input.onConflict !== "interrupt");
    if ((mustWait || input.later === true) && known.size === 0)
      known = await knownMessages(store, head, input.messages);
    if (known.size > 0) {
      const before = await findKnownTurn(store, head, input.messages, known);
      if (before !== undefined) return before;
    }
    if (mustWait) {
      if (input.onConflict === "interrupt") {
        await stopRun(store, head);
        continue;
      }
      if (input.onConflict !== "enqueue") throw busy(store, head);
    }
    checkLeaf(head, input.ifLeaf);
    if (mustWait || input.later === true) {
      const queued = await enqueue(store, head, input);
      if (queued !== undefined) return { kind: "queued", run: queued };
      continue;
    }
    const fresh = input.messages.filter(({ clientId }) => clientId === undefined || !known.has(clientId));
    const run = await withoutLargeRequest(store, head, newRun(store, head, input));
    const begun = await begin(store, head, run, { ...input, messages: fresh }, parked);
    if (begun.ok)
      return {
        ...begun.started,
        messages: await loadKnown(store, head, input.messages, known, begun.started.messages),
      };
    if (begun.failed > 0) known = await knownMessages(store, head, input.messages);
  }
  throw contention();
};

const newRun = (store: ThreadStore, head: Thread, input: TurnInput): Run => {
  const now = store.clock.now();
  return {
    id: input.run?.id ?? newRunId(now, store.newId()),
    thread: head.id,
    state: "queued",
    step: 1,
    createdAt: now,
    request: input.run?.request ?? {},
    metadata: input.run?.metadata ?? {},
    pending: [],
    stepFirst: 1,
  };
};

type Begun = { ok: true; started: Started } | { ok: false; failed: number };

/** One transaction: the messages, the run in progress, the thread's lease. `parked`: the run whose calls these messages answer. */
const begin = async (
  store: ThreadStore,
  head: Thread,
  fresh: Run,
  input: TurnInput,
  parked: Run | undefined,
  queue?: { rest: readonly string[] },
): Promise<Begun> => {
  const now = store.clock.now();
  const fence = head.fence + 1;
  const parent = await resolveParent(store, head, input.parentId);
  const { placed, operations, last } = await placeMessages(store, head, head.nextSeq, parent, input.messages, {
    run: fresh.id,
    ...(queue === undefined ? {} : { claimed: true }),
  });
  const run: Run = { ...fresh, state: "in_progress", startedAt: now };
  if (placed.length > 0) {
    run.firstInput = head.nextSeq;
    run.lastInput = last.seq;
  }
  const rest = queue === undefined ? head.queue : queue.rest;
  const waiting = encodeQueue(rest);
  const update: Operation = {
    update: headAt(head.space, head.id),
    change: {
      set: compact<JsonObject>({
        ...headAfter(store, head, placed.length, last),
        fence,
        run: run.id,
        leaseUntil: now + store.limits.leaseMs,
        queue: waiting,
      }),
      remove: [
        "parked",
        "parkedUntil",
        "cancel",
        ...(waiting === undefined ? ["queue"] : []),
        ...(last.id === undefined ? ["leafId"] : []),
      ],
    },
    condition: unmoved(head),
  };
  const put: Operation =
    queue === undefined
      ? { put: runItem(head, run), condition: { item: "absent" } }
      : { put: runItem(head, run), condition: { item: "present" } };
  const before: Operation[] =
    parked === undefined
      ? []
      : [runEnd(head.space, head.id, parked.id, { state: "completed", endedAt: now, endedBy: fence })];
  const written = await store.table.transact(threadPartition(head.space, head.id), [
    update,
    ...operations,
    put,
    ...before,
  ]);
  if (!written.ok) {
    if (input.run?.id !== undefined && written.failed === 1 + operations.length && queue === undefined)
      throw new GatewayError("conflict", "There is a run of this id.", { param: "run_id" });
    return { ok: false, failed: written.failed };
  }
  return {
    ok: true,
    started: { kind: "started", lease: leaseOn(head, run, fence, placed.length, last), run, messages: placed },
  };
};

/** The run and its messages, kept with it until it begins. Undefined where the thread has moved meanwhile. */
const enqueue = async (store: ThreadStore, head: Thread, input: TurnInput): Promise<Run | undefined> => {
  if (head.queue.length >= store.limits.queueLength)
    throw new GatewayError("thread_busy", "Too many runs wait on this thread.", { param: "thread_id" });
  const run = await withoutLargeRequest(store, head, newRun(store, head, input));
  const body = await storeBody(
    store,
    head.space,
    head.id,
    JSON.stringify({ messages: input.messages, ...parentOption(input.parentId) }),
  );
  const pk = threadPartition(head.space, head.id);
  const claims = input.messages.flatMap(({ clientId }): Operation[] =>
    clientId === undefined
      ? []
      : [{ put: { pk, sk: clientIdKey(clientId), data: { run: run.id } }, condition: { item: "absent" } }],
  );
  const queue = encodeQueue([...head.queue, run.id]);
  const written = await store.table.transact(pk, [
    {
      update: headAt(head.space, head.id),
      change: { set: compact<JsonObject>({ queue, updatedAt: store.clock.now() }) },
      condition: unmoved(head),
    },
    { put: runItem(head, run, { ...body }), condition: { item: "absent" } },
    ...claims,
  ]);
  return written.ok ? run : undefined;
};

const inputLost = (): GatewayError =>
  new GatewayError("internal", "What this run was to answer is no longer stored: it was never begun.");

/** Begins the run that waits longest, if the thread is free. For whoever ended the one before, and for the sweeper. */
export const startNext = async (store: ThreadStore, space: string, thread: string): Promise<Started | undefined> => {
  for (let tried = 0; tried < contentionTries; tried += 1) {
    const found = await findHead(store, space, thread);
    if (found === undefined) return undefined;
    const head = await settleOverdue(store, found);
    const [next, ...rest] = head.queue;
    if (next === undefined || head.run !== undefined || head.parked !== undefined) return undefined;
    const item = await store.table.get(runAt(space, thread, next));
    if (item === undefined) throw new GatewayError("internal", "A queued run is missing.");
    const body = await findBody(store, head.space, head.id, item.data);
    if (body === undefined) {
      // Another has begun it between the two reads, which the head tells; or its blob is gone, and with it all that it could answer.
      await endQueued(store, head, decodeRun(item), "failed", inputLost());
      continue;
    }
    const begun = await begin(store, head, decodeRun(item), JSON.parse(body) as TurnInput, undefined, { rest });
    if (begun.ok) {
      store.hub.wake(next);
      return begun.started;
    }
  }
  throw contention();
};
