// A thread's head: the one item that every turn reads and writes. Who owns it, where it ends, which run holds it.
import { GatewayError, invalid } from "../model/error.ts";
import { asArray, asNumber, asObject, asString, type Json, type JsonObject } from "../model/json.ts";
import type { Condition, FieldTest, Item, Key } from "../stores/table.ts";
import { headKey, threadPartition } from "./keys.ts";
import type { Caller, ThreadStore } from "./store.ts";

export type ContextStrategy = "window" | "summarize" | "none";
export const contextStrategies: readonly ContextStrategy[] = ["window", "summarize", "none"];

/** A part of the history that lies in another thread: its messages up to and including `upTo`. */
export type Segment = { thread: string; upTo: number };

export type Thread = {
  space: string;
  owner: string;
  id: string;
  /** Unix milliseconds. */
  createdAt: number;
  updatedAt: number;
  /** Counts changes of title, metadata and settings: the ETag. Messages and runs leave it alone. */
  revision: number;
  title?: string;
  metadata: Record<string, string>;
  /** Instructions that open every request of the thread. */
  system?: string;
  /** Where instructions and settings are long, they lie apart, under this revision (`withProfile`). */
  profile?: number;
  strategy: ContextStrategy;
  /** Kept for routes; nothing here reads it. */
  settings: JsonObject;
  retentionSeconds?: number;
  /** Unix milliseconds. From then on it is as if it weren't there, and the sweeper deletes it. */
  expiresAt?: number;
  /** The number of the next message; also how many there are. */
  nextSeq: number;
  /** The message that the next one follows; -1 before the first. */
  leaf: number;
  leafId?: string;
  /** Estimated tokens of the whole active path. */
  tokens: number;
  /** Real tokens to estimated ones, as told by providers; in steps, so that it seldom moves. */
  ratio: number;
  /** Grows with every change of hands. Writers that hold an older one are refused. */
  fence: number;
  /** The active run, and until when its holder has said it lives. */
  run?: string;
  leaseUntil?: number;
  /** The run that is asked to stop. */
  cancel?: string;
  /** The run that waits for its tools' outputs. */
  parked?: string;
  parkedUntil?: number;
  /** Runs that wait for the active one to end, first come first served. */
  queue: string[];
  /** What was inherited from other threads, oldest first; what follows lies here. */
  segments: Segment[];
};

const idPattern = /^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}$/;

export const isId = (id: string): boolean => idPattern.test(id);

export const checkId = (id: string, param: string): string => {
  if (!isId(id)) throw invalid(param, "expected 1 to 128 letters, digits, or any of _ . : @ -");
  return id;
};

export const headAt = (space: string, thread: string): Key => ({ pk: threadPartition(space, thread), sk: headKey });

export const threadNotFound = (): GatewayError =>
  new GatewayError("not_found", "No such thread.", { param: "thread_id" });

/** Being deleted, past its end, or a fork that is not whole yet: there for those who clean up, for nobody else. */
const isGone = (data: JsonObject, now: number): boolean =>
  data["deleted"] === true || data["pending"] === true || (asNumber(data["expiresAt"]) ?? Infinity) <= now;

/** The queue is one string, so that a condition can name it. Absent where nobody waits. */
export const encodeQueue = (queue: readonly string[]): string | undefined =>
  queue.length === 0 ? undefined : queue.join(",");
const decodeQueue = (value: unknown): string[] => (typeof value === "string" && value !== "" ? value.split(",") : []);

export const decodeSegments = (value: Json | undefined): Segment[] =>
  (asArray(value) ?? []).flatMap((each): Segment[] => {
    const segment = asObject(each);
    const thread = asString(segment?.["thread"]);
    const upTo = asNumber(segment?.["upTo"]);
    return thread === undefined || upTo === undefined ? [] : [{ thread, upTo }];
  });

export const decodeHead = (space: string, item: Item): Thread => {
  const { data } = item;
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(asObject(data["metadata"]) ?? {}))
    if (typeof value === "string") metadata[name] = value;
  const thread: Thread = {
    space,
    owner: asString(data["owner"]) ?? "",
    id: asString(data["id"]) ?? "",
    createdAt: asNumber(data["createdAt"]) ?? 0,
    updatedAt: asNumber(data["updatedAt"]) ?? 0,
    revision: asNumber(data["revision"]) ?? 1,
    metadata,
    strategy: contextStrategies.find((each) => each === data["strategy"]) ?? "window",
    settings: asObject(data["settings"]) ?? {},
    nextSeq: asNumber(data["nextSeq"]) ?? 0,
    leaf: asNumber(data["leaf"]) ?? -1,
    tokens: asNumber(data["tokens"]) ?? 0,
    ratio: asNumber(data["ratio"]) ?? 1,
    fence: asNumber(data["fence"]) ?? 0,
    queue: decodeQueue(data["queue"]),
    segments: decodeSegments(data["segments"]),
  };
  for (const name of ["title", "system", "leafId", "run", "cancel", "parked"] as const) {
    const value = asString(data[name]);
    if (value !== undefined) thread[name] = value;
  }
  for (const name of ["retentionSeconds", "expiresAt", "profile", "leaseUntil", "parkedUntil"] as const) {
    const value = asNumber(data[name]);
    if (value !== undefined) thread[name] = value;
  }
  return thread;
};

/** Whatever stands at the head's place. */
export const findHeadItem = (store: ThreadStore, space: string, id: string): Promise<Item | undefined> =>
  store.table.get(headAt(space, id));

/** The head as it is now, for whoever asks on the system's behalf (sweeper, worker). */
export const findHead = async (store: ThreadStore, space: string, id: string): Promise<Thread | undefined> => {
  const item = await findHeadItem(store, space, id);
  return item === undefined || isGone(item.data, store.clock.now()) ? undefined : decodeHead(space, item);
};

/** A thread of another owner is as if it weren't there. */
export const loadHead = async (store: ThreadStore, caller: Caller, id: string): Promise<Thread> => {
  const head = await findHead(store, caller.space, id);
  if (head === undefined || head.owner !== caller.owner) throw threadNotFound();
  return head;
};

const equals = (field: string, value: string | number | undefined): FieldTest =>
  value === undefined ? { field, is: "absent" } : { field, is: "=", value };

/** Nothing that a new message builds on has moved since `head` was read; `also` names more of its fields. */
export const unmoved = (head: Thread, ...also: ("leaseUntil" | "revision")[]): Condition => ({
  item: "present",
  fields: [
    ...also.map((field) => equals(field, head[field])),
    equals("nextSeq", head.nextSeq),
    equals("leafId", head.leafId),
    equals("fence", head.fence),
    equals("run", head.run),
    equals("parked", head.parked),
    equals("queue", encodeQueue(head.queue)),
    { field: "deleted", is: "absent" },
    { field: "pending", is: "absent" },
  ],
});

/** The run still holds its thread; with `queue`, nobody came or went in the meantime either. */
export const held = (fence: number, run: string, queue?: readonly string[]): Condition => ({
  item: "present",
  fields: [
    equals("fence", fence),
    equals("run", run),
    { field: "deleted", is: "absent" },
    ...(queue === undefined ? [] : [equals("queue", encodeQueue(queue))]),
  ],
});

export const isLeased = (head: Thread, now: number): boolean => head.run !== undefined && (head.leaseUntil ?? 0) > now;

export const contention = (): GatewayError =>
  new GatewayError("conflict", "The thread was changed by others at the same time; try again.", { retryable: true });
