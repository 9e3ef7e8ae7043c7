// Items of hosted tools: kept whole, or made up for a picture that another wire's model drew.
import type { JsonObject } from "../../../model/json.ts";
import type { Part } from "../../../model/message.ts";
import { emitNative, type ItemOutput, type ItemWriter } from "./item.ts";

/** An item of this wire that has no neutral form: its own events between its first and its last form. */
export const opaqueWriter = (first: Extract<Part, { type: "opaque" }>, out: ItemOutput): ItemWriter => {
  let value = first.value;
  out.emit("response.output_item.added", { output_index: out.index, item: value });
  return {
    lingers: false,
    takes: () => false,
    start: () => {},
    delta: (delta) => {
      emitNative(out, delta, { output_index: out.index });
    },
    end: (final) => {
      if (final?.value !== undefined) value = final.value;
    },
    close: () => {
      out.emit("response.output_item.done", { output_index: out.index, item: value });
      return value;
    },
    state: () => undefined,
  };
};

/** A picture that the model made: this wire knows them as the result of a hosted tool. */
export const imageWriter = (first: Extract<Part, { type: "image" }>, out: ItemOutput): ItemWriter => {
  const id = out.id("ig_", first.id);
  let data = first.source.kind === "base64" ? first.source.data : "";
  let state = first.opaque;
  const format = first.source.mediaType?.split("/")[1] ?? "png";
  const place = { item_id: id, output_index: out.index };
  const item = (status: string, result: string | null): JsonObject => ({
    id,
    type: "image_generation_call",
    status,
    output_format: format,
    result,
  });
  out.emit("response.output_item.added", { output_index: out.index, item: item("in_progress", null) });
  return {
    lingers: false,
    takes: () => false,
    start: () => {
      out.emit("response.image_generation_call.in_progress", place);
    },
    delta: (delta) => {
      if (delta.type === "data" && delta.base64 !== undefined) data += delta.base64;
      else if (delta.type === "opaque") state = delta.opaque;
    },
    end: () => {
      out.emit("response.image_generation_call.completed", place);
    },
    close: () => {
      const whole = item("completed", data);
      out.emit("response.output_item.done", { output_index: out.index, item: whole });
      return whole;
    },
    state: () => state,
  };
};
