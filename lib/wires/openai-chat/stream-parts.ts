// The spoken parts of one streamed choice: at most one of text, reasoning and refusal is open at a time, so that they follow one another.
import type { StreamEvent } from "../../model/event.ts";
import type { Json } from "../../model/json.ts";
import type { Opaque, Part, ReasoningPart } from "../../model/message.ts";
import { logprobKinds, type SpokenType } from "./logprobs.ts";
import { extraOf } from "./names.ts";

type Open = {
  index: number;
  /** Characters so far. */
  length: number;
  /** Of reasoning: its text, whether the visible field alone fed it, and the detail it goes on with. */
  text: string;
  bare?: boolean;
  detail?: string;
};

export type Parts = {
  open: Partial<Record<SpokenType, Open>>;
  start: (part: Part, out: StreamEvent[]) => number;
  /** A part that comes whole. */
  whole: (part: Part, out: StreamEvent[]) => void;
  /** The open part of that type; a new one ends the others. */
  opened: (type: SpokenType, out: StreamEvent[], make?: () => ReasoningPart) => Open;
  speak: (part: Open, text: string, logprobs: Json[] | undefined, out: StreamEvent[]) => void;
  close: (type: SpokenType, out: StreamEvent[]) => void;
  closeAll: (out: StreamEvent[]) => void;
  /** Characters of the message before the open text part. */
  base: () => number;
  /** A signature of the message as a whole: it goes into the open text, or the next one. */
  sign: (opaque: Opaque, out: StreamEvent[]) => void;
  /** The signature that no text has taken: it is the caller's then. */
  takeSignature: () => Opaque | undefined;
};

const types = Object.keys(logprobKinds) as SpokenType[];

/** `before` is called where a new part begins. */
export const createParts = (choice: number, nextPart: () => number, before: (out: StreamEvent[]) => void): Parts => {
  const open: Parts["open"] = {};
  let base = 0;
  let signature: Opaque | undefined;

  const start: Parts["start"] = (part, out) => {
    const index = nextPart();
    out.push(choice === 0 ? { type: "part-start", index, part } : { type: "part-start", index, part, choice });
    return index;
  };

  const close: Parts["close"] = (type, out) => {
    const part = open[type];
    if (part === undefined) return;
    if (type === "text") base += part.length;
    delete open[type];
    out.push({ type: "part-end", index: part.index });
  };

  const closeAll: Parts["closeAll"] = (out) => {
    for (const type of types) close(type, out);
  };

  return {
    open,
    start,
    close,
    closeAll,
    base: () => base,
    whole: (part, out) => {
      closeAll(out);
      out.push({ type: "part-end", index: start(part, out) });
    },
    opened: (type, out, make) => {
      const found = open[type];
      if (found !== undefined) return found;
      closeAll(out);
      before(out);
      const made: Open = { index: start(make?.() ?? { type, text: "" }, out), length: 0, text: "" };
      open[type] = made;
      if (type === "text" && signature !== undefined) {
        out.push({ type: "part-delta", index: made.index, delta: { type: "opaque", opaque: signature } });
        signature = undefined;
      }
      return made;
    },
    speak: (part, text, logprobs, out) => {
      if (text === "" && logprobs === undefined) return;
      part.length += text.length;
      if (part === open.reasoning) part.text += text;
      out.push({
        type: "part-delta",
        index: part.index,
        delta: logprobs === undefined ? { type: "text", text } : { type: "text", text, extra: extraOf({ logprobs }) },
      });
    },
    sign: (opaque, out) => {
      if (open.text === undefined) signature = opaque;
      else out.push({ type: "part-delta", index: open.text.index, delta: { type: "opaque", opaque } });
    },
    takeSignature: () => {
      const taken = signature;
      signature = undefined;
      return taken;
    },
  };
};
