// Admission: one conditional write takes a call's part of every limit it is under, or none. What others write meanwhile is learnt from
// the store's own answer, and the write is tried again as things stand.
import { GatewayError, toGatewayError } from "../model/error.ts";
import { newId } from "../model/id.ts";
import type { JsonObject } from "../model/json.ts";
import { bucketOf } from "../model/storage-key.ts";
import type { Operation, Table, Written } from "../stores/table.ts";
import type { Log } from "../telemetry/log.ts";
import type { LimitsConfig, UsageConfig } from "../config-types.ts";
import { spendPartition } from "../usage/keys.ts";
import type { UsageEntry } from "../usage/entry.ts";
import type { Alerts } from "./alerts.ts";
import { rateHeaders } from "./headers.ts";
import { refusalsOf, type Refusal, taking } from "./judge.ts";
import { dueAt, reservationField, reservationIndex, sweepShards } from "./keys.ts";
import type { Lanes } from "./lanes.ts";
import { expiryOf } from "./lifetime.ts";
import { reclaim } from "./orphans.ts";
import { createPermit } from "./permit.ts";
import { longest, refused } from "./refusal.ts";
import { encodeReservation, reservationOf } from "./reservation.ts";
import { type Most, type Part, partsOf, type Rules } from "./rules.ts";
import type { Demand, Permit } from "./types.ts";
import type { Views } from "./views.ts";

export type EngineServices = {
  table: Table;
  now: () => number;
  /** Ends early, without an error, when the signal fires. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  limits: LimitsConfig;
  usage: UsageConfig;
  views: Views;
  admissions: Lanes;
  settlements: Lanes;
  alerts: Alerts;
  /** Enters the tenant into the list of those that ever spent. */
  register: (tenant: string, shard: number) => Promise<void> | undefined;
  log: Log;
  /** Where an entry goes that no transaction of a permit could take. */
  add: (entry: UsageEntry) => Promise<void>;
};

/** The same write is tried as often: each time it loses, somebody else's has been done. */
const mostRounds = 40;

/** The parts by their items, the least shared one first: a reservation lies there. */
const byItem = (parts: readonly Part[]): [string, Part[]][] => {
  const rank = { key: 0, user: 1, model: 2, tenant: 3 };
  const items = new Map<string, Part[]>();
  for (const part of [...parts].sort((one, other) => rank[one.by] - rank[other.by]))
    items.set(part.sk, [...(items.get(part.sk) ?? []), part]);
  return [...items];
};

/** What a call takes at most, in tokens of each kind too: what is left of it when its process dies. */
export type Estimate = Most & { input: number; output: number };

/** The rules that hold for a call, and all budgets that there are. */
export type Standing = { rules: Rules; budgets: Rules["budgets"] };

/** `parts` in the order of their items: the first item has the reservation. */
type Attempt =
  | { kind: "taken"; id: string; parts: readonly Part[]; pk: string; reserved: boolean }
  | { kind: "refused"; refusals: Refusal[] };

const contention = (): GatewayError =>
  new GatewayError("storage", "The limits are written by too many at once: try again.", { retryAfterMs: 1_000 });

/** A reservation is some hundred bytes, and an item has its bounds: 400 KB at DynamoDB. */
const tooManyUnderWay = (cause: GatewayError): GatewayError =>
  new GatewayError("rate_limited", "More calls are under way than can be counted: try again when some have ended.", {
    retryAfterMs: 1_000,
    cause,
  });

