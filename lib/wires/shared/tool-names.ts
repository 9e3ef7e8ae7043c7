// Tool names and call ids that a target refuses, mapped there and back, in the history too (F20).
import type { StreamEvent } from "../../model/event.ts";
import type { Part } from "../../model/message.ts";
import type { ChatRequest, ToolChoice } from "../../model/request.ts";
import type { WireId } from "../../model/wire-id.ts";
import { mapResponseParts, type Restorer } from "./restore.ts";

type Rule = { name: RegExp; nameLength: number; id: RegExp; idLength: number };

/** What each wire's strictest host takes. */
const rules: Record<WireId, Rule> = {
  "anthropic-messages": { name: /^[A-Za-z0-9_-]{1,128}$/, nameLength: 128, id: /^[A-Za-z0-9_-]+$/, idLength: 256 },
  "openai-chat": { name: /^[A-Za-z0-9_-]{1,64}$/, nameLength: 64, id: /^[\x21-\x7e]{1,64}$/, idLength: 64 },
  "openai-responses": { name: /^[A-Za-z0-9_-]{1,64}$/, nameLength: 64, id: /^[\x21-\x7e]{1,64}$/, idLength: 64 },
  "gemini-generate": {
    name: /^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$/,
    nameLength: 64,
    id: /^[\x21-\x7e]+$/,
    idLength: 1_024,
  },
  "bedrock-converse": {
    name: /^[A-Za-z][A-Za-z0-9_-]{0,63}$/,
    nameLength: 64,
    id: /^[A-Za-z0-9_-]{1,64}$/,
    idLength: 64,
  },
};

const hash = (text: string): string => {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return (value >>> 0).toString(36).padStart(7, "0");
};

/** Legal, of the same text always the same, and different for different texts: a hash of the original ends it. */
const legal = (text: string, length: number): string => {
  const ending = `_${hash(text)}`;
  const letters = text.replaceAll(/[^A-Za-z0-9_-]/g, "_").replace(/^[^A-Za-z]+/, "");
  return `${(letters === "" ? "t" : letters).slice(0, length - ending.length)}${ending}`;
};

const choiceWith = (choice: ToolChoice, name: (text: string) => string): ToolChoice => {
  if (choice.type === "tool") return { ...choice, name: name(choice.name) };
  return choice.type === "subset" ? { ...choice, names: choice.names.map(name) } : choice;
};

/** Calls whose bytes pass keep their names: a host that refuses one says so itself. */
export const mapToolNames = (request: ChatRequest, wire: WireId): { request: ChatRequest; restore?: Restorer } => {
  const rule = rules[wire];
  const names = new Set<string>();
  const ids = new Set<string>();
  for (const tool of request.tools) if (tool.type !== "hosted" && !rule.name.test(tool.name)) names.add(tool.name);
  for (const message of request.messages)
    for (const part of message.parts) {
      if (
        (part.type === "tool-call" || part.type === "tool-result") &&
        part.name !== undefined &&
        !rule.name.test(part.name)
      )
        names.add(part.name);
      if ((part.type === "tool-call" || part.type === "tool-result") && !rule.id.test(part.callId))
        ids.add(part.callId);
    }
  if (names.size === 0 && ids.size === 0) return { request };

  const there = new Map([...names].map((name) => [name, legal(name, rule.nameLength)]));
  const back = new Map([...there].map(([name, mapped]) => [mapped, name]));
  const nameOf = (name: string): string => there.get(name) ?? name;
  const idOf = (id: string): string => (ids.has(id) ? legal(id, Math.min(rule.idLength, 64)) : id);
  const mapped: ChatRequest = {
    ...request,
    tools: request.tools.map((tool) => (tool.type === "hosted" ? tool : { ...tool, name: nameOf(tool.name) })),
    messages: request.messages.map((message) => ({
      ...message,
      parts: message.parts.map((part): Part => {
        if (part.type === "tool-call") return { ...part, name: nameOf(part.name), callId: idOf(part.callId) };
        if (part.type !== "tool-result") return part;
        return { ...part, callId: idOf(part.callId), ...(part.name === undefined ? {} : { name: nameOf(part.name) }) };
      }),
    })),
  };
  if (request.toolChoice !== undefined) mapped.toolChoice = choiceWith(request.toolChoice, nameOf);
  if (names.size === 0) return { request: mapped };

  const restorePart = (part: Part): Part =>
    part.type === "tool-call" ? { ...part, name: back.get(part.name) ?? part.name } : part;
  return {
    request: mapped,
    restore: {
      events: (events): StreamEvent[] =>
        events.map((event) => (event.type === "part-start" ? { ...event, part: restorePart(event.part) } : event)),
      response: (response) => mapResponseParts(response, restorePart),
    },
  };
};
