// A request's `input` as messages: an assistant's items become one message, consecutive tool outputs another, the order is kept.
import { summaryOf } from "./compaction.ts";
import { asArray, asString, compact, isObject, type Json, type JsonObject } from "../../model/json.ts";
import { invalid } from "../../model/error.ts";
import type { Message, Part, Role, TextPart, ToolResultPart } from "../../model/message.ts";
import { decodeContent } from "./content.ts";
import { decodeItem, opaqueItem } from "./items.ts";
import { extraOf, isEmpty, nativeOrigin, own, rest } from "./names.ts";
import { decodeState } from "./state.ts";

const roles: Readonly<Record<string, Role>> = {
  user: "user",
  assistant: "assistant",
  system: "system",
  developer: "system",
};

const messageFields = new Set(["type", "role", "id", "content"]);
const outputFields = new Set(["type", "call_id", "output"]);

/** Items without a neutral form that come from the caller, not from the model. */
const fromCaller = (type: string): boolean =>
  type.endsWith("_output") ||
  ["mcp_approval_response", "compaction_trigger", "configuration_update", "additional_tools"].includes(type);

const decodeOutput = (item: JsonObject, custom: boolean, path: string): ToolResultPart => {
  const callId = asString(item["call_id"]);
  if (callId === undefined) throw invalid(`${path}.call_id`, "expected a string");
  const { output } = item;
  if (typeof output !== "string" && !Array.isArray(output))
    throw invalid(`${path}.output`, "expected a string or an array");
  const parts: Part[] =
    typeof output === "string"
      ? [{ type: "text", text: output }]
      : output.map((entry, at) => decodeContent(entry, `${path}.output[${at}]`));
  const left = rest(item, outputFields);
  return compact<ToolResultPart>({
    type: "tool-result",
    callId,
    parts,
    custom: custom ? true : undefined,
    extra: isEmpty(left) ? undefined : extraOf({ item: left }),
  });
};

const decodeMessageItem = (item: JsonObject, role: Role, path: string): Message => {
  const { content } = item;
  if (typeof content !== "string" && !Array.isArray(content))
    throw invalid(`${path}.content`, "expected a string or an array");
  const parts: Part[] =
    typeof content === "string"
      ? [{ type: "text", text: content }]
      : content.map((entry, at) => decodeContent(entry, `${path}.content[${at}]`));
  const left = rest(item, messageFields);
  if (item["role"] === "developer") left["role"] = "developer";
  return compact<Message>({ role, parts, id: asString(item["id"]), extra: extraOf({ item: left }) });
};

/** Sealed state goes back to the part it belongs to: `next` waits for one, `previous` has it already. */
const openStates = (parts: readonly Part[]): Part[] => {
  const opened: Part[] = [];
  let waiting: Extract<Part, { type: "text" | "tool-call" | "image" }>["opaque"];
  for (const part of parts) {
    if (part.type === "reasoning" && part.opaque !== undefined) {
      const { opaque, ...bare } = part;
      const state = decodeState(opaque.data, nativeOrigin);
      const previous = opened.at(-1);
      if (state.role === "next") waiting = state.opaque;
      else if (state.role === "previous") {
        if (previous?.type === "text" || previous?.type === "tool-call" || previous?.type === "image")
          opened[opened.length - 1] = { ...previous, opaque: state.opaque };
      } else if (state.role === "visible") {
        // Another maker's text: nothing of this wire is left that could be replayed as native.
        const { extra: _extra, ...visible } = bare;
        opened.push(visible);
      } else opened.push({ ...bare, opaque: state.opaque, ...(state.role === "redacted" ? { redacted: true } : {}) });
      continue;
    }
    if (waiting !== undefined && (part.type === "text" || part.type === "tool-call" || part.type === "image")) {
      opened.push({ ...part, opaque: waiting });
      waiting = undefined;
    } else opened.push(part);
  }
  return opened;
};

/** The names of calls, so that wires which want them in results have them. */
const nameResults = (messages: readonly Message[]): void => {
  const names = new Map<string, string>();
  for (const message of messages)
    for (const part of message.parts) {
      if (part.type === "tool-call") names.set(part.callId, part.name);
      else if (part.type === "tool-result") {
        const name = names.get(part.callId);
        if (name !== undefined && part.name === undefined) part.name = name;
      }
    }
};

const decodeItems = (input: readonly Json[]): Message[] => {
  const messages: Message[] = [];
  // A message of the caller's own is never joined to; tool outputs and the assistant's items are.
  let joins = false;
  const add = (role: Role, parts: readonly Part[]): void => {
    const last = messages.at(-1);
    if (joins && last?.role === role) last.parts.push(...parts);
    else messages.push({ role, parts: [...parts] });
    joins = true;
  };
  input.forEach((item, at) => {
    const path = `input[${at}]`;
    if (!isObject(item)) throw invalid(path, "expected an object");
    const type = asString(item["type"]) ?? ("role" in item ? "message" : undefined);
    if (type === undefined) throw invalid(`${path}.type`, "expected a string");
    const summary = summaryOf(item);
    if (summary !== undefined) {
      messages.push(summary);
      joins = false;
    } else if (type === "message") {
      const role = roles[asString(item["role"]) ?? ""];
      if (role === undefined) throw invalid(`${path}.role`, "expected user, assistant, system or developer");
      if (role === "assistant") {
        add("assistant", decodeItem({ ...item, type }, undefined, path));
        return;
      }
      messages.push(decodeMessageItem(item, role, path));
      joins = false;
    } else if (type === "function_call_output" || type === "custom_tool_call_output")
      add("user", [decodeOutput(item, type === "custom_tool_call_output", path)]);
    else if (fromCaller(type)) add("user", [opaqueItem(item, undefined)]);
    else add("assistant", decodeItem(item, type === "reasoning" ? nativeOrigin : undefined, path));
  });
  for (const message of messages) if (message.role === "assistant") message.parts = openStates(message.parts);
  nameResults(messages);
  return messages;
};

/** Opening system and developer messages are instructions; each keeps that it was an item of its own. */
const asSystem = (message: Message): TextPart[] =>
  message.parts.map((part, at): TextPart => {
    const fields: JsonObject = { ...own(part), item: own(message)?.["item"] ?? {} };
    if (at > 0) fields["continues"] = true;
    const text: TextPart = part.type === "text" ? { ...part } : { type: "text", text: "" };
    text.extra = extraOf(fields);
    if (message.id !== undefined) text.id = message.id;
    return text;
  });

export const decodeInput = (input: Json | undefined): { system: TextPart[]; messages: Message[] } => {
  if (input === undefined || input === null) return { system: [], messages: [] };
  if (typeof input === "string")
    return { system: [], messages: [{ role: "user", parts: [{ type: "text", text: input }] }] };
  const items = asArray(input);
  if (items === undefined) throw invalid("input", "expected a string or an array of items");
  const messages = decodeItems(items);
  const opening = messages.findIndex(
    (message) => message.role !== "system" || message.parts.some((part) => part.type !== "text"),
  );
  const end = opening < 0 ? messages.length : opening;
  return { system: messages.slice(0, end).flatMap(asSystem), messages: messages.slice(end) };
};
