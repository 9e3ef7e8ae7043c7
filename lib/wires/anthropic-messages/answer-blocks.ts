// Parts to the content blocks of an answer. The stream's writer uses the same blocks for what comes whole.
import { isObject, parseJson } from "../../model/json.ts";
import type { JsonObject } from "../../model/json.ts";
import type { OpaquePart, Opaque, Part, ReasoningPart, TextPart, ToolCallPart } from "../../model/message.ts";
import { opaqueTo } from "../shared/seal.ts";
import { boundBlock } from "./bound.ts";
import { encodeCitation } from "./citations.ts";
import { nativeExtra, nativeMaker, toolId, wire } from "./common.ts";

/** This wire's own bytes where Anthropic made them, sealed where another did. */
export const sealed = (opaque: Opaque): string => opaqueTo(opaque, nativeMaker);

const withExtra = (block: JsonObject, part: Part): JsonObject => {
  const extra = nativeExtra(part.extra);
  return extra === undefined ? block : { ...block, ...extra };
};

/** Where the call has no id of its own, `newId` makes one. */
export const toolUseBlock = (part: ToolCallPart, newId: () => string, input: JsonObject): JsonObject =>
  withExtra(
    { type: "tool_use", id: part.callId === "" ? `toolu_${newId()}` : toolId(part.callId), name: part.name, input },
    part,
  );

/** A call cut off by the output limit has no input that could be read. */
const answerInput = (part: ToolCallPart): JsonObject => {
  if (part.custom === true) return { input: part.arguments };
  const value = part.arguments.trim() === "" ? {} : parseJson(part.arguments);
  return isObject(value) ? value : {};
};

export const textBlock = (part: TextPart): JsonObject => withExtra({ type: "text", text: part.text }, part);

const wholeText = (part: TextPart): JsonObject[] => {
  if (part.text === "") return part.opaque === undefined ? [] : [strayBlock(part.opaque)];
  const block = textBlock(part);
  const citations = part.citations?.map(encodeCitation).filter((citation) => citation !== undefined) ?? [];
  if (citations.length > 0) block["citations"] = citations;
  return part.opaque === undefined ? [block] : [block, boundBlock(part.opaque, "previous")];
};

/** State whose text was empty: it stands alone. */
export const strayBlock = (opaque: Opaque): JsonObject => ({ type: "redacted_thinking", data: sealed(opaque) });

export const redactedBlock = (part: ReasoningPart): JsonObject =>
  withExtra({ type: "redacted_thinking", data: part.opaque === undefined ? "" : sealed(part.opaque) }, part);

export const thinkingBlock = (part: ReasoningPart, signature: string): JsonObject =>
  withExtra({ type: "thinking", thinking: part.text, signature }, part);

const wholeReasoning = (part: ReasoningPart): JsonObject[] => {
  if (part.redacted === true) return part.opaque === undefined ? [] : [redactedBlock(part)];
  if (part.text === "" && part.opaque === undefined) return [];
  return [thinkingBlock(part, part.opaque === undefined ? "" : sealed(part.opaque))];
};

/** This wire's own block, or what another wire's says in words. */
export const opaqueBlockOf = (part: OpaquePart): JsonObject | undefined => {
  if (part.wire === wire) return part.value;
  return part.text === undefined || part.text === "" ? undefined : { type: "text", text: part.text };
};

/** None for what has no slot here (images and audio that a model made). */
export const answerBlocks = (part: Part, newId: () => string): JsonObject[] => {
  switch (part.type) {
    case "text":
      return wholeText(part);
    case "refusal":
      return part.text === "" ? [] : [{ type: "text", text: part.text }];
    case "reasoning":
      return wholeReasoning(part);
    case "tool-call": {
      const block = toolUseBlock(part, newId, answerInput(part));
      return part.opaque === undefined ? [block] : [boundBlock(part.opaque, "next"), block];
    }
    case "opaque": {
      const block = opaqueBlockOf(part);
      return block === undefined ? [] : [block];
    }
    default:
      return [];
  }
};
