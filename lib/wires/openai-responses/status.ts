// How a Response ended, and the neutral stop reason: one table, read in both directions (PROTOCOLS section 3).
import type { StopReason } from "../../model/event.ts";
import { asObject, asString, type Json, type JsonObject } from "../../model/json.ts";
import type { Part } from "../../model/message.ts";

export type Ending = { reason: StopReason; native?: string };

const incompleteReasons: Readonly<Record<string, StopReason>> = {
  max_output_tokens: "length",
  content_filter: "content-filter",
};

/** What parts an answer has decides where the status is only "completed". */
export type Contents = { calls: boolean; refusal: boolean };

export const contentsOf = (parts: readonly Part[]): Contents => ({
  calls: parts.some((part) => part.type === "tool-call"),
  refusal: parts.some((part) => part.type === "refusal"),
});

/** Statuses of answers that are not over: kept as they are. */
const unfinished: ReadonlySet<string> = new Set(["queued", "in_progress", "cancelled"]);

/** Truncation wins over calls: both are kept. */
export const decodeEnding = (response: JsonObject, contents: Contents): Ending => {
  const status = asString(response["status"]);
  const detail = asString(asObject(response["incomplete_details"])?.["reason"]);
  if (detail !== undefined) {
    const reason = incompleteReasons[detail];
    return reason === undefined ? { reason: "other", native: detail } : { reason, native: detail };
  }
  if (status === "incomplete") return { reason: "length", native: status };
  if (status !== undefined && unfinished.has(status)) return { reason: "other", native: status };
  const reason = contents.calls ? "tool-calls" : contents.refusal ? "refusal" : "end";
  return { reason, native: "completed" };
};

export type Status = { status: string; incomplete_details: JsonObject | null; error?: JsonObject };

const incomplete = (reason: string): Status => ({ status: "incomplete", incomplete_details: { reason } });
const completed: Status = { status: "completed", incomplete_details: null };

/** `same`: the provider's own Response, where the answer came on this wire. */
export const encodeEnding = (ending: Ending, contents: Contents, same: JsonObject | undefined): Status => {
  switch (ending.reason) {
    case "length":
    case "context-length":
      return incomplete("max_output_tokens");
    case "content-filter":
      return incomplete("content_filter");
    case "refusal":
      return contents.refusal ? completed : incomplete("content_filter");
    case "malformed-tool-call":
      return {
        status: "failed",
        incomplete_details: null,
        error: { code: "server_error", message: "The model made a malformed tool call." },
      };
    case "other": {
      const details: Json | undefined = same?.["incomplete_details"];
      if (ending.native !== undefined && unfinished.has(ending.native))
        return { status: ending.native, incomplete_details: null };
      return same !== undefined && asObject(details) !== undefined && ending.native !== undefined
        ? incomplete(ending.native)
        : completed;
    }
    default:
      return completed;
  }
};
