// What was spent: in groups, and entry by entry, as JSON or CSV.
import type { Reply } from "../../model/call.ts";
import { compact, type JsonObject } from "../../model/json.ts";
import type { Counts } from "../../usage/counts.ts";
import { decimalDollars } from "../../usage/decimal.ts";
import { dollars, type UsageEntry } from "../../usage/entry.ts";
import { type EntriesQuery, listEntries } from "../../usage/list.ts";
import { queryUsage, type UsageDimension, type UsageGroup, type UsageQuery } from "../../usage/query.ts";
import { json, type RouteContext } from "../route.ts";
import { listObject } from "../threads/objects.ts";
import { threadsOf } from "../turns.ts";
import { csv } from "./csv.ts";
import { checkParameters, formatOf, groupsOf, pageIn, scopeOf } from "./usage-query.ts";

const timeText = (at: number): string => new Date(at).toISOString();

const csvReply = (name: string, body: string, next?: string): Reply => ({
  status: 200,
  headers: {
    "content-type": "text/csv; charset=utf-8",
    "content-disposition": `attachment; filename="${name}.csv"`,
    "cache-control": "no-store",
    ...(next === undefined ? {} : { "heddle-next-cursor": next }),
  },
  body,
});

/** In the order of the columns. */
const sumsObject = (counts: Counts): Record<string, number> => ({
  requests: counts.requests,
  errors: counts.errors,
  input_tokens: counts.input,
  cached_input_tokens: counts.cachedInput,
  cache_write_tokens: counts.cacheWrite,
  output_tokens: counts.output,
  reasoning_tokens: counts.reasoning,
  cost: dollars(counts.cost),
  unpriced_requests: counts.unpriced,
  estimated_requests: counts.estimated,
});

const namesOf = (groupBy: readonly UsageDimension[], { values, keyName }: UsageGroup): Record<string, string> => {
  const names: Record<string, string> = {};
  for (const [at, name] of groupBy.entries()) {
    names[name] = values[at] ?? "";
    if (name === "key") names["key_name"] = keyName ?? "";
  }
  return names;
};

const groupColumns = (groupBy: readonly UsageDimension[]): string[] =>
  groupBy.flatMap((name) => (name === "key" ? [name, "key_name"] : [name]));

const groupRow = (groupBy: readonly UsageDimension[], group: UsageGroup): string[] => [
  ...Object.values(namesOf(groupBy, group)),
  ...Object.values({ ...sumsObject(group.counts), cost: decimalDollars(group.counts.cost) }).map(String),
];

/** `GET /v1/admin/usage`. Throws `permission` for what is not the caller's, `invalid_request` for a parameter that is wrong. */
export const usageRoute = async (context: RouteContext): Promise<Reply> => {
  const query = context.query();
  checkParameters(query, ["group_by"]);
  const groupBy = groupsOf(query);
  const format = formatOf(context, query);
  const { store } = await threadsOf(context);
  const now = store.clock.now();
  const scope = scopeOf(context, query, now);
  const { groups, total } = await queryUsage(
    store.table,
    compact<UsageQuery>({ ...scope, groupBy }),
    context.services.config.usage,
    now,
  );
  if (format === "csv") {
    const columns = [...groupColumns(groupBy), ...Object.keys(sumsObject(total))];
    return csvReply(
      "usage",
      csv(
        columns,
        groups.map((group) => groupRow(groupBy, group)),
      ),
    );
  }
  return json(200, {
    object: "usage",
    from: timeText(scope.from),
    to: timeText(scope.to),
    group_by: groupBy,
    data: groups.map((group) => ({ ...namesOf(groupBy, group), ...sumsObject(group.counts) })),
    total: sumsObject(total),
  });
};

/** Null where a provider didn't say: not every count is told by all. */
const entryObject = (entry: UsageEntry): JsonObject => ({
  id: entry.id,
  object: "usage.entry",
  at: timeText(entry.at),
  tenant: entry.tenant,
  key: entry.key,
  key_name: entry.name,
  user: entry.user,
  thread: entry.thread ?? null,
  request_id: entry.requestId,
  wire: entry.wire,
  operation: entry.operation,
  provider: entry.provider,
  model: entry.model,
  requested_model: entry.requestedModel,
  status: entry.status,
  error: entry.error ?? null,
  attempts: entry.attempts,
  input_tokens: entry.usage.input,
  cached_input_tokens: entry.usage.cachedInput ?? null,
  cache_write_tokens: entry.usage.cacheWrite ?? null,
  output_tokens: entry.usage.output,
  reasoning_tokens: entry.usage.reasoning ?? null,
  estimated: entry.estimated === true,
  // A cost of 0 would say that it was free (F37).
  cost: entry.unpriced === true ? null : dollars(entry.cost),
  price_version: entry.priceVersion ?? null,
  ttft_ms: entry.ttftMs ?? null,
  total_ms: entry.totalMs,
  orphan: entry.orphan === true,
});

const cellOf = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : "";

const entryColumns = [
  "id",
  "at",
  "tenant",
  "key",
  "key_name",
  "user",
  "thread",
  "request_id",
  "wire",
  "operation",
  "provider",
  "model",
  "requested_model",
  "status",
  "error",
  "attempts",
  "input_tokens",
  "cached_input_tokens",
  "cache_write_tokens",
  "output_tokens",
  "reasoning_tokens",
  "estimated",
  "cost",
  "price_version",
  "ttft_ms",
  "total_ms",
  "orphan",
] as const;

const entryRow = (entry: UsageEntry): string[] => {
  const object = entryObject(entry);
  if (object["cost"] !== null) object["cost"] = decimalDollars(entry.cost);
  return entryColumns.map((name) => cellOf(object[name]));
};

/** `GET /v1/admin/usage/entries`: newest first, in pages. A page may be short and yet have a next one. */
export const usageEntriesRoute = async (context: RouteContext): Promise<Reply> => {
  const query = context.query();
  checkParameters(query, ["limit", "cursor"]);
  const format = formatOf(context, query);
  const page = pageIn(query);
  const { store } = await threadsOf(context);
  const scope = scopeOf(context, query, store.clock.now());
  const { entries, next } = await listEntries(store.table, compact<EntriesQuery>({ ...scope, ...page }));
  if (format === "csv") return csvReply("usage-entries", csv(entryColumns, entries.map(entryRow)), next);
  return json(200, listObject(entries.map(entryObject), next));
};
