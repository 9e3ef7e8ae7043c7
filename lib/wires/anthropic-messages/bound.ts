// State of other makers that is bound to a text or a call (Gemini's thought signatures): this wire has no slot for it there, so it
// stands in a redacted_thinking block of its own beside the block it belongs to, and finds its way back when the client replays it.
import type { JsonObject } from "../../model/json.ts";
import type { Opaque, Part } from "../../model/message.ts";
import { seal } from "../shared/seal.ts";

export type Side = "next" | "previous";

const marks: Record<Side, string> = { next: "+next", previous: "+previous" };

/** A block that carries the state of the block after or before it. */
export const boundBlock = (opaque: Opaque, side: Side): JsonObject => ({
  type: "redacted_thinking",
  data: seal({ origin: opaque.origin + marks[side], data: opaque.data }),
});

const sideOf = (part: Part): { side: Side; opaque: Opaque } | undefined => {
  if (part.type !== "reasoning" || part.redacted !== true || part.opaque === undefined) return undefined;
  const { origin, data } = part.opaque;
  for (const side of ["next", "previous"] as const)
    if (origin.endsWith(marks[side])) return { side, opaque: { origin: origin.slice(0, -marks[side].length), data } };
  return undefined;
};

const attach = (part: Part | undefined, opaque: Opaque): boolean => {
  if ((part?.type !== "text" && part?.type !== "tool-call") || part.opaque !== undefined) return false;
  part.opaque = opaque;
  return true;
};

/** The parts with every bound state put back where it belongs; one whose neighbour is gone goes too. */
export const rebind = (parts: readonly Part[]): Part[] => {
  const result: Part[] = [];
  let waiting: Opaque | undefined;
  for (const part of parts) {
    const bound = sideOf(part);
    if (bound === undefined) {
      if (waiting !== undefined && attach(part, waiting)) waiting = undefined;
      result.push(part);
    } else if (bound.side === "next") waiting = bound.opaque;
    else attach(result.at(-1), bound.opaque);
  }
  return result;
};
