// The end of a call: what was reserved beyond the actual is given back, and the ledger has its entry, in one transaction.
import { GatewayError, toGatewayError } from "../model/error.ts";
import type { Headers } from "../model/call.ts";
import type { Operation, Table } from "../stores/table.ts";
import { entryOperations } from "../usage/operations.ts";
import type { UsageEntry } from "../usage/entry.ts";
import type { EngineServices, Estimate } from "./engine.ts";
import { settling, type Used } from "./judge.ts";
import { reservationField } from "./keys.ts";
import type { Part } from "./rules.ts";
import type { Demand, Permit, Settlement } from "./types.ts";

type Taken = {
  id: string;
  pk: string;
  parts: readonly Part[];
  reserved: boolean;
  most: Estimate;
  headers: Headers;
  /** Unix milliseconds of admission. */
  at: number;
};

const tries = 6;
const firstPauseMs = 100;

/** The provider was at it when nobody waited any longer. */
const abandoned: ReadonlySet<string> = new Set(["cancelled", "upstream_timeout"]);
/** What models make in a second, about. */
const tokensPerSecond = 50;

/** Wires that tell their usage at the beginning say that some few tokens were made. */
const tokensOfBeginning = 8;

/**
 * Nothing was seen before the caller left, or the gateway on its behalf: the provider has read the prompt, and has thought or written
 * meanwhile, and will have both paid.
 */
const charged = (entry: UsageEntry, { most }: Taken): UsageEntry => {
  const { usage } = entry;
  if (!abandoned.has(entry.error ?? "") || usage.output > tokensOfBeginning) return entry;
  const input = usage.input > 0 ? usage.input : most.input;
  const meanwhile = Math.min(most.output, Math.floor((entry.totalMs / 1_000) * tokensPerSecond));
  const output = Math.max(usage.output, meanwhile);
  const added = input - usage.input + output - usage.output;
  const share = most.tokens === 0 ? 0 : added / most.tokens;
  return {
    ...entry,
    usage: { ...usage, input, output },
    cost: entry.cost + Math.round(most.cost * share),
    estimated: true,
  };
};

const usedBy = (entry: UsageEntry): Used => ({ tokens: entry.usage.input + entry.usage.output, cost: entry.cost });

export type Update = Extract<Operation, { update: unknown }>;

/** An item that is gone has no count to be set right; all others have. Gives what was written: nothing where all was settled before. */
export const writeWhatIsThere = async (
  table: Table,
  pk: string,
  operations: readonly Update[],
  ledger: readonly Operation[],
): Promise<readonly Update[]> => {
  if (operations.length + ledger.length === 0) return [];
  const written = await table.transact(pk, [...operations, ...ledger]);
  if (written.ok) return operations;
  const failed = operations[written.failed];
  if (failed?.condition?.item !== "present") return [];
  const others = operations.filter((each) => each !== failed);
  return writeWhatIsThere(table, pk, others, ledger);
};

/** The changes of the limits' items; the first has the reservation, and the condition that it is still there. */
const settlementOf = (
  { id, pk, parts, reserved }: Pick<Taken, "id" | "pk" | "parts" | "reserved">,
  used: Used | undefined,
  elapsedMs: number,
): Update[] => {
  const items = new Map<string, Record<string, number>>();
  for (const part of parts) {
    const add = items.get(part.sk) ?? {};
    items.set(part.sk, add);
    const amount = settling(part, used, elapsedMs);
    if (amount !== 0) add[part.field] = (add[part.field] ?? 0) + amount;
  }
  const field = reservationField(id);
  return [...items].flatMap(([sk, add], at): Update[] => {
    const holds = reserved && at === 0;
    if (!holds && Object.keys(add).length === 0) return [];
    return [
      {
        update: { pk, sk },
        change: { add, ...(holds ? { remove: [field] } : {}) },
        condition: holds ? { fields: [{ field, is: "!=", value: "" }] } : { item: "present" },
      },
    ];
  });
};

export const shardOf = (pk: string): number => Number(pk.slice(pk.lastIndexOf("/") + 1));

export const createPermit = (services: EngineServices, demand: Demand, taken: Taken): Permit => {
  const { table, usage, views, log, now, sleep } = services;
  const { pk } = taken;
  let over: Promise<void> | undefined;

  const settle = async (settlement: Settlement): Promise<void> => {
    const entry = settlement === undefined ? undefined : { ...charged(settlement, taken), id: taken.id };
    const operations = settlementOf(taken, entry === undefined ? undefined : usedBy(entry), now() - taken.at);
    const ledger = entry === undefined || usage.ledger === "off" ? [] : entryOperations(pk, [entry], usage);
    // Nothing of a limit changes: the entry can wait for others.
    if (operations.length === 0) {
      if (entry !== undefined) await services.add(entry);
      return;
    }
    let settled = false;
    for (let tried = 1; ; tried += 1)
      try {
        if (!settled) {
          const written = await services.settlements(pk, () => writeWhatIsThere(table, pk, operations, ledger));
          settled = true;
          // Where it failed it was written before: by an earlier try that nobody heard of, or by the sweeper.
          for (const each of written) {
            views.apply(pk, each.update.sk, each.change);
            views.forget(pk, each.update.sk);
          }
        }
        if (entry !== undefined) await services.register(entry.tenant, shardOf(pk));
        services.alerts.look(demand.caller.tenant, pk, taken.parts, (sk) => views.get(pk, sk));
        return;
      } catch (thrown) {
        const error = toGatewayError(thrown);
        if (error.code !== "storage" || tried >= tries) throw error;
        await sleep(firstPauseMs * 2 ** (tried - 1), new AbortController().signal);
      }
  };

  return {
    headers: taken.headers,
    settle: (settlement) =>
      (over ??= settle(settlement).catch(async (thrown: unknown) => {
        log.error("a call could not be settled: its reservation is left to the sweeper", {
          requestId: demand.requestId,
          cause: thrown instanceof GatewayError ? thrown.code : thrown,
        });
        if (!taken.reserved && settlement !== undefined) await services.add(settlement).catch(() => undefined);
      })),
  };
};
