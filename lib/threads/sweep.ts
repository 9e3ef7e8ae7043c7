// What nobody is left to do: ending runs whose holder died, waking threads where runs wait, deleting threads past their end.
import { asString } from "../model/json.ts";
import type { Item } from "../stores/table.ts";
import { isOverdue, settleOverdue } from "./closing.ts";
import { removeThread } from "./deletion.ts";
import { findHead } from "./head.ts";
import { activeIndex, byTime, dueIndex, sweepShards } from "./keys.ts";
import type { ThreadStore } from "./store.ts";

export type Swept = {
  /** Runs that were found dead. */
  expired: { space: string; thread: string; run: string }[];
  /** Threads that are free while runs wait on them: to be given to `startNext`. */
  waiting: { space: string; thread: string }[];
  deleted: number;
};

async function* indexed(store: ThreadStore, ipk: string, before: string, limit: number): AsyncGenerator<Item> {
  let cursor: string | undefined;
  let seen = 0;
  do {
    const page = await store.table.query({ pk: ipk, index: true, before, ...(cursor === undefined ? {} : { cursor }) });
    for (const item of page.items) {
      yield item;
      seen += 1;
      if (seen >= limit) return;
    }
    cursor = page.next;
  } while (cursor !== undefined);
}

/** Safe to run anywhere, as often as one likes, and by several at once. `limit`: entries looked at in each of the lists. */
export const sweep = async (store: ThreadStore, limit = 500): Promise<Swept> => {
  const swept: Swept = { expired: [], waiting: [], deleted: 0 };
  const now = store.clock.now();
  const seen = new Set<string>();
  for (let shard = 0; shard < sweepShards; shard += 1) {
    for await (const { pk, data } of indexed(store, activeIndex(shard), byTime(now + 1, ""), limit)) {
      const space = asString(data["space"]) ?? "";
      const thread = asString(data["thread"]) ?? "";
      if (seen.has(pk)) continue;
      seen.add(pk);
      const head = await findHead(store, space, thread);
      if (head === undefined) continue;
      const dead = head.run ?? head.parked;
      const settled = isOverdue(head, now) ? await settleOverdue(store, head) : head;
      if (settled !== head && dead !== undefined && settled.run !== dead && settled.parked !== dead)
        swept.expired.push({ space, thread, run: dead });
      if (settled.queue.length > 0 && settled.run === undefined && settled.parked === undefined)
        swept.waiting.push({ space, thread });
    }
    for await (const { data } of indexed(store, dueIndex(shard), byTime(now + 1, ""), limit)) {
      await removeThread(store, asString(data["space"]) ?? "", asString(data["thread"]) ?? "");
      swept.deleted += 1;
    }
  }
  return swept;
};
