// Opaque state in the one slot this wire has for it, a reasoning item's `encrypted_content`: the maker's own as it is, that of others
// sealed. Two things have no slot of their own and ride along: that a block was redacted, and a signature that is bound to a part
// beside it (Gemini's function calls), which gets a reasoning item of its own next to that part (F10, F11, F14, F48).
import type { Opaque } from "../../model/message.ts";
import { seal, unseal } from "../shared/seal.ts";
import { nativeOrigin } from "./names.ts";

/** `next` and `previous`: the part beside this item is the one the state belongs to. `visible`: no state at all, just text of another maker. */
export type StateRole = "own" | "redacted" | "next" | "previous" | "visible";

const marked: ReadonlySet<string> = new Set<StateRole>(["redacted", "next", "previous", "visible"]);
const isMarked = (text: string): text is StateRole => marked.has(text);

export const encodeState = (opaque: Opaque | undefined, role: StateRole): string => {
  if (opaque === undefined) return seal({ origin: "#visible", data: "" });
  if (role !== "own") return seal({ origin: `${opaque.origin}#${role}`, data: opaque.data });
  return opaque.origin === nativeOrigin ? opaque.data : seal(opaque);
};

/** `maker`: whose state an unsealed text is. */
export const decodeState = (text: string, maker: string): { opaque: Opaque; role: StateRole } => {
  const sealed = unseal(text);
  if (sealed === undefined) return { opaque: { origin: maker, data: text }, role: "own" };
  const mark = sealed.origin.lastIndexOf("#");
  const role = sealed.origin.slice(mark + 1);
  return mark >= 0 && isMarked(role)
    ? { opaque: { origin: sealed.origin.slice(0, mark), data: sealed.data }, role }
    : { opaque: sealed, role: "own" };
};
