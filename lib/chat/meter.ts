// One record a call, written once however it ends: the log line and the metrics stand on it.
import type { Caller } from "../auth/caller.ts";
import type { Permit } from "../limits/types.ts";
import type { Headers } from "../model/call.ts";
import type { GatewayError } from "../model/error.ts";
import type { Usage } from "../model/usage.ts";
import type { CallRecord } from "../telemetry/call-record.ts";

export type MeterStart = {
  requestId: string;
  wire: string;
  operation: string;
  /** As the caller named it. */
  model: string;
  stream: boolean;
  caller: Caller;
  traceId: string;
  thread?: string;
  /** Takes what is to be finished before the platform sleeps: the ledger's entry. */
  waitUntil: (work: Promise<unknown>) => void;
};

/** Gathers what one call's record says. */
export type Meter = {
  /** What the limits let the call through with: settled with the record. */
  hold: (permit: Permit | undefined) => void;
  attempt: (at: { provider: string; model: string; number: number }) => void;
  /** The first byte of the answer is there. */
  first: () => void;
  dropped: (fields: readonly string[]) => void;
  /** `estimated` where the provider never told. Gives the cost in dollars, where the price is known. */
  usage: (usage: Usage, estimated?: boolean) => number | undefined;
  finish: (status: number, error?: GatewayError) => void;
  /** The `heddle-*` headers of the answer, as far as known. */
  headers: () => Headers;
};

export type MeterServices = {
  now: () => number;
  /** Dollars, or undefined where the price is not known. */
  cost: (provider: string, model: string, usage: Usage) => number | undefined;
  write: (record: CallRecord, start: MeterStart, permit: Permit | undefined) => void;
};

const safe = /^[\x20-\x7e]{0,200}$/;
const headerSafe = (text: string): string =>
  safe.test(text) ? text : text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 200);

export const createMeter = (start: MeterStart, services: MeterServices): Meter => {
  const began = services.now();
  let provider = "";
  let model = "";
  let attempts = 0;
  let firstMs: number | undefined;
  let dropped: readonly string[] | undefined;
  let usage: Usage | undefined;
  let estimated = false;
  let cost: number | undefined;
  let finished = false;
  let permit: Permit | undefined;

  return {
    hold: (given) => {
      permit = given;
    },
    attempt: (at) => {
      provider = at.provider;
      model = at.model;
      attempts = at.number;
      // What an earlier target could not be told is no matter of this one's.
      dropped = undefined;
    },
    first: () => {
      firstMs ??= services.now() - began;
    },
    dropped: (fields) => {
      dropped = fields;
    },
    usage: (told, isEstimate = false) => {
      usage = told;
      estimated = isEstimate;
      cost = services.cost(provider, model, told);
      return cost;
    },
    headers: () => {
      const headers: Headers = { ...permit?.headers, "heddle-attempts": String(attempts) };
      if (provider !== "") {
        headers["heddle-provider"] = headerSafe(provider);
        headers["heddle-model"] = headerSafe(model);
      }
      if (cost !== undefined) headers["heddle-cost"] = String(cost);
      return headers;
    },
    finish: (status, error) => {
      if (finished) return;
      finished = true;
      const record: CallRecord = {
        requestId: start.requestId,
        wire: start.wire,
        operation: start.operation,
        provider,
        model,
        requestedModel: start.model,
        stream: start.stream,
        status,
        totalMs: services.now() - began,
        attempts,
        disconnected: error?.code === "cancelled",
        keyName: start.caller.name,
        tenant: start.caller.tenant,
        traceId: start.traceId,
      };
      if (error !== undefined) record.errorCode = error.code;
      if (firstMs !== undefined) record.ttftMs = firstMs;
      if (dropped !== undefined) record.dropped = dropped;
      if (usage !== undefined) {
        record.usage = usage;
        record.priced = cost !== undefined;
        if (cost !== undefined) record.cost = cost;
        if (estimated) record.estimated = true;
      }
      services.write(record, start, permit);
    },
  };
};
