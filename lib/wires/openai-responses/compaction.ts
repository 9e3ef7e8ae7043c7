// A summary that Heddle made of a conversation, in the slot that this wire has for such things: any model can be told it. A provider's own
// compaction stays opaque, for its maker alone.
import { asString, type JsonObject } from "../../model/json.ts";
import type { Message } from "../../model/message.ts";
import { unseal } from "../shared/seal.ts";

export const summaryOrigin = "heddle-summary";

/** Undefined where the item is a provider's own. */
export const summaryOf = (item: JsonObject): Message | undefined => {
  const sealed = item["type"] === "compaction" ? unseal(asString(item["encrypted_content"]) ?? "") : undefined;
  return sealed?.origin === summaryOrigin
    ? { role: "system", parts: [{ type: "text", text: `Summary of the earlier conversation:\n${sealed.data}` }] }
    : undefined;
};
