// One part of a content, read and written; what a part means is the same in requests and answers.
import type { JsonObject } from "../../model/json.ts";
import type { Opaque, Part, ReasoningPart, TextPart, ToolCallPart } from "../../model/message.ts";
import { asArray, asObject, asString, compact, isObject, parseJson, unknownFields } from "../../model/json.ts";
import { opaqueTo, unseal } from "../shared/seal.ts";
import { applyPartialArgument, argumentsToObject, argumentsToText } from "./arguments.ts";
import { decodeMedia, encodeMedia, isMedia } from "./media.ts";
import { asExtra, camel, isMadeUp, nativeOrigin, own, wireId } from "./names.ts";

/** Who wrote the parts: a client, whose signatures may be sealed ones of other makers, or a provider, named by its maker. */
export type Author = { maker: string; client: boolean };

/** Where a seal stands for more than the state itself: an id, or that the thought is redacted. */
const packed = "heddle+";

const pack = (part: ReasoningPart, opaque: Opaque): Opaque => {
  if (opaque.origin === nativeOrigin || (part.id === undefined && part.redacted !== true)) return opaque;
  const facts = JSON.stringify(compact<JsonObject>({ id: part.id, redacted: part.redacted }));
  return { origin: opaque.origin, data: `${packed}${facts}\n${opaque.data}` };
};

const unpack = (opaque: Opaque): { opaque: Opaque; id?: string; redacted?: boolean } => {
  if (!opaque.data.startsWith(packed)) return { opaque };
  const end = opaque.data.indexOf("\n");
  const facts = asObject(parseJson(opaque.data.slice(packed.length, end)));
  const id = asString(facts?.["id"]);
  return {
    opaque: { origin: opaque.origin, data: opaque.data.slice(end + 1) },
    ...(id === undefined ? {} : { id }),
    ...(facts?.["redacted"] === true ? { redacted: true } : {}),
  };
};

const signatureOf = (part: JsonObject, author: Author): Opaque | undefined => {
  const signature = asString(part["thoughtSignature"]);
  if (signature === undefined) return undefined;
  const sealed = author.client ? unseal(signature) : undefined;
  return sealed ?? { origin: author.client ? nativeOrigin : author.maker, data: signature };
};

const knownOfText = new Set(["text", "thought", "thoughtSignature"]);
const knownOfCallPart = new Set(["functionCall", "thoughtSignature", "thought"]);
const knownOfCall = new Set(["id", "name", "args", "partialArgs", "willContinue"]);

/** Arguments that were streamed stand in pieces in the history of SDK chats. */
const argumentsOf = (call: JsonObject): string => {
  const pieces = asArray(call["partialArgs"]);
  if (pieces === undefined) return argumentsToText(call["args"]);
  const args: JsonObject = { ...asObject(call["args"]) };
  for (const piece of pieces) if (isObject(piece)) applyPartialArgument(args, camel(piece));
  return JSON.stringify(args);
};

const decodeText = (part: JsonObject, author: Author): TextPart | ReasoningPart => {
  const text = asString(part["text"]) ?? "";
  const extra = asExtra(unknownFields(part, knownOfText));
  const opaque = signatureOf(part, author);
  if (part["thought"] !== true) return compact<TextPart>({ type: "text", text, opaque, extra });
  const state = opaque === undefined ? undefined : unpack(opaque);
  return compact<ReasoningPart>({
    type: "reasoning",
    text,
    form: author.client ? undefined : "summary",
    id: state?.id,
    redacted: state?.redacted,
    opaque: state?.opaque,
    extra,
  });
};

/** `makeId` is asked where the call has no id of its own. */
const decodeCall = (
  part: JsonObject,
  author: Author,
  makeId: (name: string, args: string) => string,
): ToolCallPart | undefined => {
  const call = camel(asObject(part["functionCall"]) ?? {});
  const name = asString(call["name"]);
  if (name === undefined) return undefined;
  const args = argumentsOf(call);
  const unknown = unknownFields(call, knownOfCall);
  const fields = unknownFields(part, knownOfCallPart);
  const extra = asExtra(unknown === undefined ? fields : { ...fields, call: unknown });
  const id = asString(call["id"]);
  return compact<ToolCallPart>({
    type: "tool-call",
    callId: id === undefined || id === "" ? makeId(name, args) : id,
    name,
    arguments: args,
    opaque: signatureOf(part, author),
    extra,
  });
};

