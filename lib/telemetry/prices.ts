// What models cost, as far as a table made at build time knows: nothing is fetched, and nothing is parsed before the first question (F37).
import type { Price } from "../config-types.ts";
import { pricesJson } from "./prices.data.ts";

/** `=name`, `^start`, `$end`, `*part`, `~regex`; a list is any of them, `and` all. Names are in lower case. */
type Match = string | readonly Match[] | { and: readonly Match[] };
/** A price, or `[base, start, price, …]`: what every token costs once the prompt is larger than `start`. */
type Cell = number | readonly number[] | null;
/** In the order of `cellNames`; null where the price is of what a usage does not tell (hours, pages). */
type Cells = readonly Cell[] | null;
/** Prices that hold from a day (milliseconds), or between two times of the day (seconds, UTC). */
type Timed = { from?: number; between?: readonly [number, number]; cells: Cells };
/** The first price always holds, unless a later one does. */
type Row = readonly [Match, Cells, ...Timed[]];

const cellNames = [
  "input",
  "output",
  "cachedInput",
  "cacheWrite",
  "cacheWriteLong",
  "inputAudio",
  "outputAudio",
  "perCall",
] as const satisfies readonly (keyof Price)[];

let table: Readonly<Record<string, readonly Row[]>> | undefined;

const matches = (match: Match, name: string): boolean => {
  if (typeof match !== "string")
    return "and" in match ? match.and.every((each) => matches(each, name)) : match.some((each) => matches(each, name));
  const text = match.slice(1);
  switch (match[0]) {
    case "=":
      return name === text;
    case "^":
      return name.startsWith(text);
    case "$":
      return name.endsWith(text);
    case "*":
      return name.includes(text);
    default:
      return new RegExp(text).test(name);
  }
};

/** Whose prices a kind of provider may have, in the order they are asked: hosts sell others' models too. */
const vendorsOf: Readonly<Record<string, readonly string[]>> = {
  openai: ["openai"],
  anthropic: ["anthropic"],
  gemini: ["google"],
  "azure-openai": ["azure", "openai", "anthropic", "deepseek", "x-ai", "moonshotai"],
  bedrock: ["aws", "anthropic"],
};
/** Hosts of Chat Completions are known by the name they are configured under; some have two. */
const hosts: Readonly<Record<string, string>> = {
  xai: "x-ai",
  grok: "x-ai",
  moonshot: "moonshotai",
  kimi: "moonshotai",
};

/** `us.anthropic.claude-…`, `models/gemini-…`: what stands before a maker's own name. */
const makersName = (name: string): string => name.replace(/^models\/|^(?:[a-z-]+\.)?anthropic\./, "");

const rowOf = (kind: string, provider: string, model: string): Row | undefined => {
  table ??= JSON.parse(pricesJson) as Record<string, Row[]>;
  const name = model.toLowerCase();
  const vendors = vendorsOf[kind] ?? (kind === "openai-compatible" ? [hosts[provider] ?? provider] : []);
  for (const vendor of vendors) {
    const rows = Object.hasOwn(table, vendor) ? table[vendor] : undefined;
    const found =
      rows?.find(([match]) => matches(match, name)) ?? rows?.find(([match]) => matches(match, makersName(name)));
    if (found !== undefined) return found;
  }
  return undefined;
};

const holds = ({ from, between }: Timed, now: number): boolean => {
  if (from !== undefined) return now >= from;
  if (between === undefined) return true;
  const second = (now / 1_000) % 86_400;
  const [start, end] = between;
  return end < start ? second >= start || second < end : second >= start && second < end;
};

const priceAt = (cell: Cell | undefined, promptTokens: number): number | undefined => {
  if (cell === null || cell === undefined || typeof cell === "number") return cell ?? undefined;
  let price = cell[0];
  for (let at = 1; at + 1 < cell.length; at += 2) if (promptTokens > (cell[at] ?? 0)) price = cell[at + 1];
  return price;
};

/** A price whose `output` is not known serves calls that have none (embeddings). */
export type KnownPrice = Omit<Price, "output"> & { output?: number };

/** The price of one model for a prompt of this size at this time (Unix milliseconds); undefined where the table has none (F37). */
export type PriceAt = (promptTokens: number, now: number) => KnownPrice | undefined;

/** Found once, asked for every call. `undefined` where nobody knows the model. Free models have a price of 0. */
export const findPrice = (kind: string, provider: string, model: string): PriceAt | undefined => {
  const row = rowOf(kind, provider, model);
  if (row === undefined) return undefined;
  const [, base, ...timed] = row;
  return (promptTokens, now) => {
    const found = timed.findLast((each) => holds(each, now));
    const cells = found === undefined ? base : found.cells;
    const input = priceAt(cells?.[0], promptTokens);
    if (cells === null || input === undefined) return undefined;
    const price: KnownPrice = { input };
    for (let at = 1; at < cells.length; at += 1) {
      const value = priceAt(cells[at], promptTokens);
      const name = cellNames[at];
      if (value !== undefined && name !== undefined) price[name] = value;
    }
    return price;
  };
};
