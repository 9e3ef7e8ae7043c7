// A whole answer is the fold of its events, and its events are the unfolding of it: one definition for every wire.
import type { ChatResponse, PartDelta, StreamEvent } from "../../model/event.ts";
import type { Part } from "../../model/message.ts";
import { GatewayError } from "../../model/error.ts";
import type { Extra } from "../../model/wire-id.ts";
import type { JsonObject } from "../../model/json.ts";

/** Extra of both, the later winning by field; arrays of equal names (logprobs) are joined. */
export const mergeExtra = (a: Extra | undefined, b: Extra | undefined): Extra | undefined => {
  if (a === undefined || b === undefined) return a ?? b;
  const merged: Extra = { ...a };
  for (const key of Object.keys(b) as (keyof Extra)[]) {
    const before = merged[key];
    const after = b[key];
    if (after === undefined) continue;
    merged[key] = before === undefined ? after : mergeFields(before, after);
  }
  return merged;
};

const mergeFields = (a: JsonObject, b: JsonObject): JsonObject => {
  const merged: JsonObject = { ...a };
  for (const key of Object.keys(b)) {
    const before = merged[key];
    const after = b[key];
    merged[key] = Array.isArray(before) && Array.isArray(after) ? [...before, ...after] : after;
  }
  return merged;
};

const applyDelta = (part: Part, delta: PartDelta): void => {
  switch (delta.type) {
    case "text":
      if (part.type === "reasoning" && delta.summary !== undefined) {
        const summaries = (part.summaries ??= []);
        while (summaries.length <= delta.summary) summaries.push("");
        summaries[delta.summary] += delta.text;
        part.text = summaries.join("\n\n");
      } else if (part.type === "text" || part.type === "reasoning" || part.type === "refusal") part.text += delta.text;
      if (delta.extra !== undefined) assignExtra(part, delta.extra);
      return;
    case "arguments":
      if (part.type === "tool-call") part.arguments += delta.text;
      return;
    case "opaque":
      if (part.type === "reasoning" || part.type === "text" || part.type === "tool-call" || part.type === "image")
        part.opaque =
          part.opaque === undefined
            ? delta.opaque
            : { origin: delta.opaque.origin, data: part.opaque.data + delta.opaque.data };
      return;
    case "citation":
      if (part.type === "text") (part.citations ??= []).push(delta.citation);
      return;
    case "data":
      if (
        (part.type === "image" || part.type === "audio") &&
        part.source.kind === "base64" &&
        delta.base64 !== undefined
      )
        part.source = { ...part.source, data: part.source.data + delta.base64 };
      if (part.type === "audio" && delta.transcript !== undefined)
        part.transcript = (part.transcript ?? "") + delta.transcript;
      return;
    case "native":
      return;
  }
};

const assignExtra = (part: Part, extra: Extra): void => {
  const merged = mergeExtra(part.extra, extra);
  if (merged !== undefined) part.extra = merged;
};

export type Folder = {
  push: (event: StreamEvent) => void;
  /** The answer so far. Throws the stream's own error, or `upstream_error` where it never ended. */
  finish: () => ChatResponse;
  /** The answer so far, whatever happened: for what must keep a partial text. */
  partial: () => ChatResponse;
};