const textOf = (value: JsonObject): string | undefined => {
  const code = asString(camel(asObject(value["executableCode"]) ?? {})["code"]);
  if (code !== undefined) return `\`\`\`\n${code.replace(/\n$/, "")}\n\`\`\`\n`;
  const output = asString(camel(asObject(value["codeExecutionResult"]) ?? {})["output"]);
  return output === undefined ? undefined : `\`\`\`\n${output.replace(/\n$/, "")}\n\`\`\`\n`;
};

/** What only this wire can say. */
export const opaquePart = (part: JsonObject, author: Author): Part =>
  compact<Part>({
    type: "opaque",
    wire: wireId,
    origin: author.client ? undefined : author.maker,
    value: part,
    text: textOf(part),
  });

/** Any part but a function's response, which only a history explains. Parts with no neutral form are opaque. */
export const decodePart = (raw: JsonObject, author: Author, makeId: (name: string, args: string) => string): Part => {
  const part = camel(raw);
  if (isObject(part["functionCall"])) {
    const call = decodeCall(part, author, makeId);
    if (call !== undefined) return call;
  } else if ((isObject(part["inlineData"]) || isObject(part["fileData"])) && part["thought"] !== true) {
    const opaque = signatureOf(part, author);
    const media = decodeMedia(part);
    if (media.type !== "image" || opaque === undefined) return media;
    // The signature has a place of its own in an image, and is not kept twice.
    const { thoughtSignature: _signature, ...fields } = own(media.extra) ?? {};
    const { extra: _extra, ...image } = media;
    return compact({ ...image, opaque, extra: asExtra(fields) });
  } else if (typeof part["text"] === "string") return decodeText(part, author);
  return opaquePart(part, author);
};

/** Who reads what is encoded: a client, who is given foreign state sealed, or a provider, who is given none. */
export type Reader = { maker: string; client: boolean; functionIds: boolean };

/** What to put into `thoughtSignature` for this reader; undefined where it must not see it (F12, F48). */
export const signatureFor = (opaque: Opaque | undefined, reader: Reader): string | undefined => {
  if (opaque === undefined) return undefined;
  if (reader.client) return opaqueTo(opaque, nativeOrigin);
  return opaque.origin === reader.maker ? opaque.data : undefined;
};

const signed = (part: JsonObject, opaque: Opaque | undefined, reader: Reader): JsonObject => {
  const thoughtSignature = signatureFor(opaque, reader);
  return thoughtSignature === undefined ? part : { ...part, thoughtSignature };
};

const encodeCall = (part: ToolCallPart, reader: Reader): JsonObject => {
  const { call, ...fields } = own(part.extra) ?? {};
  const functionCall: JsonObject = {
    ...(reader.functionIds && !isMadeUp(part.callId) && part.callId !== "" ? { id: part.callId } : {}),
    name: part.name,
    args: argumentsToObject(part.arguments, part.custom),
    ...asObject(call),
  };
  return signed({ ...fields, functionCall }, part.opaque, reader);
};

/** The state of a thought for this reader, its facts packed with it where the slot is foreign. */
export const thoughtSignature = (part: ReasoningPart, reader: Reader): string | undefined =>
  part.opaque === undefined ? undefined : signatureFor(reader.client ? pack(part, part.opaque) : part.opaque, reader);

/**
 * Undefined where this reader can't be given the part. An empty text without a signature says nothing and is left out too (F17).
 * A foreign model's thought is left out of a request with its state: it is not the target's own.
 */
export const encodePart = (part: Part, reader: Reader): JsonObject | undefined => {
  switch (part.type) {
    case "text":
    case "refusal": {
      const opaque = part.type === "text" ? part.opaque : undefined;
      const native = signed({ ...own(part.extra), text: part.text }, opaque, reader);
      return part.text === "" && Object.keys(native).length === 1 ? undefined : native;
    }
    case "reasoning": {
      const signature = thoughtSignature(part, reader);
      if (!reader.client && part.opaque !== undefined && signature === undefined) return undefined;
      if (part.text === "" && signature === undefined) return undefined;
      const native: JsonObject = { ...own(part.extra), text: part.text, thought: true };
      if (signature !== undefined) native["thoughtSignature"] = signature;
      return native;
    }
    case "tool-call":
      return encodeCall(part, reader);
    case "opaque":
      if (part.wire === wireId && (reader.client || part.origin === undefined || part.origin === reader.maker))
        return part.value;
      return part.text === undefined || part.text === "" ? undefined : { text: part.text };
    case "tool-result":
      return undefined;
    default: {
      if (!isMedia(part)) return undefined;
      const native = encodeMedia(part, reader.client ? nativeOrigin : reader.maker);
      return native === undefined || part.type !== "image" ? native : signed(native, part.opaque, reader);
    }
  }
};
