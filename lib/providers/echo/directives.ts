// What echo was told to do, by headers or in the prompt: how tests and benchmarks get the upstream they need.
import type { Headers } from "../../model/call.ts";

export type Directives = {
  /** An HTTP error of this status before anything else. */
  fail?: number;
  retryAfter?: string;
  /** An error in the stream after this many words. */
  failAfter?: number;
  /** Milliseconds of silence before the first word. */
  stall?: number;
  /** Silence for ever after this many words. */
  stallAfter?: number;
  /** The connection breaks after this many words. */
  cut?: number;
  /** Words of a long answer. */
  long?: number;
  /** Milliseconds between words. */
  pace?: number;
  /** The tool to call. */
  tool?: string;
};

const numbers = {
  fail: "fail",
  "fail-after": "failAfter",
  stall: "stall",
  "stall-after": "stallAfter",
  cut: "cut",
  long: "long",
  pace: "pace",
} as const;
const caps: Partial<Record<(typeof numbers)[keyof typeof numbers], number>> = {
  stall: 600_000,
  long: 100_000,
  pace: 60_000,
};

const set = (directives: Directives, name: string, value: string): void => {
  if (name === "tool") directives.tool = value;
  if (name === "retry-after") directives.retryAfter = value.replaceAll(/[^\w ,:.-]/g, "");
  if (!Object.hasOwn(numbers, name)) return;
  const field = numbers[name as keyof typeof numbers];
  const number = Number(value);
  if (!Number.isFinite(number) || number < 0) return;
  if (field === "fail" && (number < 400 || number > 599)) return;
  directives[field] = Math.min(Math.round(number), caps[field] ?? Number.MAX_SAFE_INTEGER);
};

/** `x-echo-fail: 429`, `[[fail 429]]`; a prompt's word goes before a header's. */
export const readDirectives = (headers: Headers, prompt: string, pace: number): Directives => {
  const directives: Directives = { pace };
  for (const name in headers) if (name.startsWith("x-echo-")) set(directives, name.slice(7), headers[name] ?? "");
  for (const match of prompt.matchAll(/\[\[\s*([a-z-]+)\s+([^\]\s]+)\s*\]\]/g))
    set(directives, match[1] ?? "", match[2] ?? "");
  return directives;
};

export const withoutDirectives = (prompt: string): string => prompt.replaceAll(/\[\[[^\]]*\]\]\s*/g, "").trim();
