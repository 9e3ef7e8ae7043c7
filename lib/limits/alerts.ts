// Who is told that a budget is nearly spent: each share of each period once, whichever instance sees it first.
import { asNumber, type JsonObject } from "../model/json.ts";
import { spendPartition } from "../usage/keys.ts";
import type { Key, Table } from "../stores/table.ts";
import type { BudgetAlert } from "./alert-webhook.ts";
import { alertKey } from "./keys.ts";
import type { Part, SumPart } from "./rules.ts";

export type Alerts = {
  /**
   * Looks at the budgets of a call, in the background: once in some seconds each, and at once where `known`, what this instance has
   * seen of the counts, says that there is something to tell.
   */
  look: (tenant: string, pk: string, parts: readonly Part[], known: (sk: string) => JsonObject | undefined) => void;
  /** Resolves when what was looked at has been told. */
  settled: () => Promise<void>;
};

export type AlertServices = {
  table: Table;
  now: () => number;
  tell: (alert: BudgetAlert) => Promise<void>;
  /** Told of what could not be looked at; nothing depends on it. */
  failed: (cause: unknown) => void;
};

const lookAgainMs = 5_000;
const mostRemembered = 10_000;
const keptSeconds = 400 * 86_400;

const dueShares = ({ alerts, max }: SumPart, used: number): number[] =>
  max <= 0 ? [] : alerts.filter((share) => used >= share * max);

export const createAlerts = (services: AlertServices): Alerts => {
  const { table, now, tell } = services;
  const lookedAt = new Map<string, number>();
  const told = new Set<string>();
  const running = new Set<Promise<void>>();

  // Of a tenant's shards the first that comes to a share speaks for all.
  const markOf = (tenant: string, part: SumPart, share: number): Key => ({
    pk: spendPartition(tenant, 0),
    sk: alertKey(part.sk, part.field, share),
  });
  const isTold = (tenant: string, part: SumPart, share: number): boolean => {
    const { pk, sk } = markOf(tenant, part, share);
    return told.has(pk + sk);
  };

  const tellOnce = async (tenant: string, part: SumPart, share: number, used: number): Promise<void> => {
    if (isTold(tenant, part, share)) return;
    const mark = markOf(tenant, part, share);
    const expiresAt = Math.ceil(now() / 1_000) + keptSeconds;
    const written = await table.put({ ...mark, data: { at: now() }, expiresAt }, { item: "absent" });
    if (told.size < mostRemembered) told.add(mark.pk + mark.sk);
    if (!written.ok) return;
    await tell({
      type: "budget.threshold",
      tenant,
      rule: part.rule,
      by: part.by,
      subject: part.by === "tenant" ? tenant : part.subject,
      period: part.period,
      share,
      amount: part.budget,
      used: Number(((used / part.max) * part.budget).toFixed(9)),
      at: new Date(now()).toISOString(),
    });
  };

  const lookAt = async (tenant: string, pk: string, part: SumPart): Promise<void> => {
    const item = await table.get({ pk, sk: part.sk });
    const used = asNumber(item?.data[part.field]) ?? 0;
    if (item === undefined) return;
    for (const share of dueShares(part, used)) await tellOnce(tenant, part, share, used);
  };

  return {
    look: (tenant, pk, parts, known) => {
      for (const part of parts) {
        if (part.kind !== "sum" || part.alerts.length === 0) continue;
        const place = `${pk}\n${part.sk}\n${part.field}`;
        const seen = asNumber(known(part.sk)?.[part.field]) ?? 0;
        const news = dueShares(part, seen).some((share) => !isTold(tenant, part, share));
        if (!news && now() - (lookedAt.get(place) ?? -Infinity) < lookAgainMs) continue;
        if (lookedAt.size >= mostRemembered) lookedAt.clear();
        lookedAt.set(place, now());
        const work = lookAt(tenant, pk, part)
          .catch(services.failed)
          .finally(() => running.delete(work));
        running.add(work);
      }
    },
    settled: async () => {
      await Promise.all(running);
    },
  };
};
