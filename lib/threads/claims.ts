// Finding messages by name: Heddle's own ids tell where they lie, clients' ids are looked up.
import { asNumber, asString, compact } from "../model/json.ts";
import type { Thread } from "./head.ts";
import { clientIdKey, seqOfMessageId, threadPartition } from "./keys.ts";
import { decodeMessage, messageFacts, type NewMessage, type StoredMessage } from "./message-items.ts";
import { findItem, type Found } from "./path.ts";
import type { ThreadStore } from "./store.ts";

/** By Heddle's id, or by the client's own. */
export const findMessage = async (store: ThreadStore, head: Thread, id: string): Promise<Found | undefined> => {
  const seq = seqOfMessageId(id) ?? (await findClaim(store, head, id))?.seq;
  if (seq === undefined) return undefined;
  const found = await findItem(store, head, seq);
  if (found === undefined) return undefined;
  const facts = messageFacts(found.item);
  return facts.id === id || facts.clientId === id ? found : undefined;
};

/** What became of a client's id: a message, or a turn that waits. */
export type Claim = { seq?: number; run?: string };

const findClaim = async (store: ThreadStore, head: Thread, clientId: string): Promise<Claim | undefined> => {
  const item = await store.table.get({ pk: threadPartition(head.space, head.id), sk: clientIdKey(clientId) });
  if (item === undefined) return undefined;
  return compact<Claim>({ seq: asNumber(item.data["seq"]), run: asString(item.data["run"]) });
};

/** Those of the messages that are here already, by the clients' ids. */
export const knownMessages = async (
  store: ThreadStore,
  head: Thread,
  messages: readonly NewMessage[],
): Promise<Map<string, Claim>> => {
  const known = new Map<string, Claim>();
  for (const { clientId } of messages) {
    const claim = clientId === undefined ? undefined : await findClaim(store, head, clientId);
    if (clientId !== undefined && claim !== undefined) known.set(clientId, claim);
  }
  return known;
};

/** The messages as asked for, in order: those just placed and those that were there. */
export const loadKnown = async (
  store: ThreadStore,
  head: Thread,
  messages: readonly NewMessage[],
  known: ReadonlyMap<string, Claim>,
  placed: readonly StoredMessage[],
): Promise<StoredMessage[]> => {
  const all: StoredMessage[] = [];
  let next = 0;
  for (const { clientId } of messages) {
    const seq = clientId === undefined ? undefined : known.get(clientId)?.seq;
    const found =
      seq === undefined ? undefined : await findItem(store, { ...head, nextSeq: Math.max(head.nextSeq, seq + 1) }, seq);
    if (found !== undefined) all.push(await decodeMessage(store, head.space, found.thread, found.item));
    else if (clientId === undefined || !known.has(clientId)) {
      const one = placed[next];
      next += 1;
      if (one !== undefined) all.push(one);
    }
  }
  return all;
};
