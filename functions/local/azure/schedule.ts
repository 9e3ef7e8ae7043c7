// When a timer function is due: NCRONTAB, `{second} {minute} {hour} {day} {month} {day of week}` in UTC, or a time span.
import { millisecondsOf } from "./settings.ts";

const names = {
  month: ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
  day: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

type Field = { from: number; to: number; names?: readonly string[] };

const fields: readonly Field[] = [
  { from: 0, to: 59 },
  { from: 0, to: 59 },
  { from: 0, to: 23 },
  { from: 1, to: 31 },
  { from: 1, to: 12, names: names.month },
  { from: 0, to: 6, names: names.day },
];

const readField = (text: string, { from, to, names: words = [] }: Field): ReadonlySet<number> => {
  const number = (word: string): number => {
    const named = words.indexOf(word.toLowerCase().slice(0, 3));
    const value = named >= 0 && word !== "" ? named : /^\d+$/.test(word) ? Number(word) : Number.NaN;
    if (!(value >= from && value <= to)) throw new Error(`"${word}" is not between ${from} and ${to}`);
    return value;
  };
  const found = new Set<number>();
  for (const part of text.split(",")) {
    const [range = "", step = "1"] = part.split("/");
    const [first = "", last] = range === "*" ? [String(from), String(to)] : range.split("-");
    const end = last === undefined ? (part.includes("/") ? to : number(first)) : number(last);
    if (!/^[1-9]\d*$/.test(step)) throw new Error(`"${step}" is no step`);
    for (let value = number(first); value <= end; value += Number(step)) found.add(value);
  }
  return found;
};

/** Gives the next time after a given one, both in milliseconds since 1970. Throws where the expression is none. */
export const readSchedule = (expression: string): ((after: number) => number) => {
  if (/^[\d.]+:\d\d:/.test(expression)) {
    const interval = millisecondsOf(expression);
    return (after) => after + interval;
  }
  const parts = expression.trim().split(/\s+/);
  // Five fields are those of cron: at second 0.
  if (parts.length === 5) parts.unshift("0");
  if (parts.length !== 6) throw new Error(`"${expression}" has not six fields`);
  let sets: ReadonlySet<number>[];
  try {
    sets = parts.map((part, index) => readField(part, fields[index] ?? { from: 0, to: 0 }));
  } catch (error) {
    throw new Error(`"${expression}": ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  const [seconds, minutes, hours, days, months, weekdays] = sets;
  const isDay = (at: Date): boolean =>
    months?.has(at.getUTCMonth() + 1) === true &&
    days?.has(at.getUTCDate()) === true &&
    weekdays?.has(at.getUTCDay()) === true;
  return (after) => {
    const at = new Date(Math.floor(after / 1000) * 1000 + 1000);
    const most = at.getTime() + 5 * 366 * 86_400_000;
    while (at.getTime() < most) {
      if (!isDay(at)) at.setUTCHours(24, 0, 0, 0);
      else if (hours?.has(at.getUTCHours()) !== true) at.setUTCHours(at.getUTCHours() + 1, 0, 0, 0);
      else if (minutes?.has(at.getUTCMinutes()) !== true) at.setUTCMinutes(at.getUTCMinutes() + 1, 0, 0);
      else if (seconds?.has(at.getUTCSeconds()) !== true) at.setUTCSeconds(at.getUTCSeconds() + 1, 0);
      else return at.getTime();
    }
    throw new Error(`"${expression}" is never due`);
  };
};

/** A timer's input, as the host gives it. Times are ISO texts. */
export const timerInput = (last: number | undefined, next: number, isPastDue = false): string =>
  JSON.stringify({
    Schedule: { AdjustForDST: true },
    ScheduleStatus: {
      Last: last === undefined ? "0001-01-01T00:00:00" : new Date(last).toISOString(),
      Next: new Date(next).toISOString(),
      LastUpdated: new Date(last ?? Date.now()).toISOString(),
    },
    IsPastDue: isPastDue,
  });
