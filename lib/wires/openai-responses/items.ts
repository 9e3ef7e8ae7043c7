// Items of an assistant's turn as parts: the same in a request's input and in an answer's output.
import { asArray, asString, compact, isObject, type Json, type JsonObject } from "../../model/json.ts";
import { invalid } from "../../model/error.ts";
import type { OpaquePart, Part, ReasoningPart, ToolCallPart } from "../../model/message.ts";
import { decodeContent } from "./content.ts";
import { extraOf, isEmpty, objects, own, rest, wireId } from "./names.ts";

const known = {
  message: new Set(["type", "role", "id", "content"]),
  reasoning: new Set(["type", "id", "summary", "content", "encrypted_content"]),
  call: new Set(["type", "id", "call_id", "name", "arguments"]),
  custom: new Set(["type", "id", "call_id", "name", "input"]),
} as const;

/** An item's fields beyond the neutral ones; a status that says nothing is left out. */
export const itemRest = (item: JsonObject): JsonObject => {
  const type = asString(item["type"]);
  const fields =
    type === "reasoning"
      ? known.reasoning
      : type === "function_call"
        ? known.call
        : type === "custom_tool_call"
          ? known.custom
          : known.message;
  const left = rest(item, fields);
  if (type !== "reasoning" && (left["status"] === "completed" || left["status"] === "in_progress"))
    delete left["status"];
  return left;
};

/** Which text a reasoning item shows, and the parts that text is in. */
export const reasoningText = (
  item: JsonObject,
): { text: string; form?: "summary" | "full"; summaries?: string[]; contents?: string[] } => {
  const texts = (field: Json | undefined): string[] => objects(field).map((entry) => asString(entry["text"]) ?? "");
  const summaries = texts(item["summary"]);
  if (summaries.length > 0) return { text: summaries.join("\n\n"), form: "summary", summaries };
  const contents = texts(item["content"]);
  return contents.length > 0 ? { text: contents.join("\n\n"), form: "full", contents } : { text: "" };
};

/** What must be kept of a reasoning item for its own wire: the content that its text does not show. */
export const reasoningRest = (item: JsonObject): JsonObject => {
  const shown = reasoningText(item);
  const content = asArray(item["content"]);
  const kept = itemRest(item);
  if (content !== undefined && content.length > (shown.form === "full" ? 1 : 0)) kept["content"] = content;
  return kept;
};

const decodeReasoning = (item: JsonObject, maker: string): ReasoningPart => {
  const { text, form, summaries } = reasoningText(item);
  const data = asString(item["encrypted_content"]);
  return compact<ReasoningPart>({
    type: "reasoning",
    text,
    id: asString(item["id"]),
    form,
    summaries,
    opaque: data === undefined || data === "" ? undefined : { origin: maker, data },
    extra: extraOf({ item: reasoningRest(item) }),
  });
};

const decodeCall = (item: JsonObject, custom: boolean): ToolCallPart => {
  const text = asString(custom ? item["input"] : item["arguments"]) ?? "";
  const left = itemRest(item);
  return compact<ToolCallPart>({
    type: "tool-call",
    id: asString(item["id"]),
    callId: asString(item["call_id"]) ?? asString(item["id"]) ?? "",
    name: asString(item["name"]) ?? "",
    arguments: !custom && text.trim() === "" ? "{}" : text,
    custom: custom ? true : undefined,
    extra: isEmpty(left) ? undefined : extraOf({ item: left }),
  });
};

export const opaqueItem = (value: JsonObject, maker: string | undefined): OpaquePart =>
  compact<OpaquePart>({ type: "opaque", wire: wireId, origin: maker, value });

/** The same part as the `at`th of a message item. Only the last one tells the item's status: in a stream it comes last too. */
export const asMessagePart = (
  part: Part,
  id: string | undefined,
  item: JsonObject,
  at: number,
  last: boolean,
): Part => {
  const { status, ...others } = item;
  const fields: JsonObject = { ...own(part), item: last && status !== undefined ? { ...others, status } : others };
  if (at > 0) fields["continues"] = true;
  if (part.type === "opaque") fields["whole"] = true;
  const made: Part = { ...part, extra: extraOf(fields) };
  if (id !== undefined) made.id = id;
  return made;
};

const decodeMessage = (item: JsonObject, maker: string | undefined, path?: string): Part[] => {
  const { content } = item;
  const contents: readonly Json[] =
    typeof content === "string" ? [{ type: "output_text", text: content }] : (asArray(content) ?? []);
  if (path !== undefined && typeof content !== "string" && !Array.isArray(content))
    throw invalid(`${path}.content`, "expected a string or an array");
  // A message that says nothing has no part to stand for it: it is kept as it came.
  if (contents.length === 0) return [opaqueItem(item, maker)];
  const left = itemRest(item);
  return contents.map((entry, at) =>
    asMessagePart(
      decodeContent(entry, path === undefined ? undefined : `${path}.content[${at}]`),
      asString(item["id"]),
      left,
      at,
      at === contents.length - 1,
    ),
  );
};

const need = (item: JsonObject, field: string, path: string | undefined): void => {
  if (path !== undefined && typeof item[field] !== "string") throw invalid(`${path}.${field}`, "expected a string");
};

/**
 * The parts of one item. `maker` is who made its state, and every item without a neutral form (absent for what a client wrote).
 * With a `path` (a client's request) a required field that is missing is refused.
 */
export const decodeItem = (item: Json, maker: string | undefined, path?: string): Part[] => {
  if (!isObject(item)) return [];
  switch (item["type"]) {
    case "message":
      return decodeMessage(item, maker, path);
    case "reasoning":
      return [decodeReasoning(item, maker ?? "")];
    case "function_call":
      need(item, "call_id", path);
      need(item, "name", path);
      need(item, "arguments", path);
      return [decodeCall(item, false)];
    case "custom_tool_call":
      need(item, "call_id", path);
      need(item, "name", path);
      need(item, "input", path);
      return [decodeCall(item, true)];
    default:
      return [opaqueItem(item, maker)];
  }
};
