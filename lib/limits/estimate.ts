// What a call takes at most: its tokens, and its cost on the dearest of the places that it may go to.
import type { LimitsConfig } from "../config-types.ts";
import { GatewayError } from "../model/error.ts";
import type { Usage } from "../model/usage.ts";
import type { Estimate } from "./engine.ts";
import type { Rules } from "./rules.ts";
import type { Demand, DemandTarget } from "./types.ts";

export type EstimateServices = {
  limits: LimitsConfig;
  /** Dollars; undefined where the price is not known. */
  cost: (target: DemandTarget, usage: Usage) => number | undefined;
  /** The most output tokens of a model, where known. */
  outputLimit: (target: DemandTarget) => number | undefined;
};

/** A limit that is thought to be lower may be out of date: what the caller asks for goes out as it is, and the provider decides. */
const trustedLimit = 128_000;

/** The dearest reading of what is known: whether a prompt is cached, or spoken, is told after. */
const variants = (input: number, output: number): Usage[] => [
  { input, output },
  { input, output, cacheWrite: input },
  { input, output, cacheWrite: input, cacheWriteLong: input },
  { input, output, inputAudio: input, outputAudio: output },
];

const unpriced = (target: DemandTarget): GatewayError =>
  new GatewayError(
    "permission",
    `The price of '${target.provider}/${target.model.slice(0, 200)}' is not known, and the caller has a budget: it must be set under prices.`,
    { param: "model" },
  );

/** What no amount can be is as if it weren't there: nothing is reserved to give money back. */
const amountOf = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) && value >= 0 ? value : undefined;

/** Throws `permission` for a model without a price, where a budget must hold. */
export const estimate = (services: EstimateServices, demand: Demand, rules: Rules): Estimate => {
  const { limits } = services;
  const needed = rules.budgets.length > 0 || rules.rates.some(({ tokensPerMinute }) => tokensPerMinute !== undefined);
  if (!needed) return { tokens: 0, cost: 0, input: 0, output: 0 };
  const input = amountOf(demand.inputTokens()) ?? 0;
  const asked = amountOf(demand.outputTokens());
  const answers = amountOf(demand.answers()) ?? 1;
  let output = 0;
  let cost = 0;
  for (const target of demand.targets) {
    const limit = Math.max(services.outputLimit(target) ?? limits.outputTokens, target.maxOutputTokens ?? 0);
    const most = (asked === undefined ? limit : Math.min(asked, Math.max(limit, trustedLimit))) * answers;
    output = Math.max(output, most);
    if (rules.budgets.length === 0) continue;
    for (const reading of variants(input, most)) {
      const price = services.cost(target, reading);
      if (price !== undefined) cost = Math.max(cost, Math.ceil(price * 1e9));
      else if (limits.unpriced === "refuse") throw unpriced(target);
    }
  }
  return { tokens: input + output, cost, input, output };
};
