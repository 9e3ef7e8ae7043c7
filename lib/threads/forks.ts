// A fork: a new thread that begins with another one's messages up to a point, by reference: nothing is copied.
import { GatewayError } from "../model/error.ts";
import type { Operation } from "../stores/table.ts";
import { checkId, headAt, type Segment, type Thread } from "./head.ts";
import { forkKey, threadPartition } from "./keys.ts";
import { messageFacts } from "./message-items.ts";
import { findMessage } from "./claims.ts";
import { firstOwnSeq } from "./path.ts";
import { removeThread } from "./deletion.ts";
import { getThread, headItems, listItems, newHead, type ThreadFields } from "./threads.ts";
import type { Caller, ThreadStore } from "./store.ts";

export type ForkThread = Pick<ThreadFields, "title" | "metadata" | "retentionSeconds"> & {
  id?: string;
  /** The last message of the fork; the active leaf, if none is named. Everything that came before it is there too. */
  upTo?: string;
};

const segmentsUpTo = (head: Thread, seq: number): Segment[] => {
  if (seq >= firstOwnSeq(head.segments)) return [...head.segments, { thread: head.id, upTo: seq }];
  const kept: Segment[] = [];
  for (const segment of head.segments) {
    if (segment.upTo < seq) kept.push(segment);
    else return [...kept, { ...segment, upTo: seq }];
  }
  return kept;
};

export const forkThread = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  input: ForkThread = {},
): Promise<Thread> => {
  const head = await getThread(store, caller, thread);
  const id = input.id === undefined ? `thread_${store.newId()}` : checkId(input.id, "id");
  const fields: ThreadFields = {
    metadata: input.metadata ?? head.metadata,
    strategy: head.strategy,
    settings: head.settings,
    ...(input.title === undefined ? (head.title === undefined ? {} : { title: head.title }) : { title: input.title }),
    ...(head.system === undefined ? {} : { system: head.system }),
    ...(input.retentionSeconds === undefined ? {} : { retentionSeconds: input.retentionSeconds }),
  };
  const fork = newHead(store, caller, id, fields);
  fork.ratio = head.ratio;
  const upTo = input.upTo ?? head.leafId;
  if (upTo !== undefined) {
    const found = await findMessage(store, head, upTo);
    if (found === undefined) throw new GatewayError("not_found", "No such message.", { param: "up_to" });
    const facts = messageFacts(found.item);
    fork.segments = segmentsUpTo(head, facts.seq);
    fork.nextSeq = facts.seq + 1;
    fork.leaf = facts.seq;
    fork.leafId = facts.id;
    fork.tokens = facts.pathTokens;
  }
  await build(store, fork);
  return fork;
};

/**
 * The fork stands as pending, then is told to every thread that it reads from, then is whole. A thread that is deleted meanwhile
 * either knows of the fork, and hands its messages over, or refuses it.
 */
const build = async (store: ThreadStore, fork: Thread): Promise<void> => {
  const pk = threadPartition(fork.space, fork.id);
  const at = headAt(fork.space, fork.id);
  const stale = await store.table.get(at);
  if (stale !== undefined && (stale.data["deleted"] === true || stale.data["pending"] === true))
    await removeThread(store, fork.space, fork.id);
  const [head, ...more] = await headItems(store, fork, { pending: true });
  const begun = await store.table.transact(pk, [
    { put: head, condition: { item: "absent" } },
    ...more.map((put): Operation => ({ put })),
  ]);
  if (!begun.ok) throw new GatewayError("conflict", "There is a thread of this id.", { param: "id" });
  for (const source of new Set(fork.segments.map((segment) => segment.thread))) {
    const sourcePk = threadPartition(fork.space, source);
    const told = await store.table.transact(sourcePk, [
      {
        check: headAt(fork.space, source),
        condition: { item: "present", fields: [{ field: "deleted", is: "absent" }] },
      },
      { put: { pk: sourcePk, sk: forkKey(fork.id), data: { thread: fork.id } } },
    ]);
    if (!told.ok) {
      await removeThread(store, fork.space, fork.id);
      throw new GatewayError("not_found", "The thread is being deleted.", { param: "thread_id" });
    }
  }
  const whole: Operation = {
    update: at,
    change: { remove: ["pending"] },
    condition: { item: "present", fields: [{ field: "pending", is: "=", value: true }] },
  };
  const done = await store.table.transact(pk, [whole, ...listItems(fork).map((put): Operation => ({ put }))]);
  if (!done.ok) throw new GatewayError("not_found", "The thread is being deleted.", { param: "thread_id" });
};
