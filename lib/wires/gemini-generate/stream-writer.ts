// Events to a streamed answer. A chunk holds one part: some SDKs mix up several in one. Text goes out as it comes, a call whole.
import type { GatewayError } from "../../model/error.ts";
import type { PartDelta, StreamEvent } from "../../model/event.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Part, TextPart } from "../../model/message.ts";
import type { Usage } from "../../model/usage.ts";
import type { EventEncoder, ReplyContext } from "../wire.ts";
import type { Extra } from "../../model/wire-id.ts";
import { asObject, compact } from "../../model/json.ts";
import { createFolder } from "../shared/fold.ts";
import { errorBody } from "./errors.ts";
import { createGrounder } from "./grounding.ts";
import { asExtra, own } from "./names.ts";
import { encodePart, signatureFor, thoughtSignature } from "./parts.ts";
import { answerFields, candidateFields, isBlocked, toClient } from "./response.ts";
import { encodeUsage } from "./usage.ts";

/** How chunks stand in the body. */
type Framing = { chunk: (json: string) => string; close: () => string };

const sse = (): Framing => ({ chunk: (json) => `data: ${json}\r\n\r\n`, close: () => "" });

const array = (): Framing => {
  let opened = false;
  return {
    chunk: (json) => {
      const before = opened ? ",\r\n" : "[";
      opened = true;
      return before + json;
    },
    close: () => (opened ? "\n]\n" : "[]\n"),
  };
};

type Streamed = Extract<Part, { type: "text" | "reasoning" | "refusal" }>;
const isStreamed = (part: Part): part is Streamed =>
  (part.type === "text" || part.type === "reasoning" || part.type === "refusal") &&
  !(part.type === "reasoning" && part.redacted === true);

type Open = {
  choice: number;
  folder: ReturnType<typeof createFolder>;
  kind: "text" | "thought" | "whole";
  summary: number;
  /** Whether the client has seen anything of it. */
  seen: boolean;
};

/** A part on its way out; `owner` is the neutral part's index. */
type Outgoing = { choice: number; owner: number; native: JsonObject };

type State = { choice: number; grounder: ReturnType<typeof createGrounder>; hasParts: boolean };

