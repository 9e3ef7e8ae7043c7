// An answer, chunk by chunk: each is a GenerateContentResponse, and a whole answer is a single chunk (PROTOCOLS 2.4).
import type { ErrorDetails } from "../../model/error.ts";
import type { StreamEvent } from "../../model/event.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type { Part, ReasoningPart, TextPart, ToolCallPart } from "../../model/message.ts";
import type { Usage } from "../../model/usage.ts";
import type { Target } from "../wire.ts";
import { GatewayError } from "../../model/error.ts";
import { asArray, asNumber, asObject, asString, compact, isObject, unknownFields } from "../../model/json.ts";
import { applyPartialArgument } from "./arguments.ts";
import { errorFrom, errorIn } from "./errors.ts";
import { decodeFinish, finishWord } from "./finish.ts";
import type { GroundedText } from "./grounding.ts";
import { citationsIn } from "./grounding.ts";
import { mergeCandidate } from "./metadata.ts";
import { asExtra, camel, makeCallId } from "./names.ts";
import type { Author } from "./parts.ts";
import { decodePart, opaquePart } from "./parts.ts";
import { decodeUsage } from "./usage.ts";

type Choice = {
  /** `sealed`: its signature has come, so that more text is another part; it stays open for sources that may follow. */
  open?: { index: number; type: "text" | "reasoning"; sealed: boolean };
  /** A call whose arguments come in pieces. */
  call?: { index: number; args: JsonObject };
  /** Calls that may still be answered in place, by a server that Gemini calls: those are not the client's to make. */
  held: { part: ToolCallPart; native: JsonObject }[];
  /** Calls for the client. */
  calls: number;
  texts: GroundedText[];
  told: Set<string>;
  fields: JsonObject;
  finish?: string;
};

export type AnswerReader = {
  /** One chunk. After an error nothing more is read. */
  chunk: (value: Json) => StreamEvent[];
  /** The closing events. `cut`: the bytes ended; without it a missing stop reason is taken as an end. */
  finish: (cut: boolean) => StreamEvent[];
  started: () => boolean;
  failed: () => boolean;
};

const knownOfAnswer = new Set(["candidates", "usageMetadata", "modelVersion", "responseId"]);

const broken = (message: string, target: Target): GatewayError =>
  new GatewayError("upstream_error", message, compact<ErrorDetails>({ provider: target.provider }));

