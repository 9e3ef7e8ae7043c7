// When a provider says that it may be asked again, and which headers of its refusals are worth passing on (F29).
import type { Headers } from "../model/call.ts";

/** Longer is not a wait but a mistake (a clock that is wrong, a date of another year). */
const longest = 24 * 3600 * 1000;

const milliseconds = (value: number): number | undefined =>
  Number.isFinite(value) && value >= 0 ? Math.min(Math.ceil(value), longest) : undefined;

/**
 * Milliseconds until another try, from `retry-after-ms`, else from `retry-after` as seconds or as an HTTP date.
 * A date that has passed is 0; what can't be read is undefined. `now`: Unix milliseconds.
 */
export const retryAfterMs = (headers: Headers, now: number = Date.now()): number | undefined => {
  const exact = headers["retry-after-ms"]?.trim();
  if (exact !== undefined && exact !== "") {
    const value = milliseconds(Number(exact));
    if (value !== undefined) return value;
  }
  const text = headers["retry-after"]?.trim();
  if (text === undefined || text === "") return undefined;
  const seconds = Number(text);
  if (!Number.isNaN(seconds)) return milliseconds(seconds * 1000);
  // Only dates with a month's name: `Date.parse` takes too much else for one.
  const date = /[a-z]{3}/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : milliseconds(Math.max(0, date - now));
};

const passed = /^(?:retry-after|retry-after-ms|x-should-retry|x-ratelimit-.+|anthropic-ratelimit-.+)$/;

/** The headers of an error answer that a client's SDK acts on: retry advice and rate limits. */
export const passedErrorHeaders = (headers: Headers): Headers => {
  const result: Headers = {};
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (passed.test(lower)) result[lower] = value;
  }
  return result;
};
