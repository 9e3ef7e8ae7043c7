// A thread's instructions and settings, where they are long: an item of their own, as every turn and renewal writes the head anew.
import { asObject, asString, compact, type JsonObject } from "../model/json.ts";
import type { NewItem } from "../stores/table.ts";
import { loadBody, storeBody } from "./bodies.ts";
import { findHead, type Thread, threadNotFound } from "./head.ts";
import { profileKey, threadPartition } from "./keys.ts";
import type { ThreadStore } from "./store.ts";

/** Characters of both together that the head carries itself. */
const inHead = 2048;

/** How a thread's instructions and settings are stored: fields of its head, and an item where they are long. */
export const splitProfile = async (
  store: ThreadStore,
  thread: Thread,
): Promise<{ fields: JsonObject; item: NewItem | undefined }> => {
  const { space, id, system, settings, revision } = thread;
  const text = JSON.stringify(compact<JsonObject>({ system, settings }));
  if (text.length <= inHead) return { fields: compact<JsonObject>({ system, settings }), item: undefined };
  const body = await storeBody(store, space, id, text);
  return {
    fields: { profile: revision },
    item: { pk: threadPartition(space, id), sk: profileKey(revision), data: body },
  };
};

/** The thread with its instructions and settings. */
export const withProfile = async (store: ThreadStore, head: Thread): Promise<Thread> => {
  if (head.profile === undefined) return head;
  const item = await store.table.get({
    pk: threadPartition(head.space, head.id),
    sk: profileKey(head.profile),
  });
  if (item === undefined) {
    // Changed since the head was read.
    const newest = await findHead(store, head.space, head.id);
    if (newest === undefined || newest.profile === head.profile) throw threadNotFound();
    const { system, settings } = await withProfile(store, newest);
    return compact<Thread>({ ...head, system, settings });
  }
  const profile = asObject(JSON.parse(await loadBody(store, head.space, head.id, item.data)));
  return compact<Thread>({
    ...head,
    system: asString(profile?.["system"]),
    settings: asObject(profile?.["settings"]) ?? {},
  });
};
