// What every instance must know of within seconds, in one small item: revoked keys, and the limits that were set at run time.
import type { BudgetRule, RateRule } from "../config-types.ts";

export type ControlState = {
  /** Ids of keys that prove themselves and are revoked, to the Unix milliseconds until which that must be remembered. */
  revoked: Readonly<Record<string, number>>;
  rates: readonly RateRule[];
  budgets: readonly BudgetRule[];
};

export type Control = {
  /**
   * Never older than ten seconds: at once where it is known, with a refresh behind the call when it is older than five. Rejects
   * `storage` where it can't be read.
   */
  state: () => ControlState | Promise<ControlState>;
  /** Reads, changes and writes it back; tried again where another was faster. This instance knows the change at once. */
  change: (edit: (state: ControlState) => ControlState) => Promise<ControlState>;
};
