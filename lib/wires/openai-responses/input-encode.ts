// Messages as `input` items: each part becomes an item or the content of one, in the same order.
import { asString, isObject, type JsonObject } from "../../model/json.ts";
import type { Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart } from "../../model/message.ts";
import { encodeContent, type Reader } from "./content.ts";
import { objects, own, ownItem, wireId } from "./names.ts";

/** `drop` takes the path of a part that the target can't express. */
export type InputWriter = { reader: Reader; systemRole: string; drop: (path: string) => void };

/** OpenAI refuses ids that don't begin as its own do; other hosts have their own kinds. */
const idFields = (id: string | undefined, prefix: string, reader: Reader): JsonObject =>
  id !== undefined && (reader.maker !== "openai" || id.startsWith(prefix)) ? { id } : {};

/** A reasoning item goes back to its maker alone, and visible text is never replayed as one (F12, F48). */
const encodeReasoning = (part: ReasoningPart, reader: Reader): JsonObject | undefined => {
  if (part.opaque === undefined ? own(part) === undefined : part.opaque.origin !== reader.maker) return undefined;
  const kept = ownItem(part);
  const full = part.form === "full";
  const texts = full || part.text === "" ? [] : (part.summaries ?? [part.text]);
  const item: JsonObject = {
    type: "reasoning",
    ...idFields(part.id, "rs", reader),
    summary: texts.map((text) => ({ type: "summary_text", text })),
  };
  if (full) item["content"] = [{ type: "reasoning_text", text: part.text }];
  if (part.opaque !== undefined) item["encrypted_content"] = part.opaque.data;
  return { ...item, ...kept };
};

const encodeCall = (part: ToolCallPart, reader: Reader): JsonObject =>
  part.custom === true
    ? {
        type: "custom_tool_call",
        ...idFields(part.id, "ctc", reader),
        call_id: part.callId,
        name: part.name,
        input: part.arguments,
        ...ownItem(part),
      }
    : {
        type: "function_call",
        ...idFields(part.id, "fc", reader),
        call_id: part.callId,
        name: part.name,
        arguments: part.arguments.trim() === "" ? "{}" : part.arguments,
        ...ownItem(part),
      };

const encodeResult = (part: ToolResultPart, path: string, writer: InputWriter): JsonObject => {
  const contents: JsonObject[] = [];
  part.parts.forEach((inner, at) => {
    const content = encodeContent(inner, "input", writer.reader);
    if (content === undefined) writer.drop(`${path}.content[${at}]`);
    else contents.push(content);
  });
  const only = contents.length === 1 ? contents[0] : undefined;
  const text = only?.["type"] === "input_text" && Object.keys(only).length === 2 ? asString(only["text"]) : undefined;
  // This wire has no flag for a failed tool: the model is told in words.
  const says = text ?? asString(contents[0]?.["text"]) ?? "";
  const marked = part.isError === true && !/^\s*error/i.test(says);
  const list = marked ? [{ type: "input_text", text: "Error:" }, ...contents] : contents;
  const output =
    contents.length === 0 ? (marked ? "Error" : "") : text === undefined ? list : marked ? `Error: ${text}` : text;
  return {
    type: part.custom === true ? "custom_tool_call_output" : "function_call_output",
    call_id: part.callId,
    output,
    ...ownItem(part),
  };
};

/** The items of an assistant's turn. Text and refusals that go on in one message item are its content parts. */
const encodeAssistant = (message: Message, path: string, writer: InputWriter): JsonObject[] => {
  const items: JsonObject[] = [];
  let open: { content: JsonObject[]; same: boolean } | undefined;
  const say = (part: Part, content: JsonObject): void => {
    const mine = own(part);
    const goesOn = open !== undefined && (mine === undefined ? !open.same : mine["continues"] === true);
    if (goesOn && open !== undefined) {
      open.content.push(content);
      Object.assign(items.at(-1) ?? {}, ownItem(part));
      return;
    }
    open = { content: [content], same: mine !== undefined };
    items.push({
      type: "message",
      role: "assistant",
      ...idFields(part.id, "msg", writer.reader),
      ...ownItem(part),
      content: open.content,
    });
  };
  message.parts.forEach((part, at) => {
    const item = encodeItem(part, writer.reader);
    if (item !== undefined) {
      open = undefined;
      items.push(item);
      return;
    }
    const content = part.type === "reasoning" ? undefined : encodeContent(part, "output", writer.reader);
    if (content !== undefined) say(part, content);
    // Foreign reasoning is meant to stay behind; that is no loss the caller could mend.
    else if (part.type !== "reasoning") writer.drop(`${path}.content[${at}]`);
  });
  return items;
};