/** All of the parts or none, in one shard. */
const take = async (
  services: EngineServices,
  pk: string,
  demand: Demand,
  { rules, budgets }: Standing,
  most: Estimate,
  shard: { at: number; of: number },
): Promise<Attempt> => {
  const { table, views, limits } = services;
  const id = newId();
  for (let round = 0; round < mostRounds; round += 1) {
    const now = services.now();
    const parts = partsOf(demand, rules, most, shard, now);
    const remembered = views.remembered(pk, parts, now);
    if (remembered.length > 0) return { kind: "refused", refusals: remembered };
    const items = byItem(parts);
    /** In the order of their items. */
    const ordered = items.flatMap(([, mine]) => mine);
    const reserved = parts.some(({ kind }) => kind !== "rate");
    const operations = items.map(([sk, mine], at): Extract<Operation, { update: unknown }> => {
      const { change, condition } = taking(mine, views.get(pk, sk), now);
      const expiresAt = expiryOf(budgets, mine, now);
      if (!reserved || at > 0) return { update: { pk, sk }, change: { ...change, expiresAt }, condition };
      const until = now + limits.reservationMs;
      const counts = parts.flatMap((part) => (part.kind === "count" ? [[part.sk, part.field] as const] : []));
      const kept = reservationOf(demand, {
        id,
        at: now,
        until,
        cost: most.cost,
        input: most.input,
        output: most.output,
        counts,
      });
      return {
        update: { pk, sk },
        change: {
          ...change,
          set: { ...change.set, [reservationField(id)]: encodeReservation(kept) },
          expiresAt,
          index: { ipk: reservationIndex(bucketOf(pk + sk, sweepShards)), isk: dueAt(until) },
        },
        condition,
      };
    });
    const written = await writeAll(table, pk, operations).catch((thrown: unknown) => {
      const error = toGatewayError(thrown);
      if (error.code === "request_too_large") throw tooManyUnderWay(error);
      // The write may have been done: no call goes with it, so that nobody is to pay for it.
      if (reserved)
        void createPermit(services, demand, { id, pk, reserved, parts: ordered, most, headers: {}, at: now }).settle(
          undefined,
        );
      throw error;
    });
    if (written.ok) {
      const [first] = operations;
      if (operations.length === 1 && first !== undefined && written.item !== undefined)
        views.set(pk, first.update.sk, written.item.data);
      else for (const each of operations) views.apply(pk, each.update.sk, each.change);
      return { kind: "taken", id, parts: ordered, pk, reserved };
    }
    const failed = items[written.failed];
    if (failed === undefined) throw contention();
    const [sk, mine] = failed;
    const data: JsonObject | undefined = written.item?.data;
    views.set(pk, sk, data);
    const refusals = refusalsOf(mine, data, services.now());
    if (refusals.length === 0) continue;
    if (
      written.item !== undefined &&
      refusals.some(({ part }) => part.kind === "count") &&
      (await reclaim(services, demand.caller.tenant, written.item))
    )
      continue;
    for (const each of refusals) views.refuse(pk, each, now);
    return { kind: "refused", refusals };
  }
  throw contention();
};

const writeAll = (
  table: Table,
  pk: string,
  operations: readonly Extract<Operation, { update: unknown }>[],
): Promise<Written> => {
  const [only] = operations;
  return operations.length === 1 && only !== undefined
    ? table.update(only.update, only.change, only.condition)
    : table.transact(pk, operations);
};

/** Resolves with the permit, or rejects with what the caller is told. `most`: what the call takes at most. */
export const admit = async (
  services: EngineServices,
  demand: Demand,
  standing: Standing,
  most: Estimate,
): Promise<Permit | undefined> => {
  const { rules } = standing;
  const { tenant } = demand.caller;
  const of = services.limits.shards[tenant] ?? 1;
  const first = of === 1 ? 0 : Math.floor(Math.random() * of);
  let refusals: Refusal[] = [];
  for (let tried = 0; tried < of; tried += 1) {
    const shard = { at: (first + tried) % of, of };
    const pk = spendPartition(tenant, shard.at);
    if (partsOf(demand, rules, most, shard, services.now()).length === 0) return undefined;
    const attempt = await services.admissions(pk, () => take(services, pk, demand, standing, most, shard));
    if (attempt.kind === "taken") {
      const headers = rateHeaders(attempt.parts, (sk) => services.views.get(pk, sk), demand.wire, services.now());
      services.alerts.look(tenant, pk, attempt.parts, (sk) => services.views.get(pk, sk));
      return createPermit(services, demand, { ...attempt, most, headers, at: services.now() });
    }
    // The shard with the least wait speaks for all.
    const sooner = (longest(attempt.refusals)?.until ?? Infinity) < (longest(refusals)?.until ?? Infinity);
    if (refusals.length === 0 || sooner) refusals = attempt.refusals;
  }
  const worst = longest(refusals);
  if (worst === undefined) throw contention();
  const shard = { at: first, of };
  const parts = partsOf(demand, rules, most, shard, services.now());
  const pk = spendPartition(tenant, first);
  const headers = rateHeaders(parts, (sk) => services.views.get(pk, sk), demand.wire, services.now());
  throw refused(worst, services.now(), headers);
};
