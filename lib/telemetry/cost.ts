// What a call costs: the price of a model from the configuration or the table, and one formula over the one usage convention (F36).
import type { Price } from "../config-types.ts";
import type { Usage } from "../model/usage.ts";
import { pricesJson } from "./prices.data.ts";

type Match = { equals: string } | { starts_with: string } | { ends_with: string } | { contains: string } | { regex: string } | { or: Match[] } | { and: Match[] };
/** A flat price, or `[base, start, price, …]`: the price of all tokens once the prompt is larger than `start`. */
type Cell = number | number[] | null;
type Row = [Match, Cell[]];

let table: Record<string, Row[]> | undefined;

const matches = (match: Match, name: string): boolean => {
  if ("equals" in match) return name === match.equals;
  if ("starts_with" in match) return name.startsWith(match.starts_with);
  if ("ends_with" in match) return name.endsWith(match.ends_with);
  if ("contains" in match) return name.includes(match.contains);
  if ("regex" in match) return new RegExp(match.regex).test(name);
  if ("or" in match) return match.or.some((each) => matches(each, name));
  return match.and.every((each) => matches(each, name));
};

/** Which vendors' prices a kind of provider may have, in the order they are asked. */
const vendorsOf: Record<string, readonly string[]> = {
  openai: ["openai"],
  anthropic: ["anthropic"],
  gemini: ["google"],
  "azure-openai": ["azure", "openai", "deepseek", "x-ai"],
  bedrock: ["aws", "anthropic"],
};
/** Hosts of Chat Completions, by the name they are configured under. */
const hosts: Record<string, string> = { xai: "x-ai", moonshot: "moonshotai" };

const cellsOf = (kind: string, provider: string, model: string): Cell[] | undefined => {
  table ??= JSON.parse(pricesJson) as Record<string, Row[]>;
  const name = model.toLowerCase();
  for (const vendor of vendorsOf[kind] ?? [hosts[provider] ?? provider]) {
    const rows = Object.hasOwn(table, vendor) ? table[vendor] : undefined;
    const found = rows?.find(([match]) => matches(match, name));
    if (found !== undefined) return found[1];
  }
  return undefined;
};

const priceAt = (cell: Cell | undefined, prompt: number): number | undefined => {
  if (cell === null || cell === undefined || typeof cell === "number") return cell ?? undefined;
  let price = cell[0];
  for (let at = 1; at + 1 < cell.length; at += 2) if (prompt > (cell[at] ?? 0)) price = cell[at + 1];
  return price;
};

/** Dollars. Cached and cache-written tokens are parts of `input`: each token is priced once. */
export const costOfUsage = (usage: Usage, price: Price): number => {
  const cached = usage.cachedInput ?? 0;
  const written = usage.cacheWrite ?? 0;
  const long = usage.cacheWriteLong ?? 0;
  const fresh = Math.max(0, usage.input - cached - written);
  const write = price.cacheWrite ?? price.input;
  const dollars =
    fresh * price.input +
    cached * (price.cachedInput ?? price.input) +
    (written - long) * write +
    long * (price.cacheWriteLong ?? write) +
    usage.output * price.output;
  return Number((dollars / 1e6).toPrecision(10));
};

/** The price of a model by the table; undefined where nobody knows it (F37). Free models have a price of 0. */
export const knownPrice = (kind: string, provider: string, model: string, promptTokens: number): Price | undefined => {
  const cells = cellsOf(kind, provider, model);
  if (cells === undefined) return undefined;
  const [input, output, cachedInput, cacheWrite, cacheWriteLong] = cells.map((cell) => priceAt(cell, promptTokens));
  const price: Price = { input: input ?? 0, output: output ?? 0 };
  if (cachedInput !== undefined) price.cachedInput = cachedInput;
  if (cacheWrite !== undefined) price.cacheWrite = cacheWrite;
  if (cacheWriteLong !== undefined) price.cacheWriteLong = cacheWriteLong;
  return price;
};

/** `prices` of the configuration come first, by `provider/model`, then by model. The table's rows are remembered by model. */
export const createCostOf = (
  prices: Record<string, Price>,
): ((kind: string, provider: string, model: string, usage: Usage) => number | undefined) => {
  const own = new Map(Object.entries(prices));
  const known = new Map<string, boolean>();
  return (kind, provider, model, usage) => {
    const set = own.get(`${provider}/${model}`) ?? own.get(model);
    if (set !== undefined) return costOfUsage(usage, set);
    const key = `${provider}/${model}`;
    if (known.get(key) === false) return undefined;
    const price = kind === "echo" ? { input: 0, output: 0 } : knownPrice(kind, provider, model, usage.input);
    if (known.size < 10_000) known.set(key, price !== undefined);
    return price === undefined ? undefined : costOfUsage(usage, price);
  };
};
