// Jobs: work that goes on after its answer. The record stands in the table, the queue holds its name, and any worker may take it.
import { GatewayError, toGatewayError } from "../model/error.ts";
import { asNumber, asString, compact, type Json, type JsonObject } from "../model/json.ts";
import type { Queue } from "../queues/queue.ts";
import type { Item, Key } from "../stores/table.ts";
import { loadBody, storeLooseBody } from "./bodies.ts";
import { decodeError, encodeError } from "./event-items.ts";
import { checkId } from "./head.ts";
import { byTime, jobIndex, jobPartition, shardOf } from "./keys.ts";
import type { Caller, ThreadStore } from "./store.ts";

type JobState = "queued" | "running" | "completed" | "failed" | "cancelled";

export type Job = {
  id: string;
  space: string;
  owner: string;
  /** Which worker function it is for. */
  kind: string;
  payload: Json;
  state: JobState;
  attempts: number;
  /** Unix milliseconds. */
  createdAt: number;
  endedAt?: number;
  result?: Json;
  error?: GatewayError;
  /** It was asked to stop while it ran. */
  cancelRequested?: boolean;
};

/** The right to work on a job until the lease runs out. */
export type JobClaim = { job: Job; fence: number };

const sk = "job";
const keepSeconds = 30 * 86_400;
const keyOf = (space: string, id: string): Key => ({ pk: jobPartition(space, id), sk });

/** The name by which a queue knows a job. */
export const jobRef = (job: Pick<Job, "space" | "id">): string => `${encodeURIComponent(job.space)}/${job.id}`;

const parseRef = (ref: string): { space: string; id: string } => {
  const at = ref.indexOf("/");
  if (at < 1) throw new GatewayError("internal", "A queue message names no job.");
  return { space: decodeURIComponent(ref.slice(0, at)), id: ref.slice(at + 1) };
};

const ended: ReadonlySet<JobState> = new Set<JobState>(["completed", "failed", "cancelled"]);
const jobHasEnded = (job: Pick<Job, "state">): boolean => ended.has(job.state);

/** Bodies of a job lie in its own scope of the blobs. */
const scopeOf = (id: string): string => `job:${id}`;

const decodeJob = async (store: ThreadStore, space: string, { data }: Item): Promise<Job> => {
  const id = asString(data["id"]) ?? "";
  const result =
    asString(data["result"]) ??
    (data["resultBlob"] === undefined
      ? undefined
      : await loadBody(store, space, scopeOf(id), { blob: data["resultBlob"] }));
  return compact<Job>({
    id,
    space,
    owner: asString(data["owner"]) ?? "",
    kind: asString(data["kind"]) ?? "",
    payload: JSON.parse(await loadBody(store, space, scopeOf(id), data)) as Json,
    state: (asString(data["state"]) ?? "failed") as JobState,
    attempts: asNumber(data["attempts"]) ?? 0,
    createdAt: asNumber(data["createdAt"]) ?? 0,
    endedAt: asNumber(data["endedAt"]),
    result: result === undefined ? undefined : (JSON.parse(result) as Json),
    error: data["error"] === undefined ? undefined : decodeError(data["error"]),
    cancelRequested: data["cancel"] === true ? true : undefined,
  });
};

export type NewJob = { id?: string; kind: string; payload: Json; delaySeconds?: number };

/** The record first, then the message: a crash between the two leaves a record that `overdueJobs` finds. */
export const createJob = async (store: ThreadStore, queue: Queue, caller: Caller, input: NewJob): Promise<Job> => {
  const id = input.id === undefined ? `job_${store.newId()}` : checkId(input.id, "id");
  const now = store.clock.now();
  const body = await storeLooseBody(
    store,
    caller.space,
    scopeOf(id),
    JSON.stringify(input.payload),
    now + keepSeconds * 1000,
  );
  const data: JsonObject = {
    id,
    space: caller.space,
    owner: caller.owner,
    kind: input.kind,
    state: "queued",
    attempts: 0,
    createdAt: now,
    fence: 0,
    ...body,
  };
  const written = await store.table.put(
    {
      ...keyOf(caller.space, id),
      data,
      expiresAt: Math.floor(now / 1000) + keepSeconds,
      ipk: jobIndex(shardOf(id)),
      isk: byTime(now + (input.delaySeconds ?? 0) * 1000, id),
    },
    { item: "absent" },
  );
  if (!written.ok) throw new GatewayError("conflict", "There is a job of this id.", { param: "id" });
  await queue.send({ id: jobRef({ space: caller.space, id }) }, input.delaySeconds);
  return {
    id,
    space: caller.space,
    owner: caller.owner,
    kind: input.kind,
    payload: input.payload,
    state: "queued",
    attempts: 0,
    createdAt: now,
  };
};

export const getJob = async (store: ThreadStore, caller: Caller, id: string): Promise<Job> => {
  const item = await store.table.get(keyOf(caller.space, id));
  if (item === undefined || item.data["owner"] !== caller.owner)
    throw new GatewayError("not_found", "No such job.", { param: "job_id" });
  return decodeJob(store, caller.space, item);
};

