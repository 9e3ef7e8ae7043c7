// What is counted of a call, and of the jobs that wait, by the names that alarms and dashboards know on every cloud.
import type { CallRecord } from "./call-record.ts";

type Unit = "Count" | "Milliseconds" | "Seconds" | "None";

export type Measures = {
  /** Few values each: no model, no tenant. */
  dimensions: { Wire: string; Provider: string; Operation: string };
  /** Only what is known of the call. */
  values: readonly (readonly [name: string, value: number, unit: Unit])[];
};

/** A dimension without a value would drop the whole line. */
const named = (text: string): string => (text === "" ? "none" : text.slice(0, 250));

/** The provider's and the gateway's failures, in the middle of a stream too; neither the caller's own mistakes nor their leaving. */
const isError = ({ status, errorCode, disconnected }: CallRecord): boolean =>
  !disconnected && (status >= 500 || (errorCode !== undefined && status < 400));

export const measuresOf = (record: CallRecord): Measures => {
  const values: readonly (readonly [string, number | undefined, Unit])[] = [
    ["Requests", 1, "Count"],
    ["Errors", isError(record) ? 1 : 0, "Count"],
    ["RateLimited", record.status === 429 ? 1 : 0, "Count"],
    ["InputTokens", record.usage?.input, "Count"],
    ["OutputTokens", record.usage?.output, "Count"],
    ["CachedInputTokens", record.usage?.cachedInput, "Count"],
    // Dollars.
    ["Cost", record.cost, "None"],
    ["TimeToFirstToken", record.ttftMs, "Milliseconds"],
    ["Duration", record.totalMs, "Milliseconds"],
  ];
  return {
    dimensions: { Wire: named(record.wire), Provider: named(record.provider), Operation: named(record.operation) },
    values: values.flatMap(([name, value, unit]) => (value === undefined ? [] : [[name, value, unit] as const])),
  };
};

export type JobCounts = {
  /** About, those that are being worked off among them. */
  waiting: number;
  /** Of the oldest that nobody works at; 0 where there is none. */
  oldestSeconds: number;
  /** Given up after their last try. */
  dead: number;
};

/** For clouds that don't count their own queues often enough. */
export const jobMeasures = ({ waiting, oldestSeconds, dead }: JobCounts): Measures["values"] => [
  ["JobsWaiting", waiting, "Count"],
  ["JobAge", oldestSeconds, "Seconds"],
  ["DeadJobs", dead, "Count"],
];

export const budgetAlertMeasure = ["BudgetAlerts", 1, "Count"] as const;
