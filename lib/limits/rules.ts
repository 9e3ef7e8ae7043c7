// Which limits a call is under, and what it takes of each.
import type { Caller } from "../auth/caller.ts";
import { matchesName } from "../auth/policy.ts";
import type { BudgetRule, LimitMatch, RateRule } from "../config-types.ts";
import {
  budgetField,
  countField,
  limitsKey,
  periodEnd,
  periodOf,
  requestsField,
  type Subject,
  tokensField,
} from "./keys.ts";
import type { Demand } from "./types.ts";

type Base = {
  /** The item it is counted in. */
  sk: string;
  field: string;
  rule: string;
  by: Subject;
  /** Whether the call passes while the store can't be asked. */
  open: boolean;
};
/** GCRA: one number, the theoretical arrival time. All times are microseconds. */
export type RatePart = Base & {
  kind: "rate";
  what: "requests" | "tokens";
  /** What the call takes, never more than fits at all: what it took beyond that is settled after. */
  cost: number;
  capacity: number;
  /** Of one request or token. */
  interval: number;
  perMinute: number;
};
type CountPart = Base & { kind: "count"; max: number };
/** Nanodollars. */
export type SumPart = Base & {
  kind: "sum";
  amount: number;
  max: number;
  period: string;
  /** Unix milliseconds; undefined for a budget that never begins anew. */
  resetsAt: number | undefined;
  /** The whole budget in dollars, for words. */
  budget: number;
  per: BudgetRule["per"];
  alerts: readonly number[];
  subject: string;
};
export type Part = RatePart | CountPart | SumPart;

export type Rules = { rates: readonly RateRule[]; budgets: readonly BudgetRule[] };

/** Limits that came with the caller's own credential, as rules by key. */
const ownRules = ({ limits }: Caller): Rules => {
  if (limits === undefined) return { rates: [], budgets: [] };
  const { budgets = [], ...rates } = limits;
  return {
    rates: Object.keys(rates).length === 0 ? [] : [{ ...rates, name: "own", by: "key", onStoreFailure: "open" }],
    budgets: budgets.map((budget, at) => ({
      ...budget,
      name: `own${at + 1}`,
      by: "key",
      alerts: [0.8, 1],
      onStoreFailure: "closed",
    })),
  };
};

const some = (patterns: readonly string[] | undefined, names: readonly string[]): boolean =>
  patterns === undefined || patterns.some((pattern) => names.some((name) => matchesName(pattern, name)));

/** Hosts take a model's name in any case, and with the collection that it is in: no spelling is a way around. */
const plainName = (name: string): string => name.toLowerCase().replace(/(?<=^|\/)models\//, "");

const targetName = ({ targets }: Demand): string => {
  const [first] = targets;
  return first === undefined ? "" : plainName(`${first.provider}/${first.model}`);
};

const isFor = (match: LimitMatch | undefined, demand: Demand): boolean => {
  if (match === undefined) return true;
  const { caller, model, targets } = demand;
  return (
    some(match.tenants, [caller.tenant]) &&
    some(match.keys, [caller.key, caller.name]) &&
    some(match.users, [caller.user]) &&
    some(match.roles, caller.roles) &&
    (match.models === undefined ||
      some(
        match.models.map(plainName),
        [model, ...targets.map((target) => `${target.provider}/${target.model}`)].map(plainName),
      ))
  );
};

/** A model is counted under what its name leads to: an alias is no way around. */
const subjectOf = (by: Subject, demand: Demand): string => {
  const { caller } = demand;
  if (by === "tenant") return "";
  if (by === "model") return targetName(demand);
  return by === "user" || caller.key === "" ? caller.user : caller.key;
};

const isNamed = (rules: readonly { name: string }[], { name }: { name: string }): boolean =>
  rules.some((rule) => rule.name === name);

/** The rules that hold for this call. Empty for a caller without limits. */
export const rulesFor = (demand: Demand, sources: readonly Rules[]): Rules => {
  const all = demand.caller.limits === undefined ? sources : [...sources, ownRules(demand.caller)];
  const rates: RateRule[] = [];
  const budgets: BudgetRule[] = [];
  for (const source of all) {
    // Two of one name would be taken as one, and given back as two: the first source says what holds.
    for (const rule of source.rates) if (isFor(rule.match, demand) && !isNamed(rates, rule)) rates.push(rule);
    for (const rule of source.budgets) if (isFor(rule.match, demand) && !isNamed(budgets, rule)) budgets.push(rule);
  }
  return { rates, budgets };
};

/** The part of `whole` that shard `at` of `of` has: what can't be divided goes to the first ones. */
const shareOf = (whole: number, at: number, of: number): number => Math.floor(whole / of) + (at < whole % of ? 1 : 0);

const microsPerMinute = 60_000_000;

/** What a call takes at most. */
export type Most = { tokens: number; /** Nanodollars. */ cost: number };

export type Shard = { at: number; of: number };

const ratePart = (
  base: Base,
  what: RatePart["what"],
  perMinute: number,
  units: number,
  burst: number,
  shard: Shard,
): RatePart => {
  const mine = shareOf(burst, shard.at, shard.of);
  const exact = (microsPerMinute / perMinute) * (burst / Math.max(mine, 1));
  // Whole numbers add up without noise: as many requests fit as were granted, to the last one.
  const interval = what === "requests" ? Math.ceil(exact) : exact;
  const capacity = Math.ceil(mine * interval);
  const cost = Math.min(Math.ceil(units * interval), Math.max(capacity, Math.ceil(interval)));
  return { ...base, kind: "rate", what, perMinute, interval, capacity, cost };
};

/** What the call takes of each limit, in one shard. `now`: Unix milliseconds. */
export const partsOf = (demand: Demand, rules: Rules, most: Most, shard: Shard, now: number): Part[] => {
  const parts: Part[] = [];
  for (const rule of rules.rates) {
    const base = {
      sk: limitsKey(rule.by, subjectOf(rule.by, demand)),
      rule: rule.name,
      by: rule.by,
      open: rule.onStoreFailure === "open",
    };
    const { requestsPerMinute, tokensPerMinute, concurrent } = rule;
    if (requestsPerMinute !== undefined) {
      const burst = rule.burst ?? Math.max(1, Math.floor(requestsPerMinute));
      parts.push(
        ratePart({ ...base, field: requestsField(rule.name) }, "requests", requestsPerMinute, 1, burst, shard),
      );
    }
    if (tokensPerMinute !== undefined && most.tokens > 0) {
      const burst = Math.max(1, Math.floor(tokensPerMinute));
      const field = tokensField(rule.name);
      parts.push(ratePart({ ...base, field }, "tokens", tokensPerMinute, most.tokens, burst, shard));
    }
    if (concurrent !== undefined)
      parts.push({
        ...base,
        kind: "count",
        field: countField(rule.name),
        max: shareOf(concurrent, shard.at, shard.of),
      });
  }
  for (const rule of rules.budgets) {
    // What costs nothing passes, however little is left (F40).
    if (most.cost <= 0) continue;
    const period = periodOf(rule.per, now);
    const subject = subjectOf(rule.by, demand);
    parts.push({
      kind: "sum",
      sk: limitsKey(rule.by, subject),
      field: budgetField(rule.name, period),
      rule: rule.name,
      by: rule.by,
      subject,
      open: rule.onStoreFailure === "open",
      amount: most.cost,
      max: shareOf(Math.round(rule.amount * 1e9), shard.at, shard.of),
      period,
      resetsAt: periodEnd(rule.per, now),
      budget: rule.amount,
      per: rule.per,
      alerts: rule.alerts,
    });
  }
  return parts;
};
