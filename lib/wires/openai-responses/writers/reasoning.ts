// Reasoning items: what a model thought, and the state of other makers that has no other place to travel in.
import type { ResponseReasoningItem } from "openai/resources/responses/responses";
import { asObject, type JsonObject } from "../../../model/json.ts";
import type { Opaque, ReasoningPart } from "../../../model/message.ts";
import { json, own, ownItem, wireId } from "../names.ts";
import { encodeState, type StateRole } from "../state.ts";
import { emitNative, type ItemOutput, type ItemWriter } from "./item.ts";

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
    lingers: false,
    takes: () => false,
    start: (next) => {
      if (next.type !== "reasoning" || next.text === "") return;
      (next.summaries ?? [next.text]).forEach((text, at) => say(text, full ? undefined : at));
    },
    delta: (delta) => {
      if (delta.type === "text") say(delta.text, full ? undefined : delta.summary);
      else if (delta.type === "opaque")
        opaque =
          opaque === undefined ? delta.opaque : { origin: delta.opaque.origin, data: opaque.data + delta.opaque.data };
      else emitNative(out, delta, place);
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
