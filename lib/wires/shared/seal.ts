// Opaque state of one maker, carried through a wire of another: put in the slot that wire has for such things, recognised when it
// comes back, and opened for its maker alone (F10 to F14, F48). Not a secret: who forges one fools only their own request.
import type { Opaque } from "../../model/message.ts";

/** base64 of "heddle": valid wherever a slot wants base64 (Gemini's thoughtSignature). */
const prefix = "aGVkZGxl";

export const seal = (opaque: Opaque): string =>
  Buffer.from(`heddle:${opaque.origin}:${opaque.data}`, "utf8").toString("base64");

/** The sealed state; undefined where `text` is the slot's own native value. */
export const unseal = (text: string): Opaque | undefined => {
  if (!text.startsWith(prefix)) return undefined;
  const plain = Buffer.from(text, "base64").toString("utf8");
  const end = plain.indexOf(":", 7);
  return plain.startsWith("heddle:") && end > 0
    ? { origin: plain.slice(7, end), data: plain.slice(end + 1) }
    : undefined;
};

/** For a decoder of the client's side: what stood in the slot, sealed or native to `origin`. */
export const opaqueFrom = (text: string, origin: string): Opaque => unseal(text) ?? { origin, data: text };

/** For an encoder of an answer: native where the slot's wire is the maker's own, sealed otherwise. */
export const opaqueTo = (opaque: Opaque, native: string): string =>
  opaque.origin === native ? opaque.data : seal(opaque);
