// What a call costs: the price of its model, by the configuration or the table, and one formula over the one usage convention (F36).
import type { Price } from "../config-types.ts";
import type { Usage } from "../model/usage.ts";
import { pricesDate } from "./prices.data.ts";
import { findPrice, type KnownPrice, type PriceAt } from "./prices.ts";

/**
 * Dollars. Cached, written and audio tokens are parts of `input`, so each token is priced once; a part without a price of its own
 * costs what its total does. Audio that was cached is not told apart: it counts as cached. Undefined where the usage has output
 * and the price has none.
 */
export const costOfUsage = (usage: Usage, price: KnownPrice): number | undefined => {
  if (price.output === undefined && usage.output > 0) return undefined;
  const output = price.output ?? 0;
  const cached = usage.cachedInput ?? 0;
  const written = usage.cacheWrite ?? 0;
  const long = usage.cacheWriteLong ?? 0;
  const write = price.cacheWrite ?? price.input;
  const fresh = Math.max(0, usage.input - cached - written);
  const heard = Math.min(usage.inputAudio ?? 0, fresh);
  const spoken = Math.min(usage.outputAudio ?? 0, usage.output);
  const perMillion =
    (fresh - heard) * price.input +
    heard * (price.inputAudio ?? price.input) +
    cached * (price.cachedInput ?? price.input) +
    (written - long) * write +
    long * (price.cacheWriteLong ?? write) +
    (usage.output - spoken) * output +
    spoken * (price.outputAudio ?? output);
  // Sums of decimals end in noise that no invoice has.
  return Number((perMillion / 1e6 + (price.perCall ?? 0)).toPrecision(10));
};

/** Models come from callers: the memory of them is bounded. */
const maxRemembered = 10_000;

/** Dollars of a usage; undefined where the price is not known (F37). */
export type CostOf = (kind: string, provider: string, model: string, usage: Usage) => number | undefined;

/**
 * What the cost of a model is taken from: `configuration`, the day of the table (`YYYY-MM-DD`), or `free` for what costs nobody anything.
 * Undefined where nobody knows the model.
 */
export type PriceVersionOf = (kind: string, provider: string, model: string) => string | undefined;

type Priced = { at: PriceAt; version: string };

const free: Priced = { at: () => ({ input: 0, output: 0 }), version: "free" };

/** `prices` of the configuration come first, by `provider/model`, then by model. The table is searched once per model. */
export const createPricing = (
  prices: Readonly<Record<string, Price>>,
  now: () => number = Date.now,
): { costOf: CostOf; priceVersionOf: PriceVersionOf } => {
  const own = new Map(Object.entries(prices));
  const known = new Map<string, Priced | undefined>();
  const search = (kind: string, provider: string, model: string, name: string): Priced | undefined => {
    const set = own.get(name) ?? own.get(model);
    if (set !== undefined) return { at: () => set, version: "configuration" };
    if (kind === "echo") return free;
    const at = findPrice(kind, provider, model);
    return at === undefined ? undefined : { at, version: pricesDate };
  };
  const find = (kind: string, provider: string, model: string): Priced | undefined => {
    const name = `${provider}/${model}`;
    const found = known.get(name);
    if (found !== undefined || known.has(name)) return found;
    const priced = search(kind, provider, model, name);
    if (known.size < maxRemembered) known.set(name, priced);
    return priced;
  };
  return {
    costOf: (kind, provider, model, usage) => {
      const price = find(kind, provider, model)?.at(usage.input, now());
      return price === undefined ? undefined : costOfUsage(usage, price);
    },
    priceVersionOf: (kind, provider, model) => find(kind, provider, model)?.version,
  };
};

export const createCostOf = (prices: Readonly<Record<string, Price>>, now?: () => number): CostOf =>
  createPricing(prices, now).costOf;