export const createFolder = (): Folder => {
  const response: ChatResponse = { id: "", model: "", parts: [], reason: "other" };
  const parts = new Map<number, Part>();
  const choices = new Map<number, { parts: Part[]; reason: ChatResponse["reason"]; native?: string; extra?: Extra }>();
  let ended = false;
  let error: GatewayError | undefined;

  const choice = (index: number) => {
    let found = choices.get(index);
    if (found === undefined) choices.set(index, (found = { parts: [], reason: "other" }));
    return found;
  };

  const partial = (): ChatResponse => {
    if (choices.size > 0) response.alternatives = [...choices].sort(([a], [b]) => a - b).map(([, value]) => value);
    return response;
  };

  return {
    partial,
    push: (event) => {
      switch (event.type) {
        case "response-start":
          response.id = event.id;
          response.model = event.model;
          if (event.createdAt !== undefined) response.createdAt = event.createdAt;
          if (event.usage !== undefined) response.usage = event.usage;
          if (event.extra !== undefined) response.extra = mergeExtra(response.extra, event.extra) ?? event.extra;
          return;
        case "part-start": {
          const part = structuredClone(event.part);
          parts.set(event.index, part);
          if (event.choice === undefined || event.choice === 0) response.parts.push(part);
          else choice(event.choice).parts.push(part);
          return;
        }
        case "part-delta": {
          const part = parts.get(event.index);
          if (part !== undefined) applyDelta(part, event.delta);
          return;
        }
        case "part-end": {
          const part = parts.get(event.index);
          const final = event.final;
          if (part === undefined || final === undefined) return;
          if (final.id !== undefined) part.id = final.id;
          if (final.extra !== undefined) assignExtra(part, final.extra);
          if (final.citations !== undefined && part.type === "text") part.citations = final.citations;
          if (
            final.opaque !== undefined &&
            (part.type === "reasoning" || part.type === "text" || part.type === "tool-call" || part.type === "image")
          )
            part.opaque = final.opaque;
          if (final.value !== undefined && part.type === "opaque") part.value = final.value;
          return;
        }
        case "usage":
          response.usage = event.usage;
          return;
        case "choice-end": {
          const ending = choice(event.choice);
          ending.reason = event.reason;
          if (event.native !== undefined) ending.native = event.native;
          if (event.extra !== undefined) ending.extra = event.extra;
          return;
        }
        case "response-end":
          ended = true;
          response.reason = event.reason;
          if (event.native !== undefined) response.native = event.native;
          if (event.stopSequence !== undefined) response.stopSequence = event.stopSequence;
          if (event.usage !== undefined) response.usage = event.usage;
          if (event.extra !== undefined) response.extra = mergeExtra(response.extra, event.extra) ?? event.extra;
          return;
        case "error":
          error ??= event.error;
          return;
        case "opaque":
          return;
      }
    },
    finish: () => {
      if (error !== undefined) throw error;
      if (!ended) throw new GatewayError("upstream_error", "The provider's stream ended before it was finished.");
      return partial();
    },
  };
};

export const fold = (events: Iterable<StreamEvent>): ChatResponse => {
  const folder = createFolder();
  for (const event of events) folder.push(event);
  return folder.finish();
};

/** A part as it stands at its start, and the deltas that complete it. */
const unfoldPart = (part: Part): { start: Part; deltas: PartDelta[] } => {
  switch (part.type) {
    case "text": {
      const { citations, opaque: _opaque, ...start } = part;
      const deltas: PartDelta[] = (citations ?? []).map((citation) => ({ type: "citation", citation }));
      if (part.text !== "") deltas.unshift({ type: "text", text: part.text });
      if (part.opaque !== undefined) deltas.push({ type: "opaque", opaque: part.opaque });
      return { start: { ...start, text: "" }, deltas };
    }
    case "refusal":
      return { start: { ...part, text: "" }, deltas: part.text === "" ? [] : [{ type: "text", text: part.text }] };
    case "reasoning": {
      if (part.redacted === true) return { start: part, deltas: [] };
      const { opaque, summaries, ...start } = part;
      const deltas: PartDelta[] =
        summaries !== undefined
          ? summaries.map((text, summary) => ({ type: "text", text, summary }))
          : part.text === ""
            ? []
            : [{ type: "text", text: part.text }];
      if (opaque !== undefined) deltas.push({ type: "opaque", opaque });
      return { start: { ...start, text: "" }, deltas };
    }
    case "tool-call":
      return {
        start: { ...part, arguments: "" },
        deltas: part.arguments === "" ? [] : [{ type: "arguments", text: part.arguments }],
      };
    default:
      return { start: part, deltas: [] };
  }
};

/** The events of a whole answer, as a client that asked for a stream sees them. */
export const unfold = (response: ChatResponse): StreamEvent[] => {
  const { id, model, createdAt, usage, extra } = response;
  const start: StreamEvent = { type: "response-start", id, model };
  if (createdAt !== undefined) start.createdAt = createdAt;
  if (extra !== undefined) start.extra = extra;
  const events: StreamEvent[] = [start];
  let index = 0;
  const add = (parts: readonly Part[], choice: number): void => {
    for (const part of parts) {
      const { start: first, deltas } = unfoldPart(part);
      events.push(
        choice === 0 ? { type: "part-start", index, part: first } : { type: "part-start", index, part: first, choice },
      );
      for (const delta of deltas) events.push({ type: "part-delta", index, delta });
      events.push({ type: "part-end", index });
      index += 1;
    }
  };
  add(response.parts, 0);
  response.alternatives?.forEach((alternative, at) => {
    add(alternative.parts, at + 1);
    const end: StreamEvent = { type: "choice-end", choice: at + 1, reason: alternative.reason };
    if (alternative.native !== undefined) end.native = alternative.native;
    if (alternative.extra !== undefined) end.extra = alternative.extra;
    events.push(end);
  });
  const end: StreamEvent = { type: "response-end", reason: response.reason };
  if (response.native !== undefined) end.native = response.native;
  if (response.stopSequence !== undefined) end.stopSequence = response.stopSequence;
  if (usage !== undefined) end.usage = usage;
  events.push(end);
  return events;
};
