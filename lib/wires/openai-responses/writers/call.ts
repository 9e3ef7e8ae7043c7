// Calls of a caller's own tools: functions with JSON arguments, custom tools with free text.
import type { ResponseFunctionToolCall } from "openai/resources/responses/responses";
import { asObject, type JsonObject } from "../../../model/json.ts";
import type { Opaque, ToolCallPart } from "../../../model/message.ts";
import { json, ownItem, wireId } from "../names.ts";
import { emitNative, type ItemOutput, type ItemWriter } from "./item.ts";

export const callWriter = (first: ToolCallPart, out: ItemOutput): ItemWriter => {
  const custom = first.custom === true;
  const type = custom ? "custom_tool_call" : "function_call";
  const word = custom ? "response.custom_tool_call_input" : "response.function_call_arguments";
  const field = custom ? "input" : "arguments";
  let id = out.id(custom ? "ctc_" : "fc_", first.id);
  let fields = ownItem(first);
  let text = "";
  let state: Opaque | undefined;
  const callId = first.callId === "" ? out.id("call_", undefined) : first.callId;
  const place = { item_id: id, output_index: out.index };

  const item = (status: string): JsonObject => ({
    ...json({
      id,
      type: "function_call",
      status: "in_progress",
      call_id: callId,
      name: first.name,
      arguments: "",
    } satisfies ResponseFunctionToolCall),
    ...(custom ? { type, input: text } : { arguments: text }),
    status,
    ...fields,
  });
  const shaped = (status: string): JsonObject => {
    const { arguments: _arguments, ...others } = item(status);
    return custom ? others : item(status);
  };
  const say = (delta: string): void => {
    text += delta;
    if (delta !== "") out.emit(`${word}.delta`, { ...place, delta });
  };

  out.emit("response.output_item.added", { output_index: out.index, item: shaped("in_progress") });

  return {
    lingers: true,
    takes: () => false,
    start: (next) => {
      if (next.type === "tool-call") say(next.arguments);
    },
    delta: (delta) => {
      if (delta.type === "arguments") say(delta.text);
      else if (delta.type === "opaque") state = delta.opaque;
      else emitNative(out, delta, place);
    },
    end: (final) => {
      if (!custom && text.trim() === "") say("{}");
      if (final?.opaque !== undefined) state = final.opaque;
      fields = { ...fields, ...asObject(final?.extra?.[wireId]?.["item"]) };
      out.emit(`${word}.done`, custom ? { ...place, [field]: text } : { ...place, name: first.name, [field]: text });
    },
    close: (status) => {
      const whole = shaped(status);
      out.emit("response.output_item.done", { output_index: out.index, item: whole });
      return whole;
    },
    state: () => state,
  };
};
