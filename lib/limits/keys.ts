// Where counts lie: one item for each key, user, tenant and model that has a limit, all of a tenant (or of one of its shards) in one
// partition, beside its ledger: so that one transaction settles a call.
import { paddedTime, short } from "../model/storage-key.ts";
import type { BudgetRule, RateRule } from "../config-types.ts";

export type Subject = RateRule["by"];

/** The sort key of a subject's counts. */
export const limitsKey = (by: Subject, subject: string): string => `l:${by}:${short(subject)}`;
export const limitsPrefix = "l:";

/** The theoretical arrival time of requests, in microseconds since 1970. */
export const requestsField = (rule: string): string => `t:${rule}`;
/** The same for tokens. */
export const tokensField = (rule: string): string => `k:${rule}`;
/** Calls that are under way. */
export const countField = (rule: string): string => `c:${rule}`;
const budgetPrefix = (rule: string): string => `b:${rule}:`;
/** Nanodollars spent and reserved in a period. */
export const budgetField = (rule: string, period: string): string => `${budgetPrefix(rule)}${period}`;
export const reservationPrefix = "~";
export const reservationField = (id: string): string => `${reservationPrefix}${id}`;

/** Counts of periods that are over: never one that has begun by another's clock. */
export const pastPeriods = (data: Readonly<Record<string, unknown>>, rule: string, period: string): string[] => {
  const prefix = budgetPrefix(rule);
  return Object.keys(data).filter((field) => field.startsWith(prefix) && field < `${prefix}${period}`);
};

/** Days and months of UTC. */
export const periodOf = (per: BudgetRule["per"], now: number): string =>
  per === "total" ? "total" : new Date(now).toISOString().slice(0, per === "day" ? 10 : 7);

/** Unix milliseconds at which the next period begins; undefined where there is none. */
export const periodEnd = (per: BudgetRule["per"], now: number): number | undefined => {
  const at = new Date(now);
  if (per === "day") return Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() + 1);
  return per === "month" ? Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1) : undefined;
};

/** Says that somebody was told of a share of a budget. */
export const alertKey = (item: string, field: string, share: number): string => `a:${item}:${field}:${share}`;

export const sweepShards = 8;
/** Items with reservations, by the minute in which the last of them runs out. */
export const reservationIndex = (shard: number): string => `~sweep/limits/${shard}`;
const bucketMs = 60_000;
/** Rounded up, so that the entry moves seldom. */
export const dueAt = (until: number): string => paddedTime(Math.ceil(until / bucketMs) * bucketMs);
export const dueBefore = (now: number): string => paddedTime(now);
