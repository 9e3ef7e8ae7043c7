// Threads themselves: create, get, list, change.
import { GatewayError, invalid } from "../model/error.ts";
import { asString, compact, type JsonObject } from "../model/json.ts";
import type { NewItem, Operation } from "../stores/table.ts";
import { removeThread } from "./deletion.ts";
import {
  checkId,
  contention,
  type ContextStrategy,
  contextStrategies,
  findHead,
  headAt,
  loadHead,
  type Thread,
} from "./head.ts";
import {
  byTime,
  byTitle,
  dueEntry,
  headKey,
  listKeys,
  metadataIndex,
  metadataListKey,
  ownerIndex,
  profileKey,
  threadPartition,
  titleIndex,
  titlePrefix,
} from "./keys.ts";
import { splitProfile, withProfile } from "./profile.ts";
import { type Caller, contentionTries, type ThreadStore } from "./store.ts";

export type { Thread } from "./head.ts";

export type ThreadFields = {
  title?: string;
  metadata?: Record<string, string>;
  system?: string;
  strategy?: ContextStrategy;
  settings?: JsonObject;
  /** Seconds after its creation until it is deleted. */
  retentionSeconds?: number;
};

export type CreateThread = ThreadFields & {
  id?: string;
  /** Where there is a thread of this id: an error (`fail`, the default), or that thread as it is (`return`). */
  ifExists?: "fail" | "return";
};

const checkFields = ({ title, metadata, strategy, retentionSeconds }: ThreadFields): void => {
  if (title !== undefined && title.length > 500) throw invalid("title", "expected at most 500 characters");
  const entries = Object.entries(metadata ?? {});
  if (entries.length > 16) throw invalid("metadata", "expected at most 16 pairs");
  for (const [name, value] of entries) {
    if (name === "" || name.length > 64) throw invalid("metadata", "expected names of 1 to 64 characters");
    if (typeof value !== "string" || value.length > 512)
      throw invalid(`metadata.${name}`, "expected a string of at most 512 characters");
  }
  if (strategy !== undefined && !contextStrategies.includes(strategy))
    throw invalid("context.strategy", `expected one of ${contextStrategies.join(", ")}`);
  if (retentionSeconds !== undefined && (!Number.isInteger(retentionSeconds) || retentionSeconds < 1))
    throw invalid("retention_seconds", "expected a whole number of seconds");
};

/** What puts a thread into the lists. */
export const listItems = (thread: Thread): NewItem[] => {
  const { space, owner, id, createdAt } = thread;
  const pk = threadPartition(space, id);
  const data = { thread: id, space };
  const time = byTime(createdAt, id);
  return [
    { pk, sk: listKeys.owner, data, ipk: ownerIndex(space, owner), isk: time },
    ...(thread.title === undefined || titlePrefix(thread.title) === ""
      ? []
      : [{ pk, sk: listKeys.title, data, ipk: titleIndex(space, owner), isk: byTitle(thread.title, id) }]),
    ...Object.entries(thread.metadata).map(([name, value]) => ({
      pk,
      sk: metadataListKey(name),
      data,
      ipk: metadataIndex(space, owner, name, value),
      isk: time,
    })),
    ...(thread.expiresAt === undefined
      ? []
      : [{ pk, sk: listKeys.due, data, ...dueEntry(space, id, thread.expiresAt) }]),
  ];
};

export const newHead = (store: ThreadStore, caller: Caller, id: string, fields: ThreadFields): Thread => {
  const now = store.clock.now();
  return compact<Thread>({
    space: caller.space,
    owner: caller.owner,
    id,
    createdAt: now,
    updatedAt: now,
    revision: 1,
    title: fields.title,
    metadata: fields.metadata ?? {},
    system: fields.system,
    profile: undefined,
    strategy: fields.strategy ?? "window",
    settings: fields.settings ?? {},
    retentionSeconds: fields.retentionSeconds,
    expiresAt: fields.retentionSeconds === undefined ? undefined : now + fields.retentionSeconds * 1000,
    nextSeq: 0,
    leaf: -1,
    leafId: undefined,
    tokens: 0,
    ratio: 1,
    fence: 0,
    run: undefined,
    leaseUntil: undefined,
    cancel: undefined,
    parked: undefined,
    parkedUntil: undefined,
    queue: [],
    segments: [],
  });
};

