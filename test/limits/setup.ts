// Limits over a table, with a clock that a test moves, and calls that cost what it says.
import type { Caller } from "../../lib/auth/caller.ts";
import type { LimitsConfig } from "../../lib/config-types.ts";
import { type Accounting, createAccounting } from "../../lib/limits/accounting.ts";
import type { BudgetAlert } from "../../lib/limits/alert-webhook.ts";
import type { Rules } from "../../lib/limits/rules.ts";
import type { Demand, Permit } from "../../lib/limits/types.ts";
import type { Table } from "../../lib/stores/table.ts";
import type { CallRecord } from "../../lib/telemetry/call-record.ts";
import type { Log } from "../../lib/telemetry/log.ts";

const noLimits: LimitsConfig = {
  rates: [],
  budgets: [],
  shards: {},
  reservationMs: 60_000,
  outputTokens: 1_000,
  unpriced: "refuse",
  onStoreFailure: "open",
};

export const caller = (more: Partial<Caller> = {}): Caller => ({
  name: "app",
  open: false,
  tenant: "acme",
  owner: "ada",
  user: "ada",
  key: "key1",
  roles: ["member"],
  ...more,
});

/** A dollar for a million tokens, whichever; the model `free` costs nothing, `strange` nobody knows what. */
const price = (model: string, tokens: number): number | undefined =>
  model === "free" ? 0 : model === "strange" ? undefined : tokens / 1e6;

export type Given = { input?: number; output?: number; model?: string; id?: string; wire?: string; thread?: string };

let calls = 0;
export const demand = (
  by: Caller,
  { input = 100, output = 900, model = "m", id, wire = "openai-chat", thread }: Given = {},
): Demand => {
  calls += 1;
  return {
    caller: by,
    requestId: id ?? `request${calls}`,
    wire,
    operation: "generate",
    model: `p/${model}`,
    targets: [{ provider: "p", model }],
    inputTokens: () => input,
    outputTokens: () => output,
    answers: () => 1,
    ...(thread === undefined ? {} : { thread }),
  };
};

/** What became of a call. */
export const recordOf = (
  asked: Demand,
  used: { input: number; output: number } | undefined,
  more: Partial<CallRecord> = {},
): CallRecord => {
  const model = asked.targets[0]?.model ?? "";
  const cost = used === undefined ? undefined : price(model, used.input + used.output);
  return {
    requestId: asked.requestId,
    wire: asked.wire,
    operation: asked.operation,
    provider: "p",
    model,
    requestedModel: asked.model,
    stream: false,
    status: 200,
    totalMs: 5,
    attempts: 1,
    disconnected: false,
    keyName: asked.caller.name,
    tenant: asked.caller.tenant,
    traceId: "0".repeat(32),
    ...(used === undefined ? {} : { usage: used }),
    ...(cost === undefined ? {} : { cost, priced: true }),
    ...more,
  };
};

export type TestLimits = Accounting & {
  alerts: BudgetAlert[];
  errors: string[];
  clock: { now: number };
  /** Asks, and ends the call with what it used; undefined where no provider was reached. */
  call: (asked: Demand, used?: { input: number; output: number }) => Promise<void>;
  ask: (asked: Demand) => Promise<Permit | undefined>;
};

export const createLimits = (
  table: Table | undefined,
  limits: Partial<LimitsConfig>,
  options: { clock?: { now: number }; dynamic?: () => Rules | Promise<Rules>; ledger?: "on" | "off" } = {},
): TestLimits => {
  const clock = options.clock ?? { now: Date.UTC(2026, 10, 21, 12) };
  const alerts: BudgetAlert[] = [];
  const errors: string[] = [];
  const log: Log = { call: () => undefined, warn: () => undefined, error: (message) => void errors.push(message) };
  const accounting = createAccounting({
    limits: { ...noLimits, ...limits },
    usage: { ledger: options.ledger ?? "on", retentionDays: 90, rollupDays: 800 },
    table: table === undefined ? undefined : () => Promise.resolve(table),
    dynamic: options.dynamic === undefined ? undefined : { state: options.dynamic, last: () => undefined },
    now: () => clock.now,
    sleep: () => Promise.resolve(),
    cost: ({ model }, { input, output }) => price(model, input + output),
    outputLimit: () => undefined,
    priceVersion: () => "test",
    tell: (alert) => {
      alerts.push(alert);
      return Promise.resolve();
    },
    log,
    immediate: true,
  });
  const ask = async (asked: Demand): Promise<Permit | undefined> => accounting.limiter.admit(asked);
  return {
    ...accounting,
    alerts,
    errors,
    clock,
    ask,
    call: async (asked, used) => {
      const permit = await ask(asked);
      await accounting.record(
        recordOf(asked, used, used === undefined ? { attempts: 0 } : {}),
        asked.caller,
        asked.thread,
        permit,
      );
    },
  };
};

/** How many of these were let through; what else befell one is thrown. */
export const passed = async (tries: readonly Promise<unknown>[]): Promise<number> => {
  let count = 0;
  for (const each of await Promise.allSettled(tries)) {
    if (each.status === "fulfilled") count += 1;
    else if (!["rate_limited", "quota_exceeded"].includes((each.reason as { code?: string }).code ?? ""))
      throw each.reason;
  }
  return count;
};
