// Reading messages by place: of one thread and of those it was forked from, up the tree from a leaf, bounded by who asks.
import type { Item } from "../stores/table.ts";
import { messageKey, messagePrefix, threadPartition } from "./keys.ts";
import type { Segment, Thread } from "./head.ts";
import { messageFacts, type MessageFacts } from "./message-items.ts";
import type { ThreadStore } from "./store.ts";

/** An item and the thread it lies in. */
export type Found = { item: Item; thread: string };
export type OnPath = Found & { facts: MessageFacts };

/** All stretches of a thread's history, oldest first, its own last: the messages `from` to `upTo`, both included. */
const stretches = (head: Pick<Thread, "id" | "segments">): { thread: string; from: number; upTo: number }[] => {
  const all: { thread: string; from: number; upTo: number }[] = [];
  let from = 0;
  for (const { thread, upTo } of head.segments) {
    if (upTo >= from) all.push({ thread, from, upTo });
    from = Math.max(from, upTo + 1);
  }
  all.push({ thread: head.id, from, upTo: Number.MAX_SAFE_INTEGER });
  return all;
};

/** The first message that lies in the thread itself. */
export const firstOwnSeq = (segments: readonly Segment[]): number => (segments.at(-1)?.upTo ?? -1) + 1;

/** The thread in whose partition message `seq` lies. */
export const homeOf = (head: Pick<Thread, "id" | "segments">, seq: number): string =>
  stretches(head).find(({ from, upTo }) => seq >= from && seq <= upTo)?.thread ?? head.id;

export const findItem = async (store: ThreadStore, head: Thread, seq: number): Promise<Found | undefined> => {
  if (seq < 0 || seq >= head.nextSeq) return undefined;
  const thread = homeOf(head, seq);
  const item = await store.table.get({ pk: threadPartition(head.space, thread), sk: messageKey(seq) });
  return item === undefined ? undefined : { item, thread };
};

/** Pages grow: who asks for little pays for little, who reads on takes few trips. */
const firstPageSize = 32;
const mostPerPage = 200;

/** Items in the order of arrival, from `from` on (or back from it), page by page as they are asked for. */
export async function* itemsFrom(
  store: ThreadStore,
  head: Thread,
  from: number,
  descending: boolean,
  firstPage = firstPageSize,
): AsyncGenerator<Found> {
  let limit = firstPage;
  const parts = stretches(head).filter((part) => (descending ? part.from <= from : part.upTo >= from));
  if (descending) parts.reverse();
  for (const part of parts) {
    const pk = threadPartition(head.space, part.thread);
    let cursor: string | undefined;
    do {
      const low = descending ? part.from : Math.max(part.from, from);
      const high = descending ? Math.min(part.upTo, from) : part.upTo;
      const page = await store.table.query({
        pk,
        prefix: messagePrefix,
        ...(low > 0 ? { after: messageKey(low - 1) } : {}),
        ...(high < Number.MAX_SAFE_INTEGER ? { before: messageKey(high + 1) } : {}),
        descending,
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const item of page.items) yield { item, thread: part.thread };
      cursor = page.next;
      limit = Math.min(mostPerPage, limit * 2);
    } while (cursor !== undefined);
  }
}

/**
 * From `leaf` up to its root, newest first. Reads only as far as the caller goes on asking. Runs of siblings are skipped; a long
 * stretch off the path is jumped over instead of being read.
 */
export async function* pathFrom(store: ThreadStore, head: Thread, leaf: number): AsyncGenerator<OnPath> {
  let wanted = leaf;
  while (wanted >= 0) {
    let jumped = false;
    for await (const found of itemsFrom(store, head, wanted, true)) {
      const facts = messageFacts(found.item);
      if (facts.seq > wanted) continue;
      if (facts.seq < wanted) return;
      yield { ...found, facts };
      const next = facts.parentSeq;
      jumped = facts.seq - next > mostPerPage;
      wanted = next;
      if (wanted < 0) return;
      if (jumped) break;
    }
    if (!jumped) return;
  }
}
