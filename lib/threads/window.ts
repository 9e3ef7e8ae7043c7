// How much of a long thread a request carries: arithmetic on estimated tokens, so that the same thread is always cut at the same place.
import type { MessageFacts } from "./message-items.ts";

export type Budget = {
  /** The model's window, and what of it its answer may take, in the model's own tokens. */
  window: number;
  output: number;
  /** Tools and instructions of the request, estimated. */
  fixed: number;
  /** Real tokens to estimated ones. */
  ratio: number;
};

/** Estimated tokens that the history may have. Never below a tenth of the window: the newest message must have room. */
export const historyBudget = ({ window, output, fixed, ratio }: Budget): number => {
  const room = Math.floor((window - Math.min(output, window / 2)) / ratio) - fixed;
  return Math.max(room, Math.floor(window / 10));
};

/**
 * How many of the path's oldest tokens fall off: 0 while all fits, then a multiple of a quarter of the budget. So the cut stays where
 * it is for many turns, and with it the prefix that a provider's prompt cache knows.
 */
export const cutAt = (pathTokens: number, budget: number): number => {
  if (pathTokens <= budget) return 0;
  const step = Math.max(1, Math.floor(budget / 4));
  return Math.ceil((pathTokens - budget) / step) * step;
};

/** The correction of later estimates. It moves in eighths and only by more than one of them: a cut must not follow every turn. */
export const settleRatio = (ratio: number, told: number | undefined, estimated: number | undefined): number => {
  if (told === undefined || estimated === undefined || told <= 0 || estimated < 50) return ratio;
  const observed = Math.min(4, Math.max(0.5, told / estimated));
  if (observed <= ratio && ratio - observed <= 0.25) return ratio;
  return Math.ceil(observed * 8) / 8;
};

/** What cutting looks at: a message's place, not its words. */
export type Placed = { facts: Pick<MessageFacts, "seq" | "role" | "opens" | "tokens" | "pathTokens"> };

/** Whether a message is still within what is kept when `cut` tokens of the path fall off. */
export const isWithin = ({ facts }: Placed, cut: number): boolean => facts.pathTokens - facts.tokens >= cut;

/**
 * What is kept of a path whose first `cut` tokens fall off, oldest first; `path` reaches back at least to the beginning of the turn in
 * which the cut lies. Never parts a call from its result (F51): the tail begins with a turn, or, where one turn is too long by
 * itself, with the words that began it and then a call.
 */
export const keepTail = <T extends Placed>(path: readonly T[], cut: number): T[] => {
  const first = path.findIndex((each, at) => isWithin(each, cut) || at === path.length - 1);
  if (first <= 0) return [...path];
  const turn = path.findIndex(({ facts }, at) => at >= first && facts.opens === true);
  // Where a later turn begins within the tail, the rest of the one before it goes; only the last turn is ever cut inside.
  if (turn >= 0) return path.slice(turn);
  const opening = path.findLastIndex(({ facts }, at) => at < first && facts.opens === true);
  const call = path.findIndex(
    ({ facts }, at) => at >= first && facts.role === "assistant" && path[at - 1]?.facts.role !== "assistant",
  );
  // Results alone can't stand: then the turn is kept whole, too long as it may be.
  const inner = path.slice(call < 0 ? Math.max(0, opening) : call);
  const begun = path[opening];
  return begun === undefined || call < 0 ? inner : [begun, ...inner];
};
