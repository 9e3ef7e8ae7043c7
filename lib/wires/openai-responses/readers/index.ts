// One item of a stream as it grows. The item's last form completes what no delta told.
import type { JsonObject } from "../../../model/json.ts";
import { opaqueItem } from "../items.ts";
import { wireId } from "../names.ts";
import { callReader } from "./call.ts";
import type { ItemReader, PartSink } from "./item.ts";
import { messageReader } from "./message.ts";
import { reasoningReader } from "./reasoning.ts";

const opaqueReader = (first: JsonObject, maker: string, sink: PartSink): ItemReader => {
  const index = sink.start(opaqueItem(first, maker));
  let finished = false;
  return {
    push: (_type, event) => {
      const { sequence_number: _number, obfuscation: _padding, ...value } = event;
      if (!finished) sink.delta(index, { type: "native", wire: wireId, value });
      return true;
    },
    finish: (item) => {
      if (finished) return;
      finished = true;
      sink.end(index, item === undefined ? undefined : { value: item });
    },
  };
};

export const createItemReader = (item: JsonObject, maker: string, sink: PartSink): ItemReader => {
  switch (item["type"]) {
    case "message":
      return messageReader(item, maker, sink);
    case "reasoning":
      return reasoningReader(item, maker, sink);
    case "function_call":
    case "custom_tool_call":
      return callReader(item, maker, sink);
    default:
      return opaqueReader(item, maker, sink);
  }
};
