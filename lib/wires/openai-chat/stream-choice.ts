// One choice of a stream, delta by delta, as parts: what hosts do differently inside a delta ends here.
import type { StreamEvent } from "../../model/event.ts";
import { asObject, asString, isObject, type Json, type JsonObject } from "../../model/json.ts";
import { mergeExtra } from "../shared/fold.ts";
import type { Target } from "../wire.ts";
import { assistantFields, decodeAudio, decodeEntry, decodeImage } from "./assistant.ts";
import { decodeAnnotations } from "./citations.ts";
import { decodeFinish, type Ending } from "./finish.ts";
import { logprobKinds, logprobsIn, type SpokenType } from "./logprobs.ts";
import { extraOf, isEmpty, keptIn, objects, own, rest, wireId } from "./names.ts";
import { betweenParts, decodeDetail, thoughtSignature, visible, type Author } from "./reasoning.ts";
import { choiceFields } from "./response.ts";
import { createCalls } from "./stream-calls.ts";
import { createParts } from "./stream-parts.ts";

export type ChoiceReader = {
  read: (choice: JsonObject, out: StreamEvent[]) => void;
  /** The number of the text part that goes on, for the fast path; undefined where none is open. */
  openText: () => number | undefined;
  /** Text of the fast path. */
  sawText: (length: number) => void;
  finished: () => boolean;
  /** Ends what is still open. */
  end: (out: StreamEvent[]) => void;
  ending: () => Ending;
  /** Fields with no neutral form: of the choice and of its message. */
  left: () => JsonObject;
};

export type ChoiceContext = {
  target: Target;
  choice: number;
  nextPart: () => number;
  callId: (at: number) => string;
};

/** Beside those of a message; `index` is Mistral's. */
const deltaFields = new Set([...assistantFields, "index"]);

