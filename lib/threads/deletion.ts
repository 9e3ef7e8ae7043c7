// Deleting a thread so that a crash in the middle loses nothing and leaves nothing: whoever comes next goes on from there.
import { asString } from "../model/json.ts";
import type { Item, Key, Operation } from "../stores/table.ts";
import { closeRun } from "./closing.ts";
import { decodeHead, decodeSegments, findHeadItem, headAt } from "./head.ts";
import {
  blobPrefix,
  blobScope,
  dueEntry,
  forkKey,
  forkPrefix,
  headKey,
  listKeys,
  threadPartition,
  usagePrefix,
} from "./keys.ts";
import { contentionTries, type ThreadStore } from "./store.ts";
import { copyStretch } from "./stretch.ts";

async function* items(store: ThreadStore, pk: string, prefix?: string): AsyncGenerator<Item> {
  let cursor: string | undefined;
  do {
    const page = await store.table.query({
      pk,
      ...(prefix === undefined ? {} : { prefix }),
      ...(cursor === undefined ? {} : { cursor }),
    });
    yield* page.items;
    cursor = page.next;
  } while (cursor !== undefined);
}

/** For the system alone: it asks no owner. Without a head, what is left in the partition goes all the same. */
export const removeThread = async (store: ThreadStore, space: string, id: string): Promise<void> => {
  const pk = threadPartition(space, id);
  const head = await findHeadItem(store, space, id);
  if (head === undefined) {
    await removeItems(store, space, id);
    await store.table.delete({ pk, sk: listKeys.due });
    return;
  }
  await settleRun(store, space, id);
  // From here on it is gone for everyone, its run is refused, and the sweeper knows what is left to do.
  const marked = await store.table.transact(pk, [
    {
      update: headAt(space, id),
      change: { set: { deleted: true }, add: { fence: 1 }, remove: ["run", "leaseUntil"] },
      condition: { item: "present" },
    },
    { put: { pk, sk: listKeys.due, data: { thread: id, space }, ...dueEntry(space, id, 0) } },
  ]);
  if (!marked.ok) return;

  for await (const { data } of items(store, pk, forkPrefix)) {
    const fork = asString(data["thread"]);
    if (fork !== undefined) await handOver(store, space, id, fork);
  }
  for (const from of new Set(decodeSegments(head.data["segments"]).map((segment) => segment.thread)))
    if (from !== id) await store.table.delete({ pk: threadPartition(space, from), sk: forkKey(id) });
  await removeItems(store, space, id);
  await store.table.transact(pk, [{ delete: { pk, sk: headKey } }, { delete: { pk, sk: listKeys.due } }]);
};

/** A run that is in progress has cost something already: its usage stays when the rest goes. */
const settleRun = async (store: ThreadStore, space: string, id: string): Promise<void> => {
  for (let tried = 0; tried < contentionTries; tried += 1) {
    // Not by `findHead`: a thread past its end is settled like any other.
    const item = await findHeadItem(store, space, id);
    if (item === undefined || item.data["deleted"] === true || item.data["pending"] === true) return;
    const head = decodeHead(space, item);
    if (head.run === undefined || (await closeRun(store, head, "cancelled"))) return;
  }
};

const removeItems = async (store: ThreadStore, space: string, id: string): Promise<void> => {
  const pk = threadPartition(space, id);
  for await (const item of items(store, pk, blobPrefix)) {
    const hash = asString(item.data["hash"]);
    if (hash !== undefined) await store.blobs.delete(blobScope(space, id), hash);
  }
  let batch: Key[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    await store.table.transact(
      pk,
      batch.map((key): Operation => ({ delete: key })),
    );
    batch = [];
  };
  const kept = new Set<string>([headKey, listKeys.due]);
  const keys: Key[] = [];
  for await (const { sk } of items(store, pk)) if (!kept.has(sk) && !sk.startsWith(usagePrefix)) keys.push({ pk, sk });
  for (const key of keys) {
    batch.push(key);
    if (batch.length === 100) await flush();
  }
  await flush();
};

/** A fork gets its own copy of what it has read from the thread that goes. */
const handOver = async (store: ThreadStore, space: string, from: string, fork: string): Promise<void> => {
  const head = await findHeadItem(store, space, fork);
  if (head === undefined || head.data["deleted"] === true) return;
  if (head.data["pending"] === true) {
    // Not whole yet: its maker will find it gone and say so.
    const dropped = await store.table.delete(headAt(space, fork), {
      item: "present",
      fields: [{ field: "pending", is: "=", value: true }],
    });
    return dropped.ok ? undefined : handOver(store, space, from, fork);
  }
  const segments = decodeSegments(head.data["segments"]);
  let low = 0;
  for (const segment of segments) {
    if (segment.thread === from) await copyStretch(store, space, from, fork, low, segment.upTo);
    low = Math.max(low, segment.upTo + 1);
  }
  await store.table.update(
    headAt(space, fork),
    {
      set: { segments: segments.map(({ thread, upTo }) => ({ thread: thread === from ? fork : thread, upTo })) },
    },
    { item: "present" },
  );
};
