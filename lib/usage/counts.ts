// What is summed of entries: the same whole numbers in a rollup, in a query's groups and in its total.
import type { UsageEntry } from "./entry.ts";

export const countNames = [
  "requests",
  "errors",
  "input",
  "output",
  "cachedInput",
  "cacheWrite",
  "reasoning",
  /** Nanodollars. */
  "cost",
  "unpriced",
  "estimated",
  "orphans",
] as const;

export type Counts = Record<(typeof countNames)[number], number>;

export const noCounts = (): Counts => ({
  requests: 0,
  errors: 0,
  input: 0,
  output: 0,
  cachedInput: 0,
  cacheWrite: 0,
  reasoning: 0,
  cost: 0,
  unpriced: 0,
  estimated: 0,
  orphans: 0,
});

/** A call that failed, whoever was at fault. */
const failed = (entry: UsageEntry): boolean => entry.error !== undefined || entry.status >= 400;

export const addEntry = (sum: Counts, entry: UsageEntry): void => {
  const { usage } = entry;
  sum.requests += 1;
  if (failed(entry)) sum.errors += 1;
  sum.input += usage.input;
  sum.output += usage.output;
  sum.cachedInput += usage.cachedInput ?? 0;
  sum.cacheWrite += usage.cacheWrite ?? 0;
  sum.reasoning += usage.reasoning ?? 0;
  sum.cost += entry.cost;
  if (entry.unpriced === true) sum.unpriced += 1;
  if (entry.estimated === true) sum.estimated += 1;
  if (entry.orphan === true) sum.orphans += 1;
};

export const addCounts = (sum: Counts, more: Partial<Counts>): void => {
  for (const name of countNames) sum[name] += more[name] ?? 0;
};
