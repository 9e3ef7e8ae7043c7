// How much of a long thread a request carries: arithmetic on estimated tokens, so that the same thread is always cut at the same place.
import type { StoredMessage } from "./message-items.ts";

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

/** A message that begins a turn: what comes before it may go without leaving anything in pieces. */
export const beginsTurn = ({ message }: StoredMessage): boolean =>
  message.role === "user" && !message.parts.some((part) => part.type === "tool-result");

/**
 * The tail that is kept, from messages in order of which the first is the first that may stay. Never parts a call from its result
 * (F51): it begins with a turn, or, within one turn that is too long by itself, with the words that began it (`opening`) and then a call.
 */
export const wholeTail = (messages: readonly StoredMessage[], opening: StoredMessage | undefined): StoredMessage[] => {
  const start = messages.findIndex(beginsTurn);
  if (start === 0) return [...messages];
  const isOpen = opening !== undefined && messages.every((each) => each.seq !== opening.seq);
  // Where a later turn begins within the tail, the rest of the one before it goes; only the last turn is ever cut inside.
  if (start > 0) return messages.slice(start);
  const call = messages.findIndex(
    (each, at) => each.message.role === "assistant" && messages[at - 1]?.message.role !== "assistant",
  );
  const inner = messages.slice(call < 0 ? messages.length : call);
  // Results alone can't stand: then the turn is kept whole, too long as it may be.
  if (inner.length === 0) return [...messages];
  return isOpen ? [opening, ...inner] : inner;
};