const encodeItem = (part: Part, reader: Reader): JsonObject | undefined => {
  if (part.type === "reasoning") return encodeReasoning(part, reader);
  if (part.type === "tool-call") return encodeCall(part, reader);
  const isItem = part.type === "opaque" && part.wire === wireId && own(part)?.["whole"] !== true;
  return isItem && (part.origin === undefined || part.origin === reader.maker) ? part.value : undefined;
};

/** A message of the caller's: tool results and items among its parts stand on their own. */
const encodeCaller = (message: Message, path: string, writer: InputWriter): JsonObject[] => {
  const items: JsonObject[] = [];
  let content: JsonObject[] | undefined;
  const mine = own(message);
  const fields = ownItem(message);
  const role = message.role === "system" ? writer.systemRole : message.role;
  message.parts.forEach((part, at) => {
    const isItem = mine === undefined && part.type === "opaque" && part.wire === wireId;
    if (part.type === "tool-result" || isItem) {
      content = undefined;
      items.push(part.type === "tool-result" ? encodeResult(part, `${path}.content[${at}]`, writer) : part.value);
      return;
    }
    const encoded = encodeContent(part, "input", writer.reader);
    if (encoded === undefined) {
      writer.drop(`${path}.content[${at}]`);
      return;
    }
    if (content !== undefined) {
      content.push(encoded);
      return;
    }
    content = [encoded];
    const ids = message.id === undefined ? {} : idFields(message.id, "msg", writer.reader);
    items.push({ type: "message", role: mine === undefined ? role : message.role, ...ids, ...fields, content });
  });
  if (message.parts.length === 0 && mine !== undefined)
    items.push({ type: "message", role: message.role, ...fields, content: [] });
  return items;
};

/** Items that a reasoning item may precede: what the model itself went on with. */
const isModelMade = (item: JsonObject | undefined): boolean =>
  item !== undefined &&
  (item["type"] === "message" ? item["role"] === "assistant" : !(asString(item["type"]) ?? "").endsWith("_output"));

/** OpenAI refuses a reasoning item "without its required following item": an orphan stays behind. */
const withoutOrphans = (items: readonly JsonObject[]): JsonObject[] => {
  const kept: JsonObject[] = [];
  for (let at = items.length - 1; at >= 0; at -= 1) {
    const item = items[at];
    if (item !== undefined && (item["type"] !== "reasoning" || isModelMade(kept[0]))) kept.unshift(item);
  }
  return kept;
};

export const encodeInput = (messages: readonly Message[], writer: InputWriter): JsonObject[] =>
  withoutOrphans(
    messages.flatMap((message, at) =>
      message.role === "assistant"
        ? encodeAssistant(message, `messages[${at}]`, writer)
        : encodeCaller(message, `messages[${at}]`, writer),
    ),
  );

/** The opening instructions: what came as an item stays one, the rest is `instructions`. */
export const encodeSystem = (
  system: readonly TextPart[],
  reader: Reader,
): { instructions: string | undefined; items: JsonObject[] } => {
  const texts: string[] = [];
  const items: JsonObject[] = [];
  for (const part of system) {
    const item = own(part)?.["item"];
    const content = isObject(item) ? encodeContent(part, "input", reader) : undefined;
    if (!isObject(item) || content === undefined) {
      if (part.text !== "") texts.push(part.text);
      continue;
    }
    const last = items.at(-1);
    if (own(part)?.["continues"] === true && last !== undefined)
      last["content"] = [...objects(last["content"]), content];
    else
      items.push({ type: "message", role: "system", ...idFields(part.id, "msg", reader), ...item, content: [content] });
  }
  return { instructions: texts.length > 0 ? texts.join("\n\n") : undefined, items };
};