/** The job that a queue message names, if it is still to be done and nobody else is at it. Messages may come twice. */
export const claimJob = async (store: ThreadStore, ref: string, leaseMs: number): Promise<JobClaim | undefined> => {
  const { space, id } = parseRef(ref);
  const item = await store.table.get(keyOf(space, id));
  if (item === undefined) return undefined;
  const state = asString(item.data["state"]) as JobState;
  const now = store.clock.now();
  if (ended.has(state) || (state === "running" && (asNumber(item.data["leaseUntil"]) ?? 0) > now)) return undefined;
  const fence = (asNumber(item.data["fence"]) ?? 0) + 1;
  const written = await store.table.update(
    keyOf(space, id),
    {
      set: { state: "running", fence, leaseUntil: now + leaseMs },
      add: { attempts: 1 },
      index: { ipk: jobIndex(shardOf(id)), isk: byTime(now + leaseMs, id) },
    },
    { item: "present", version: item.version },
  );
  return written.ok && written.item !== undefined
    ? { job: await decodeJob(store, space, written.item), fence }
    : undefined;
};

const holding = (fence: number): { item: "present"; fields: { field: string; is: "="; value: string | number }[] } => ({
  item: "present",
  fields: [
    { field: "fence", is: "=", value: fence },
    { field: "state", is: "=", value: "running" },
  ],
});

const lost = (): GatewayError => new GatewayError("conflict", "The job was taken over by another worker.");

/** Longer hold; tells whether the job is to stop. Throws `conflict` where another worker has it. */
export const renewJob = async (
  store: ThreadStore,
  { job, fence }: JobClaim,
  leaseMs: number,
): Promise<{ cancelled: boolean }> => {
  const until = store.clock.now() + leaseMs;
  const written = await store.table.update(
    keyOf(job.space, job.id),
    { set: { leaseUntil: until }, index: { ipk: jobIndex(shardOf(job.id)), isk: byTime(until, job.id) } },
    holding(fence),
  );
  if (!written.ok) throw lost();
  return { cancelled: written.item?.data["cancel"] === true };
};

const end = async (store: ThreadStore, { job, fence }: JobClaim, set: JsonObject): Promise<void> => {
  const written = await store.table.update(
    keyOf(job.space, job.id),
    { set: { ...set, endedAt: store.clock.now() }, remove: ["leaseUntil"], index: null },
    holding(fence),
  );
  if (!written.ok) throw lost();
};

export const finishJob = async (store: ThreadStore, claim: JobClaim, result: Json): Promise<void> => {
  const { job } = claim;
  const body = await storeLooseBody(
    store,
    job.space,
    scopeOf(job.id),
    JSON.stringify(result),
    job.createdAt + keepSeconds * 1000,
  );
  await end(store, claim, {
    state: "completed",
    ...("body" in body ? { result: body.body } : { resultBlob: body.blob }),
  });
};

/** With `retryInSeconds` it is tried again; without, it has failed for good. */
export const failJob = async (
  store: ThreadStore,
  queue: Queue,
  claim: JobClaim,
  thrown: unknown,
  retryInSeconds?: number,
): Promise<void> => {
  const { job, fence } = claim;
  const error = encodeError(toGatewayError(thrown));
  if (retryInSeconds === undefined) return end(store, claim, { state: "failed", error });
  const written = await store.table.update(
    keyOf(job.space, job.id),
    {
      set: { state: "queued", error },
      remove: ["leaseUntil"],
      index: { ipk: jobIndex(shardOf(job.id)), isk: byTime(store.clock.now() + retryInSeconds * 1000, job.id) },
    },
    holding(fence),
  );
  if (!written.ok) throw lost();
  await queue.send({ id: jobRef(job) }, retryInSeconds);
};

/** A job that waits is cancelled at once; one that runs is asked to stop, and is told with its next renewal. */
export const cancelJob = async (store: ThreadStore, caller: Caller, id: string): Promise<Job> => {
  const job = await getJob(store, caller, id);
  if (jobHasEnded(job)) return job;
  const key = keyOf(caller.space, id);
  const now = store.clock.now();
  const waiting = await store.table.update(
    key,
    { set: { state: "cancelled", endedAt: now }, index: null },
    { item: "present", fields: [{ field: "state", is: "=", value: "queued" }] },
  );
  if (!waiting.ok)
    await store.table.update(
      key,
      { set: { cancel: true } },
      { item: "present", fields: [{ field: "state", is: "=", value: "running" }] },
    );
  return getJob(store, caller, id);
};

/** The worker's own end of a cancelled job. */
export const endCancelledJob = (store: ThreadStore, claim: JobClaim): Promise<void> =>
  end(store, claim, { state: "cancelled" });

/** Names of jobs whose message was lost, or whose worker died: to be sent again. */
export const overdueJobs = async (
  store: ThreadStore,
  shards: readonly number[],
  graceMs = 60_000,
): Promise<string[]> => {
  const refs: string[] = [];
  for (const shard of shards) {
    const page = await store.table.query({
      pk: jobIndex(shard),
      index: true,
      before: byTime(store.clock.now() - graceMs, ""),
    });
    for (const { data } of page.items)
      refs.push(jobRef({ space: asString(data["space"]) ?? "", id: asString(data["id"]) ?? "" }));
  }
  return refs;
};
