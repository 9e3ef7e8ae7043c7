// Message items of a stream: each content part is a part of the answer.
import { asArray, asNumber, asString, type Json, type JsonObject } from "../../../model/json.ts";
import { decodeAnnotation } from "../citations.ts";
import { decodeContent } from "../content.ts";
import { asMessagePart, itemRest, opaqueItem } from "../items.ts";
import { extraOf, objects, own } from "../names.ts";
import { missing, type ItemReader, type PartSink } from "./item.ts";

type Content = {
  index: number;
  kind: "text" | "refusal" | "opaque";
  told: string;
  citations: number;
  logprobs: boolean;
};

export const messageReader = (first: JsonObject, maker: string, sink: PartSink): ItemReader => {
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
      for (const citation of (part.citations ?? []).slice(content.citations))
        cite(content, citation.native?.value ?? null);
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
          if (content === open)
            say(content, missing(asString(event["text"]) ?? asString(event["refusal"]) ?? "", content.told));
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
