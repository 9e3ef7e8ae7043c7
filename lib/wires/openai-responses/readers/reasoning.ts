// Reasoning items of a stream: a summary in paragraphs, or the reasoning's own text.
import { asNumber, asString, compact, type JsonObject } from "../../../model/json.ts";
import type { Part } from "../../../model/message.ts";
import { itemRest, reasoningRest, reasoningText } from "../items.ts";
import { extraOf } from "../names.ts";
import { missing, type ItemReader, type PartSink } from "./item.ts";

export const reasoningReader = (first: JsonObject, maker: string, sink: PartSink): ItemReader => {
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
