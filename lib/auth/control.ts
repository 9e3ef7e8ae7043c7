// What every instance must know of within seconds, in one small item: revoked keys, and the limits that were set at run time.
import type { BudgetRule, RateRule } from "../config-types.ts";
import { GatewayError } from "../model/error.ts";
import type { JsonObject } from "../model/json.ts";
import type { Item, Table } from "../stores/table.ts";

export type ControlState = {
  /** Ids of keys that prove themselves and are revoked, to the Unix milliseconds until which that must be remembered. */
  revoked: Readonly<Record<string, number>>;
  /** Of those, the ones that are still good until so many Unix milliseconds. */
  revokedFrom?: Readonly<Record<string, number>>;
  rates: readonly RateRule[];
  budgets: readonly BudgetRule[];
};

export type Control = {
  /**
   * Never older than ten seconds: at once where it is known, with a refresh behind the call when it is older than five. Rejects
   * `storage` where it can't be read.
   */
  state: () => ControlState | Promise<ControlState>;
  /** What was read last, however old, and when its reading began: for those who must go on while the store is down. */
  last: () => { state: ControlState; at: number } | undefined;
  /** Reads, changes and writes it back; tried again where another was faster. This instance knows the change at once. */
  change: (edit: (state: ControlState) => ControlState) => Promise<ControlState>;
};

const key = { pk: "~control", sk: "state" } as const;
const refreshMs = 5_000;
const oldestMs = 10_000;
const changeTries = 30;

const parse = (item: Item | undefined): ControlState => {
  // Nobody else writes this item.
  const data = (item?.data ?? {}) as unknown as Partial<ControlState>;
  const { revoked = {}, revokedFrom, rates = [], budgets = [] } = data;
  return { revoked, ...(revokedFrom === undefined ? {} : { revokedFrom }), rates, budgets };
};

/** What no key can be used with any more need not be remembered. */
const pruned = ({ revoked, revokedFrom, ...rest }: ControlState, now: number): ControlState => {
  const kept = Object.fromEntries(Object.entries(revoked).filter(([, until]) => until > now));
  const from = Object.entries(revokedFrom ?? {}).filter(([id, begins]) => begins > now && Object.hasOwn(kept, id));
  return { ...rest, revoked: kept, ...(from.length === 0 ? {} : { revokedFrom: Object.fromEntries(from) }) };
};

/** Whether the state names the key as revoked by now. */
export const isRevoked = ({ revoked, revokedFrom }: ControlState, id: string, now: number): boolean =>
  revoked[id] !== undefined && (revokedFrom?.[id] ?? 0) <= now;

/** `table`: as it is, or to be opened when first asked. No timer runs: what is old is read again when somebody asks. */
export const createControl = (table: Table | (() => Promise<Table>), clock: { now: () => number }): Control => {
  const open = (): Promise<Table> => (typeof table === "function" ? table() : Promise.resolve(table));
  let known: { state: ControlState; at: number; version: number } | undefined;
  let reading: { began: number; done: Promise<ControlState> } | undefined;

  const learn = (state: ControlState, version: number, at: number): ControlState => {
    // A read that was overtaken by a change of this instance tells nothing new.
    if (known !== undefined && version < known.version && at <= known.at) return known.state;
    known = { state, version, at: Math.max(at, known?.at ?? at) };
    return state;
  };

  const read = (): Promise<ControlState> => {
    const began = clock.now();
    // One that began long ago may have slept with its process: its news would be old.
    if (reading !== undefined && began - reading.began < refreshMs) return reading.done;
    const run = async (): Promise<ControlState> => {
      try {
        const item = await (await open()).get(key);
        return learn(parse(item), item?.version ?? 0, began);
      } finally {
        if (reading?.began === began) reading = undefined;
      }
    };
    const done = run();
    reading = { began, done };
    return done;
  };

  const write = async (edit: (state: ControlState) => ControlState): Promise<ControlState> => {
    const opened = await open();
    for (let tried = 0; tried < changeTries; tried += 1) {
      const item = await opened.get(key);
      const at = clock.now();
      const next = pruned(edit(parse(item)), at);
      const written = await opened.put(
        { ...key, data: next as unknown as JsonObject },
        item === undefined ? { item: "absent" } : { version: item.version },
      );
      if (written.ok) return learn(next, (item?.version ?? 0) + 1, at);
    }
    throw new GatewayError("conflict", "Too many changes at once: try again.");
  };

  return {
    state: () => {
      if (known === undefined) return read();
      const age = clock.now() - known.at;
      if (age > oldestMs) return read();
      if (age > refreshMs) read().catch(() => undefined);
      return known.state;
    },
    last: () => known,
    change: write,
  };
};
