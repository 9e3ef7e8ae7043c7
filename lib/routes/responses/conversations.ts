// /v1/conversations: a conversation is a thread, its items are its messages' items.
import type { Reply } from "../../model/call.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import { isObject, type JsonObject } from "../../model/json.ts";
import { parseBody } from "../../chat/read.ts";
import { appendMessages } from "../../threads/append.ts";
import { loadHead } from "../../threads/head.ts";
import type { StoredMessage } from "../../threads/message-items.ts";
import { deleteMessage, loadPath } from "../../threads/messages.ts";
import { createThread, deleteThread, getThread, patchThread, type Thread } from "../../threads/threads.ts";
import type { Caller, ThreadStore } from "../../threads/store.ts";
import { json, type RouteContext } from "../route.ts";
import { threadsOf, turnCall } from "../turns.ts";
import { itemsOf, messagesOf } from "./items.ts";
import { listOf, pageOf, pageQuery } from "./pages.ts";

const maxItems = 20;

const bodyOf = (context: RouteContext): JsonObject =>
  context.call.body.length === 0 ? {} : parseBody(context.call.body);

const metadataOf = (body: JsonObject): Record<string, string> | undefined => {
  const value = body["metadata"] ?? undefined;
  if (value === undefined) return undefined;
  if (!isObject(value)) throw invalid("metadata", "expected an object of strings");
  const metadata: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string") throw invalid(`metadata.${name}`, "expected a string");
    metadata[name] = text;
  }
  return metadata;
};

const itemsIn = (body: JsonObject, needed: boolean): unknown[] => {
  const items = body["items"] ?? undefined;
  if (items === undefined && !needed) return [];
  if (!Array.isArray(items) || items.length > maxItems || (needed && items.length === 0))
    throw invalid("items", `expected an array of at most ${maxItems} items`);
  return items;
};

const conversation = (thread: Thread): JsonObject => ({
  id: thread.id,
  object: "conversation",
  created_at: Math.floor(thread.createdAt / 1000),
  metadata: thread.metadata,
});

const idOf = (context: RouteContext): string => context.params[0] ?? "";

const notFound = (id: string): GatewayError =>
  new GatewayError("not_found", `Conversation with id '${id.slice(0, 200)}' not found.`, { param: "conversation_id" });

/** A thread that isn't there, in the words of this API. */
const loadConversation = async (store: ThreadStore, caller: Caller, id: string): Promise<Thread> => {
  try {
    return await getThread(store, caller, id);
  } catch (thrown) {
    throw thrown instanceof GatewayError && thrown.code === "not_found" ? notFound(id) : thrown;
  }
};

export const createConversation = async (context: RouteContext): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const { caller } = turnCall(context);
  const body = bodyOf(context);
  const metadata = metadataOf(body);
  const messages = messagesOf(itemsIn(body, false), "items");
  const { thread } = await createThread(store, caller, {
    id: `conv_${store.newId()}`,
    ...(metadata === undefined ? {} : { metadata }),
  });
  if (messages.length > 0)
    await appendMessages(
      store,
      caller,
      thread.id,
      messages.map((message) => ({ message })),
    );
  return json(200, conversation(thread));
};

export const retrieveConversation = async (context: RouteContext): Promise<Reply> => {
  const { store } = await threadsOf(context);
  return json(200, conversation(await loadConversation(store, turnCall(context).caller, idOf(context))));
};

export const updateConversation = async (context: RouteContext): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const { caller } = turnCall(context);
  const metadata = metadataOf(bodyOf(context));
  if (metadata === undefined) throw invalid("metadata", "expected an object of strings");
  await loadConversation(store, caller, idOf(context));
  return json(200, conversation(await patchThread(store, caller, idOf(context), { metadata })));
};

export const deleteConversation = async (context: RouteContext): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const { caller } = turnCall(context);
  const id = idOf(context);
  await loadConversation(store, caller, id);
  await deleteThread(store, caller, id);
  return json(200, { id, object: "conversation.deleted", deleted: true });
};

const allItems = async (
  store: ThreadStore,
  caller: Caller,
  id: string,
): Promise<{ item: JsonObject; stored: StoredMessage }[]> => {
  await loadConversation(store, caller, id);
  const path = await loadPath(store, await loadHead(store, caller, id));
  const items = await Promise.all(
    path.map(async (stored) => (await itemsOf(store, caller, stored)).map((item) => ({ item, stored }))),
  );
  return items.flat();
};

export const listItems = async (context: RouteContext): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const page = pageQuery(context.query());
  const all = await allItems(store, turnCall(context).caller, idOf(context));
  return json(
    200,
    pageOf(
      all.map(({ item }) => item),
      page,
    ),
  );
};

export const createItems = async (context: RouteContext): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const { caller } = turnCall(context);
  const messages = messagesOf(itemsIn(bodyOf(context), true), "items");
  await loadConversation(store, caller, idOf(context));
  const stored = await appendMessages(
    store,
    caller,
    idOf(context),
    messages.map((message) => ({ message })),
  );
  const items = await Promise.all(stored.map((each) => itemsOf(store, caller, each)));
  return json(200, listOf(items.flat(), false));
};

const findItem = async (context: RouteContext): Promise<{ item: JsonObject; stored: StoredMessage }> => {
  const { store } = await threadsOf(context);
  const [id = "", wanted = ""] = context.params;
  const found = (await allItems(store, turnCall(context).caller, id)).find(({ item }) => item["id"] === wanted);
  if (found === undefined)
    throw new GatewayError("not_found", `Item with id '${wanted.slice(0, 200)}' not found.`, { param: "item_id" });
  return found;
};

export const retrieveItem = async (context: RouteContext): Promise<Reply> => json(200, (await findItem(context)).item);

/** An answer goes whole: its items belong together (F51). */
export const deleteItem = async (context: RouteContext): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const { caller } = turnCall(context);
  const { stored } = await findItem(context);
  await deleteMessage(store, caller, idOf(context), stored.id);
  return json(200, conversation(await loadConversation(store, caller, idOf(context))));
};
