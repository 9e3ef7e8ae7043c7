// The audit log: who changed what, written before it is done. An entry holds names and settings, never a key, a secret or a prompt.
import type { Caller } from "../../auth/caller.ts";
import { withoutCredentials } from "../../auth/credential.ts";
import { matchesName } from "../../auth/policy.ts";
import { GatewayError } from "../../model/error.ts";
import { asNumber, asObject, asString, type JsonObject } from "../../model/json.ts";
import type { Item, Table } from "../../stores/table.ts";
import { safe } from "../../model/storage-key.ts";
import { byTime } from "../../threads/keys.ts";

/** `intended`: it was begun, and its end could not be written down. `refused`: the caller had no right to it. */
export type AuditOutcome = "intended" | "done" | "failed" | "refused";

export type AuditEntry = {
  id: string;
  /** Unix milliseconds. */
  at: number;
  actor: { key: string; name: string; tenant: string };
  /** `keys.create`, `limits.budgets.delete` … */
  action: string;
  /** What it was done to: a key's id, a rule's name, a thread. */
  target: string;
  /** Whose it is. */
  tenant: string;
  requestId: string;
  outcome: AuditOutcome;
  /** Names of fields and the values they were given, where those are no secrets. */
  changes: JsonObject;
};

/** What the log is written with. `newId`: 24 characters. */
export type AuditStore = { table: Table; clock: { now: () => number }; newId: () => string };

/** Who acts, and in which call. */
export type Acting = { caller: Caller; invocation: { requestId: string } };

const monthOf = (ms: number): string => new Date(ms).toISOString().slice(0, 7);
export const auditPartition = (tenant: string, ms: number): string => `${safe(tenant)}/audit/${monthOf(ms)}`;

/** What has no length of its own ends somewhere. Paths and fields are the caller's words: a key that was taken for an id is one of them. */
const cut = (given: string): string => {
  const text = withoutCredentials(given);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
};
const plain = (changes: JsonObject): JsonObject =>
  JSON.parse(withoutCredentials(JSON.stringify(changes))) as JsonObject;

const dataOf = ({ actor, ...entry }: AuditEntry): JsonObject => ({
  ...entry,
  actorKey: cut(actor.key),
  actorName: cut(actor.name),
  actorTenant: cut(actor.tenant),
});

export const decodeEntry = ({ data }: Item): AuditEntry => ({
  id: asString(data["id"]) ?? "",
  at: asNumber(data["at"]) ?? 0,
  actor: {
    key: asString(data["actorKey"]) ?? "",
    name: asString(data["actorName"]) ?? "",
    tenant: asString(data["actorTenant"]) ?? "",
  },
  action: asString(data["action"]) ?? "",
  target: asString(data["target"]) ?? "",
  tenant: asString(data["tenant"]) ?? "",
  requestId: asString(data["requestId"]) ?? "",
  outcome: (asString(data["outcome"]) ?? "intended") as AuditOutcome,
  changes: asObject(data["changes"]) ?? {},
});

export type Intent = {
  action: string;
  target: string;
  tenant: string;
  changes?: JsonObject;
};

const actorOf = ({ key, name, tenant }: Caller): AuditEntry["actor"] => ({ key, name, tenant });

/** Changes an entry that was written. */
type Mark = (set: JsonObject) => Promise<void>;

const write = async (
  store: AuditStore,
  { caller, invocation }: Acting,
  { action, target, tenant, changes = {} }: Intent,
  outcome: AuditOutcome,
): Promise<Mark> => {
  const at = store.clock.now();
  const id = `audit_${store.newId()}`;
  const key = { pk: auditPartition(tenant, at), sk: byTime(at, id) };
  const entry: AuditEntry = {
    id,
    at,
    actor: actorOf(caller),
    action,
    target: cut(target),
    tenant,
    requestId: invocation.requestId,
    outcome,
    changes: plain(changes),
  };
  await store.table.put({ ...key, data: dataOf(entry) }, { item: "absent" });
  return async (set) => {
    await store.table.update(key, { set });
  };
};

/**
 * Writes down what is about to be done, does it, and writes down what came of it. Where the first can't be written nothing is done
 * (`storage`); where the last can't be written the entry stays `intended`. `targetOf`: the name of what was made, where it has none before.
 */
