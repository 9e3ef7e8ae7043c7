// Adding messages to a thread: all of them in one transaction with its head, each at most once.
import { GatewayError, invalid } from "../model/error.ts";
import { compact, type JsonObject } from "../model/json.ts";
import type { Operation } from "../stores/table.ts";
import { type Claim, findMessage, knownMessages, loadKnown } from "./claims.ts";
import { settleOverdue } from "./closing.ts";
import { contention, headAt, loadHead, type Thread, unmoved } from "./head.ts";
import { seqOfMessageId, threadPartition } from "./keys.ts";
import {
  leafOf,
  messageFacts,
  type NewMessage,
  type Parent,
  placeMessages,
  type StoredMessage,
} from "./message-items.ts";
import { type Caller, contentionTries, type ThreadStore } from "./store.ts";

/** Messages that one transaction takes; each may need two writes of its hundred. */
export const messagesPerTransaction = 45;

/** Absent: the active leaf. null: none, a new root. */
export const resolveParent = async (
  store: ThreadStore,
  head: Thread,
  parentId: string | null | undefined,
): Promise<Parent> => {
  if (parentId === undefined || parentId === head.leafId) return leafOf(head);
  if (parentId === null) return { seq: -1, pathTokens: 0 };
  const found = await findMessage(store, head, parentId);
  if (found === undefined) throw new GatewayError("not_found", "No such message.", { param: "parent_id" });
  const facts = messageFacts(found.item);
  return { seq: facts.seq, id: facts.id, pathTokens: facts.pathTokens };
};

/** The change of a head that has got messages up to `last`. */
export const headAfter = (store: ThreadStore, head: Thread, count: number, last: Parent): JsonObject =>
  compact<JsonObject>({
    nextSeq: head.nextSeq + count,
    leaf: last.seq,
    leafId: last.id,
    tokens: last.pathTokens,
    updatedAt: store.clock.now(),
  });

export const busy = (store: ThreadStore, head: Thread): GatewayError => {
  const wait = (head.leaseUntil ?? 0) - store.clock.now();
  return new GatewayError(
    "thread_busy",
    head.run === undefined && head.parked !== undefined
      ? "A run of this thread waits for the outputs of its tools."
      : "Another run of this thread is in progress.",
    { param: "thread_id", ...(head.run !== undefined && wait > 0 ? { retryAfterMs: Math.min(wait, 1000) } : {}) },
  );
};

/** Clients' ids name one message each, and are never mistaken for Heddle's. */
export const checkMessages = (messages: readonly NewMessage[]): void => {
  const seen = new Set<string>();
  for (const [at, { clientId }] of messages.entries()) {
    if (clientId === undefined) continue;
    if (clientId === "" || clientId.length > 128 || seen.has(clientId) || seqOfMessageId(clientId) !== undefined)
      throw invalid(`messages[${at}].id`, "expected an own id of at most 128 characters, once");
    seen.add(clientId);
  }
};

/** Every write names the head as it was read: what holds for it here holds when it is written. */
export const checkLeaf = (head: Thread, ifLeaf: number | undefined): void => {
  if (ifLeaf !== undefined && ifLeaf !== head.leaf)
    throw new GatewayError("precondition_failed", "The thread has gone on from another message.", {
      param: "parent_id",
    });
};

export type AppendOptions = {
  /** The message to follow, where it is not the active leaf: makes a sibling. null makes a new root. */
  parentId?: string | null;
  /** The number of the message that must be the active leaf, else `precondition_failed`. */
  ifLeaf?: number;
};

/**
 * Adds messages without a run, all or none for up to 45 of them, and makes the last one the active leaf. What was appended before
 * under the same client ids is given back and not added again. Refused (`thread_busy`) while a run holds the thread.
 */
export const appendMessages = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  messages: readonly NewMessage[],
  options: AppendOptions = {},
): Promise<StoredMessage[]> => {
  checkMessages(messages);
  const appended: StoredMessage[] = [];
  let { parentId, ifLeaf } = options;
  for (let at = 0; at < messages.length; at += messagesPerTransaction) {
    const some = await appendOnce(store, caller, thread, messages.slice(at, at + messagesPerTransaction), {
      ...(parentId === undefined ? {} : { parentId }),
      ...(ifLeaf === undefined ? {} : { ifLeaf }),
    });
    appended.push(...some);
    if (parentId !== undefined) parentId = some.at(-1)?.id ?? parentId;
    if (ifLeaf !== undefined) ifLeaf = some.at(-1)?.seq ?? ifLeaf;
  }
  return appended;
};

const appendOnce = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  messages: readonly NewMessage[],
  { parentId, ifLeaf }: AppendOptions,
): Promise<StoredMessage[]> => {
  const pk = threadPartition(caller.space, thread);
  let known = new Map<string, Claim>();
  for (let tried = 0; tried < contentionTries; tried += 1) {
    const head = await settleOverdue(store, await loadHead(store, caller, thread));
    const isNew = ({ clientId }: NewMessage): boolean => clientId === undefined || !known.has(clientId);
    const fresh = messages.filter(isNew);
    if (fresh.length === 0) return loadKnown(store, head, messages, known, []);
    if (head.run !== undefined || head.parked !== undefined) {
      if (known.size === 0) known = await knownMessages(store, head, messages);
      if (messages.some(isNew)) throw busy(store, head);
      continue;
    }
    checkLeaf(head, ifLeaf);
    const parent = await resolveParent(store, head, parentId);
    const { placed, operations, last } = await placeMessages(store, head, head.nextSeq, parent, fresh);
    const update: Operation = {
      update: headAt(caller.space, thread),
      change: {
        set: headAfter(store, head, placed.length, last),
        ...(last.id === undefined ? { remove: ["leafId"] } : {}),
      },
      condition: unmoved(head),
    };
    const written = await store.table.transact(pk, [update, ...operations]);
    if (written.ok) return loadKnown(store, head, messages, known, placed);
    if (written.failed > 0) known = await knownMessages(store, head, messages);
  }
  throw contention();
};
