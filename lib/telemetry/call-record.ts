// What is known of one call when it is over: the source of the log line and of every metric. Never a prompt, never a key.
import type { Usage } from "../model/usage.ts";

export type CallRecord = {
  requestId: string;
  wire: string;
  operation: string;
  /** "" where no provider was reached. */
  provider: string;
  /** The provider's own model name. */
  model: string;
  /** As the caller named it. */
  requestedModel: string;
  stream: boolean;
  status: number;
  errorCode?: string;
  usage?: Usage;
  /** The provider never told: tokens are estimated. */
  estimated?: boolean;
  /** Dollars; absent where the price is not known (`priced: false`, F37). */
  cost?: number;
  priced?: boolean;
  /** Milliseconds to the first byte of the answer. */
  ttftMs?: number;
  totalMs: number;
  attempts: number;
  /** The caller left before the end. */
  disconnected: boolean;
  keyName: string;
  tenant: string;
  /** Request fields the target could not express (F18). */
  dropped?: readonly string[];
  traceId: string;
};
