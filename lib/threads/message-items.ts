// A message as it is stored: its item, its place in the tree, its body here or in the blobs.
import type { Json, JsonObject } from "../model/json.ts";
import { asNumber, asObject, asString, compact } from "../model/json.ts";
import type { Message, Role } from "../model/message.ts";
import type { Item, Operation } from "../stores/table.ts";
import { branchKey, clientIdKey, messageKey, newMessageId, threadPartition } from "./keys.ts";
import { loadBody, roomFor, storeBody, transactionBytes } from "./bodies.ts";
import type { Thread } from "./head.ts";
import type { ThreadStore } from "./store.ts";

/** What a caller adds. */
export type NewMessage = {
  message: Message;
  /** The client's own name for it: a second append under the same name adds nothing. */
  clientId?: string;
  metadata?: JsonObject;
};

export type StoredMessage = {
  id: string;
  /** Where it lies: another thread than the one it is read in, where a fork inherited it. Its run lies there too. */
  thread: string;
  /** 0, 1, 2…: the order of arrival within the thread, without gaps. */
  seq: number;
  /** What it follows; absent at a root. */
  parentId?: string;
  /** -1 at a root. */
  parentSeq: number;
  /** Unix milliseconds. */
  createdAt: number;
  message: Message;
  clientId?: string;
  metadata?: JsonObject;
  /** The run it began (a user's) or came from (an answer). */
  run?: string;
  /** The answer was cut off: what it holds is what had been stored. */
  partial?: boolean;
  /** Whose model made it: the owner of ids and opaque state in it. */
  maker?: string;
  /** Its text was removed; it keeps its place. */
  deleted?: boolean;
  /** It begins a turn: what comes before it may be left out without leaving anything in pieces. */
  opens?: boolean;
  /** Estimated tokens of this message, and of the path up to and including it. */
  tokens: number;
  pathTokens: number;
};

export type Parent = { seq: number; id?: string; pathTokens: number };

/** Where the next message goes when nothing else is said. */
export const leafOf = (head: Thread): Parent =>
  head.leafId === undefined ? { seq: -1, pathTokens: 0 } : { seq: head.leaf, id: head.leafId, pathTokens: head.tokens };

export const parentOf = (message: StoredMessage): Parent => ({
  seq: message.seq,
  id: message.id,
  pathTokens: message.pathTokens,
});

const beginsTurn = ({ role, parts }: Message): boolean =>
  role === "user" && !parts.some((part) => part.type === "tool-result");

export type PlaceOptions = {
  run?: string;
  partial?: boolean;
  maker?: string;
  /** The clients' ids were claimed before, when the turn was queued. */
  claimed?: boolean;
};

/**
 * The writes that add `messages`, one after another, below `parent`, from `firstSeq` on. Bodies that are large are in the blobs
 * when this returns; nothing else is written yet.
 */
export const placeMessages = async (
  store: ThreadStore,
  head: Pick<Thread, "space" | "id">,
  firstSeq: number,
  parent: Parent,
  messages: readonly NewMessage[],
  options: PlaceOptions = {},
): Promise<{ placed: StoredMessage[]; operations: Operation[]; last: Parent }> => {
  const pk = threadPartition(head.space, head.id);
  const placed: StoredMessage[] = [];
  const operations: Operation[] = [];
  let last = parent;
  let room = transactionBytes;
  for (const [at, { message, clientId, metadata }] of messages.entries()) {
    const seq = firstSeq + at;
    const tokens = store.tokensOf(message.parts);
    const stored: StoredMessage = compact<StoredMessage>({
      id: newMessageId(seq, store.newId()),
      thread: head.id,
      seq,
      parentId: last.id,
      parentSeq: last.seq,
      createdAt: store.clock.now(),
      message,
      clientId,
      metadata,
      run: options.run,
      partial: options.partial,
      maker: options.maker,
      deleted: undefined,
      opens: beginsTurn(message) ? true : undefined,
      tokens,
      pathTokens: last.pathTokens + tokens,
    });
    const body = await storeBody(store, head.space, head.id, JSON.stringify(message), room);
    room -= roomFor(body);
    const { message: _message, thread: _thread, ...fields } = stored;
    const data: JsonObject = { ...(fields as unknown as JsonObject), role: message.role, ...body };
    operations.push({ put: { pk, sk: messageKey(seq), data }, condition: { item: "absent" } });
    if (clientId !== undefined)
      operations.push({
        put: { pk, sk: clientIdKey(clientId), data: { seq } },
        ...(options.claimed === true ? {} : { condition: { item: "absent" } }),
      });
    if (last.seq !== seq - 1) operations.push({ put: { pk, sk: branchKey(last.seq, seq), data: { seq } } });
    placed.push(stored);
    last = parentOf(stored);
  }
  return { placed, operations, last };
};

const roles: readonly Role[] = ["system", "user", "assistant"];

/** What an item says without its body. */
export type MessageFacts = Omit<StoredMessage, "message" | "thread"> & { role: Role };

export const messageFacts = ({ data }: Item): MessageFacts =>
  compact<MessageFacts>({
    id: asString(data["id"]) ?? "",
    seq: asNumber(data["seq"]) ?? 0,
    parentId: asString(data["parentId"]),
    parentSeq: asNumber(data["parentSeq"]) ?? -1,
    createdAt: asNumber(data["createdAt"]) ?? 0,
    clientId: asString(data["clientId"]),
    metadata: asObject(data["metadata"]),
    run: asString(data["run"]),
    partial: data["partial"] === true ? true : undefined,
    maker: asString(data["maker"]),
    deleted: data["deleted"] === true ? true : undefined,
    opens: data["opens"] === true ? true : undefined,
    tokens: asNumber(data["tokens"]) ?? 0,
    pathTokens: asNumber(data["pathTokens"]) ?? 0,
    role: roles.find((role) => role === data["role"]) ?? "user",
  });

/** `thread` is where the item lies: for what is inherited, another than the one being read. */
export const decodeMessage = async (
  store: ThreadStore,
  space: string,
  thread: string,
  item: Item,
): Promise<StoredMessage> => {
  const { role, ...facts } = messageFacts(item);
  if (facts.deleted === true) return { ...facts, thread, message: { role, parts: [] } };
  const message = JSON.parse(await loadBody(store, space, thread, item.data)) as Json;
  return { ...facts, thread, message: message as unknown as Message };
};