const createWriter = (framing: Framing): EventEncoder => {
  const open = new Map<number, Open>();
  const states = new Map<number, State>();
  /** Whole parts in the order they began; one that is finished waits for those before it. */
  const waiting: { index: number; choice: number; native?: JsonObject | null }[] = [];
  let tail = "";
  let usageText = "";
  let usage: Usage | undefined;
  let out: Outgoing[] = [];
  let ended = false;
  let startExtra: Extra | undefined;

  const stateOf = (choice: number): State => {
    let state = states.get(choice);
    if (state === undefined) states.set(choice, (state = { choice, grounder: createGrounder(), hasParts: false }));
    return state;
  };

  const setUsage = (told: Usage | undefined): void => {
    if (told === undefined || told === usage) return;
    usage = told;
    usageText = `,"usageMetadata":${JSON.stringify(encodeUsage(told))}`;
  };

  const setTail = (event: Extract<StreamEvent, { type: "response-start" }>): void => {
    const fields: JsonObject = { modelVersion: event.model };
    if (event.id !== "") fields["responseId"] = event.id;
    // A whole answer that is streamed tells everything at its start; some of it belongs to the end.
    const { promptFeedback: _feedback, ...first } = answerFields(event.extra);
    startExtra = event.extra;
    tail = `,${JSON.stringify({ ...fields, ...first }).slice(1)}`;
    if (event.usage !== undefined) setUsage(event.usage);
  };

  const send = (choice: number, owner: number, native: JsonObject): void => {
    stateOf(choice).hasParts = true;
    out.push({ choice, owner, native });
  };

  const sendText = (index: number, part: Open, text: string): void => {
    if (text === "") return;
    part.seen = true;
    const last = out.at(-1);
    if (last?.owner === index && typeof last.native["text"] === "string") last.native["text"] += text;
    else send(part.choice, index, part.kind === "thought" ? { text, thought: true } : { text });
  };

  /** Fields and a signature that belong to a text which may have gone out already: onto its last piece, or in an empty one. */
  const sendAfter = (index: number, part: Open, fields: JsonObject): void => {
    if (Object.keys(fields).length === 0) return;
    const last = out.at(-1);
    if (last?.owner === index) Object.assign(last.native, fields);
    else send(part.choice, index, { text: "", ...(part.kind === "thought" ? { thought: true } : {}), ...fields });
  };

  const flushWaiting = (): void => {
    while (waiting[0]?.native !== undefined) {
      const first = waiting.shift();
      if (first?.native !== undefined && first.native !== null) send(first.choice, first.index, first.native);
    }
  };

  const startPart = (event: Extract<StreamEvent, { type: "part-start" }>): void => {
    const choice = event.choice ?? 0;
    const kind = isStreamed(event.part) ? (event.part.type === "reasoning" ? "thought" : "text") : "whole";
    const folder = createFolder();
    folder.push({ type: "part-start", index: 0, part: event.part });
    const part: Open = { choice, folder, kind, summary: 0, seen: false };
    open.set(event.index, part);
    if (kind === "whole") waiting.push({ index: event.index, choice });
    else if (isStreamed(event.part)) sendText(event.index, part, event.part.text);
  };

  const delta = (index: number, change: PartDelta): void => {
    const part = open.get(index);
    if (part === undefined) return;
    part.folder.push({ type: "part-delta", index: 0, delta: change });
    if (part.kind === "whole" || change.type !== "text") return;
    if (change.summary !== undefined && change.summary > part.summary) {
      // Paragraphs of a summary are apart in the model, and one text here.
      sendText(index, part, "\n\n".repeat(change.summary - part.summary));
      part.summary = change.summary;
    }
    sendText(index, part, change.text);
  };

  const endPart = (index: number, final: Extract<StreamEvent, { type: "part-end" }>["final"]): void => {
    const ending = open.get(index);
    if (ending === undefined) return;
    open.delete(index);
    ending.folder.push(final === undefined ? { type: "part-end", index: 0 } : { type: "part-end", index: 0, final });
    const part = ending.folder.partial().parts[0];
    if (part === undefined) return;
    if (part.type === "text" || part.type === "refusal") stateOf(ending.choice).grounder.add(part);
    if (ending.kind === "whole") {
      const place = waiting.find((entry) => entry.index === index);
      if (place !== undefined) place.native = encodePart(part, toClient) ?? null;
      flushWaiting();
      return;
    }
    const signature =
      part.type === "reasoning" ? thoughtSignature(part, toClient) : signatureFor((part as TextPart).opaque, toClient);
    sendAfter(index, ending, {
      ...own(part.extra),
      ...(signature === undefined ? {} : { thoughtSignature: signature }),
    });
  };

  const frame = (choice: number, native: JsonObject, fields?: JsonObject, top?: JsonObject): string => {
    const beyond = fields === undefined ? "" : `,${JSON.stringify(fields).slice(1, -1)}`;
    const last = top === undefined || Object.keys(top).length === 0 ? "" : `,${JSON.stringify(top).slice(1, -1)}`;
    const content = `{"parts":[${JSON.stringify(native)}],"role":"model"}`;
    return framing.chunk(
      `{"candidates":[{"content":${content}${beyond},"index":${choice}}]${last}${usageText}${tail === "" ? "}" : tail}`,
    );
  };

  const flush = (): string => {
    let text = "";
    for (const { choice, native } of out) text += frame(choice, native);
    out = [];
    return text;
  };

  /** The chunk that holds the reason: the candidate's last one of this batch, or an empty text, as Google sends. */
  const flushEnd = (choice: number, fields: JsonObject, top?: JsonObject): string => {
    const last = out.at(-1)?.choice === choice ? out.pop() : undefined;
    return flush() + frame(choice, last?.native ?? { text: "" }, fields, top);
  };

  const closeParts = (choice?: number): void => {
    for (const [index, part] of [...open].sort(([a], [b]) => a - b))
      if (choice === undefined || part.choice === choice) endPart(index, undefined);
  };

  const finish = (event: Extract<StreamEvent, { type: "response-end" }>): string => {
    closeParts();
    ended = true;
    setUsage(event.usage);
    const state = stateOf(0);
    const { candidate, usageMetadata, promptFeedback } = { ...own(startExtra), ...own(event.extra) };
    const top = compact<JsonObject>({ ...answerFields(event.extra), promptFeedback });
    const bare = asObject(usageMetadata);
    const extra = asExtra(compact<JsonObject>({ candidate, promptFeedback }));
    if (usage === undefined && bare !== undefined) usageText = `,"usageMetadata":${JSON.stringify(bare)}`;
    if (isBlocked(extra, state.hasParts)) {
      const body = `${JSON.stringify(top).slice(0, -1)}${usageText}${tail === "" ? "}" : tail}`;
      return flush() + framing.chunk(body);
    }
    return flushEnd(
      0,
      candidateFields(extra === undefined ? event : { ...event, extra }, state.grounder.metadata()),
      top,
    );
  };

  const fail = (error: GatewayError): string => {
    ended = true;
    return flush() + framing.chunk(JSON.stringify(errorBody(error)));
  };

  const write = (event: StreamEvent): string => {
    switch (event.type) {
      case "choice-end":
        closeParts(event.choice);
        return flushEnd(event.choice, candidateFields(event, stateOf(event.choice).grounder.metadata()));
      case "response-end":
        return finish(event);
      case "error":
        return fail(event.error);
      case "response-start":
        setTail(event);
        break;
      case "part-start":
        startPart(event);
        break;
      case "part-delta":
        delta(event.index, event.delta);
        break;
      case "part-end":
        endPart(event.index, event.final);
        break;
      case "usage":
        setUsage(event.usage);
        break;
      case "opaque":
        break;
    }
    return "";
  };

  return {
    push: (events) => {
      let text = "";
      for (const event of events) {
        if (ended) break;
        text += write(event);
      }
      return ended ? text : text + flush();
    },
    end: () => framing.close(),
  };
};

/** `data: {…}`, blank line; never an `event:` line, which Google's SDKs would drop with its data. */
export const encodeEvents = (_context: ReplyContext): EventEncoder => createWriter(sse());

/** The answer to a streaming call without `alt=sse`: one JSON array, an element a chunk. Its content type is `application/json`. */
export const encodeGeminiArray = (_context: ReplyContext): EventEncoder => createWriter(array());
