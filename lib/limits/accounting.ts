// Limits and ledger together: what is let through, and what is written of it. The part that every call passes: what needs a store is
// loaded with the first call that does.
import type { Caller } from "../auth/caller.ts";
import type { LimitsConfig, UsageConfig } from "../config-types.ts";
import { GatewayError, toGatewayError } from "../model/error.ts";
import { newId } from "../model/id.ts";
import type { Usage } from "../model/usage.ts";
import type { Table } from "../stores/table.ts";
import type { CallRecord } from "../telemetry/call-record.ts";
import type { Log } from "../telemetry/log.ts";
import { nanos, type UsageEntry } from "../usage/entry.ts";
import type { UsageWriter } from "../usage/writer.ts";
import type { BudgetAlert } from "./alert-webhook.ts";
import type { Alerts } from "./alerts.ts";
import type { admit, EngineServices } from "./engine.ts";
import { estimate } from "./estimate.ts";
import type { sweepOrphans } from "./orphans.ts";
import { type Rules, rulesFor } from "./rules.ts";
import type { Demand, DemandTarget, Limiter, Permit } from "./types.ts";

export type AccountingServices = {
  limits: LimitsConfig;
  usage: UsageConfig;
  /** Undefined where nothing is kept: then there are no limits, and no ledger. */
  table: (() => Promise<Table>) | undefined;
  /** The limits set at run time, as every instance knows them within seconds. */
  dynamic: { state: () => Rules | Promise<Rules>; last: () => { state: Rules } | undefined } | undefined;
  now: () => number;
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Dollars; undefined where the price is not known. */
  cost: (target: DemandTarget, usage: Usage) => number | undefined;
  /** The most output tokens of a model, where known. */
  outputLimit: (target: DemandTarget) => number | undefined;
  priceVersion: (provider: string, model: string) => string | undefined;
  tell: (alert: BudgetAlert) => Promise<void>;
  log: Log;
  /** Entries are written at once, as the platform may sleep after each call. */
  immediate: boolean;
};

export type Accounting = {
  limiter: Limiter;
  /** To be called with every record. Gives what is to be finished before the platform sleeps. */
  record: (
    record: CallRecord,
    caller: Caller,
    thread: string | undefined,
    permit: Permit | undefined,
  ) => Promise<void> | undefined;
  /** Writes what waits. */
  flush: () => Promise<void>;
};

/** What the first call that needs a store has loaded. */
type Opened = {
  admitted: typeof admit;
  engineServices: EngineServices;
  sweepOrphans: typeof sweepOrphans;
  writer: UsageWriter;
  alerts: Alerts;
  add: (entry: UsageEntry) => Promise<void>;
};

const noRules: Rules = { rates: [], budgets: [] };
/** After the store failed it is left alone so long: calls are not to wait for it one after the other. */
const pauseMs = 1_000;

/** Of one process to one partition. */
const writesAtOnce = 4;

/** A request's id may be the caller's own, and come twice. */
const instance = newId();
let made = 0;
const newEntryId = (): string => {
  made += 1;
  return `${instance}${made.toString(36)}`;
};

const entryOf = (
  record: CallRecord,
  caller: Caller,
  thread: string | undefined,
  at: number,
  priceVersion: string | undefined,
): UsageEntry => {
  const entry: UsageEntry = {
    id: newEntryId(),
    at,
    tenant: caller.tenant,
    key: caller.key,
    name: caller.name,
    user: caller.user,
    requestId: record.requestId,
    wire: record.wire,
    operation: record.operation,
    provider: record.provider,
    model: record.model,
    requestedModel: record.requestedModel,
    usage: record.usage ?? { input: 0, output: 0 },
    cost: record.cost === undefined ? 0 : nanos(record.cost),
    totalMs: record.totalMs,
    status: record.status,
    attempts: record.attempts,
  };
  if (thread !== undefined) entry.thread = thread;
  if (record.estimated === true) entry.estimated = true;
  if (record.priced === false) entry.unpriced = true;
  if (priceVersion !== undefined && record.priced === true) entry.priceVersion = priceVersion;
  if (record.ttftMs !== undefined) entry.ttftMs = record.ttftMs;
  if (record.errorCode !== undefined) entry.error = record.errorCode;
  return entry;
};

