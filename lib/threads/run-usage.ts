// What runs used, all steps of each together: one read of the stretch of the thread's usage that a page of runs spans.
import { usageKey, usagePrefix, threadPartition } from "./keys.ts";
import { decodeUsage, type Run, type UsageRecord } from "./run-items.ts";
import type { ThreadStore } from "./store.ts";

export type RunUsage = UsageRecord & { run: string; step: number; at: number };

/** By run. `runs` are of one thread, next to each other in the order of their ids. */
export const usageOfRuns = async (
  store: ThreadStore,
  space: string,
  runs: readonly Run[],
): Promise<Map<string, RunUsage[]>> => {
  const found = new Map<string, RunUsage[]>(runs.map(({ id }) => [id, []]));
  const keys = runs.map(({ id }) => usageKey(id, 0)).sort();
  const [first] = keys;
  const last = keys.at(-1);
  const thread = runs[0]?.thread;
  if (first === undefined || last === undefined || thread === undefined) return found;
  let cursor: string | undefined;
  do {
    const page = await store.table.query({
      pk: threadPartition(space, thread),
      prefix: usagePrefix,
      after: first,
      // Behind every step of the last run: steps are digits.
      before: `${last.slice(0, -4)}~`,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const item of page.items) {
      const record = decodeUsage(item);
      found.get(record.run)?.push(record);
    }
    cursor = page.next;
  } while (cursor !== undefined);
  return found;
};
