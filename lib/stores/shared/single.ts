// A transaction of one operation is a plain write, which costs half as much; one of none is nothing.
import { holds } from "./semantics.ts";
import type { Item, Key, Operation, Written } from "../table.ts";

/**
 * Undefined where a transaction is needed: for more than one operation, and for a sum that can't be repeated as a plain write,
 * but can as a transaction.
 */
export const transactOne = async (
  operations: readonly Operation[],
  get: (key: Key) => Promise<Item | undefined>,
  write: (operation: Operation) => Promise<Written>,
): Promise<Written | undefined> => {
  const [only, second] = operations;
  if (only === undefined) return { ok: true };
  if (second !== undefined || ("update" in only && only.change.add !== undefined)) return undefined;
  if ("check" in only) {
    const item = await get(only.check);
    if (holds(only.condition, item)) return { ok: true };
    return { ok: false, failed: 0, ...(item === undefined ? {} : { item }) };
  }
  const written = await write(only);
  return written.ok ? { ok: true } : written;
};