export const createChoice = ({ target, choice, nextPart, callId }: ChoiceContext): ChoiceReader => {
  const author: Author = { client: false, maker: target.maker };
  const calls = createCalls({ author, choice, nextPart, callId });
  const parts = createParts(choice, nextPart, (out) => calls.settle(out));
  const { open, opened, speak } = parts;
  let audio: { index: number; final: JsonObject } | undefined;
  let shown = "";
  const said = { text: false, refusal: false };
  let finish: string | undefined;
  let finished = false;
  let choiceLeft: JsonObject = {};
  let messageLeft: JsonObject = {};

  /** Reasoning in the visible field alone. */
  const readShown = (
    text: string,
    field: string | undefined,
    logprobs: Json[] | undefined,
    out: StreamEvent[],
  ): void => {
    const before = open.reasoning;
    // A new part after one that ended is set off by an empty line, which is no part of it.
    const fresh = before === undefined && shown !== "" && text.startsWith(betweenParts);
    shown += text;
    const part = opened("reasoning", out, () => ({
      type: "reasoning",
      text: "",
      ...keptIn(field === undefined ? undefined : { field }),
    }));
    part.bare = true;
    speak(part, fresh ? text.slice(betweenParts.length) : text, logprobs, out);
  };

  const readDetail = (detail: JsonObject, field: string | undefined, out: StreamEvent[]): void => {
    const part = decodeDetail(detail, author);
    const state = part.opaque;
    if (part.redacted === true) {
      parts.whole(part, out);
      return;
    }
    let current = open.reasoning;
    if (current?.bare === true && (part.text === "" || current.text.endsWith(part.text))) {
      // It says again what the visible field has said, and adds the state.
      const kept = own(part);
      const final = mergeExtra(undefined, kept === undefined ? undefined : extraOf(kept));
      delete open.reasoning;
      out.push({
        type: "part-end",
        index: current.index,
        final: {
          ...(part.id === undefined ? {} : { id: part.id }),
          ...(state === undefined ? {} : { opaque: state }),
          ...(final === undefined ? {} : { extra: final }),
        },
      });
      return;
    }
    const repeats = part.text !== "" && current === undefined && shown.endsWith(part.text);
    if (repeats && state === undefined) return;
    const key = JSON.stringify([detail["index"], detail["id"]]);
    if (current !== undefined && current.detail !== key) {
      parts.close("reasoning", out);
      current = undefined;
    }
    const { opaque: _opaque, text, ...start } = part;
    current ??= opened("reasoning", out, () => ({
      ...start,
      text: "",
      ...keptIn({ ...own(start), ...(field === undefined ? {} : { field }) }),
    }));
    current.detail = key;
    if (!repeats) speak(current, text, undefined, out);
    if (state !== undefined)
      out.push({ type: "part-delta", index: current.index, delta: { type: "opaque", opaque: state } });
  };

  const readReasoning = (delta: JsonObject, logprobs: Json[] | undefined, out: StreamEvent[]): void => {
    const details = objects(delta["reasoning_details"]);
    const bare = visible(delta);
    const told = details.some((detail) => asString(detail["text"] ?? detail["summary"]) !== undefined);
    if (bare !== undefined && !told) readShown(bare.text, bare.field, logprobs, out);
    for (const detail of details) readDetail(detail, told ? bare?.field : undefined, out);
  };

  const readText = (text: string, logprobs: Json[] | undefined, out: StreamEvent[]): void => {
    if (text === "" && logprobs === undefined) return;
    if (text !== "") said.text = true;
    speak(opened("text", out), text, logprobs, out);
  };

  /** Log probabilities that belong to no part: those of a call. */
  const keepLogprobs = (type: SpokenType, list: Json[]): void => {
    const kept = asObject(choiceLeft["logprobs"]) ?? {};
    const before = kept[logprobKinds[type]];
    choiceLeft = {
      ...choiceLeft,
      logprobs: { ...kept, [logprobKinds[type]]: Array.isArray(before) ? [...before, ...list] : list },
    };
  };

  const readContent = (content: Json, logprobs: Json[] | undefined, out: StreamEvent[]): void => {
    if (typeof content === "string") {
      readText(content, logprobs, out);
      return;
    }
    if (!Array.isArray(content)) return;
    for (const entry of content) {
      const part = decodeEntry(entry);
      if (part === undefined) continue;
      if (part.type === "text") readText(part.text, undefined, out);
      else if (part.type === "reasoning") {
        if (part.text !== "") speak(opened("reasoning", out), part.text, undefined, out);
      } else if (part.type === "refusal") readRefusal(part.text, undefined, out);
      else parts.whole(part, out);
    }
  };

  const readRefusal = (text: string, logprobs: Json[] | undefined, out: StreamEvent[]): void => {
    if (text === "" && logprobs === undefined) return;
    said.refusal = true;
    speak(opened("refusal", out), text, logprobs, out);
  };

  const readAudio = (delta: JsonObject, out: StreamEvent[]): void => {
    const part = decodeAudio(delta, "pcm16");
    const data = asString(delta["data"]);
    if (audio === undefined) {
      parts.closeAll(out);
      const { transcript: _transcript, extra: _extra, ...start } = part;
      const source = { kind: "base64", data: "", mediaType: "audio/pcm" } as const;
      audio = { index: parts.start({ ...start, source }, out), final: {} };
    }
    Object.assign(audio.final, own(part));
    if (data === undefined && part.transcript === undefined) return;
    out.push({
      type: "part-delta",
      index: audio.index,
      delta: {
        type: "data",
        ...(data === undefined ? {} : { base64: data }),
        ...(part.transcript === undefined ? {} : { transcript: part.transcript }),
      },
    });
  };

  const readDelta = (delta: JsonObject, choiceObject: JsonObject, out: StreamEvent[]): void => {
    const logprobs = logprobsIn(choiceObject);
    readReasoning(delta, logprobs?.reasoning, out);
    const content = delta["content"];
    if (content !== undefined && content !== null) readContent(content, logprobs?.text, out);
    else if (logprobs?.text !== undefined) keepLogprobs("text", logprobs.text);
    const refusal = asString(delta["refusal"]);
    if (refusal !== undefined) readRefusal(refusal, logprobs?.refusal, out);
    for (const citation of decodeAnnotations(delta["annotations"], parts.base()))
      out.push({ type: "part-delta", index: opened("text", out).index, delta: { type: "citation", citation } });
    if (isObject(delta["audio"])) readAudio(delta["audio"], out);
    for (const entry of objects(delta["images"]))
      parts.whole(decodeImage(entry) ?? { type: "opaque", wire: wireId, value: entry }, out);
    for (const call of objects(delta["tool_calls"])) {
      parts.closeAll(out);
      calls.read(call, out);
    }
    if (isObject(delta["function_call"])) {
      parts.closeAll(out);
      calls.readLegacy(delta["function_call"], out);
    }
    const opaque = thoughtSignature(delta, author);
    if (opaque !== undefined) parts.sign(opaque, out);
  };

  const end = (out: StreamEvent[]): void => {
    const signature = parts.takeSignature();
    if (signature !== undefined) {
      const call = calls.unsigned();
      if (call === undefined) {
        opened("text", out);
        parts.sign(signature, out);
      } else out.push({ type: "part-delta", index: call, delta: { type: "opaque", opaque: signature } });
    }
    parts.closeAll(out);
    calls.end(out);
    if (audio !== undefined) {
      const { index, final } = audio;
      out.push(
        isEmpty(final) ? { type: "part-end", index } : { type: "part-end", index, final: { extra: extraOf(final) } },
      );
      audio = undefined;
    }
  };

  return {
    openText: () => (finished ? undefined : open.text?.index),
    sawText: (length) => {
      if (open.text !== undefined) open.text.length += length;
    },
    finished: () => finished,
    end,
    ending: () => decodeFinish(finish, { calls: calls.any(), ...said }),
    left: () => ({
      ...(isEmpty(choiceLeft) ? {} : { choice: choiceLeft }),
      ...(isEmpty(messageLeft) ? {} : { message: messageLeft }),
    }),
    read: (object, out) => {
      // Some hosts stream messages instead of deltas; Azure sends choices with neither (F7).
      const delta = asObject(object["delta"]) ?? asObject(object["message"]);
      if (delta !== undefined) {
        readDelta(delta, object, out);
        const left = rest(delta, deltaFields);
        if (!isEmpty(left)) messageLeft = { ...messageLeft, ...left };
      }
      const left = rest(object, choiceFields);
      if (!isEmpty(left)) choiceLeft = { ...choiceLeft, ...left };
      const reason = asString(object["finish_reason"]);
      if (reason !== undefined && reason !== "") {
        finish = reason;
        finished = true;
        end(out);
      }
    },
  };
};