/** The items of a new thread, without those that list it. Its head comes first. */
export const headItems = async (
  store: ThreadStore,
  thread: Thread,
  extra: JsonObject = {},
): Promise<[NewItem, ...NewItem[]]> => {
  const { space: _tenant, queue: _queue, system: _system, settings: _settings, ...data } = thread;
  const profile = await splitProfile(store, thread);
  return [
    {
      ...headAt(thread.space, thread.id),
      data: { ...(data as unknown as JsonObject), ...profile.fields, ...extra },
    },
    ...(profile.item === undefined ? [] : [profile.item]),
  ];
};

/** A thread's id is unique within its space. */
export const createThread = async (
  store: ThreadStore,
  caller: Caller,
  input: CreateThread = {},
): Promise<{ thread: Thread; created: boolean }> => {
  checkFields(input);
  const id = input.id === undefined ? `thread_${store.newId()}` : checkId(input.id, "id");
  const thread = newHead(store, caller, id, input);
  const pk = threadPartition(caller.space, id);
  for (let tried = 0; tried < contentionTries; tried += 1) {
    const [head, ...more] = await headItems(store, thread);
    const written = await store.table.transact(pk, [
      { put: head, condition: { item: "absent" } },
      ...[...more, ...listItems(thread)].map((put) => ({ put })),
    ]);
    if (written.ok) return { thread, created: true };
    const there = await findHead(store, caller.space, id);
    if (there === undefined) {
      // The remains of an older one of this name.
      await removeThread(store, caller.space, id);
      continue;
    }
    if (input.ifExists === "return" && there.owner === caller.owner)
      return { thread: await withProfile(store, there), created: false };
    throw new GatewayError("conflict", "There is a thread of this id.", { param: "id" });
  }
  throw contention();
};

export const getThread = async (store: ThreadStore, caller: Caller, id: string): Promise<Thread> =>
  withProfile(store, await loadHead(store, caller, id));

export type ListThreads = {
  /** All of these pairs. */
  metadata?: Record<string, string>;
  /** Titles that begin so, in any case; listed by title, where everything else lists the newest first. */
  titlePrefix?: string;
  limit?: number;
  /** `next` of the page before. */
  cursor?: string;
};

export type ThreadPage = { threads: Thread[]; next?: string };

/**
 * The caller's own threads. The lists may lag behind by seconds; what they give is checked against the threads as they are. Long
 * instructions and settings are left out: `getThread` has them.
 */
export const listThreads = async (
  store: ThreadStore,
  caller: Caller,
  options: ListThreads = {},
): Promise<ThreadPage> => {
  const { limit = 20 } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > 100)
    throw invalid("limit", "expected a whole number from 1 to 100");
  const pairs = Object.entries(options.metadata ?? {});
  const prefix = titlePrefix(options.titlePrefix ?? "");
  const [first] = pairs;
  const ipk =
    prefix !== ""
      ? titleIndex(caller.space, caller.owner)
      : first !== undefined
        ? metadataIndex(caller.space, caller.owner, first[0], first[1])
        : ownerIndex(caller.space, caller.owner);
  const fits = (thread: Thread | undefined): thread is Thread =>
    thread !== undefined &&
    thread.owner === caller.owner &&
    pairs.every(([name, value]) => thread.metadata[name] === value) &&
    titlePrefix(thread.title ?? "").startsWith(prefix);
  const threads: Thread[] = [];
  let cursor = options.cursor;
  // Entries that don't fit are passed over, but not without end: a page may be short though more follow.
  for (let looked = 0; looked < 10; looked += 1) {
    const page = await store.table.query({
      pk: ipk,
      index: true,
      descending: prefix === "",
      limit: limit - threads.length,
      ...(prefix === "" ? {} : { prefix }),
      ...(cursor === undefined ? {} : { cursor }),
    });
    const ids = page.items.map(({ data }) => asString(data["thread"]) ?? "");
    const heads = await Promise.all(ids.map((id) => findHead(store, caller.space, id)));
    threads.push(...heads.filter(fits));
    cursor = page.next;
    if (cursor === undefined || threads.length >= limit) break;
  }
  return compact<ThreadPage>({ threads, next: cursor });
};

