// One content block of a stream, from its first sign to its end. What can't be passed on piece by piece is held until the block is whole.
import type { StreamEvent } from "../../model/event.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type { ImagePart, OpaquePart, Part, ToolCallPart } from "../../model/message.ts";
import { asArray, asObject, asString, compact, unknownFields } from "../../model/json.ts";
import { decodeCitation, isServerCall, redactedData } from "./content.ts";
import { argumentsToJson } from "./parts.ts";
import { asExtra, wireId } from "./names.ts";

export type Block = {
  index: number;
  /** The part to start at once; absent for a block that is held until its end. */
  part?: Part;
  delta: (delta: JsonObject) => StreamEvent[];
  end: () => StreamEvent[];
};

const whole = (index: number, part: Part): StreamEvent[] => [
  { type: "part-start", index, part },
  { type: "part-end", index },
];

const native = (index: number, value: JsonObject): StreamEvent[] => [
  { type: "part-delta", index, delta: { type: "native", wire: wireId, value } },
];

/** Base64 in pieces: each was encoded alone, so the bytes are joined, not the text. */
const joinBase64 = (pieces: readonly string[]): string =>
  pieces.length === 1
    ? (pieces[0] ?? "")
    : Buffer.concat(pieces.map((piece) => Buffer.from(piece, "base64"))).toString("base64");

const knownOfCall = new Set(["toolUseId", "name"]);

const callBlock = (index: number, call: JsonObject): Block => {
  let begun = false;
  const part = compact<ToolCallPart>({
    type: "tool-call",
    callId: asString(call["toolUseId"]) ?? "",
    name: asString(call["name"]) ?? "",
    arguments: "",
    extra: asExtra(unknownFields(call, knownOfCall)),
  });
  const append = (text: string): StreamEvent => ({ type: "part-delta", index, delta: { type: "arguments", text } });
  return {
    index,
    part,
    delta: (delta) => {
      const text = asString(asObject(delta["toolUse"])?.["input"]);
      if (text === undefined) return native(index, delta);
      if (text === "") return [];
      begun = true;
      return [append(text)];
    },
    // A call without arguments is one of an empty object (F2).
    end: () => (begun ? [{ type: "part-end", index }] : [append("{}"), { type: "part-end", index }]),
  };
};

/** A tool that Bedrock runs itself: its call, or its result. */
const serverBlock = (index: number, begun: JsonObject, maker: string): Block => {
  const call = asObject(begun["toolUse"]);
  const result = asObject(begun["toolResult"]);
  let input = "";
  const content: Json[] = [];
  const value = (): JsonObject => {
    if (call !== undefined) return { toolUse: { ...call, input: argumentsToJson(input) } };
    if (result !== undefined) return { toolResult: { ...result, content } };
    return begun;
  };
  return {
    index,
    part: { type: "opaque", wire: wireId, origin: maker, value: begun } satisfies OpaquePart,
    delta: (delta) => {
      const text = asString(asObject(delta["toolUse"])?.["input"]);
      if (text !== undefined) input += text;
      else if (Array.isArray(delta["toolResult"])) content.push(...delta["toolResult"]);
      else return native(index, delta);
      return [];
    },
    end: () => [{ type: "part-end", index, final: { value: value() } }],
  };
};

const imageBlock = (index: number, image: JsonObject, maker: string): Block => {
  const format = asString(image["format"]) ?? "png";
  const pieces: string[] = [];
  let other: JsonObject | undefined;
  return {
    index,
    delta: (delta) => {
      const source = asObject(asObject(delta["image"])?.["source"]);
      const bytes = asString(source?.["bytes"]);
      if (bytes === undefined) other = { ...other, ...asObject(delta["image"]) };
      else pieces.push(bytes);
      return [];
    },
    end: () => {
      if (other !== undefined)
        return whole(index, { type: "opaque", wire: wireId, origin: maker, value: { image: { format, ...other } } });
      const source: ImagePart["source"] = { kind: "base64", data: joinBase64(pieces), mediaType: `image/${format}` };
      return whole(index, { type: "image", source });
    },
  };
};

/** A block that announces itself. */
export const createBlock = (index: number, begun: JsonObject, maker: string): Block => {
  const call = asObject(begun["toolUse"]);
  if (call !== undefined && !isServerCall(call)) return callBlock(index, call);
  const image = asObject(begun["image"]);
  return image === undefined ? serverBlock(index, begun, maker) : imageBlock(index, image, maker);
};

const textBlock = (index: number): Block => {
  const quotes = (delta: JsonObject): StreamEvent[] => {
    const citation = asObject(delta["citation"]);
    return citation === undefined
      ? native(index, delta)
      : [{ type: "part-delta", index, delta: { type: "citation", citation: decodeCitation(citation) } }];
  };
  return {
    index,
    part: { type: "text", text: "" },
    delta: (delta) => {
      const text = delta["text"];
      if (typeof text !== "string") return quotes(delta);
      return text === "" ? [] : [{ type: "part-delta", index, delta: { type: "text", text } }];
    },
    end: () => [{ type: "part-end", index }],
  };
};

const reasoningBlock = (index: number, maker: string): Block => {
  let signed = false;
  return {
    index,
    part: { type: "reasoning", text: "" },
    delta: (delta) => {
      const value = asObject(delta["reasoningContent"]);
      const text = asString(value?.["text"]);
      if (text !== undefined) return text === "" ? [] : [{ type: "part-delta", index, delta: { type: "text", text } }];
      const data = asString(value?.["signature"]);
      if (data === undefined) return native(index, delta);
      signed = true;
      return [{ type: "part-delta", index, delta: { type: "opaque", opaque: { origin: maker, data } } }];
    },
    end: () => {
      const extra = signed ? undefined : asExtra({ unsigned: true });
      return [extra === undefined ? { type: "part-end", index } : { type: "part-end", index, final: { extra } }];
    },
  };
};

const redactedBlock = (index: number, maker: string): Block => {
  const pieces: string[] = [];
  return {
    index,
    delta: (delta) => {
      const data = asString(asObject(delta["reasoningContent"])?.["redactedContent"]);
      if (data !== undefined) pieces.push(data);
      return [];
    },
    end: () =>
      whole(index, {
        type: "reasoning",
        text: "",
        redacted: true,
        opaque: { origin: maker, data: redactedData(joinBase64(pieces), maker) },
      }),
  };
};

/** A block that begins with its first delta; undefined where that says nothing, `unknown` where it is of no known kind. */
export const openBlock = (index: number, delta: JsonObject, maker: string): Block | "unknown" | undefined => {
  if (typeof delta["text"] === "string") return delta["text"] === "" ? undefined : textBlock(index);
  if (delta["citation"] !== undefined) return textBlock(index);
  const reasoning = asObject(delta["reasoningContent"]);
  if (reasoning !== undefined)
    return reasoning["redactedContent"] === undefined ? reasoningBlock(index, maker) : redactedBlock(index, maker);
  if (delta["toolUse"] !== undefined || asArray(delta["toolResult"]) !== undefined)
    return createBlock(index, delta["toolUse"] === undefined ? { toolResult: {} } : { toolUse: {} }, maker);
  return delta["image"] === undefined ? "unknown" : imageBlock(index, {}, maker);
};
