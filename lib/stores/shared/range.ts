// The order of keys, by their UTF-8 bytes, and the one half-open range that a query's prefix and bounds come to.
import type { Query } from "../table.ts";

/** From `from` (included) to `to` (excluded); either may be open. */
export type Range = { readonly from?: string; readonly to?: string };

/** UTF-16 code units sort surrogates before U+E000 to U+FFFF, UTF-8 bytes after them: this moves them there. */
const rank = (unit: number): number => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit);

/** Negative, zero or positive: `a` and `b` by their UTF-8 bytes. */
export const compareBytes = (a: string, b: string): number => {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at += 1) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
};

/** The least string that is greater than every string with this prefix; undefined where there is none. */
const pastPrefix = (prefix: string): string | undefined => {
  const points = Array.from(prefix);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) ?? 0;
    if (point < 0x10_ffff) return points.join("") + String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1);
  }
  return undefined;
};

const least = "\u0000";

/** The range of sort keys that `query` asks for: `x` followed by the least character is the key right after `x`. */
export const rangeOf = (query: Pick<Query, "prefix" | "after" | "before">): Range => {
  const past = query.after === undefined ? undefined : query.after + least;
  const from = [query.prefix, past]
    .filter((each) => each !== undefined && each !== "")
    .sort(orderOf)
    .at(-1);
  const to = [query.prefix === undefined ? undefined : pastPrefix(query.prefix), query.before]
    .filter((each) => each !== undefined)
    .sort(orderOf)
    .at(0);
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
};

const orderOf = (a: string | undefined, b: string | undefined): number => compareBytes(a ?? "", b ?? "");

/** No key lies in it, so that no store need be asked. */
export const isEmpty = (range: Range): boolean =>
  range.to !== undefined && (range.to === "" || (range.from !== undefined && compareBytes(range.from, range.to) >= 0));
