// A client's history. Opening instructions leave it; results of tools become parts of a user's turn, as in the neutral model.
import { invalid } from "../../model/error.ts";
import { asString, compact, isObject, type Json, type JsonObject } from "../../model/json.ts";
import type { Message, Part, TextPart, ToolResultPart } from "../../model/message.ts";
import { decodeAssistant } from "./assistant.ts";
import { decodeContent } from "./content.ts";
import { extraOf, isEmpty, keptIn, own, rest } from "./names.ts";

const plainFields = new Set(["role", "content", "name"]);
const toolFields = new Set(["role", "content", "name", "tool_call_id"]);

/** What the history has told so far: the names of calls, and the calls of old that wait for their result. */
type Told = { names: Map<string, string>; legacy: { id: string; name: string }[] };

export const decodeMessages = (value: Json | undefined): { system: TextPart[]; messages: Message[] } => {
  if (!Array.isArray(value)) throw invalid("messages", "expected an array");
  const system: TextPart[] = [];
  const messages: Message[] = [];
  const told: Told = { names: new Map(), legacy: [] };
  value.forEach((entry, at) => {
    const path = `messages[${at}]`;
    if (!isObject(entry)) throw invalid(path, "expected an object");
    const role = entry["role"];
    switch (role) {
      case "system":
      case "developer": {
        const parts = decodeContent(entry["content"], `${path}.content`);
        if (messages.length === 0 && parts.every((part) => part.type === "text")) system.push(...opening(entry, parts));
        else messages.push(said("system", entry, parts, role === "developer" ? { role } : {}));
        return;
      }
      case "user":
        messages.push(said("user", entry, decodeContent(entry["content"], `${path}.content`), {}));
        return;
      case "assistant":
        messages.push(assistant(entry, path, told));
        return;
      case "tool":
      case "function": {
        const result = toolResult(entry, path, told);
        const last = messages.at(-1);
        // Results of parallel calls are one turn.
        if (last?.role === "user" && last.parts.every((part) => part.type === "tool-result")) last.parts.push(result);
        else messages.push({ role: "user", parts: [result] });
        return;
      }
      default:
        throw invalid(`${path}.role`, "expected developer, system, user, assistant, tool or function");
    }
  });
  return { system, messages };
};

/** The first part tells that a message begins with it, and what else that message had. */
const opening = (entry: JsonObject, parts: TextPart[]): TextPart[] => {
  const [first] = parts;
  if (first !== undefined) {
    const start = { role: entry["role"], name: entry["name"] ?? undefined, ...rest(entry, plainFields) };
    first.extra = extraOf({ ...own(first), start });
  }
  return parts;
};

const said = (role: "system" | "user", entry: JsonObject, parts: Part[], more: JsonObject): Message =>
  compact<Message>({
    role,
    parts,
    name: asString(entry["name"]),
    ...keptIn({ ...more, ...rest(entry, plainFields) }),
  });

const assistant = (entry: JsonObject, path: string, told: Told): Message => {
  checkAssistant(entry, path);
  const { name: _name, ...message } = entry;
  const { parts, left } = decodeAssistant(message, {
    author: { client: true },
    callId: (at) => `call_${path.replaceAll(/\D/g, "")}n${at}`,
  });
  for (const part of parts)
    if (part.type === "tool-call") {
      told.names.set(part.callId, part.name);
      if (own(part)?.["legacy"] === true) told.legacy.push({ id: part.callId, name: part.name });
    }
  const name = asString(entry["name"]);
  return compact<Message>({ role: "assistant", parts, name, ...keptIn(isEmpty(left) ? undefined : left) });
};

/** What a provider may say in any way, a client must say as the wire has it. */
const checkAssistant = (entry: JsonObject, path: string): void => {
  const { content, tool_calls: calls } = entry as { content?: Json; tool_calls?: Json };
  if (content !== undefined && content !== null && typeof content !== "string" && !Array.isArray(content))
    throw invalid(`${path}.content`, "expected a string or an array");
  if (calls === undefined || calls === null) return;
  if (!Array.isArray(calls)) throw invalid(`${path}.tool_calls`, "expected an array");
  calls.forEach((call, at) => {
    const where = `${path}.tool_calls[${at}]`;
    if (!isObject(call)) throw invalid(where, "expected an object");
    const kind = isObject(call["custom"]) && call["function"] === undefined ? "custom" : "function";
    const called = call[kind];
    if (!isObject(called)) throw invalid(`${where}.${kind}`, "expected an object");
    if (typeof called["name"] !== "string") throw invalid(`${where}.${kind}.name`, "expected a string");
  });
};

const toolResult = (entry: JsonObject, path: string, told: Told): ToolResultPart => {
  const parts = decodeContent(entry["content"], `${path}.content`);
  const legacy = entry["role"] === "function";
  const named = asString(entry["name"]);
  const id = legacy ? legacyId(named, path, told) : asString(entry["tool_call_id"]);
  if (id === undefined) throw invalid(`${path}.tool_call_id`, "expected a string");
  const left = rest(entry, toolFields);
  return compact<ToolResultPart>({
    type: "tool-result",
    callId: id,
    name: named ?? told.names.get(id),
    parts,
    ...keptIn({ ...left, ...(legacy ? { legacy } : {}), ...(named === undefined ? {} : { named: true }) }),
  });
};

/** The oldest call of that name that has no result yet. */
const legacyId = (name: string | undefined, path: string, told: Told): string => {
  const at = told.legacy.findIndex((call) => name === undefined || call.name === name);
  const call = at < 0 ? undefined : told.legacy.splice(at, 1)[0];
  return call?.id ?? `call_${path.replaceAll(/\D/g, "")}n0`;
};
