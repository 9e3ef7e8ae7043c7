// The audit log as it is read: a page of it as JSON, or as CSV.
import { invalid } from "../../model/error.ts";
import { compact, type JsonObject } from "../../model/json.ts";
import type { Reply } from "../../model/call.ts";
import { json, type RouteContext } from "../route.ts";
import { listObject, pageOf } from "../threads/objects.ts";
import { nameIn, storeOf, tenantOf, timeIn } from "./access.ts";
import { type AuditEntry, type AuditQuery, readAudit } from "./audit-log.ts";
import { csv } from "./csv.ts";

const auditObject = (entry: AuditEntry): JsonObject => ({
  id: entry.id,
  object: "audit.entry",
  at: entry.at,
  actor: entry.actor,
  action: entry.action,
  target: entry.target,
  tenant: entry.tenant,
  request_id: entry.requestId,
  outcome: entry.outcome,
  changes: entry.changes,
});

const columns = [
  "id",
  "at",
  "actor_key",
  "actor_name",
  "actor_tenant",
  "action",
  "target",
  "tenant",
  "request_id",
  "outcome",
  "changes",
] as const;

const rowOf = (entry: AuditEntry): string[] => [
  entry.id,
  new Date(entry.at).toISOString(),
  entry.actor.key,
  entry.actor.name,
  entry.actor.tenant,
  entry.action,
  entry.target,
  entry.tenant,
  entry.requestId,
  entry.outcome,
  JSON.stringify(entry.changes),
];

const cursorOf = (given: string | undefined): AuditQuery["cursor"] => {
  if (given === undefined) return undefined;
  const [, month, at] = /^(\d{4}-\d{2})\.(\d{15}:[\w-]{0,64})$/.exec(given) ?? [];
  if (month === undefined || at === undefined) throw invalid("cursor", "expected the next_cursor of another page");
  return { month, at };
};

/** Without `from`: the last thirty days. */
const usualMs = 30 * 86_400_000;

export const auditRoute = async (context: RouteContext): Promise<Reply> => {
  const tenant = tenantOf(context);
  const { limit, cursor, query } = pageOf(context);
  const store = await storeOf(context);
  const to = timeIn(query.get("to"), "to") ?? store.clock.now() + 1;
  const from = timeIn(query.get("from"), "from") ?? Math.max(0, to - usualMs);
  if (from >= to) throw invalid("from", "expected a time before `to`");
  const format = query.get("format") ?? "json";
  if (format !== "json" && format !== "csv") throw invalid("format", "expected json or csv");
  const { entries, next } = await readAudit(
    store,
    compact<AuditQuery>({
      tenant,
      from,
      to,
      limit,
      actor: nameIn(query.get("actor"), "actor"),
      action: nameIn(query.get("action"), "action"),
      cursor: cursorOf(cursor),
    }),
  );
  const token = next === undefined ? undefined : `${next.month}.${next.at}`;
  if (format === "json") return json(200, listObject(entries.map(auditObject), token));
  return {
    status: 200,
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="audit.csv"`,
      ...(token === undefined ? {} : { "heddle-next-cursor": token }),
    },
    body: csv(columns, entries.map(rowOf)),
  };
};
