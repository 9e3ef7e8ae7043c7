// Calls in a stream: arguments as they grow.
import { asString, compact, type JsonObject } from "../../../model/json.ts";
import type { Part } from "../../../model/message.ts";
import { decodeItem, itemRest, opaqueItem } from "../items.ts";
import { extraOf, isEmpty } from "../names.ts";
import { missing, type ItemReader, type PartSink } from "./item.ts";

export const callReader = (first: JsonObject, maker: string, sink: PartSink): ItemReader => {
  const field = first["type"] === "custom_tool_call" ? "input" : "arguments";
  let index: number | undefined;
  let told = "";
  let finished = false;

  const open = (item: JsonObject): number => (index ??= sink.start(startOf(item)));
  const startOf = (item: JsonObject): Part => {
    const part = decodeItem({ ...item, [field]: "" }, maker)[0] ?? opaqueItem(item, maker);
    return part.type === "tool-call" ? { ...part, arguments: "" } : part;
  };
  const say = (text: string): void => {
    if (text === "") return;
    told += text;
    sink.delta(open(first), { type: "arguments", text });
  };
  if (asString(first["name"]) !== undefined && asString(first["call_id"]) !== undefined) open(first);

  return {
    push: (type, event) => {
      switch (type) {
        case "response.function_call_arguments.delta":
        case "response.custom_tool_call_input.delta":
          say(asString(event["delta"]) ?? "");
          return true;
        case "response.function_call_arguments.done":
        case "response.custom_tool_call_input.done":
          say(missing(asString(event[field]) ?? "", told));
          return true;
        default:
          return false;
      }
    },
    finish: (item) => {
      if (finished) return;
      finished = true;
      const last = item ?? first;
      const part = open(last);
      say(missing(asString(last[field]) ?? "", told));
      if (told.trim() === "" && field === "arguments") say("{}");
      const id = asString(last["id"]);
      const left = itemRest(last);
      sink.end(
        part,
        compact({
          id: id === asString(first["id"]) ? undefined : id,
          extra: isEmpty(left) ? undefined : extraOf({ item: left }),
        }),
      );
    },
  };
};
