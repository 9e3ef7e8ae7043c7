// One item of a stream as it grows: its events in, the events of its parts out. The item's last form completes what no delta told.
import type { PartDelta, StreamEvent } from "../../model/event.ts";
import { asArray, asNumber, asString, compact, type Json, type JsonObject } from "../../model/json.ts";
import type { Part } from "../../model/message.ts";
import { decodeAnnotation } from "./citations.ts";
import { asMessagePart, decodeItem, itemRest, opaqueItem, reasoningRest, reasoningText } from "./items.ts";
import { decodeContent } from "./content.ts";
import { extraOf, isEmpty, objects, own, wireId } from "./names.ts";

export type PartSink = {
  /** Opens a part and gives its index. */
  start: (part: Part) => number;
  delta: (index: number, delta: PartDelta) => void;
  end: (index: number, final?: Extract<StreamEvent, { type: "part-end" }>["final"]) => void;
};

export type ItemReader = {
  /** An event of this item; false where it says nothing that a neutral event could. */
  push: (type: string, event: JsonObject) => boolean;
  /** The item is whole: `item` is its last form, where it was told. Later calls do nothing. */
  finish: (item?: JsonObject) => void;
};

/** What `whole` has beyond `told`; "" where they differ otherwise: what was sent can't be taken back. */
const missing = (whole: string, told: string): string =>
  whole.length > told.length && whole.startsWith(told) ? whole.slice(told.length) : "";

type Content = { index: number; kind: "text" | "refusal" | "opaque"; told: string; citations: number; logprobs: boolean };

const messageReader = (first: JsonObject, maker: string, sink: PartSink): ItemReader => {
  const id = asString(first["id"]);
  const { status: _status, ...fields } = itemRest(first);
  /** By the host's content_index, which need not begin at 0; in order of their start. */
  const contents = new Map<number, Content>();
  let open: Content | undefined;
  let closing: JsonObject = {};
  let finished = false;

  const close = (item: JsonObject): void => {
    if (open === undefined) return;
    const extra: JsonObject = { ...closing, item };
    sink.end(open.index, { extra: extraOf(extra) });
    open = undefined;
    closing = {};
  };

  const begin = (at: number, content: JsonObject): Content => {
    close(fields);
    const empty: JsonObject =
      content["type"] === "refusal" ? { type: "refusal", refusal: "" } : { type: "output_text", text: "" };
    const isSpoken = content["type"] === "refusal" || content["type"] === "output_text" || content["type"] === "text";
    const part = asMessagePart(decodeContent(isSpoken ? empty : content), id, fields, contents.size, false);
    const kind = part.type === "refusal" ? "refusal" : part.type === "text" ? "text" : "opaque";
    const made: Content = { index: sink.start(part), kind, told: "", citations: 0, logprobs: false };
    contents.set(at, made);
    open = made;
    return made;
  };

  const say = (content: Content, text: string, logprobs?: Json[]): void => {
    // A part that is closed can't be added to: the next one of its message has begun.
    if (content !== open || (text === "" && logprobs === undefined)) return;
    content.told += text;
    if (logprobs === undefined) sink.delta(content.index, { type: "text", text });
    else {
      content.logprobs = true;
      sink.delta(content.index, { type: "text", text, extra: extraOf({ logprobs }) });
    }
  };

  /** What the finished content part tells beyond its deltas. */
  const complete = (content: Content, value: JsonObject): void => {
    if (content !== open || content.kind === "opaque") return;
    const part = decodeContent(value);
    if (part.type === "text" || part.type === "refusal") say(content, missing(part.text, content.told));
    if (part.type === "text")
      for (const citation of (part.citations ?? []).slice(content.citations)) cite(content, citation.native?.value ?? null);
    const { logprobs, ...others } = own(part) ?? {};
    closing = logprobs === undefined || content.logprobs ? others : { ...others, logprobs };
  };

  const cite = (content: Content, annotation: Json): void => {
    if (content !== open) return;
    content.citations += 1;
    sink.delta(content.index, { type: "citation", citation: decodeAnnotation(annotation) });
  };

  const at = (event: JsonObject): number => asNumber(event["content_index"]) ?? 0;
  const found = (event: JsonObject, type: string): Content => contents.get(at(event)) ?? begin(at(event), { type });
  const someLogprobs = (event: JsonObject): Json[] | undefined => {
    const logprobs = asArray(event["logprobs"]);
    return logprobs === undefined || logprobs.length === 0 ? undefined : logprobs;
  };

  return {
    push: (type, event) => {
      switch (type) {
        case "response.output_text.delta":
          say(found(event, "output_text"), asString(event["delta"]) ?? "", someLogprobs(event));
          return true;
        case "response.refusal.delta":
          say(found(event, "refusal"), asString(event["delta"]) ?? "");
          return true;
        case "response.output_text.annotation.added":
          cite(found(event, "output_text"), event["annotation"] ?? null);
          return true;
        case "response.content_part.added":
          if (!contents.has(at(event))) begin(at(event), objects([event["part"] ?? null])[0] ?? {});
          return true;
        case "response.output_text.done":
        case "response.refusal.done": {
          const content = found(event, type === "response.refusal.done" ? "refusal" : "output_text");
          if (content === open) say(content, missing(asString(event["text"]) ?? asString(event["refusal"]) ?? "", content.told));
          return true;
        }
        case "response.content_part.done": {
          const part = objects([event["part"] ?? null])[0] ?? {};
          complete(contents.get(at(event)) ?? begin(at(event), part), part);
          return true;
        }
        default:
          return false;
      }
    },
    finish: (item) => {
      if (finished) return;
      finished = true;
      const last = item ?? first;
      const told = [...contents.values()];
      objects(last["content"]).forEach((content, position) => {
        // Hosts number their contents as they like: it is the order that counts.
        complete(told[position] ?? begin(position + 1000, content), content);
      });
      if (contents.size === 0) {
        const part = opaqueItem(last, maker);
        sink.end(sink.start(part));
      } else close(item === undefined ? fields : itemRest(last));
    },
  };
};

