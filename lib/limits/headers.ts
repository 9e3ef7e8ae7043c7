// What a caller is told of its rates: the headers of the standard's draft (draft-ietf-httpapi-ratelimit-headers), and those that the SDKs
// of its wire read.
import type { Headers } from "../model/call.ts";
import { asNumber, type JsonObject } from "../model/json.ts";
import type { Part, RatePart } from "./rules.ts";

type Left = {
  part: RatePart;
  limit: number;
  remaining: number;
  /** Milliseconds until all of it is there again. */ resetMs: number;
};

const leftOf = (part: RatePart, data: JsonObject | undefined, now: number): Left => {
  const at = Math.floor(now * 1_000);
  const tat = Math.max(asNumber(data?.[part.field]) ?? 0, at);
  return {
    part,
    limit: Math.round(part.perMinute),
    remaining: Math.max(0, Math.floor((at + part.capacity - tat) / part.interval)),
    resetMs: Math.ceil((tat - at) / 1_000),
  };
};

/** `1.2s`, `6m0s`: as OpenAI writes times. */
const goDuration = (ms: number): string => {
  if (ms < 1_000) return `${ms}ms`;
  const seconds = Math.round(ms / 100) / 10;
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${Math.round(seconds % 60)}s`;
};

const openAi = ({ part, limit, remaining, resetMs }: Left): Headers => ({
  [`x-ratelimit-limit-${part.what}`]: String(limit),
  [`x-ratelimit-remaining-${part.what}`]: String(remaining),
  [`x-ratelimit-reset-${part.what}`]: goDuration(resetMs),
});

const anthropic = ({ part, limit, remaining, resetMs }: Left, now: number): Headers => ({
  [`anthropic-ratelimit-${part.what}-limit`]: String(limit),
  [`anthropic-ratelimit-${part.what}-remaining`]: String(remaining),
  [`anthropic-ratelimit-${part.what}-reset`]: new Date(now + resetMs).toISOString().replace(/\.\d+Z$/, "Z"),
});

/** Of several limits on one thing, the one with least left is told. */
const tightest = (all: readonly Left[], what: RatePart["what"]): Left | undefined =>
  all
    .filter(({ part }) => part.what === what)
    .reduce<Left | undefined>(
      (least, each) => (least !== undefined && least.remaining <= each.remaining ? least : each),
      undefined,
    );

/** `data`: how an item stands, as far as it is known. */
export const rateHeaders = (
  parts: readonly Part[],
  data: (sk: string) => JsonObject | undefined,
  wire: string,
  now: number,
): Headers => {
  const all = parts.flatMap((part) => (part.kind === "rate" ? [leftOf(part, data(part.sk), now)] : []));
  if (all.length === 0) return {};
  const headers: Headers = {
    "ratelimit-policy": all.map(({ part, limit }) => `"${part.rule}-${part.what}";q=${limit};w=60`).join(", "),
    ratelimit: all
      .map(
        ({ part, remaining, resetMs }) => `"${part.rule}-${part.what}";r=${remaining};t=${Math.ceil(resetMs / 1_000)}`,
      )
      .join(", "),
  };
  for (const what of ["requests", "tokens"] as const) {
    const least = tightest(all, what);
    if (least === undefined) continue;
    if (wire === "anthropic-messages") Object.assign(headers, anthropic(least, now));
    else if (wire !== "gemini-generate") Object.assign(headers, openAi(least));
  }
  return headers;
};
