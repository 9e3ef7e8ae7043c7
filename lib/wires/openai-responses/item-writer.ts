// The items of an answer, written as they grow: each writer gives the events of one item, and the item when it is whole.
import type {
  ResponseFunctionToolCall,
  ResponseOutputMessage,
  ResponseOutputRefusal,
  ResponseOutputText,
  ResponseReasoningItem,
} from "openai/resources/responses/responses";
import type { PartDelta, StreamEvent } from "../../model/event.ts";
import { asArray, asObject, asString, type Json, type JsonObject } from "../../model/json.ts";
import type { Citation, Opaque, Part, ReasoningPart, RefusalPart, TextPart, ToolCallPart } from "../../model/message.ts";
import { encodeAnnotation, isPlaced } from "./citations.ts";
import { json, own, ownItem, wireId } from "./names.ts";
import { encodeState, type StateRole } from "./state.ts";

export type Final = Extract<StreamEvent, { type: "part-end" }>["final"];

export type ItemOutput = {
  /** Writes one event; the sequence number is put in. */
  emit: (type: string, fields: JsonObject) => void;
  /** `given` where it may be used (of this wire's kind, and not used before), else a fresh id. */
  id: (prefix: string, given: string | undefined) => string;
  index: number;
};

export type ItemStatus = "completed" | "incomplete";

export type ItemWriter = {
  /** Whether the part goes into this item as well. */
  takes: (part: Part) => boolean;
  start: (part: Part) => void;
  delta: (delta: PartDelta) => void;
  end: (final: Final) => void;
  /** The item as it stands, with its closing event. */
  close: (status: ItemStatus) => JsonObject;
  /** State bound to the last part that has no slot here: an item beside it carries it. */
  state: () => Opaque | undefined;
};

type Spoken = TextPart | RefusalPart | Extract<Part, { type: "opaque" }>;

const isSpoken = (part: Part): part is Spoken =>
  part.type === "text" || part.type === "refusal" || (part.type === "opaque" && own(part)?.["whole"] === true);