const reasoningReader = (first: JsonObject, maker: string, sink: PartSink): ItemReader => {
  let index: number | undefined;
  let form: "summary" | "full" | undefined;
  const told: string[] = [];
  let finished = false;

  // Opened late: whether its text is a summary is known with the first of it.
  const open = (shown: "summary" | "full" | undefined): number => {
    if (index !== undefined) return index;
    form = shown;
    const fields = { item: itemRest(first) };
    index = sink.start(
      compact<Part>({ type: "reasoning", text: "", id: asString(first["id"]), form, extra: extraOf(fields) }),
    );
    return index;
  };

  const say = (kind: "summary" | "full", at: number, text: string): void => {
    const part = open(kind);
    if (form !== kind) return;
    const before = told.length;
    while (told.length <= at) told.push("");
    told[at] = `${told[at] ?? ""}${text}`;
    if (kind === "summary") sink.delta(part, { type: "text", text, summary: at });
    else sink.delta(part, { type: "text", text: at > 0 && before <= at ? `\n\n${text}` : text });
  };

  const complete = (kind: "summary" | "full", at: number, text: string): void => {
    const left = missing(text, told[at] ?? "");
    if (left !== "" || (told[at] === undefined && (form === undefined || form === kind))) say(kind, at, left);
  };

  return {
    push: (type, event) => {
      const summary = asNumber(event["summary_index"]) ?? 0;
      const content = asNumber(event["content_index"]) ?? 0;
      switch (type) {
        case "response.reasoning_summary_text.delta":
          say("summary", summary, asString(event["delta"]) ?? "");
          return true;
        case "response.reasoning_text.delta":
          say("full", content, asString(event["delta"]) ?? "");
          return true;
        case "response.reasoning_summary_text.done":
          complete("summary", summary, asString(event["text"]) ?? "");
          return true;
        case "response.reasoning_text.done":
          complete("full", content, asString(event["text"]) ?? "");
          return true;
        case "response.reasoning_summary_part.added":
        case "response.reasoning_summary_part.done":
        case "response.content_part.added":
        case "response.content_part.done":
        // Bedrock's name for the same.
        case "response.reasoning_part.added":
        case "response.reasoning_part.done":
          return true;
        default:
          return false;
      }
    },
    finish: (item) => {
      if (finished) return;
      finished = true;
      const last = item ?? first;
      const whole = reasoningText(last);
      const texts = whole.summaries ?? whole.contents ?? [];
      if (whole.form !== undefined) for (const [at, text] of texts.entries()) complete(whole.form, at, text);
      const part = open(whole.form);
      const data = asString(last["encrypted_content"]);
      const extra = extraOf({ item: reasoningRest(last) });
      sink.end(part, data === undefined || data === "" ? { extra } : { extra, opaque: { origin: maker, data } });
    },
  };
};

const callReader = (first: JsonObject, maker: string, sink: PartSink): ItemReader => {
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
        compact({ id: id === asString(first["id"]) ? undefined : id, extra: isEmpty(left) ? undefined : extraOf({ item: left }) }),
      );
    },
  };
};

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
