// Events as a stream for a client: role first in every choice, a header chunk a call, the finish reason, usage where it was asked for,
// `[DONE]` (PROTOCOLS section 2.2). An error is the last thing said: the SDK throws on it, and `[DONE]` would call the answer whole.
import { sseFrame } from "../../http/sse.ts";
import type { PartDelta, StreamEvent } from "../../model/event.ts";
import { asArray, asObject, asString, type JsonObject } from "../../model/json.ts";
import type { AudioPart, Citation, ImagePart, Opaque, Part, ReasoningPart } from "../../model/message.ts";
import type { Usage } from "../../model/usage.ts";
import type { Extra } from "../../model/wire-id.ts";
import { openAiErrorObject } from "../shared/openai-error.ts";
import type { EventEncoder, ReplyContext } from "../wire.ts";
import { encodeAnnotation } from "./citations.ts";
import { encodeFinish, type Ending } from "./finish.ts";
import { chunkLogprobs } from "./logprobs.ts";
import { isEmpty, own, wireId } from "./names.ts";
import { betweenParts, encodeDetails, extraContent, visibleField } from "./reasoning.ts";
import { encodeAudio, encodeImage, isLegacyCaller, opaqueText } from "./response.ts";
import { createCallWriter, type Called, type Choice } from "./stream-call-writer.ts";
import { createFrames } from "./stream-frames.ts";

type Spoken = { kind: "text" | "refusal"; choice: Choice; base: number; citations: Citation[]; signature?: Opaque };
type Thought = { kind: "reasoning"; choice: Choice; part: ReasoningPart; field: string; summary?: number };
type Medium = { kind: "medium"; choice: Choice; part: AudioPart | ImagePart };
type OpenPart = Spoken | Thought | Called | Medium | { kind: "none" };

