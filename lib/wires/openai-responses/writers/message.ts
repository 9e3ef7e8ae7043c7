// Message items: text and refusals, their annotations and log probabilities.
import type {
  ResponseOutputMessage,
  ResponseOutputRefusal,
  ResponseOutputText,
} from "openai/resources/responses/responses";
import { asArray, asObject, type Json, type JsonObject } from "../../../model/json.ts";
import type { Citation, Opaque, Part, RefusalPart, TextPart } from "../../../model/message.ts";
import { encodeAnnotation, isPlaced } from "../citations.ts";
import { json, own, ownItem, wireId } from "../names.ts";
import { emitNative, type ItemOutput, type ItemWriter } from "./item.ts";

type Spoken = TextPart | RefusalPart | Extract<Part, { type: "opaque" }>;

const isSpoken = (part: Part): part is Spoken =>
  part.type === "text" || part.type === "refusal" || (part.type === "opaque" && own(part)?.["whole"] === true);

/** Text and refusals of one message item. Its parts came as one, or came without items at all. */
export const messageWriter = (first: Part, out: ItemOutput): ItemWriter => {
  // A part that goes on in a message which something else has ended begins one of its own.
  const id = out.id("msg_", own(first)?.["continues"] === true ? undefined : first.id);
  let fields = ownItem(first);
  const same = own(first) !== undefined;
  const contents: JsonObject[] = [];
  let part: Spoken | undefined;
  let text = "";
  let annotations: JsonObject[] = [];
  let waiting: Citation[] = [];
  let logprobs: Json[] = [];
  let kept: JsonObject = {};
  let state: Opaque | undefined;

  const place = { item_id: id, output_index: out.index };
  out.emit("response.output_item.added", {
    output_index: out.index,
    item: { id, type: "message", status: "in_progress", role: "assistant", ...fields, content: [] },
  });

  const say = (delta: string, given: Json[] | undefined): void => {
    text += delta;
    if (part?.type === "refusal") {
      out.emit("response.refusal.delta", { ...place, content_index: contents.length, delta });
      return;
    }
    if (given !== undefined) logprobs.push(...given);
    out.emit("response.output_text.delta", { ...place, content_index: contents.length, delta, logprobs: given ?? [] });
  };

  const annotate = (annotation: JsonObject): void => {
    out.emit("response.output_text.annotation.added", {
      ...place,
      content_index: contents.length,
      annotation_index: annotations.length,
      annotation,
    });
    annotations.push(annotation);
  };

  const cite = (citation: Citation): void => {
    if (isPlaced(citation)) annotate(encodeAnnotation(citation, text.length));
    else waiting.push(citation);
  };

  const keep = (extra: JsonObject | undefined): void => {
    fields = { ...fields, ...asObject(extra?.["item"]) };
    kept = { ...kept, ...asObject(extra?.["content"]) };
  };

  const content = (): JsonObject => {
    if (part?.type === "opaque") return part.value;
    if (part?.type === "refusal")
      return { ...json({ type: "refusal", refusal: text } satisfies ResponseOutputRefusal), ...kept };
    return {
      ...json({ type: "output_text", text, annotations: [] } satisfies ResponseOutputText),
      annotations,
      logprobs,
      ...kept,
    };
  };

  return {
    lingers: true,
    takes: (next) =>
      isSpoken(next) && state === undefined && (own(next) === undefined ? !same : own(next)?.["continues"] === true),
    start: (next) => {
      if (!isSpoken(next)) return;
      part = next;
      text = "";
      annotations = [];
      waiting = [];
      logprobs = [];
      kept = {};
      keep(own(next));
      const empty: JsonObject =
        next.type === "opaque"
          ? next.value
          : next.type === "refusal"
            ? { type: "refusal", refusal: "" }
            : { type: "output_text", text: "", annotations: [], logprobs: [] };
      out.emit("response.content_part.added", { ...place, content_index: contents.length, part: empty });
      if (next.type === "opaque") return;
      const given = asArray(own(next)?.["logprobs"]);
      if (next.text !== "") say(next.text, given);
      else if (given !== undefined) logprobs = [...given];
      if (next.type !== "text") return;
      for (const citation of next.citations ?? []) cite(citation);
      state = next.opaque;
    },
    delta: (delta) => {
      if (delta.type === "text") say(delta.text, asArray(delta.extra?.[wireId]?.["logprobs"]));
      else if (delta.type === "citation") cite(delta.citation);
      else if (delta.type === "opaque") state = delta.opaque;
      else emitNative(out, delta, place);
    },
    end: (final) => {
      if (part === undefined) return;
      const extra = final?.extra?.[wireId];
      keep(extra);
      const more = asArray(extra?.["logprobs"]);
      if (more !== undefined) logprobs.push(...more);
      if (final?.opaque !== undefined) state = final.opaque;
      // The final list replaces what was gathered; what was written of it stands.
      const late = final?.citations === undefined ? waiting : final.citations.slice(annotations.length);
      for (const citation of late) annotate(encodeAnnotation(citation, text.length));
      const whole = content();
      const at = { ...place, content_index: contents.length };
      if (part.type === "refusal") out.emit("response.refusal.done", { ...at, refusal: text });
      else if (part.type === "text") out.emit("response.output_text.done", { ...at, text, logprobs });
      out.emit("response.content_part.done", { ...at, part: whole });
      contents.push(whole);
      part = undefined;
    },
    close: (status) => {
      const item = {
        id,
        type: "message",
        status,
        role: "assistant",
        content: [],
      } satisfies ResponseOutputMessage;
      const whole = { ...json(item), ...fields, content: part === undefined ? contents : [...contents, content()] };
      out.emit("response.output_item.done", { output_index: out.index, item: whole });
      return whole;
    },
    state: () => state,
  };
};
