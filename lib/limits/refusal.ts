// What a caller is told who has come to a limit.
import { GatewayError } from "../model/error.ts";
import type { Refusal } from "./judge.ts";
import type { Part } from "./rules.ts";

/** What a client waits that can't know when there will be room: a budget without an end. */
const longMs = 86_400_000;

const whose: Record<Part["by"], string> = {
  key: "this key",
  user: "this user",
  tenant: "this tenant",
  model: "this model",
};

const inWords = (ms: number): string => {
  const seconds = Math.max(1, Math.ceil(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3_600)} h`;
};

const periods = { day: "a day", month: "a month", total: "in all" } as const;

const messageOf = ({ part }: Refusal, waitMs: number): string => {
  const who = `for ${whose[part.by]} (rule '${part.rule}')`;
  switch (part.kind) {
    case "rate":
      return `Rate limit reached: ${part.perMinute} ${part.what} a minute ${who}. Try again in ${inWords(waitMs)}.`;
    case "count":
      return `Too many calls at once ${who}: at most ${part.max} may be under way. Try again when one has ended.`;
    case "sum":
      return part.resetsAt === undefined
        ? `The budget of $${part.budget} ${periods[part.per]} ${who} does not cover this call.`
        : `The budget of $${part.budget} ${periods[part.per]} ${who} does not cover this call. It begins anew in ${inWords(waitMs)}.`;
  }
};

/** The refusal that holds longest is told: a client that comes before it is over would be refused again. */
export const longest = (refusals: readonly Refusal[]): Refusal | undefined =>
  refusals.reduce<Refusal | undefined>(
    (worst, each) => (worst === undefined || (each.until ?? Infinity) > (worst.until ?? Infinity) ? each : worst),
    undefined,
  );

/** `rate_limited`, or `quota_exceeded` for money: the wires render it as their own. */
export const refused = (refusal: Refusal, now: number, headers: Record<string, string>): GatewayError => {
  const waitMs = refusal.until === undefined ? longMs : Math.max(1, refusal.until - now);
  const code = refusal.part.kind === "sum" ? "quota_exceeded" : "rate_limited";
  return new GatewayError(code, messageOf(refusal, waitMs), { retryAfterMs: waitMs, headers });
};
