// What this instance last saw of the counts: guesses for the next write, and refusals that need no store until their time is over.
import type { JsonObject } from "../model/json.ts";
import type { Part } from "./rules.ts";
import type { Refusal } from "./judge.ts";

const most = 10_000;
/** Money and tokens come back when calls are settled, elsewhere too: they are asked for again this often. Requests come back with time alone. */
const memoryMs = 1_000;

type Memory = { until: number; size: number; refusal: Refusal };

export type Views = {
  get: (pk: string, sk: string) => JsonObject | undefined;
  set: (pk: string, sk: string, data: JsonObject | undefined) => void;
  /** Where the store doesn't tell how an item stands after a write, it is worked out. */
  apply: (pk: string, sk: string, change: { set?: JsonObject; add?: Readonly<Record<string, number>> }) => void;
  /** Refusals of the same or of smaller calls that still hold. */
  remembered: (pk: string, parts: readonly Part[], now: number) => Refusal[];
  refuse: (pk: string, refusal: Refusal, now: number) => void;
  /** Something was given back. */
  forget: (pk: string, sk: string) => void;
};

const sizeOf = (part: Part): number => (part.kind === "sum" ? part.amount : part.kind === "rate" ? part.cost : 1);

/** Reservations stand beside the counts: they are nobody's guess. */
const countsIn = (data: JsonObject = {}): JsonObject => {
  const counts: JsonObject = {};
  for (const field in data) {
    const value = data[field];
    if (typeof value === "number") counts[field] = value;
  }
  return counts;
};

const bounded = <T>(map: Map<string, T>, key: string, value: T): void => {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
};

export const createViews = (): Views => {
  const items = new Map<string, JsonObject>();
  const refusals = new Map<string, Map<string, Memory>>();
  const place = (pk: string, sk: string): string => `${pk}\n${sk}`;
  return {
    get: (pk, sk) => items.get(place(pk, sk)),
    set: (pk, sk, data) => {
      if (data === undefined) items.delete(place(pk, sk));
      else bounded(items, place(pk, sk), countsIn(data));
    },
    apply: (pk, sk, { set, add }) => {
      const next: JsonObject = { ...items.get(place(pk, sk)), ...countsIn(set) };
      for (const [field, amount] of Object.entries(add ?? {})) {
        const stands = next[field];
        next[field] = (typeof stands === "number" ? stands : 0) + amount;
      }
      bounded(items, place(pk, sk), next);
    },
    remembered: (pk, parts, now) =>
      parts.flatMap((part) => {
        const memory = refusals.get(place(pk, part.sk))?.get(part.field);
        return memory !== undefined && memory.until > now && sizeOf(part) >= memory.size
          ? [{ part, until: memory.refusal.until }]
          : [];
      }),
    refuse: (pk, refusal, now) => {
      const { part } = refusal;
      // How many are under way changes with every end of a call.
      if (part.kind === "count") return;
      const told = refusal.until ?? Infinity;
      const until = part.kind === "rate" && part.what === "requests" ? told : Math.min(now + memoryMs, told);
      const key = place(pk, part.sk);
      const fields = refusals.get(key) ?? new Map<string, Memory>();
      fields.set(part.field, { until, size: sizeOf(part), refusal });
      bounded(refusals, key, fields);
    },
    forget: (pk, sk) => void refusals.delete(place(pk, sk)),
  };
};
