// What a question about usage says: whose, of when, in which groups, in which form. Every mistake is told by the parameter's name.
import { GatewayError, invalid } from "../../model/error.ts";
import { dayMs } from "../../usage/operations.ts";
import { filterNames, usageDimensions, type UsageDimension, type UsageFilters } from "../../usage/query.ts";
import type { RouteContext } from "../route.ts";
import { timeIn } from "./access.ts";

/** `tenant` undefined: all tenants. `from` is included, `to` is not; Unix milliseconds. */
export type Scope = { tenant: string | undefined; from: number; to: number; filters: UsageFilters };

const longestName = 2_048;
const common = ["from", "to", "tenant", ...filterNames, "format"] as const;

/** A misspelt filter would give everybody's usage: it is refused. */
export const checkParameters = (query: URLSearchParams, more: readonly string[]): void => {
  const known: readonly string[] = [...common, ...more];
  const seen = new Set<string>();
  for (const name of query.keys()) {
    if (!known.includes(name)) throw invalid(name.slice(0, 100), `is no parameter here; expected ${known.join(", ")}`);
    if (seen.has(name)) throw invalid(name, "expected once");
    seen.add(name);
  }
};

const given = (query: URLSearchParams, name: string): string | undefined => {
  const value = query.get(name) ?? "";
  if (value.length > longestName) throw invalid(name, `expected at most ${longestName} characters`);
  return value === "" ? undefined : value;
};

const monthOf = (at: number): number => {
  const date = new Date(at);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
};

/** Without both: this month, to the end of today. */
const rangeOf = (query: URLSearchParams, now: number): { from: number; to: number } => {
  const begin = timeIn(query.get("from"), "from");
  const to = timeIn(query.get("to"), "to") ?? Math.max((Math.floor(now / dayMs) + 1) * dayMs, begin ?? 0);
  const from = begin ?? monthOf(to - 1);
  if (from >= to)
    throw begin === undefined ? invalid("to", "expected a later time") : invalid("from", "expected a time before `to`");
  return { from, to };
};

const denied = (param: string, message: string): GatewayError => new GatewayError("permission", message, { param });

/**
 * Whose usage the caller may see: the tenant's with `usage:manage`, every tenant's where it administers all, else its own alone.
 * Throws `permission` for others'.
 */
export const scopeOf = (context: RouteContext, query: URLSearchParams, now: number): Scope => {
  const { caller, services } = context;
  const manages = services.policy(caller, "usage:manage") === undefined;
  const wanted = given(query, "tenant");
  const everyTenant = wanted === "*";
  if (wanted !== undefined && wanted !== caller.tenant && (caller.everywhere !== true || !manages))
    throw denied("tenant", "Only one's own tenant can be reached.");
  const filters: UsageFilters = {};
  for (const name of filterNames) {
    const value = given(query, name);
    if (value !== undefined) filters[name] = value;
  }
  if (!manages) {
    if (filters.user !== undefined && filters.user !== caller.user)
      throw denied("user", "Only one's own usage can be read without usage:manage.");
    filters.user = caller.user;
  }
  return { tenant: everyTenant ? undefined : (wanted ?? caller.tenant), ...rangeOf(query, now), filters };
};

const isDimension = (name: string): name is UsageDimension => (usageDimensions as readonly string[]).includes(name);

export const groupsOf = (query: URLSearchParams): UsageDimension[] => {
  const groups: UsageDimension[] = [];
  for (const part of (given(query, "group_by") ?? "").split(",")) {
    const name = part.trim();
    if (name === "") continue;
    if (!isDimension(name))
      throw invalid("group_by", `expected ${usageDimensions.join(", ")}, with commas between them`);
    if (!groups.includes(name)) groups.push(name);
  }
  return groups;
};

/** `format`, or what the `accept` header asks for. */
export const formatOf = (context: RouteContext, query: URLSearchParams): "json" | "csv" => {
  const format = given(query, "format");
  if (format === undefined) return /^\s*text\/csv\b/i.test(context.call.headers["accept"] ?? "") ? "csv" : "json";
  if (format !== "json" && format !== "csv") throw invalid("format", "expected json or csv");
  return format;
};

const most = 1_000;

export const pageIn = (query: URLSearchParams): { limit: number; cursor: string | undefined } => {
  const limit = given(query, "limit") ?? "100";
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > most)
    throw invalid("limit", `expected a whole number from 1 to ${most}`);
  return { limit: Number(limit), cursor: given(query, "cursor") };
};
