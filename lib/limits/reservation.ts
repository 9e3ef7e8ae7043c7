// What is kept of a call while it is under way, within the item of its first limit: enough to settle it when its process has died.
import { asArray, asNumber, asString, type Json } from "../model/json.ts";
import type { UsageEntry } from "../usage/entry.ts";
import type { Demand } from "./types.ts";

export type Reservation = {
  id: string;
  /** Unix milliseconds from which the call is given up. */
  until: number;
  at: number;
  /** Nanodollars. */
  cost: number;
  input: number;
  output: number;
  requestId: string;
  key: string;
  name: string;
  user: string;
  thread: string;
  wire: string;
  operation: string;
  model: string;
  provider: string;
  providerModel: string;
  /** The counts of calls under way that it stands in: `[sk, field]`. */
  counts: readonly (readonly [string, string])[];
};

export const reservationOf = (
  demand: Demand,
  more: Pick<Reservation, "id" | "at" | "until" | "cost" | "input" | "output" | "counts">,
): Reservation => {
  const { caller, requestId, wire, operation, model, thread = "", targets } = demand;
  const [first] = targets;
  return {
    ...more,
    requestId,
    key: caller.key,
    name: caller.name,
    user: caller.user,
    thread,
    wire,
    operation,
    model: model.slice(0, 200),
    provider: first?.provider ?? "",
    providerModel: (first?.model ?? "").slice(0, 200),
  };
};

/** One string: short, and equal to itself in a condition. */
export const encodeReservation = (kept: Reservation): string => {
  const { until, at, cost, input, output, requestId, key, name, user, thread, wire, operation, model } = kept;
  const rest = [requestId, key, name, user, thread, wire, operation, model, kept.provider, kept.providerModel];
  return JSON.stringify([until, at, cost, input, output, ...rest, kept.counts]);
};

/** Undefined for what this code didn't write. */
export const decodeReservation = (id: string, stored: Json | undefined): Reservation | undefined => {
  if (typeof stored !== "string") return undefined;
  let list: readonly Json[] | undefined;
  try {
    list = asArray(JSON.parse(stored) as Json);
  } catch {
    return undefined;
  }
  if (list === undefined || list.length < 16) return undefined;
  const number = (at: number): number => asNumber(list[at]) ?? 0;
  const text = (at: number): string => asString(list[at]) ?? "";
  const counts = (asArray(list[15]) ?? []).flatMap((each): [string, string][] => {
    const [sk, field] = asArray(each) ?? [];
    return typeof sk === "string" && typeof field === "string" ? [[sk, field]] : [];
  });
  return {
    id,
    until: number(0),
    at: number(1),
    cost: number(2),
    input: number(3),
    output: number(4),
    requestId: text(5),
    key: text(6),
    name: text(7),
    user: text(8),
    thread: text(9),
    wire: text(10),
    operation: text(11),
    model: text(12),
    provider: text(13),
    providerModel: text(14),
    counts,
  };
};

/** The ledger's entry of a call whose process died: at its estimate, as nobody knows better. */
export const orphanEntry = (kept: Reservation, tenant: string, now: number): UsageEntry => ({
  id: kept.id,
  at: now,
  tenant,
  key: kept.key,
  name: kept.name,
  user: kept.user,
  ...(kept.thread === "" ? {} : { thread: kept.thread }),
  requestId: kept.requestId,
  wire: kept.wire,
  operation: kept.operation,
  provider: kept.provider,
  model: kept.providerModel,
  requestedModel: kept.model,
  usage: { input: kept.input, output: kept.output },
  estimated: true,
  cost: kept.cost,
  totalMs: Math.max(0, now - kept.at),
  status: 500,
  error: "lost",
  attempts: 1,
  orphan: true,
});