export const audited = async <T>(
  store: AuditStore,
  context: Acting,
  intent: Intent,
  work: () => Promise<T>,
  targetOf?: (made: T) => string,
): Promise<T> => {
  const mark = await write(store, context, intent, "intended");
  let made: T;
  try {
    made = await work();
  } catch (thrown) {
    // A store that is down may have done it or not: that is what `intended` says.
    const code = thrown instanceof GatewayError ? thrown.code : "internal";
    if (code !== "storage")
      await mark({ outcome: code === "permission" ? "refused" : "failed" }).catch(() => undefined);
    if (thrown instanceof Error) writtenDown.add(thrown);
    throw thrown;
  }
  const target = targetOf?.(made);
  const done: JsonObject = { outcome: "done" };
  if (target !== undefined) done["target"] = cut(target);
  await mark(done).catch(() => undefined);
  return made;
};

/** Refusals that have an entry of their own. */
const writtenDown = new WeakSet<Error>();
export const isWrittenDown = (thrown: unknown): boolean => thrown instanceof Error && writtenDown.has(thrown);

/** The same caller, refused the same over and over, is one entry a minute: nobody fills the log with what it may not do. */
const refusalMs = 60_000;
const mostRemembered = 1_000;
type Refused = { at: number; times: number; mark: Promise<Mark> };
const refusals = new WeakMap<Table, Map<string, Refused>>();

const refusedBefore = (table: Table): Map<string, Refused> => {
  const known = refusals.get(table) ?? new Map<string, Refused>();
  refusals.set(table, known);
  if (known.size > mostRemembered) known.clear();
  return known;
};

/**
 * What a caller had no right to. The refusal stands whether or not it can be written down. Repeats are counted in `changes.times`, which
 * is written at every doubling.
 */
export const auditRefusal = async (
  store: AuditStore,
  context: Acting & { params: readonly string[] },
  action: string,
): Promise<void> => {
  const { caller, params } = context;
  const now = store.clock.now();
  const known = refusedBefore(store.table);
  const name = JSON.stringify([caller.tenant, caller.key, caller.name, action]);
  const before = known.get(name);
  try {
    if (before === undefined || now - before.at >= refusalMs) {
      const mark = write(store, context, { action, target: params[0] ?? "", tenant: caller.tenant }, "refused");
      known.set(name, { at: now, times: 1, mark });
      await mark;
      return;
    }
    before.times += 1;
    if (Number.isInteger(Math.log2(before.times))) await (await before.mark)({ changes: { times: before.times } });
  } catch {
    known.delete(name);
  }
};

export type AuditQuery = {
  tenant: string;
  /** Unix milliseconds: `from` is within, `to` is not. */
  from: number;
  to: number;
  /** The id or name of the key that acted. */
  actor?: string;
  /** `keys.create`, or `keys.*`. */
  action?: string;
  limit: number;
  /** `next` of the page before. */
  cursor?: { month: string; at: string };
};

/** Reads of one look: whoever seeks what is rare gets a short page, and goes on from there. */
const mostReads = 40;

const monthBefore = (month: string): string => {
  const [year = 0, number = 1] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number - 2, 1)).toISOString().slice(0, 7);
};

/** The newest first. `next` is where the page after begins; a page may be short though there is one. */
export const readAudit = async (
  store: AuditStore,
  { tenant, from, to, actor, action, limit, cursor }: AuditQuery,
): Promise<{ entries: AuditEntry[]; next?: { month: string; at: string } }> => {
  const fits = (entry: AuditEntry): boolean =>
    (actor === undefined || entry.actor.key === actor || entry.actor.name === actor) &&
    (action === undefined || matchesName(action, entry.action));
  const entries: AuditEntry[] = [];
  const end = byTime(to, "");
  const last = monthOf(Math.max(0, from));
  let month = cursor?.month ?? monthOf(Math.max(0, to - 1));
  let before = cursor?.at ?? end;
  let within: string | undefined;
  for (let reads = 0; reads < mostReads && month >= last; reads += 1) {
    const { items, next } = await store.table.query({
      pk: `${safe(tenant)}/audit/${month}`,
      after: byTime(from, ""),
      before,
      descending: true,
      ...(within === undefined ? {} : { cursor: within }),
    });
    for (const item of items) {
      const entry = decodeEntry(item);
      if (!fits(entry)) continue;
      const previous = entries.at(-1);
      if (entries.length === limit && previous !== undefined)
        return { entries, next: { month: monthOf(previous.at), at: byTime(previous.at, previous.id) } };
      entries.push(entry);
    }
    within = undefined;
    const furthest = items.at(-1);
    if (next === undefined) {
      month = monthBefore(month);
      before = end;
    } else if (furthest === undefined) within = next;
    else before = furthest.sk;
  }
  return month >= last ? { entries, next: { month, at: before } } : { entries };
};
