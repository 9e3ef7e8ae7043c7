// Storage keys. Every partition begins with the space (tenant and owner), then the thread: no read can leave either of them by accident.
// Numbers are padded so that they sort as text.
import { bucketOf, padded, paddedTime, safe, short } from "../model/storage-key.ts";

/** An owner's part of a tenant. What comes before the mark is the tenant's, as neither part can hold it. */
export const spaceOf = (tenant: string, owner: string): string =>
  `${safe(tenant).replaceAll("!", "%21")}!${short(owner).replaceAll("!", "%21")}`;

/** All of a thread: its head, messages, runs, events, usage, and the items that put it into lists. */
export const threadPartition = (space: string, thread: string): string => `${safe(space)}/thread/${safe(thread)}`;
export const jobPartition = (space: string, job: string): string => `${safe(space)}/job/${safe(job)}`;
export const idempotencyPartition = (space: string, owner: string, key: string): string =>
  `${safe(space)}/once/${short(owner)}/${short(key)}`;
export const blobScope = (space: string, thread: string): string => `${safe(space)}/${safe(thread)}`;
export const filePartition = (space: string, owner: string): string => `${safe(space)}/files/${short(owner)}`;
/** No thread has this scope: a thread's own id holds no bare `~`. */
export const fileScope = (space: string, file: string): string => `${safe(space)}/~files/${safe(file)}`;

export const fileKey = (file: string): string => `f:${short(file)}`;

export const headKey = "thread";
/** By the revision that brought it. */
export const profileKey = (revision: number): string => `p:${padded(revision)}`;
export const messagePrefix = "m:";
export const messageKey = (seq: number): string => `${messagePrefix}${padded(seq)}`;
/** Says which message a client's own id became. */
export const clientIdKey = (clientId: string): string => `c:${short(clientId)}`;
/** A child that doesn't follow its parent at once: an edit or a regeneration. */
export const branchPrefix = (parentSeq: number): string => `k:${padded(parentSeq + 1)}:`;
export const branchKey = (parentSeq: number, seq: number): string => `${branchPrefix(parentSeq)}${padded(seq)}`;
export const runPrefix = "r:";
export const runKey = (run: string): string => `${runPrefix}${safe(run)}`;
export const eventPrefix = (run: string): string => `e:${safe(run)}:`;
/** By the number of the block's first event: two writers of one run meet on the same key, and one is refused. */
export const eventKey = (run: string, first: number): string => `${eventPrefix(run)}${padded(first)}`;
export const usagePrefix = "u:";
export const usageKey = (run: string, step: number): string => `${usagePrefix}${safe(run)}:${padded(step, 4)}`;
export const summaryPrefix = "s:";
export const summaryKey = (upToSeq: number): string => `${summaryPrefix}${padded(upToSeq)}`;
/** A body that lies in the blobs, so that deletion finds it without reading a message. */
export const blobPrefix = "b:";
export const blobKey = (hash: string): string => `${blobPrefix}${safe(hash)}`;
/** A thread that reads a part of its history from here. */
export const forkPrefix = "f:";
export const forkKey = (thread: string): string => `${forkPrefix}${safe(thread)}`;
export const listKeys = { owner: "i:owner", title: "i:title", due: "i:due" } as const;
const metadataListPrefix = "i:meta:";
export const metadataListKey = (name: string): string => `${metadataListPrefix}${short(name)}`;

export type IndexKey = { ipk: string; isk: string };

/** Newest first is this order, descending. */
export const ownerIndex = (space: string, owner: string): string => `${safe(space)}/owner/${short(owner)}`;
export const titleIndex = (space: string, owner: string): string => `${safe(space)}/title/${short(owner)}`;
export const metadataIndex = (space: string, owner: string, name: string, value: string): string =>
  `${safe(space)}/meta/${short(owner)}/${short(name)}/${short(value)}`;
export const usageIndex = (space: string): string => `${safe(space)}/usage`;
export const byTime = (ms: number, id: string): string => `${paddedTime(ms)}:${safe(id)}`;
export const byTitle = (title: string, id: string): string => `${normalTitle(title)}\u0001${safe(id)}`;
export const titlePrefix = (prefix: string): string => normalTitle(prefix);

/** Titles compare without regard to case or form; long ones by their beginning (keys are short in every store). */
const normalTitle = (title: string): string => title.normalize("NFKC").toLowerCase().trim().slice(0, 120);

/** The sweeper's lists span spaces. A space's own keys can't begin with `~`. */
export const sweepShards = 8;
export const activeIndex = (shard: number): string => `~sweep/runs/${shard}`;
export const dueIndex = (shard: number): string => `~sweep/due/${shard}`;
export const shardOf = (text: string): number => bucketOf(text, sweepShards);

export const jobIndex = (shard: number): string => `~sweep/jobs/${shard}`;
export const dueEntry = (space: string, thread: string, at: number): IndexKey => ({
  ipk: dueIndex(shardOf(thread)),
  isk: byTime(at, `${space}/${thread}`),
});

/** A run's id sorts by the time it was made. */
export const newRunId = (now: number, random: string): string =>
  `run_${now.toString(36).padStart(9, "0")}${random.slice(0, 15)}`;
/** A message's id tells where it lies. */
export const newMessageId = (seq: number, random: string): string => `msg_${seq.toString(36)}_${random.slice(0, 16)}`;
export const seqOfMessageId = (id: string): number | undefined => {
  const digits = /^msg_([0-9a-z]{1,8})_[A-Za-z0-9]+$/.exec(id)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 36);
};
