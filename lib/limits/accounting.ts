// Limits and ledger together: what is let through, and what is written of it.
import type { Caller } from "../auth/caller.ts";
import type { CallRecord } from "../telemetry/call-record.ts";
import type { Limiter, Permit } from "./types.ts";

export type Accounting = {
  limiter: Limiter;
  /** To be called with every record. Gives what is to be finished before the platform sleeps. */
  record: (
    record: CallRecord,
    caller: Caller,
    thread: string | undefined,
    permit: Permit | undefined,
  ) => Promise<void> | undefined;
};

const unlimited: Limiter = {
  admit: () => undefined,
  sweep: () => Promise.resolve(),
  ready: () => true,
};

export const createAccounting = (): Accounting => ({
  limiter: unlimited,
  record: () => undefined,
});