export const createAnswerReader = (target: Target): AnswerReader => {
  const author: Author = { maker: target.maker, client: false };
  const choices = new Map<number, Choice>();
  let started = false;
  let failed = false;
  let id = "";
  let nextIndex = 0;
  let usage: Usage | undefined;
  let bareUsage: JsonObject | undefined;
  let firstFields: JsonObject = {};
  let lastFields: JsonObject = {};
  let out: StreamEvent[] = [];

  const choiceAt = (at: number): Choice => {
    let found = choices.get(at);
    if (found === undefined) choices.set(at, (found = { held: [], calls: 0, texts: [], told: new Set(), fields: {} }));
    return found;
  };

  const start = (part: Part, choice: number): number => {
    const index = nextIndex;
    nextIndex += 1;
    out.push(choice === 0 ? { type: "part-start", index, part } : { type: "part-start", index, part, choice });
    return index;
  };

  const cite = (choice: Choice): void => {
    const open = choice.open?.index;
    if (open === undefined) return;
    for (const { index, citation } of citationsIn(choice.fields, choice.texts, choice.told))
      if (index === open) out.push({ type: "part-delta", index, delta: { type: "citation", citation } });
  };

  const close = (choice: Choice): void => {
    if (choice.open === undefined) return;
    if (choice.open.type === "text") cite(choice);
    out.push({ type: "part-end", index: choice.open.index });
    delete choice.open;
  };

  const closeCall = (choice: Choice): void => {
    if (choice.call === undefined) return;
    const { index, args } = choice.call;
    out.push({ type: "part-delta", index, delta: { type: "arguments", text: JSON.stringify(args) } });
    out.push({ type: "part-end", index });
    delete choice.call;
  };

  const release = (choice: Choice, at: number): void => {
    for (const { part } of choice.held.splice(0)) {
      choice.calls += 1;
      const index = start({ ...part, arguments: "" }, at);
      out.push({ type: "part-delta", index, delta: { type: "arguments", text: part.arguments } });
      out.push({ type: "part-end", index });
    }
  };

  /** Chunks of one kind are one part, until its signature or something else comes. */
  const addText = (part: TextPart | ReasoningPart, choice: Choice, at: number): void => {
    if (part.text === "" && part.opaque === undefined && part.extra === undefined) return;
    const open = choice.open;
    if (open !== undefined && (open.type !== part.type || open.sealed || part.extra !== undefined)) close(choice);
    if (choice.open === undefined) {
      const { opaque: _opaque, ...rest } = part;
      const index = start({ ...rest, text: "" }, at);
      choice.open = { index, type: part.type, sealed: false };
      if (part.type === "text") choice.texts.push({ index, text: "" });
    }
    const { index } = choice.open;
    if (part.text !== "") {
      out.push({ type: "part-delta", index, delta: { type: "text", text: part.text } });
      const last = choice.texts.at(-1);
      if (part.type === "text" && last !== undefined) last.text += part.text;
    }
    if (part.opaque !== undefined)
      out.push({ type: "part-delta", index, delta: { type: "opaque", opaque: part.opaque } });
    choice.open.sealed = part.opaque !== undefined || part.extra !== undefined;
  };

  /** A piece of a call whose arguments are streamed; false where the part is an ordinary one. */
  const addPiece = (native: JsonObject, choice: Choice): boolean => {
    const call = camel(asObject(native["functionCall"]) ?? {});
    if (typeof call["name"] === "string" || choice.call === undefined) return false;
    Object.assign(choice.call.args, asObject(call["args"]));
    for (const piece of asArray(call["partialArgs"]) ?? [])
      if (isObject(piece)) applyPartialArgument(choice.call.args, camel(piece));
    if (call["willContinue"] !== true) closeCall(choice);
    return true;
  };

  const addPart = (raw: JsonObject, choice: Choice, at: number): void => {
    const native = camel(raw);
    if (isObject(native["functionCall"]) && addPiece(native, choice)) return;
    const part = decodePart(native, author, (name, args) =>
      makeCallId(id === "" ? `${name}\n${args}` : `${id}\n${name}`, nextIndex + choice.held.length),
    );
    const answered = asString(asObject(native["functionResponse"])?.["name"]);
    if (part.type !== "tool-call" && answered === undefined) release(choice, at);
    if (part.type === "text" || part.type === "reasoning") {
      addText(part, choice, at);
      return;
    }
    close(choice);
    closeCall(choice);
    if (part.type === "tool-call") {
      const call = camel(asObject(native["functionCall"]) ?? {});
      if (call["willContinue"] === true || call["partialArgs"] !== undefined) {
        const { extra: _extra, ...whole } = part;
        release(choice, at);
        choice.calls += 1;
        choice.call = { index: start({ ...whole, arguments: "" }, at), args: {} };
        addPiece({ functionCall: { ...call, name: undefined } }, choice);
        return;
      }
      choice.held.push({ part, native });
      return;
    }
    const call = choice.held.findIndex((held) => held.part.name === answered);
    for (const held of call < 0 ? [] : choice.held.splice(call, 1))
      out.push({ type: "part-end", index: start(opaquePart(held.native, author), at) });
    out.push({ type: "part-end", index: start(part, at) });
  };

  const begin = (body: JsonObject, fields: JsonObject): void => {
    started = true;
    id = asString(body["responseId"]) ?? "";
    const { promptFeedback: _feedback, ...first } = fields;
    firstFields = first;
    const created = Date.parse(asString(body["createTime"]) ?? "");
    out.push(
      compact<Extract<StreamEvent, { type: "response-start" }>>({
        type: "response-start",
        id,
        model: asString(body["modelVersion"]) ?? target.model,
        createdAt: Number.isNaN(created) ? undefined : Math.floor(created / 1000),
        extra: asExtra(first),
      }),
    );
  };

  const addUsage = (value: Json | undefined): void => {
    const told = decodeUsage(value);
    if (told === undefined) {
      bareUsage = asObject(value) ?? bareUsage;
      return;
    }
    const same = usage !== undefined && usage.input === told.input && usage.output === told.output;
    usage = told;
    if (!same) out.push({ type: "usage", usage: told });
  };

  const addCandidate = (candidate: JsonObject, position: number): void => {
    const at = asNumber(candidate["index"]) ?? position;
    const choice = choiceAt(at);
    mergeCandidate(choice.fields, candidate);
    for (const part of asArray(asObject(candidate["content"])?.["parts"]) ?? [])
      if (isObject(part)) addPart(part, choice, at);
    choice.finish = finishWord(candidate["finishReason"]) ?? choice.finish ?? "";
    if (choice.finish === "") delete choice.finish;
  };

  const fail = (error: GatewayError): void => {
    failed = true;
    out.push({ type: "error", error });
  };

  const flush = (): StreamEvent[] => {
    const events = out;
    out = [];
    return events;
  };

  const chunk = (value: Json): StreamEvent[] => {
    if (failed) return [];
    if (Array.isArray(value)) return value.flatMap(chunk);
    const error = errorIn(value);
    if (error !== undefined) fail(errorFrom(error, 200, {}, target));
    else if (!isObject(value)) fail(broken("The provider sent what is not an answer.", target));
    else {
      const fields = unknownFields(value, knownOfAnswer) ?? {};
      if (!started) begin(value, fields);
      Object.assign(lastFields, fields);
      addUsage(value["usageMetadata"]);
      for (const [position, candidate] of (asArray(value["candidates"]) ?? []).entries())
        if (isObject(candidate)) addCandidate(candidate, position);
    }
    return flush();
  };

  const finish = (cut: boolean): StreamEvent[] => {
    if (failed) return [];
    const main = choices.get(0);
    const block = asString(asObject(lastFields["promptFeedback"])?.["blockReason"]);
    if (!started || (cut && main?.finish === undefined && block === undefined)) {
      for (const [at, choice] of choices) {
        release(choice, at);
        closeCall(choice);
        close(choice);
      }
      fail(
        broken(
          started ? "The provider's stream ended before it was finished." : "The provider sent no answer.",
          target,
        ),
      );
      return flush();
    }
    for (const [at, choice] of [...choices].sort(([a], [b]) => a - b)) {
      release(choice, at);
      closeCall(choice);
      close(choice);
      if (at === 0) continue;
      out.push(
        compact<Extract<StreamEvent, { type: "choice-end" }>>({
          type: "choice-end",
          choice: at,
          reason: decodeFinish(choice.finish ?? "STOP", choice.calls > 0),
          native: choice.finish,
          extra: asExtra(Object.keys(choice.fields).length > 0 ? { candidate: choice.fields } : undefined),
        }),
      );
    }
    const fields: JsonObject = {};
    for (const key in lastFields)
      if (JSON.stringify(lastFields[key]) !== JSON.stringify(firstFields[key])) fields[key] = lastFields[key];
    if (main !== undefined && Object.keys(main.fields).length > 0) fields["candidate"] = main.fields;
    if (usage === undefined && bareUsage !== undefined) fields["usageMetadata"] = bareUsage;
    out.push(
      compact<Extract<StreamEvent, { type: "response-end" }>>({
        type: "response-end",
        reason:
          main === undefined && block !== undefined
            ? "content-filter"
            : decodeFinish(main?.finish ?? "STOP", (main?.calls ?? 0) > 0),
        native: main?.finish ?? block,
        usage,
        extra: asExtra(fields),
      }),
    );
    return flush();
  };

  return { chunk, finish, started: () => started, failed: () => failed };
};
