// A run and its states, as stored.
import type { GatewayError } from "../model/error.ts";
import { asArray, asNumber, asObject, asString, compact, type JsonObject } from "../model/json.ts";
import type { Usage } from "../model/usage.ts";
import type { Item, Key, NewItem } from "../stores/table.ts";
import { decodeError, encodeError } from "./event-items.ts";
import { activeIndex, byTime, runKey, shardOf, threadPartition, usageIndex, usageKey } from "./keys.ts";
import { keepBlob, loadBody } from "./bodies.ts";
import type { ThreadStore } from "./store.ts";
import type { Thread } from "./head.ts";

/**
 * queued -> in_progress -> completed | incomplete | failed | cancelled | expired, and in_progress <-> requires_action while tools
 * are at work. What is parked or queued may also be cancelled or expire.
 */
export const runStates = {
  queued: { ended: false, next: ["in_progress", "cancelled", "expired", "failed"] },
  in_progress: { ended: false, next: ["requires_action", "completed", "incomplete", "failed", "cancelled", "expired"] },
  requires_action: { ended: false, next: ["in_progress", "completed", "cancelled", "expired"] },
  completed: { ended: true, next: [] },
  incomplete: { ended: true, next: [] },
  failed: { ended: true, next: [] },
  cancelled: { ended: true, next: [] },
  expired: { ended: true, next: [] },
} as const satisfies Record<string, { ended: boolean; next: readonly string[] }>;

export type RunState = keyof typeof runStates;

export const hasEnded = (state: RunState): boolean => runStates[state].ended;
export const mayBecome = (from: RunState, to: RunState): boolean =>
  (runStates[from].next as readonly string[]).includes(to);

export type Run = {
  id: string;
  thread: string;
  state: RunState;
  /** 1 for the first call of the model, one more with every return of its tools' outputs. */
  step: number;
  /** Unix milliseconds. */
  createdAt: number;
  startedAt?: number;
  endedAt?: number;
  /** What the caller asked for (model, tools, wire, limits): kept for whoever carries the run out. */
  request: JsonObject;
  /** Where the request is large, it lies in the blobs (`loadRequest`), and `request` is empty. */
  requestBlob?: string;
  metadata: JsonObject;
  /** The numbers of the messages it began with, and the id of the one that it last made. */
  firstInput?: number;
  lastInput?: number;
  output?: string;
  /** Calls whose outputs it waits for. */
  pending: string[];
  error?: GatewayError;
  usage?: Usage;
  /** What its end was told to keep (the answer's id, reason and the like): small, and nothing here reads it. */
  result?: JsonObject;
  /** The number of the first event of this step. */
  stepFirst: number;
  /** Once a step has ended with calls of tools: the number of the next step's first event. */
  nextFirst?: number;
  /** The fence of whoever ended it or parked it. */
  endedBy?: number;
};

/** One upstream call, paid for once: `run` and `step` are its name. */
export type UsageRecord = {
  provider?: string;
  /** The provider's own model name. */
  model?: string;
  usage: Usage;
  /** The provider never told: counted by estimate. */
  estimated?: boolean;
  /** Dollars, where known. */
  cost?: number;
};

export const runAt = (space: string, thread: string, run: string): Key => ({
  pk: threadPartition(space, thread),
  sk: runKey(run),
});

/** Runs that have not ended are where the sweeper looks. */
const activeEntry = (
  space: string,
  thread: string,
  run: Pick<Run, "id" | "createdAt">,
): { ipk: string; isk: string } => ({
  ipk: activeIndex(shardOf(thread)),
  isk: byTime(run.createdAt, `${space}/${thread}/${run.id}`),
});

export const encodeRun = (space: string, run: Run): JsonObject => {
  const { error, ...fields } = run;
  return compact<JsonObject>({
    ...(fields as unknown as JsonObject),
    space,
    error: error === undefined ? undefined : encodeError(error),
  });
};

const requestInline = 16 * 1024;

/** The run, its request moved to the blobs where it is large: the item is written again at every step. */
export const withoutLargeRequest = async (store: ThreadStore, head: Thread, run: Run): Promise<Run> => {
  if (run.requestBlob !== undefined) return run;
  const text = JSON.stringify(run.request);
  if (text.length <= requestInline) return run;
  return { ...run, request: {}, requestBlob: await keepBlob(store, head.space, head.id, Buffer.from(text)) };
};

export const loadRequest = async (store: ThreadStore, space: string, run: Run): Promise<JsonObject> =>
  run.requestBlob === undefined
    ? run.request
    : (asObject(JSON.parse(await loadBody(store, space, run.thread, { blob: run.requestBlob }))) ?? {});

export const runItem = (head: Thread, run: Run, extra: JsonObject = {}): NewItem => ({
  ...runAt(head.space, head.id, run.id),
  data: { ...encodeRun(head.space, run), ...extra },
  ...(hasEnded(run.state) ? {} : activeEntry(head.space, head.id, run)),
});

export const decodeRun = ({ data }: Item): Run =>
  compact<Run>({
    id: asString(data["id"]) ?? "",
    thread: asString(data["thread"]) ?? "",
    state: (asString(data["state"]) ?? "failed") as RunState,
    step: asNumber(data["step"]) ?? 1,
    createdAt: asNumber(data["createdAt"]) ?? 0,
    startedAt: asNumber(data["startedAt"]),
    endedAt: asNumber(data["endedAt"]),
    request: asObject(data["request"]) ?? {},
    requestBlob: asString(data["requestBlob"]),
    metadata: asObject(data["metadata"]) ?? {},
    firstInput: asNumber(data["firstInput"]),
    lastInput: asNumber(data["lastInput"]),
    output: asString(data["output"]),
    pending: (asArray(data["pending"]) ?? []).filter((each) => typeof each === "string"),
    error: data["error"] === undefined ? undefined : decodeError(data["error"]),
    usage: asObject(data["usage"]) as unknown as Usage | undefined,
    result: asObject(data["result"]),
    stepFirst: asNumber(data["stepFirst"]) ?? 1,
    nextFirst: asNumber(data["nextFirst"]),
    endedBy: asNumber(data["endedBy"]),
  });

export const usageItem = (
  head: Pick<Thread, "space" | "owner" | "id">,
  run: string,
  step: number,
  now: number,
  record: UsageRecord,
): NewItem => ({
  pk: threadPartition(head.space, head.id),
  sk: usageKey(run, step),
  data: { ...(record as unknown as JsonObject), run, step, thread: head.id, owner: head.owner, at: now },
  ipk: usageIndex(head.space),
  isk: byTime(now, `${head.id}/${run}/${step}`),
});

export const decodeUsage = ({ data }: Item): UsageRecord & { run: string; step: number; at: number } => ({
  ...(data as unknown as UsageRecord),
  run: asString(data["run"]) ?? "",
  step: asNumber(data["step"]) ?? 1,
  at: asNumber(data["at"]) ?? 0,
});
