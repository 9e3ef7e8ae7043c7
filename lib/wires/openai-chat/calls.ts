// Tool calls in messages, both ways: functions, custom tools, and the `function_call` of old.
import type { ChatCompletionMessageToolCall } from "openai/resources/chat/completions";
import { asObject, asString, compact, type Json, type JsonObject } from "../../model/json.ts";
import type { ToolCallPart } from "../../model/message.ts";
import type { Extra } from "../../model/wire-id.ts";
import { json, keptIn, own, rest } from "./names.ts";
import { thoughtSignature, type Author } from "./reasoning.ts";

const known = new Set(["id", "type", "index", "function", "custom", "extra_content", "thought_signature"]);
const knownOfFunction = new Set(["name", "arguments"]);

/** Some hosts give an object where a text belongs; nothing at all is an empty object (F2). */
export const argumentsText = (value: Json | undefined): string => {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
};

const filled = (args: string, custom: boolean): string => (!custom && (args === "" || args === "null") ? "{}" : args);

/** Fields of a call that have no neutral form, from its object and from its `function`. */
export const callRest = (call: JsonObject): JsonObject => {
  const left = rest(call, known);
  const inner = rest(asObject(call["function"]) ?? {}, knownOfFunction);
  return Object.keys(inner).length === 0 ? left : { ...left, function: inner };
};

/** `fallbackId`: for hosts that give none. An absent name is "". */
export const decodeCall = (call: JsonObject, author: Author, fallbackId: string): ToolCallPart => {
  const free = asObject(call["custom"]);
  const custom = free !== undefined && call["function"] === undefined;
  const called = free !== undefined && custom ? free : (asObject(call["function"]) ?? {});
  const left = callRest(call);
  return compact<ToolCallPart>({
    type: "tool-call",
    callId: asString(call["id"]) || fallbackId,
    name: asString(called["name"]) ?? "",
    arguments: filled(argumentsText(called[custom ? "input" : "arguments"]), custom),
    custom: custom ? true : undefined,
    opaque: thoughtSignature(call, author),
    ...keptIn(Object.keys(left).length === 0 ? undefined : { call: left }),
  });
};

/** The `function_call` of old has no id. */
export const decodeLegacyCall = (call: JsonObject, callId: string): ToolCallPart => ({
  type: "tool-call",
  callId,
  name: asString(call["name"]) ?? "",
  arguments: filled(argumentsText(call["arguments"]), false),
  ...keptIn({ legacy: true }),
});

export const isLegacy = (value: { extra?: Extra }): boolean => own(value)?.["legacy"] === true;

/** `extraContent`: the state of the call, as its reader may see it. */
export const encodeCall = (part: ToolCallPart, id: string, extraContent: JsonObject | undefined): JsonObject => {
  const args = filled(part.arguments, part.custom === true);
  const { function: inner, ...left } = asObject(own(part)?.["call"]) ?? {};
  const call: ChatCompletionMessageToolCall =
    part.custom === true
      ? { id, type: "custom", custom: { name: part.name, input: args } }
      : { id, type: "function", function: { name: part.name, arguments: args, ...asObject(inner) } };
  return { ...json(call), ...left, ...(extraContent === undefined ? {} : { extra_content: extraContent }) };
};
