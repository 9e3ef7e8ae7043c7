// Bodies as text in the item, or in the blobs where they are large: stores cap an item (F52).
import { GatewayError } from "../model/error.ts";
import type { JsonObject } from "../model/json.ts";
import { blobKey, blobScope, dueEntry, listKeys, threadPartition } from "./keys.ts";
import type { ThreadStore } from "./store.ts";

/** Bytes of a body that stays in its item. */
const inlineBytes = 100 * 1024;
/** Bytes that one transaction holds in bodies; Cosmos DB takes 2 MB in all. */
export const transactionBytes = 1024 * 1024;

/** How a body stands in an item's data: `body`, or `blob` with its hash. */
export type StoredBody = { body: string } | { blob: string };

/** Named in the partition first: whatever is written or not written after it, a deletion finds the bytes. */
export const keepBlob = async (
  store: ThreadStore,
  space: string,
  thread: string,
  bytes: Uint8Array,
): Promise<string> => {
  const hash = process.getBuiltinModule("node:crypto").hash("sha256", bytes, "hex");
  await store.table.put({ pk: threadPartition(space, thread), sk: blobKey(hash), data: { hash } });
  return store.blobs.put(blobScope(space, thread), bytes);
};

/** Writes large bodies before the item that names them; `room` is what the transaction still has for bodies. */
export const storeBody = async (
  store: ThreadStore,
  space: string,
  thread: string,
  text: string,
  room = transactionBytes,
): Promise<StoredBody> => {
  const size = Buffer.byteLength(text);
  if (size <= inlineBytes && size <= room) return { body: text };
  return { blob: await keepBlob(store, space, thread, Buffer.from(text)) };
};

/** The same for what is no thread's (a job's, a kept answer's): it has a partition of its own, and an end. */
export const storeLooseBody = async (
  store: ThreadStore,
  space: string,
  name: string,
  text: string,
  endsAt: number,
): Promise<StoredBody> => {
  const body = await storeBody(store, space, name, text);
  if ("blob" in body)
    await store.table.put({
      pk: threadPartition(space, name),
      sk: listKeys.due,
      data: { thread: name, space },
      ...dueEntry(space, name, endsAt),
    });
  return body;
};

export const roomFor = (body: StoredBody): number => ("body" in body ? Buffer.byteLength(body.body) : 0);

/** Undefined where it was in a blob that is no longer there. */
export const findBody = async (
  store: ThreadStore,
  space: string,
  thread: string,
  data: JsonObject,
): Promise<string | undefined> => {
  if (typeof data["body"] === "string") return data["body"];
  const hash = data["blob"];
  const bytes = typeof hash === "string" ? await store.blobs.get(blobScope(space, thread), hash) : undefined;
  return bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
};

export const loadBody = async (...place: Parameters<typeof findBody>): Promise<string> => {
  const body = await findBody(...place);
  if (body === undefined) throw new GatewayError("storage", "A stored body is missing.");
  return body;
};
