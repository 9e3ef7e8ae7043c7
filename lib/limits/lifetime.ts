// How long a subject's counts are kept after the last call: as long as any limit of its kind may still ask for them.
import type { Part, Rules } from "./rules.ts";

const hour = 3_600;
const day = 24 * hour;
const step = 6 * hour;
const lifetimes = { day: 3 * day, month: 45 * day, total: undefined };

/** Seconds since 1970, or null for ever. All budgets count that are by the same, whatever model they are for: the item is one. */
export const expiryOf = (budgets: Rules["budgets"], parts: readonly Part[], now: number): number | null => {
  const by = parts[0]?.by;
  let longest = day;
  for (const rule of budgets) {
    if (rule.by !== by) continue;
    const lifetime = lifetimes[rule.per];
    if (lifetime === undefined) return null;
    longest = Math.max(longest, lifetime);
  }
  // The same for hours: a value that changes with every write costs the store an index entry each time.
  return Math.ceil((now / 1_000 + longest) / step) * step;
};
