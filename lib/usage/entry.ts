// One upstream call in the ledger. Amounts are whole numbers, so that sums agree to the last digit.
import type { Usage } from "../model/usage.ts";

/** Nanodollars: a billion to the dollar. */
export const nanos = (dollars: number): number => Math.round(dollars * 1e9);
export const dollars = (amount: number): number => amount / 1e9;

export type UsageEntry = {
  /** Unique within its tenant: an entry is written once, whoever writes it. */
  id: string;
  /** Unix milliseconds of the call's end. */
  at: number;
  tenant: string;
  /** The key's id, or what stands for one; "" under open access. */
  key: string;
  /** The key's name as it was then. */
  name: string;
  user: string;
  thread?: string;
  requestId: string;
  wire: string;
  operation: string;
  provider: string;
  /** The provider's own name. */
  model: string;
  requestedModel: string;
  usage: Usage;
  /** The provider never told, or the process died: tokens are estimated. */
  estimated?: boolean;
  /** Nanodollars; 0 where the price is not known, which `unpriced` says (F37). */
  cost: number;
  unpriced?: boolean;
  /** What the price was taken from: `configuration`, or the date of the table. */
  priceVersion?: string;
  ttftMs?: number;
  totalMs: number;
  status: number;
  error?: string;
  attempts: number;
  /** Settled by the sweeper, as the process that made the call never did. */
  orphan?: boolean;
};
