// The objects of this API as JSON: threads, messages, usage, lists. Times are Unix milliseconds.
import { type GatewayError, invalid } from "../../model/error.ts";
import { compact, type Json, type JsonObject } from "../../model/json.ts";
import type { Usage } from "../../model/usage.ts";
import { outwards } from "../../chat.ts";
import { isOverdue } from "../../threads/closing.ts";
import type { Thread } from "../../threads/head.ts";
import type { StoredMessage } from "../../threads/message-items.ts";
import type { UsageRecord } from "../../threads/run-items.ts";
import { problem } from "../envelopes.ts";
import type { RouteContext } from "../route.ts";
import { encodePart } from "./parts.ts";

/** The run that a thread is at, if any, as whoever comes next would find it: dead holders don't count. */
const activity = (thread: Thread, now: number): { status: string; run_id: string | null } => {
  const overdue = isOverdue(thread, now);
  if (thread.run !== undefined && !overdue) return { status: "running", run_id: thread.run };
  if (thread.parked !== undefined && !overdue) return { status: "requires_action", run_id: thread.parked };
  const [next] = thread.queue;
  return next === undefined ? { status: "idle", run_id: null } : { status: "running", run_id: next };
};

export const threadObject = (thread: Thread, now: number): JsonObject => ({
  id: thread.id,
  object: "thread",
  created_at: thread.createdAt,
  updated_at: thread.updatedAt,
  title: thread.title ?? null,
  metadata: thread.metadata,
  system: thread.system ?? null,
  context: { strategy: thread.strategy },
  retention_seconds: thread.retentionSeconds ?? null,
  expires_at: thread.expiresAt ?? null,
  message_count: thread.nextSeq,
  active_leaf_id: thread.leafId ?? null,
  ...activity(thread, now),
  revision: thread.revision,
});

export const messageObject = (stored: StoredMessage): JsonObject => ({
  id: stored.id,
  object: "thread.message",
  role: stored.message.role,
  parts: stored.message.parts.map(encodePart),
  parent_id: stored.parentId ?? null,
  created_at: stored.createdAt,
  run_id: stored.run ?? null,
  client_id: stored.clientId ?? null,
  metadata: stored.metadata ?? {},
  partial: stored.partial === true,
  deleted: stored.deleted === true,
  seq: stored.seq,
});

/** Tokens; what a provider did not tell is not there. */
export const usageObject = (usage: Usage): JsonObject =>
  compact<JsonObject>({
    input: usage.input,
    cached_input: usage.cachedInput,
    cache_write: usage.cacheWrite,
    cache_write_long: usage.cacheWriteLong,
    output: usage.output,
    reasoning: usage.reasoning,
    input_audio: usage.inputAudio,
    output_audio: usage.outputAudio,
  });

export const usageRecordObject = (record: UsageRecord & { run: string; step: number; at: number }): JsonObject => ({
  object: "thread.usage",
  run_id: record.run,
  step: record.step,
  created_at: record.at,
  provider: record.provider ?? null,
  model: record.model ?? null,
  usage: usageObject(record.usage),
  estimated: record.estimated === true,
  cost: record.cost ?? null,
});

/** What several calls used together. */
export const sumUsage = (all: readonly Usage[]): Usage => {
  const sum: Usage = { input: 0, output: 0 };
  const names = [
    "input",
    "output",
    "cachedInput",
    "cacheWrite",
    "cacheWriteLong",
    "reasoning",
    "inputAudio",
    "outputAudio",
  ] as const;
  for (const usage of all)
    for (const name of names) {
      const value = usage[name];
      if (value !== undefined) sum[name] = (sum[name] ?? 0) + value;
    }
  return sum;
};

/** Dollars of several calls; undefined where the price of one of them is not known: a part would be mistaken for the whole. */
export const sumCost = (records: readonly UsageRecord[]): number | undefined => {
  let sum = 0;
  for (const { cost } of records) {
    if (cost === undefined) return undefined;
    sum += cost;
  }
  return records.length === 0 ? undefined : sum;
};

/** A run's failure, as an HTTP error would tell it. */
export const problemObject = (error: GatewayError, requestId: string): Json => problem(outwards(error), requestId).body;

/** `next`: where the page after this one begins; absent on the last page. */
export const listObject = (data: readonly JsonObject[], next?: string): JsonObject => ({
  object: "list",
  data: [...data],
  has_more: next !== undefined,
  ...(next === undefined ? {} : { next_cursor: next }),
});

/** `limit` and `cursor` (or `after`) of a list's query. */
export const pageOf = (context: RouteContext): { limit: number; cursor?: string; query: URLSearchParams } => {
  const query = context.query();
  const limit = query.get("limit") ?? "20";
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > 100)
    throw invalid("limit", "expected a whole number from 1 to 100");
  const cursor = query.get("cursor") ?? query.get("after");
  return cursor === null || cursor === "" ? { limit: Number(limit), query } : { limit: Number(limit), cursor, query };
};

export const orderOf = (query: URLSearchParams, usual: "asc" | "desc"): "asc" | "desc" => {
  const order = query.get("order") ?? usual;
  if (order !== "asc" && order !== "desc") throw invalid("order", "expected asc or desc");
  return order;
};
