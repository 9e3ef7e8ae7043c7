// What is counted under the limits, as it stands in the store, and setting it back.
import type { BudgetRule, LimitMatch } from "../../config-types.ts";
import { matchesName } from "../../auth/policy.ts";
import { asNumber } from "../../model/json.ts";
import { short } from "../../model/storage-key.ts";
import type { Table } from "../../stores/table.ts";
import { spendPartition } from "../../usage/keys.ts";

type Subject = "key" | "user" | "tenant";

export const limitsKey = (by: Subject, subject: string): string => `l:${by}:${short(subject)}`;
export const budgetField = (rule: string, period: string): string => `b:${rule}:${period}`;

/** Days and months of UTC. */
export const periodOf = (per: BudgetRule["per"], now: number): string =>
  per === "total" ? "total" : new Date(now).toISOString().slice(0, per === "day" ? 10 : 7);

/** Unix milliseconds; undefined for what never begins anew. */
export const periodEnd = (per: BudgetRule["per"], now: number): number | undefined => {
  const at = new Date(now);
  if (per === "day") return Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() + 1);
  return per === "month" ? Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1) : undefined;
};

/** Whose budgets are meant: what is not given is not asked for. */
export type Whose = {
  tenant: string;
  key?: { id: string; name: string; roles?: readonly string[] };
  user?: string;
};

const some = (patterns: readonly string[] | undefined, names: readonly string[] | undefined): boolean =>
  patterns === undefined ||
  names === undefined ||
  patterns.some((pattern) => names.some((name) => matchesName(pattern, name)));

/** What isn't known of the calls (a key where none was named) may be anything. */
const mayMatch = (match: LimitMatch | undefined, { tenant, key, user }: Whose): boolean =>
  match === undefined ||
  (some(match.tenants, [tenant]) &&
    some(match.keys, key === undefined ? undefined : [key.id, key.name]) &&
    some(match.users, user === undefined ? undefined : [user]) &&
    some(match.roles, key?.roles));

/** Whose count of a rule it is; undefined where the rule counts by what was not named. */
export const subjectOf = ({ by }: Pick<BudgetRule, "by">, { key, user }: Whose): string | undefined =>
  by === "tenant" ? "" : by === "key" ? key?.id : user;

/** The rules that may hold for these calls, and have a count that was asked for. */
export const budgetsFor = (rules: readonly BudgetRule[], whose: Whose): BudgetRule[] =>
  rules.filter((rule) => subjectOf(rule, whose) !== undefined && mayMatch(rule.match, whose));

type Place = { tenant: string; shards: number; by: Subject; subject: string };

const placesOf = ({ tenant, shards, by, subject }: Place): { pk: string; sk: string }[] =>
  Array.from({ length: shards }, (_, at) => ({ pk: spendPartition(tenant, at), sk: limitsKey(by, subject) }));

/** Nanodollars spent and reserved, over all shards. */
export const usedOf = async (table: Table, place: Place, field: string): Promise<number> => {
  const items = await Promise.all(placesOf(place).map((key) => table.get(key)));
  return items.reduce((sum, item) => sum + (asNumber(item?.data[field]) ?? 0), 0);
};

/** What is still under way keeps its place only in what it settles to. What was never counted is left alone. */
export const resetUsed = async (table: Table, place: Place, field: string): Promise<void> => {
  await Promise.all(placesOf(place).map((key) => table.update(key, { set: { [field]: 0 } }, { item: "present" })));
};
