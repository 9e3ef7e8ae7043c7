// Threads: make, list, read, change, delete, fork.
import { GatewayError, invalid } from "../../model/error.ts";
import { compact } from "../../model/json.ts";
import type { Reply } from "../../model/call.ts";
import { appendMessages, checkMessages } from "../../threads/append.ts";
import { contextStrategies, type ContextStrategy, loadHead, type Thread } from "../../threads/head.ts";
import { withProfile } from "../../threads/profile.ts";
import { type ForkThread, forkThread } from "../../threads/forks.ts";
import {
  createThread,
  deleteThread,
  getThread,
  type ListThreads,
  listThreads,
  patchThread,
  type PatchThread,
  type ThreadFields,
} from "../../threads/threads.ts";
import { json, type RouteContext } from "../route.ts";
import { type Access, accessOf, bodyFields, naming, threadParam } from "./access.ts";
import type { Fields } from "./fields.ts";
import { newMessages } from "./input.ts";
import { listObject, pageOf, threadObject } from "./objects.ts";

const threadReply = (status: number, { store }: Access, thread: Thread): Reply => {
  const reply = json(status, threadObject(thread, store.clock.now()));
  reply.headers["etag"] = `"${thread.revision}"`;
  return reply;
};

const profileNames = ["title", "metadata", "system", "context", "retention_seconds"] as const;

const strategyOf = (fields: Fields): ContextStrategy | undefined => {
  const context = fields.object("context", ["strategy"]);
  if (context === undefined) return undefined;
  const strategy = context.oneOf("strategy", contextStrategies);
  if (strategy === undefined) throw invalid(context.at("strategy"), `expected one of ${contextStrategies.join(", ")}`);
  return strategy;
};

/** Ten thousand years: a time that every store can still write. */
const longestSeconds = 315_000_000_000;

const profileOf = (fields: Fields): ThreadFields =>
  compact<ThreadFields>({
    title: fields.text("title", { max: 500 }),
    metadata: fields.pairs("metadata"),
    system: fields.text("system"),
    strategy: strategyOf(fields),
    settings: undefined,
    retentionSeconds: fields.whole("retention_seconds", 1, longestSeconds),
  });

export const createThreadRoute = async (context: RouteContext): Promise<Reply> => {
  const access = await accessOf(context);
  const { store, caller } = access;
  const fields = bodyFields(context, ["id", "if_exists", "messages", ...profileNames]);
  const id = fields.text("id");
  const ifExists = fields.oneOf("if_exists", ["fail", "return"]);
  const profile = profileOf(fields);
  const messages = newMessages(fields, "messages") ?? [];
  await naming({ "messages[].id": "messages[].client_id" }, (async () => checkMessages(messages))());
  const { thread, created } = await createThread(store, caller, {
    ...profile,
    ...(id === undefined ? {} : { id }),
    ...(ifExists === undefined ? {} : { ifExists }),
  });
  if (!created) return threadReply(200, access, thread);
  if (messages.length === 0) return threadReply(201, access, thread);
  try {
    await appendMessages(store, caller, thread.id, messages);
  } catch (thrown) {
    // A thread without the messages it was asked to begin with is not left behind.
    await deleteThread(store, caller, thread.id).catch(() => undefined);
    throw thrown;
  }
  return threadReply(201, access, await getThread(store, caller, thread.id));
};

export const listThreadsRoute = async (context: RouteContext): Promise<Reply> => {
  const { store, caller } = await accessOf(context);
  const { limit, cursor, query } = pageOf(context);
  const pairs = [...query].flatMap(([name, value]) => {
    const key = /^metadata\[(.*)\]$/s.exec(name)?.[1];
    if (key === undefined) return [];
    if (key === "" || key.length > 64) throw invalid("metadata", "expected names of 1 to 64 characters");
    return [[key, value] as const];
  });
  const { threads, next } = await listThreads(
    store,
    caller,
    compact<ListThreads>({
      limit,
      cursor,
      titlePrefix: query.get("title_prefix") ?? undefined,
      metadata: pairs.length === 0 ? undefined : Object.fromEntries(pairs),
    }),
  );
  const whole = await Promise.all(threads.map((thread) => withProfile(store, thread)));
  const now = store.clock.now();
  return json(
    200,
    listObject(
      whole.map((thread) => threadObject(thread, now)),
      next,
    ),
  );
};

export const getThreadRoute = async (context: RouteContext): Promise<Reply> => {
  const access = await accessOf(context);
  return threadReply(200, access, await getThread(access.store, access.caller, threadParam(context)));
};

/** The revision that `if-match` asks for; undefined where any will do. A list of them is fine with each. */
const matchOf = async (
  { store, caller }: Access,
  id: string,
  given: string | undefined,
): Promise<number | undefined> => {
  if (given === undefined || given.trim() === "" || given.trim() === "*") return undefined;
  const tags = new Set(given.split(",").map((tag) => /^\s*(?:W\/)?"([^"]*)"\s*$/.exec(tag)?.[1]));
  if (tags.has(undefined)) throw invalid("if-match", "expected an entity tag in quotes, or *");
  const { revision } = await loadHead(store, caller, id);
  if (!tags.has(String(revision)))
    throw new GatewayError("precondition_failed", "The thread was changed since it was read.", { param: "if-match" });
  return revision;
};

export const patchThreadRoute = async (context: RouteContext): Promise<Reply> => {
  const access = await accessOf(context);
  const id = threadParam(context);
  const fields = bodyFields(context, profileNames);
  const patch: PatchThread = profileOf(fields);
  const nulled = (name: string): boolean => fields.given(name) === null;
  if (nulled("title")) patch.title = null;
  if (nulled("metadata")) patch.metadata = null;
  if (nulled("system")) patch.system = null;
  if (nulled("context")) patch.strategy = null;
  if (nulled("retention_seconds")) patch.retentionSeconds = null;
  const ifMatch = await matchOf(access, id, context.call.headers["if-match"]);
  return threadReply(200, access, await patchThread(access.store, access.caller, id, patch, ifMatch));
};

export const deleteThreadRoute = async (context: RouteContext): Promise<Reply> => {
  const { store, caller } = await accessOf(context);
  const id = threadParam(context);
  await deleteThread(store, caller, id);
  return json(200, { id, object: "thread.deleted", deleted: true });
};

export const forkRoute = async (context: RouteContext): Promise<Reply> => {
  const access = await accessOf(context);
  const id = threadParam(context);
  const fields = bodyFields(context, ["id", "message_id", "title", "metadata", "retention_seconds"]);
  const { title, metadata, retentionSeconds } = profileOf(fields);
  const fork = await naming(
    { up_to: "message_id" },
    forkThread(
      access.store,
      access.caller,
      id,
      compact<ForkThread>({
        id: fields.text("id"),
        upTo: fields.text("message_id", { min: 1 }),
        title,
        metadata,
        retentionSeconds,
      }),
    ),
  );
  return threadReply(201, access, fork);
};
