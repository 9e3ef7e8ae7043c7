// A turn: what starting one takes and gives, and the lease that it holds meanwhile.
import type { JsonObject } from "../model/json.ts";
import { findRun } from "./closing.ts";
import type { Thread } from "./head.ts";
import type { NewMessage, Parent, StoredMessage } from "./message-items.ts";
import { type Claim, loadKnown } from "./claims.ts";
import type { Run } from "./run-items.ts";
import type { ThreadStore } from "./store.ts";

export type OnConflict = "reject" | "enqueue" | "interrupt";

export type TurnInput = {
  messages: readonly NewMessage[];
  /** What the first message follows (what the answer follows, where there is none), if not the active leaf. */
  parentId?: string | null;
  /** The number of the message that must be the active leaf (-1: none), else `precondition_failed`: nobody has gone on meanwhile. */
  ifLeaf?: number;
  /** Where a run is in progress, or waits for tools that these messages don't answer. Default `reject`: `thread_busy`. */
  onConflict?: OnConflict;
  /** It waits in any case, for a worker that calls `startNext`: background work. */
  later?: boolean;
  run?: { id?: string; request?: JsonObject; metadata?: JsonObject };
};

/** The right to write to a thread, until it runs out or another takes it. */
export type Lease = {
  /** The thread as this turn found it, its own messages among it. */
  head: Thread;
  run: string;
  fence: number;
  step: number;
  /** The number of the step's first event. */
  firstEvent: number;
};

export type Started = { kind: "started"; lease: Lease; run: Run; messages: StoredMessage[] };
export type TurnStart =
  | Started
  /** It waits for others; `startNext` begins it. */
  | { kind: "queued"; run: Run }
  /** These messages began a run before: a retry of the same call. */
  | { kind: "known"; run: Run; messages: StoredMessage[] };

/** The calls that these messages answer. */
export const answered = (messages: readonly NewMessage[]): Set<string> =>
  new Set(
    messages.flatMap(({ message }) =>
      message.parts.flatMap((part) => (part.type === "tool-result" ? [part.callId] : [])),
    ),
  );

/** The turn that these messages began before, where all of them are known by the clients' ids. */
export const findKnownTurn = async (
  store: ThreadStore,
  head: Thread,
  messages: readonly NewMessage[],
  known: ReadonlyMap<string, Claim>,
): Promise<TurnStart | undefined> => {
  if (!messages.every(({ clientId }) => clientId !== undefined && known.has(clientId))) return undefined;
  const waiting = known.get(messages.at(-1)?.clientId ?? "")?.run;
  const stored = await loadKnown(store, head, messages, known, []);
  const id = waiting ?? stored.at(-1)?.run;
  const run = id === undefined ? undefined : await findRun(store, head.space, head.id, id);
  return run === undefined ? undefined : { kind: "known", run, messages: stored };
};

/** What the holder knows of the thread from here on: nobody else writes messages to it. */
export const leaseOn = (head: Thread, run: Run, fence: number, count: number, last: Parent): Lease => {
  const { leafId: _leafId, parked: _parked, parkedUntil: _until, cancel: _cancel, ...rest } = head;
  return {
    head: {
      ...rest,
      fence,
      run: run.id,
      nextSeq: head.nextSeq + count,
      leaf: last.seq,
      tokens: last.pathTokens,
      ...(last.id === undefined ? {} : { leafId: last.id }),
    },
    run: run.id,
    fence,
    step: run.step,
    firstEvent: run.stepFirst,
  };
};
