// The messages of a thread: list, append, read, delete, siblings, the active branch.
import { invalid } from "../../model/error.ts";
import { compact } from "../../model/json.ts";
import type { Reply } from "../../model/call.ts";
import { type AppendOptions, appendMessages } from "../../threads/append.ts";
import {
  deleteMessage,
  getMessage,
  type ListOptions,
  listMessages,
  listSiblings,
  setActiveLeaf,
} from "../../threads/messages.ts";
import { getThread } from "../../threads/threads.ts";
import { json, type RouteContext } from "../route.ts";
import { accessOf, bodyFields, naming, threadParam } from "./access.ts";
import { messageFields, newMessage, newMessages, parentOf } from "./input.ts";
import { listObject, messageObject, orderOf, pageOf, threadObject } from "./objects.ts";

export const listMessagesRoute = async (context: RouteContext): Promise<Reply> => {
  const { store, caller } = await accessOf(context);
  const { limit, cursor, query } = pageOf(context);
  const branch = query.get("branch") ?? "all";
  if (branch !== "all" && branch !== "path") throw invalid("branch", "expected all or path");
  const options = compact<ListOptions>({
    limit,
    after: cursor,
    before: query.get("before") ?? undefined,
    descending: orderOf(query, "asc") === "desc",
    branch,
    leaf: query.get("leaf") ?? undefined,
  });
  const { messages, hasMore } = await listMessages(store, caller, threadParam(context), options);
  return json(200, listObject(messages.map(messageObject), hasMore ? messages.at(-1)?.id : undefined));
};

/** One message answers with itself, a list of them with a list. */
export const appendRoute = async (context: RouteContext): Promise<Reply> => {
  const { store, caller } = await accessOf(context);
  const thread = threadParam(context);
  const fields = bodyFields(context, ["messages", "parent_id", ...messageFields]);
  const several = newMessages(fields, "messages");
  const single = messageFields.find((name) => (fields.given(name) ?? undefined) !== undefined);
  if (several !== undefined && single !== undefined)
    throw invalid(single, "expected messages, or the fields of one message, not both");
  if (several?.length === 0) throw invalid("messages", "expected at least 1");
  const parentId = parentOf(fields);
  const options: AppendOptions = parentId === undefined ? {} : { parentId };
  const messages = several ?? [newMessage(fields)];
  const appended = await naming(
    { "messages[].id": several === undefined ? "client_id" : "messages[].client_id" },
    appendMessages(store, caller, thread, messages, options),
  );
  const [first] = appended;
  return json(
    201,
    several === undefined && first !== undefined ? messageObject(first) : listObject(appended.map(messageObject)),
  );
};

const messageParam = ({ params: [, id = ""] }: RouteContext): string => id;

export const getMessageRoute = async (context: RouteContext): Promise<Reply> => {
  const { store, caller } = await accessOf(context);
  return json(200, messageObject(await getMessage(store, caller, threadParam(context), messageParam(context))));
};

export const deleteMessageRoute = async (context: RouteContext): Promise<Reply> => {
  const { store, caller } = await accessOf(context);
  const thread = threadParam(context);
  const { id } = await getMessage(store, caller, thread, messageParam(context));
  await deleteMessage(store, caller, thread, id);
  return json(200, { id, object: "thread.message.deleted", deleted: true });
};

export const siblingsRoute = async (context: RouteContext): Promise<Reply> => {
  const { store, caller } = await accessOf(context);
  const siblings = await listSiblings(store, caller, threadParam(context), messageParam(context));
  return json(200, listObject(siblings.map(messageObject)));
};

export const activeLeafRoute = async (context: RouteContext): Promise<Reply> => {
  const { store, caller } = await accessOf(context);
  const thread = threadParam(context);
  const fields = bodyFields(context, ["message_id"]);
  const leaf = fields.needText("message_id", { min: 1, max: 256 });
  await naming({ parent_id: "message_id" }, setActiveLeaf(store, caller, thread, leaf));
  return json(200, threadObject(await getThread(store, caller, thread), store.clock.now()));
};
