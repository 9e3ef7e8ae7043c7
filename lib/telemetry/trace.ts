// Trace context (https://www.w3.org/TR/trace-context/): a caller's trace is continued, else one begins here.
import type { Headers } from "../model/call.ts";

export type Trace = {
  /** 32 hex digits. */
  traceId: string;
  /** 16 hex digits: the gateway's own span, the parent of what it calls. */
  spanId: string;
  /** The caller's span; absent where the trace began here. */
  parentId?: string;
  sampled: boolean;
  /** For what the gateway calls: `traceparent`, and the caller's `tracestate` where it came with a trace. */
  headers: Headers;
};

type Parent = { traceId: string; parentId: string; sampled: boolean };

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const isZero = (digits: string): boolean => /^0+$/.test(digits);

/** Undefined where the header is none, or breaks the rules: the trace is then begun anew. Later versions are read as far as they are known. */
const parseTraceparent = (header: string | undefined): Parent | undefined => {
  const [, version, traceId, parentId, flags, more] = form.exec(header?.trim() ?? "") ?? [];
  if (version === undefined || traceId === undefined || parentId === undefined || flags === undefined) return undefined;
  if (version === "ff" || (version === "00" && more !== undefined) || isZero(traceId) || isZero(parentId))
    return undefined;
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
};

/** Filled by node:crypto: the global `crypto` is WebCrypto, which takes 2 ms of a cold start to load. */
const pool = Buffer.alloc(24 * 256);
let next = pool.length;

/** 48 hex digits, from random bytes made in bulk. All zeros, which would mean none, will not happen. */
const newIds = (): string => {
  if (next === pool.length) {
    process.getBuiltinModule("node:crypto").randomFillSync(pool);
    next = 0;
  }
  next += 24;
  return pool.toString("hex", next - 24, next);
};

/** The trace of one call, from its headers (lower-case names). A trace that begins here is not sampled unless `sampled` says so. */
export const traceOf = (headers: Headers, sampled = false): Trace => {
  const parent = parseTraceparent(headers["traceparent"]);
  const ids = newIds();
  const traceId = parent?.traceId ?? ids.slice(0, 32);
  const spanId = ids.slice(32);
  const isSampled = parent?.sampled ?? sampled;
  const trace: Trace = {
    traceId,
    spanId,
    sampled: isSampled,
    headers: { traceparent: `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}` },
  };
  if (parent !== undefined) {
    trace.parentId = parent.parentId;
    const state = headers["tracestate"];
    if (state !== undefined && state !== "") trace.headers["tracestate"] = state;
  }
  return trace;
};