export const createWriter = (context: ReplyContext): EventEncoder => {
  const frames = createFrames(context);
  const legacy = isLegacyCaller(context.request);
  const calls = createCallWriter(frames, legacy, context.newId);
  const choices = new Map<number, Choice>();
  const open = new Map<number, OpenPart>();
  let lastChoice: { choice: JsonObject; message: JsonObject } = { choice: {}, message: {} };
  let usage: Usage | undefined;
  let over = false;
  let failed = false;

  const keep = (kept: JsonObject | undefined): void => {
    lastChoice = {
      choice: { ...lastChoice.choice, ...asObject(kept?.["choice"]) },
      message: { ...lastChoice.message, ...asObject(kept?.["message"]) },
    };
  };

  const chunk = (choice: Choice, delta: JsonObject, more?: JsonObject): void => frames.chunk(choice.index, delta, more);

  const choiceOf = (index: number): Choice => {
    let found = choices.get(index);
    if (found === undefined)
      choices.set(
        index,
        (found = { index, begun: false, calls: 0, length: 0, refusal: false, shown: false, annotations: [] }),
      );
    return found;
  };

  /** The role, in the first chunk of every choice. */
  const role = (choice: Choice, content: "" | null): void => {
    if (choice.begun) return;
    choice.begun = true;
    chunk(choice, { role: "assistant", content, refusal: null });
  };

  const say = (part: Spoken, text: string, extra?: Extra): void => {
    const { choice } = part;
    if (part.kind === "text") choice.length += text.length;
    if (part.kind === "text" && choice.index === 0 && extra === undefined) frames.text(text);
    else chunk(choice, { [part.kind === "text" ? "content" : "refusal"]: text }, chunkLogprobs(part.kind, extra));
  };

  const think = (part: Thought, text: string, summary: number | undefined, extra?: Extra): void => {
    const { choice } = part;
    if (text === "" && extra === undefined) return;
    const first = part.part.text === "";
    // Parts, and the paragraphs of a summary, are one text here.
    const apart = first ? choice.shown : summary !== undefined && summary !== (part.summary ?? summary);
    if (!first && apart) part.part.text += betweenParts;
    if (summary !== undefined) part.summary = summary;
    part.part.text += text;
    choice.shown = true;
    chunk(choice, { [part.field]: apart ? betweenParts + text : text }, chunkLogprobs("reasoning", extra));
  };

  const startPart = (part: Part, choice: Choice): OpenPart => {
    switch (part.type) {
      case "text":
      case "refusal": {
        role(choice, part.type === "text" ? "" : null);
        if (part.type === "refusal") choice.refusal = true;
        const citations = part.type === "text" ? [...(part.citations ?? [])] : [];
        const spoken: Spoken = { kind: part.type, choice, base: choice.length, citations };
        if (part.type === "text" && part.opaque !== undefined) spoken.signature = part.opaque;
        const logprobs = asArray(own(part)?.["logprobs"]);
        if (part.text !== "" || logprobs !== undefined)
          say(spoken, part.text, logprobs === undefined ? undefined : part.extra);
        return spoken;
      }
      case "reasoning": {
        role(choice, null);
        const thought: Thought = { kind: "reasoning", choice, part: { ...part, text: "" }, field: visibleField(part) };
        think(thought, part.text, undefined);
        return thought;
      }
      case "tool-call":
        role(choice, null);
        return calls.start(choice, part);
      case "audio":
        role(choice, null);
        if (part.source.kind === "base64") speakAudio(choice, part);
        return { kind: "medium", choice, part: { ...part } };
      case "image":
        role(choice, "");
        return { kind: "medium", choice, part: { ...part } };
      case "opaque": {
        const text = opaqueText(part);
        if (text !== "") {
          role(choice, "");
          say({ kind: "text", choice, base: 0, citations: [] }, text);
        }
        return { kind: "none" };
      }
      default:
        return { kind: "none" };
    }
  };

  const speakAudio = (choice: Choice, part: AudioPart): void => {
    const { expires_at: _expires, ...audio } = encodeAudio(part, context);
    part.id = asString(audio["id"]) ?? "";
    chunk(choice, { audio });
  };

  const readDelta = (part: OpenPart, delta: PartDelta): void => {
    switch (delta.type) {
      case "text":
        if (part.kind === "text" || part.kind === "refusal") say(part, delta.text, delta.extra);
        else if (part.kind === "reasoning") think(part, delta.text, delta.summary, delta.extra);
        return;
      case "arguments":
        if (part.kind === "call") calls.argue(part, delta.text);
        return;
      case "opaque":
        sign(part, delta.opaque, true);
        return;
      case "citation":
        if (part.kind === "text") part.citations.push(delta.citation);
        return;
      case "data":
        if (part.kind !== "medium") return;
        if (part.part.type === "audio") {
          const { base64, transcript } = delta;
          const audio = {
            ...(base64 === undefined ? {} : { data: base64 }),
            ...(transcript === undefined ? {} : { transcript }),
          };
          chunk(part.choice, { audio });
        } else if (part.part.source.kind === "base64" && delta.base64 !== undefined)
          part.part.source = { ...part.part.source, data: part.part.source.data + delta.base64 };
        return;
      case "native":
        return;
    }
  };

  /** State that comes in pieces is joined; what comes at a part's end is all of it. */
  const sign = (part: OpenPart, opaque: Opaque, append: boolean): void => {
    const joined = (before: Opaque | undefined): Opaque =>
      append && before !== undefined ? { origin: opaque.origin, data: before.data + opaque.data } : opaque;
    if (part.kind === "text") part.signature = joined(part.signature);
    else if (part.kind === "reasoning" || part.kind === "call") {
      part.part.opaque = joined(part.part.opaque);
      if (part.kind === "call") calls.sign(part);
    }
  };

  const endPart = (part: OpenPart, final: Extract<StreamEvent, { type: "part-end" }>["final"]): void => {
    if (final?.opaque !== undefined) sign(part, final.opaque, false);
    switch (part.kind) {
      case "text": {
        const length = part.choice.length - part.base;
        for (const citation of final?.citations ?? part.citations) {
          const annotation = encodeAnnotation(citation, part.base, length);
          if (annotation !== undefined) part.choice.annotations.push(annotation);
        }
        const logprobs = asArray(final?.extra?.[wireId]?.["logprobs"]);
        if (logprobs !== undefined) say(part, "", final?.extra);
        const state = extraContent(part.signature);
        if (state !== undefined) chunk(part.choice, { extra_content: state });
        return;
      }
      case "reasoning": {
        if (final?.id !== undefined) part.part.id = final.id;
        if (final?.extra !== undefined) part.part.extra = { ...part.part.extra, ...final.extra };
        const details = encodeDetails([part.part]);
        if (details !== undefined) chunk(part.choice, { reasoning_details: details });
        return;
      }
      case "call":
        calls.end(part);
        return;
      case "medium": {
        if (part.part.type === "audio") {
          const { expires_at: expires } = encodeAudio(
            final?.extra === undefined ? part.part : { ...part.part, extra: final.extra },
            context,
          );
          chunk(part.choice, { audio: { expires_at: expires ?? null } });
          return;
        }
        const image = encodeImage(part.part);
        if (image !== undefined) chunk(part.choice, { images: [image] });
        return;
      }
      default:
    }
  };

  const finish = (choice: Choice, ending: Ending, kept: { choice: JsonObject; message: JsonObject }): void => {
    role(choice, "");
    const last: JsonObject = {
      ...(choice.annotations.length === 0 ? {} : { annotations: choice.annotations }),
      ...kept.message,
    };
    if (!isEmpty(last)) chunk(choice, last);
    const contents = { calls: choice.calls > 0, refusal: choice.refusal, text: choice.length > 0 };
    chunk(choice, {}, { ...kept.choice, finish_reason: encodeFinish(ending.reason, contents, legacy) });
  };

  const keptOf = (extra: Extra | undefined): { choice: JsonObject; message: JsonObject } => ({
    choice: asObject(extra?.[wireId]?.["choice"]) ?? {},
    message: asObject(extra?.[wireId]?.["message"]) ?? {},
  });

  const endResponse = (event: Extract<StreamEvent, { type: "response-end" }>): void => {
    for (const part of open.values()) endPart(part, undefined);
    open.clear();
    keep(own(event));
    frames.add(own(event)?.["fields"]);
    finish(choiceOf(0), event, lastChoice);
    usage = event.usage ?? usage;
    if (context.request.includeUsage === true && usage !== undefined) frames.usage(usage);
    over = true;
  };

  const write = (event: StreamEvent): void => {
    switch (event.type) {
      case "part-delta": {
        const part = open.get(event.index);
        if (part !== undefined) readDelta(part, event.delta);
        return;
      }
      case "part-start":
        open.set(event.index, startPart(event.part, choiceOf(event.choice ?? 0)));
        return;
      case "part-end": {
        const part = open.get(event.index);
        open.delete(event.index);
        if (part !== undefined) endPart(part, event.final);
        return;
      }
      case "response-start":
        frames.open({ ...event, fields: own(event)?.["fields"] ?? null });
        keep(own(event));
        usage = event.usage ?? usage;
        return;
      case "usage":
        usage = event.usage;
        return;
      case "choice-end":
        finish(choiceOf(event.choice), event, keptOf(event.extra));
        return;
      case "response-end":
        endResponse(event);
        return;
      case "error":
        frames.raw(sseFrame(JSON.stringify({ error: openAiErrorObject(event.error, "chat") })));
        over = true;
        failed = true;
        return;
      case "opaque":
        return;
    }
  };

  return {
    push: (events) => {
      for (const event of events) if (!over) write(event);
      return frames.take();
    },
    end: () => (over && !failed ? "data: [DONE]\n\n" : ""),
  };
};
