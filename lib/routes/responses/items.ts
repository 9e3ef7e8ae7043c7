// Stored messages as the items of the Responses API, and items as messages.
import { invalid } from "../../model/error.ts";
import { asString, type JsonObject } from "../../model/json.ts";
import type { Message } from "../../model/message.ts";
import { findRun } from "../../threads/closing.ts";
import { loadRequest } from "../../threads/run-items.ts";
import type { StoredMessage } from "../../threads/message-items.ts";
import type { Caller, ThreadStore } from "../../threads/store.ts";
import type { RunSpec } from "../../turns/types.ts";
import { decodeInput } from "../../wires/openai-responses/input-decode.ts";
import { encodeInput } from "../../wires/openai-responses/input-encode.ts";
import { nativeOrigin } from "../../wires/openai-responses/names.ts";
import { outputOf } from "./object.ts";

const prefixes: Record<string, string> = {
  message: "msg",
  function_call: "fc",
  function_call_output: "fco",
  custom_tool_call: "ctc",
  custom_tool_call_output: "ctco",
  reasoning: "rs",
};

/** Items that came in have no id of their own; one that names their message and their place in it is always the same. */
const withId = (item: JsonObject, stored: StoredMessage, at: number): JsonObject => {
  const type = asString(item["type"]) ?? "message";
  const body = stored.id.replace(/^msg_/, "");
  const status = type === "message" || type.includes("call") ? { status: item["status"] ?? "completed" } : {};
  return {
    ...item,
    id: asString(item["id"]) ?? `${prefixes[type] ?? "item"}_${body}${at === 0 ? "" : `_${at}`}`,
    ...status,
  };
};

/** An answer's items are those of its response; what came in is as it came. */
export const itemsOf = async (store: ThreadStore, caller: Caller, stored: StoredMessage): Promise<JsonObject[]> => {
  const { message } = stored;
  if (stored.deleted === true) return [];
  if (message.role === "assistant" && stored.run !== undefined) {
    const run = await findRun(store, caller.space, stored.thread, stored.run);
    if (run !== undefined) {
      const spec = (await loadRequest(store, caller.space, run)) as unknown as RunSpec;
      return outputOf(run, spec, message.parts).map((item, at) => withId(item, stored, at));
    }
  }
  return encodeInput([message], {
    reader: { maker: nativeOrigin, same: true },
    systemRole: "system",
    drop: () => undefined,
  }).map((item, at) => withId(item, stored, at));
};

/** One message an item, so that each can be found and removed by itself. */
export const messagesOf = (items: readonly unknown[], param: string): Message[] =>
  items.flatMap((item, at) => {
    try {
      const { system, messages } = decodeInput([item as JsonObject]);
      return system.length === 0 ? messages : [{ role: "system" as const, parts: system }, ...messages];
    } catch {
      throw invalid(`${param}[${at}]`, "expected an input item");
    }
  });
