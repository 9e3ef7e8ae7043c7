// Copying a stretch of messages, with their bodies, from one thread into another.
import { asNumber, asString } from "../model/json.ts";
import { GatewayError } from "../model/error.ts";
import { blobScope, branchKey, messageKey, messagePrefix, threadPartition } from "./keys.ts";
import { keepBlob } from "./bodies.ts";
import type { Item } from "../stores/table.ts";
import type { ThreadStore } from "./store.ts";

/** Messages `from` to `upTo`, both included, under the same numbers and ids. May be done again from the start. */
export const copyStretch = async (
  store: ThreadStore,
  space: string,
  source: string,
  target: string,
  from: number,
  upTo: number,
): Promise<void> => {
  const sourcePk = threadPartition(space, source);
  const pk = threadPartition(space, target);
  let cursor: string | undefined;
  do {
    const page = await store.table.query({
      pk: sourcePk,
      prefix: messagePrefix,
      ...(from > 0 ? { after: messageKey(from - 1) } : {}),
      before: messageKey(upTo + 1),
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const item of page.items) {
      await copyBody(store, space, source, target, item);
      await store.table.put({ pk, sk: item.sk, data: item.data });
      const seq = asNumber(item.data["seq"]) ?? 0;
      const parentSeq = asNumber(item.data["parentSeq"]) ?? -1;
      if (parentSeq !== seq - 1) await store.table.put({ pk, sk: branchKey(parentSeq, seq), data: { seq } });
    }
    cursor = page.next;
  } while (cursor !== undefined);
};

const copyBody = async (
  store: ThreadStore,
  space: string,
  source: string,
  target: string,
  { data }: Item,
): Promise<void> => {
  const hash = asString(data["blob"]);
  if (hash === undefined) return;
  const bytes = await store.blobs.get(blobScope(space, source), hash);
  if (bytes === undefined) throw new GatewayError("storage", "A stored body is missing.");
  await keepBlob(store, space, target, bytes);
};