export const createAccounting = (services: AccountingServices): Accounting => {
  const { limits, usage, table, dynamic, now, log } = services;
  const configured: Rules = limits;
  const ledger = usage.ledger === "on" && table !== undefined;
  let opening: Promise<Opened> | undefined;
  let ready: Opened | undefined;
  let downUntil = 0;

  const open = async (from: () => Promise<Table>): Promise<Opened> => {
    const [
      { admit: admitted },
      { sweepOrphans: swept },
      { createLanes },
      { createViews },
      { createAlerts },
      { createUsageWriter },
      { createTenantRegister },
      opened,
    ] = await Promise.all([
      import("./engine.ts"),
      import("./orphans.ts"),
      import("./lanes.ts"),
      import("./views.ts"),
      import("./alerts.ts"),
      import("../usage/writer.ts"),
      import("../usage/tenants.ts"),
      from(),
    ]);
    const shardOf = (tenant: string): number => Math.floor(Math.random() * (limits.shards[tenant] ?? 1));
    const writer = createUsageWriter({
      table: opened,
      shardOf,
      options: { ...usage, immediate: services.immediate },
      log,
    });
    const alerts = createAlerts({
      table: opened,
      now,
      tell: services.tell,
      failed: (cause) => log.error("a budget could not be looked at", { cause }),
    });
    const views = createViews();
    const add = (entry: UsageEntry): Promise<void> => (ledger ? writer.add(entry) : Promise.resolve());
    const lanes = { admissions: createLanes(writesAtOnce), settlements: createLanes(writesAtOnce) };
    const engineServices = {
      ...lanes,
      register: createTenantRegister(opened),
      table: opened,
      now,
      sleep: services.sleep,
      limits,
      usage,
      views,
      alerts,
      log,
      add,
    };
    ready = { admitted, engineServices, sweepOrphans: swept, writer, alerts, add };
    return ready;
  };
  const opened = (from: () => Promise<Table>): Promise<Opened> =>
    (opening ??= open(from).catch((thrown: unknown) => {
      opening = undefined;
      throw toGatewayError(thrown);
    }));

  /** The store can't be asked: whoever has a limit that must hold is refused. */
  const storeDown = (rules: Rules, thrown: unknown): undefined => {
    const closed = [...rules.rates, ...rules.budgets].find(({ onStoreFailure }) => onStoreFailure === "closed");
    if (closed === undefined) return undefined;
    const cause = toGatewayError(thrown);
    throw new GatewayError("storage", `The limit '${closed.name}' can't be checked now, and must hold.`, {
      retryAfterMs: pauseMs,
      cause,
    });
  };

  const ask = async (
    from: () => Promise<Table>,
    demand: Demand,
    given: Rules,
    budgets: Rules["budgets"],
  ): Promise<Permit | undefined> => {
    const most = estimate(services, demand, given);
    // What costs nothing is under no budget (F40).
    const rules = most.cost > 0 ? given : { ...given, budgets: [] };
    if (rules.rates.length === 0 && rules.budgets.length === 0) return undefined;
    if (now() < downUntil) return storeDown(rules, undefined);
    try {
      const { admitted, engineServices } = await opened(from);
      return await admitted(engineServices, demand, { rules, budgets }, most);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      if (error.code !== "storage") throw error;
      if (error.details.retryAfterMs === undefined) {
        downUntil = now() + pauseMs;
        log.error("the store of the limits can't be asked", {
          requestId: demand.requestId,
          cause: error.cause ?? error,
        });
      }
      return storeDown(rules, error);
    }
  };

  const withRules = (demand: Demand, sources: readonly Rules[]): Permit | undefined | Promise<Permit | undefined> => {
    const rules = rulesFor(demand, sources);
    if (table === undefined || (rules.rates.length === 0 && rules.budgets.length === 0)) return undefined;
    return ask(table, demand, rules, [...sources.flatMap(({ budgets }) => budgets), ...rules.budgets]);
  };

  /** While limits of run time can't be read, those hold that were read last; the configuration says what holds where none ever were. */
  const standing = async (pending: Rules | Promise<Rules>): Promise<Rules> => {
    try {
      return await pending;
    } catch (thrown) {
      const error = toGatewayError(thrown);
      const before = dynamic?.last();
      if (error.code !== "storage" || (before === undefined && limits.onStoreFailure === "closed")) throw error;
      return before?.state ?? noRules;
    }
  };
  const withDynamic = async (demand: Demand, pending: Promise<Rules>): Promise<Permit | undefined> =>
    withRules(demand, [configured, await standing(pending)]);

  const limiter: Limiter = {
    admit: (demand) => {
      if (dynamic === undefined || demand.caller.selfProving === true) return withRules(demand, [configured]);
      const rules = dynamic.state();
      return rules instanceof Promise ? withDynamic(demand, rules) : withRules(demand, [configured, rules]);
    },
    sweep: async () => {
      if (table === undefined) return;
      const { engineServices, sweepOrphans: swept, alerts } = await opened(table);
      await swept(engineServices);
      await alerts.settled();
    },
    ready: async () => {
      if (table === undefined) return;
      // As calls find them: an instance that never could read them serves, or doesn't, by the same rule.
      const known = dynamic?.last()?.state;
      const rules = [configured, known ?? (dynamic === undefined ? noRules : await standing(dynamic.state()))];
      const closed = rules.some(({ rates, budgets }) =>
        [...rates, ...budgets].some((rule) => rule.onStoreFailure === "closed"),
      );
      if (!closed) return;
      await (await table()).get({ pk: "~health", sk: "probe" });
      downUntil = 0;
    },
  };

  return {
    limiter,
    record: (record, caller, thread, permit) => {
      const reached = record.attempts > 0;
      if (permit === undefined && (!ledger || !reached)) return undefined;
      const version = services.priceVersion(record.provider, record.model);
      const entry = reached ? entryOf(record, caller, thread, now(), version) : undefined;
      if (permit !== undefined) return permit.settle(entry);
      if (entry === undefined || table === undefined) return undefined;
      if (ready !== undefined) {
        const added = ready.add(entry);
        // Where the process lives on nobody waits for the block, whose promise would keep all of the call in memory until then: `flush` does.
        return services.immediate ? added : undefined;
      }
      // The first answer goes out before anything is loaded for its entry.
      const first = async (): Promise<void> => {
        await new Promise((resolve) => setImmediate(resolve));
        await (await opened(table)).add(entry);
      };
      return first().catch((thrown: unknown) =>
        log.error("a usage entry is lost", { requestId: record.requestId, cause: thrown }),
      );
    },
    flush: async () => {
      if (opening === undefined) return;
      const { writer, alerts } = await opening;
      await writer.flush();
      await alerts.settled();
    },
  };
};