/** Text and refusals of one message item. Its parts came as one, or came without items at all. */
export const messageWriter = (first: Part, out: ItemOutput): ItemWriter => {
  const id = out.id("msg_", first.id);
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
    if (given !== undefined) logprobs = [...logprobs, ...given];
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
      else if (given !== undefined) logprobs = given;
      if (next.type !== "text") return;
      for (const citation of next.citations ?? []) cite(citation);
      state = next.opaque;
    },
    delta: (delta) => {
      if (delta.type === "text") say(delta.text, asArray(delta.extra?.[wireId]?.["logprobs"]));
      else if (delta.type === "citation") cite(delta.citation);
      else if (delta.type === "opaque") state = delta.opaque;
      else if (delta.type === "native") out.emit(asString(delta.value["type"]) ?? "", { ...delta.value, ...place });
    },
    end: (final) => {
      if (part === undefined) return;
      const extra = final?.extra?.[wireId];
      keep(extra);
      const more = asArray(extra?.["logprobs"]);
      if (more !== undefined) logprobs = [...logprobs, ...more];
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

/** The role that an item plays which carries nothing but state. */
type Carried = Extract<StateRole, "next" | "previous">;

export const carrierItem = (opaque: Opaque, role: Carried, out: ItemOutput): JsonObject => {
  const item = json({
    id: out.id("rs_", undefined),
    type: "reasoning",
    summary: [],
    encrypted_content: encodeState(opaque, role),
  } satisfies ResponseReasoningItem);
  out.emit("response.output_item.added", { output_index: out.index, item: { ...item, encrypted_content: "" } });
  out.emit("response.output_item.done", { output_index: out.index, item });
  return item;
};

/** Visible reasoning is a summary here, but for what this wire itself told as the reasoning's own text. */
export const reasoningWriter = (first: ReasoningPart, out: ItemOutput): ItemWriter => {
  const id = out.id("rs_", first.id);
  let fields = ownItem(first);
  const same = own(first) !== undefined;
  const full = same && first.form === "full";
  const place = { item_id: id, output_index: out.index };
  const texts: string[] = [];
  let opaque = first.opaque;
  let open = false;

  out.emit("response.output_item.added", {
    output_index: out.index,
    item: full ? { id, type: "reasoning", summary: [], content: [] } : { id, type: "reasoning", summary: [] },
  });

  const where = (): JsonObject =>
    full ? { ...place, content_index: texts.length - 1 } : { ...place, summary_index: texts.length - 1 };
  const shown = (text: string): JsonObject => ({ type: full ? "reasoning_text" : "summary_text", text });
  const part = full ? "response.content_part" : "response.reasoning_summary_part";
  const word = full ? "response.reasoning_text" : "response.reasoning_summary_text";

  const closeText = (): void => {
    if (!open) return;
    open = false;
    const text = texts.at(-1) ?? "";
    out.emit(`${word}.done`, { ...where(), text });
    out.emit(`${part}.done`, { ...where(), part: shown(text) });
  };
  const openText = (): void => {
    closeText();
    open = true;
    texts.push("");
    out.emit(`${part}.added`, { ...where(), part: shown("") });
  };
  const say = (text: string, at: number | undefined): void => {
    // A summary's number counts on this wire; a late one for an earlier paragraph can only go on with the last.
    if (!open || (at !== undefined && at >= texts.length)) openText();
    if (text === "") return;
    texts[texts.length - 1] += text;
    out.emit(`${word}.delta`, { ...where(), delta: text });
  };

  return {
    takes: () => false,
    start: (next) => {
      if (next.type !== "reasoning" || next.text === "") return;
      (next.summaries ?? [next.text]).forEach((text, at) => say(text, full ? undefined : at));
    },
    delta: (delta) => {
      if (delta.type === "text") say(delta.text, full ? undefined : delta.summary);
      else if (delta.type === "opaque")
        opaque =
          opaque === undefined
            ? delta.opaque
            : { origin: delta.opaque.origin, data: opaque.data + delta.opaque.data };
      else if (delta.type === "native") out.emit(asString(delta.value["type"]) ?? "", { ...delta.value, ...place });
    },
    end: (final) => {
      closeText();
      if (final?.opaque !== undefined) opaque = final.opaque;
      fields = { ...fields, ...asObject(final?.extra?.[wireId]?.["item"]) };
    },
    close: () => {
      closeText();
      const item: JsonObject = json({
        id,
        type: "reasoning",
        summary: full ? [] : texts.map((text) => ({ type: "summary_text", text })),
      } satisfies ResponseReasoningItem);
      if (full) item["content"] = texts.map(shown);
      // Without state of its own, foreign text is marked: it must not come back as an item that OpenAI would look for.
      if (opaque !== undefined || !same)
        item["encrypted_content"] = encodeState(opaque, first.redacted === true ? "redacted" : "own");
      const whole = { ...item, ...fields };
      out.emit("response.output_item.done", { output_index: out.index, item: whole });
      return whole;
    },
    state: () => undefined,
  };
};

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
    ...json({ id, type: "function_call", status: "in_progress", call_id: callId, name: first.name, arguments: "" } satisfies ResponseFunctionToolCall),
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
    takes: () => false,
    start: (next) => {
      if (next.type === "tool-call") say(next.arguments);
    },
    delta: (delta) => {
      if (delta.type === "arguments") say(delta.text);
      else if (delta.type === "opaque") state = delta.opaque;
      else if (delta.type === "native") out.emit(asString(delta.value["type"]) ?? "", { ...delta.value, ...place });
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

/** An item of this wire that has no neutral form: its own events between its first and its last form. */
export const opaqueWriter = (first: Extract<Part, { type: "opaque" }>, out: ItemOutput): ItemWriter => {
  let value = first.value;
  out.emit("response.output_item.added", { output_index: out.index, item: value });
  return {
    takes: () => false,
    start: () => {},
    delta: (delta) => {
      if (delta.type === "native" && delta.wire === wireId)
        out.emit(asString(delta.value["type"]) ?? "", { ...delta.value, output_index: out.index });
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