export type PatchThread = { [Name in keyof ThreadFields]: ThreadFields[Name] | null };

/** null removes a field; metadata are replaced as a whole. `ifMatch`: the revision the change is meant for (`precondition_failed`). */
export const patchThread = async (
  store: ThreadStore,
  caller: Caller,
  id: string,
  patch: PatchThread,
  ifMatch?: number,
): Promise<Thread> => {
  const given = compact<ThreadFields>(
    Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== null)) as ThreadFields,
  );
  checkFields(given);
  for (let tried = 0; tried < contentionTries; tried += 1) {
    const head = await getThread(store, caller, id);
    if (ifMatch !== undefined && ifMatch !== head.revision)
      throw new GatewayError("precondition_failed", "The thread was changed since it was read.", { param: "if-match" });
    const changed = patched(head, patch, store.clock.now());
    const pk = threadPartition(caller.space, id);
    const before = listItems(head);
    const after = listItems(changed);
    const lists: Operation[] = [
      ...before
        .filter((old) => !after.some(({ sk }) => sk === old.sk))
        .map(({ sk }): Operation => ({ delete: { pk, sk } })),
      ...after
        .filter((item) => !before.some((old) => old.sk === item.sk && old.ipk === item.ipk && old.isk === item.isk))
        .map((put): Operation => ({ put })),
    ];
    const names = ["title", "metadata", "strategy", "retentionSeconds", "expiresAt"] as const;
    const profile = await splitProfile(store, changed);
    const fields: JsonObject = {
      ...(Object.fromEntries(names.map((name) => [name, changed[name]])) as JsonObject),
      system: profile.fields["system"],
      settings: profile.fields["settings"],
      profile: profile.fields["profile"],
    };
    const written = await store.table.transact(pk, [
      {
        update: { pk, sk: headKey },
        change: {
          set: compact<JsonObject>({
            ...fields,
            revision: changed.revision,
            updatedAt: changed.updatedAt,
          }),
          remove: Object.keys(fields).filter((name) => fields[name] === undefined),
        },
        condition: {
          item: "present",
          fields: [
            { field: "revision", is: "=", value: head.revision },
            { field: "deleted", is: "absent" },
          ],
        },
      },
      ...lists,
      ...(head.profile === undefined ? [] : [{ delete: { pk, sk: profileKey(head.profile) } }]),
      ...(profile.item === undefined ? [] : [{ put: profile.item }]),
    ]);
    if (written.ok) return getThread(store, caller, id);
  }
  throw contention();
};

const patched = (head: Thread, patch: PatchThread, now: number): Thread => {
  const pick = <Name extends keyof ThreadFields & keyof Thread>(name: Name): Thread[Name] | undefined =>
    patch[name] === null ? undefined : ((patch[name] as Thread[Name] | undefined) ?? head[name]);
  const retentionSeconds = pick("retentionSeconds");
  const { title: _title, system: _system, profile: _profile, ...rest } = head;
  return compact<Thread>({
    ...rest,
    updatedAt: now,
    revision: head.revision + 1,
    title: pick("title"),
    system: pick("system"),
    metadata: pick("metadata") ?? {},
    strategy: pick("strategy") ?? "window",
    settings: pick("settings") ?? {},
    retentionSeconds,
    expiresAt: retentionSeconds === undefined ? undefined : head.createdAt + retentionSeconds * 1000,
  });
};

/** With everything it owns: messages, runs, events, bodies. Forks keep what they show. Usage stays for the bill. */
export const deleteThread = async (store: ThreadStore, caller: Caller, id: string): Promise<void> => {
  await loadHead(store, caller, id);
  await removeThread(store, caller.space, id);
};
