// The messages of a thread: read them, walk the tree, pick a branch.
import { GatewayError, invalid } from "../model/error.ts";
import { asNumber } from "../model/json.ts";
import { busy, headAfter, resolveParent } from "./append.ts";
import { findMessage } from "./claims.ts";
import { settleOverdue } from "./closing.ts";
import { contention, headAt, loadHead, type Thread, unmoved } from "./head.ts";
import { branchPrefix, messageKey, threadPartition } from "./keys.ts";
import { decodeMessage, messageFacts, type StoredMessage } from "./message-items.ts";
import { findItem, type Found, homeOf, itemsFrom, pathFrom } from "./path.ts";
import { type Caller, contentionTries, type ThreadStore } from "./store.ts";

const messageNotFound = (): GatewayError => new GatewayError("not_found", "No such message.", { param: "message_id" });

const decode = (store: ThreadStore, head: Thread, found: Found): Promise<StoredMessage> =>
  decodeMessage(store, head.space, found.thread, found.item);

export const getMessage = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  id: string,
): Promise<StoredMessage> => {
  const head = await loadHead(store, caller, thread);
  const found = await findMessage(store, head, id);
  if (found === undefined || found.item.data["deleted"] === true) throw messageNotFound();
  return decode(store, head, found);
};

export type ListOptions = {
  /** Only what came after, or before, this message. */
  after?: string;
  before?: string;
  /** 1 to 100; default 20. */
  limit?: number;
  /** Newest first. */
  descending?: boolean;
  /** `path`: only the active branch. Default `all`. */
  branch?: "all" | "path";
  /** Only the branch that ends with this message. */
  leaf?: string;
};

export type MessagePage = { messages: StoredMessage[]; hasMore: boolean };

const placeIn = async (store: ThreadStore, head: Thread, id: string, param: string): Promise<number> => {
  const found = await findMessage(store, head, id);
  if (found === undefined) throw new GatewayError("not_found", "No such message.", { param });
  return messageFacts(found.item).seq;
};

/** Costs what its page costs: no page is found by reading those before it. */
export const listMessages = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  options: ListOptions = {},
): Promise<MessagePage> => {
  const head = await loadHead(store, caller, thread);
  const { limit = 20, descending = false, branch = "all" } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > 100)
    throw invalid("limit", "expected a whole number from 1 to 100");
  const after = options.after === undefined ? -1 : await placeIn(store, head, options.after, "after");
  const before = options.before === undefined ? head.nextSeq : await placeIn(store, head, options.before, "before");
  // `after` and `before` are places in the order asked for, as the OpenAI APIs mean them.
  const [low, high] = descending
    ? [options.before === undefined ? -1 : before, options.after === undefined ? head.nextSeq : after]
    : [after, before];
  const found: Found[] = [];
  const wanted = limit + 1;
  const leaf = options.leaf === undefined ? head.leaf : await placeIn(store, head, options.leaf, "leaf");
  const source =
    branch === "path" || options.leaf !== undefined
      ? await pathItems(store, head, leaf, low, high, descending)
      : itemsFrom(store, head, descending ? high - 1 : low + 1, descending, wanted);
  for await (const each of source) {
    const { seq, deleted } = messageFacts(each.item);
    if (seq <= low || seq >= high) break;
    if (deleted !== true) found.push(each);
    if (found.length === wanted) break;
  }
  const messages: StoredMessage[] = [];
  for (const each of found.slice(0, limit)) messages.push(await decode(store, head, each));
  return { messages, hasMore: found.length > limit };
};

/** Items of a path within bounds. A path can only be walked upwards; oldest first, it is walked and turned. */
const pathItems = async (
  store: ThreadStore,
  head: Thread,
  leaf: number,
  low: number,
  high: number,
  descending: boolean,
): Promise<AsyncIterable<Found> | Found[]> => {
  const all: Found[] = [];
  for await (const each of pathFrom(store, head, leaf)) {
    if (each.facts.seq <= low) break;
    if (each.facts.seq < high) all.push(each);
  }
  return descending ? all : all.toReversed();
};

/** The path from a message (the active leaf, if none is named) to its root, oldest first. */
export const loadPath = async (store: ThreadStore, head: Thread, from = head.leaf): Promise<StoredMessage[]> => {
  const found: Found[] = [];
  for await (const each of pathFrom(store, head, from)) found.push(each);
  const path: StoredMessage[] = [];
  for (const each of found.toReversed()) path.push(await decode(store, head, each));
  return path;
};

/** A message and all others with the same parent, oldest first: its edits, or the regenerations of an answer. */
export const listSiblings = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  id: string,
): Promise<StoredMessage[]> => {
  const head = await loadHead(store, caller, thread);
  const found = await findMessage(store, head, id);
  if (found === undefined) throw messageNotFound();
  const { parentSeq } = messageFacts(found.item);
  const seqs = new Set<number>([parentSeq + 1]);
  const homes = new Set([...head.segments.map((segment) => segment.thread), head.id]);
  for (const home of homes) {
    const page = await store.table.query({
      pk: threadPartition(head.space, home),
      prefix: branchPrefix(parentSeq),
    });
    for (const { data } of page.items) {
      const seq = asNumber(data["seq"]);
      // Another fork's children of an inherited message lie in that fork.
      if (seq !== undefined && homeOf(head, seq) === home) seqs.add(seq);
    }
  }
  const siblings: StoredMessage[] = [];
  for (const seq of [...seqs].sort((a, b) => a - b)) {
    const each = await findItem(store, head, seq);
    if (each === undefined) continue;
    const facts = messageFacts(each.item);
    if (facts.parentSeq === parentSeq && facts.deleted !== true) siblings.push(await decode(store, head, each));
  }
  return siblings;
};

/** Picks the branch that ends with this message: the next one follows it. */
export const setActiveLeaf = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  id: string,
): Promise<Thread> => {
  for (let tried = 0; tried < contentionTries; tried += 1) {
    const head = await settleOverdue(store, await loadHead(store, caller, thread));
    if (head.run !== undefined || head.parked !== undefined) throw busy(store, head);
    const leaf = await resolveParent(store, head, id);
    const set = headAfter(store, head, 0, leaf);
    const written = await store.table.update(headAt(caller.space, thread), { set }, unmoved(head));
    if (written.ok) return loadHead(store, caller, thread);
  }
  throw contention();
};

/** Removes what a message says; its place in the thread stays. What another thread owns can't be removed from here. */
export const deleteMessage = async (store: ThreadStore, caller: Caller, thread: string, id: string): Promise<void> => {
  const head = await loadHead(store, caller, thread);
  const found = await findMessage(store, head, id);
  if (found === undefined || found.item.data["deleted"] === true) throw messageNotFound();
  if (found.thread !== head.id)
    throw new GatewayError("conflict", "The message is shared with the thread it was forked from.", {
      param: "message_id",
    });
  await store.table.update(
    { pk: threadPartition(caller.space, thread), sk: messageKey(messageFacts(found.item).seq) },
    { set: { deleted: true }, remove: ["body", "blob", "metadata", "opens"] },
    { item: "present" },
  );
};
