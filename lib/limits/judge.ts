// Whether a call fits within its limits as they stand, and the conditional write that takes its part of each. Pure.
import { asNumber, type JsonObject } from "../model/json.ts";
import type { Change, Condition, FieldTest } from "../stores/table.ts";
import { pastPeriods } from "./keys.ts";
import type { Part } from "./rules.ts";

export type Refusal = {
  part: Part;
  /** Unix milliseconds from which the same call may fit; undefined where only time without bound helps. */
  until: number | undefined;
};

/** Microseconds. */
const micros = (now: number): number => Math.floor(now * 1_000);

/** How often those at once are looked at again. */
const countRetryMs = 1_000;

/** The limits of one item that the call does not fit into. `data`: as the item stands; undefined where there is none. */
export const refusalsOf = (parts: readonly Part[], data: JsonObject | undefined, now: number): Refusal[] =>
  parts.flatMap((part): Refusal[] => {
    const stands = asNumber(data?.[part.field]) ?? 0;
    switch (part.kind) {
      case "rate": {
        const at = micros(now);
        const over = Math.max(stands, at) + part.cost - (at + part.capacity);
        return over > 0 ? [{ part, until: now + Math.ceil(over / 1_000) }] : [];
      }
      case "count":
        return stands + 1 > part.max ? [{ part, until: now + countRetryMs }] : [];
      case "sum":
        return stands + part.amount > part.max ? [{ part, until: part.resetsAt }] : [];
    }
  });

/**
 * The write that takes the call's part, for an item that stands as `data` says: a limit that others draw on meanwhile is added to, so
 * that writes don't get in each other's way, and the condition holds as long as there is room.
 */
export const taking = (
  parts: readonly Part[],
  data: JsonObject | undefined,
  now: number,
): { change: Change; condition: Condition } => {
  const set: JsonObject = {};
  const add: Record<string, number> = {};
  const remove: string[] = [];
  const fields: FieldTest[] = [];
  const at = micros(now);
  for (const part of parts) {
    const { field } = part;
    switch (part.kind) {
      case "rate":
        if ((asNumber(data?.[field]) ?? 0) <= at) {
          fields.push({ field, is: "<=", value: at, orAbsent: true });
          set[field] = at + part.cost;
        } else {
          fields.push({ field, is: ">", value: at }, { field, is: "<=", value: at + part.capacity - part.cost });
          add[field] = part.cost;
        }
        break;
      case "count":
        fields.push({ field, is: "<=", value: part.max - 1, orAbsent: part.max >= 1 });
        add[field] = 1;
        break;
      case "sum":
        fields.push({ field, is: "<=", value: part.max - part.amount, orAbsent: part.max >= part.amount });
        add[field] = part.amount;
        if (data !== undefined) remove.push(...pastPeriods(data, part.rule, part.period).slice(0, 10));
    }
  }
  return { change: { set, add, remove }, condition: { fields } };
};

/** What a call used. */
export type Used = { tokens: number; /** Nanodollars. */ cost: number };

/**
 * What is added to a limit when the call is over. `used` is undefined where no provider was reached. A rate gets back no more than
 * what time has not given back by itself, so that nothing is given twice.
 */
export const settling = (part: Part, used: Used | undefined, elapsedMs: number): number => {
  switch (part.kind) {
    case "count":
      return -1;
    case "sum":
      return (used?.cost ?? 0) - part.amount;
    case "rate": {
      if (part.what === "requests" && used !== undefined) return 0;
      const actual = used === undefined ? 0 : Math.ceil(used.tokens * part.interval);
      if (actual >= part.cost) return actual - part.cost;
      return -Math.max(0, Math.min(part.cost - actual, part.cost - micros(elapsedMs)));
    }
  }
};
