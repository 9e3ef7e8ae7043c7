// Free-form tools for targets that know functions alone: a function of one text there, the caller's own tool again in the answer.
import type { StreamEvent } from "../../model/event.ts";
import { asObject, asString, type JsonObject, parseJson } from "../../model/json.ts";
import type { Part } from "../../model/message.ts";
import type { ChatRequest, CustomTool, FunctionTool, Tool } from "../../model/request.ts";
import type { WireId } from "../../model/wire-id.ts";
import type { Target } from "../wire.ts";
import { mapResponseParts, type Restorer } from "./restore.ts";

/** OpenAI alone has them; hosts that speak its wires have functions. */
const takesCustomTools = (wire: WireId, target: Target): boolean =>
  wire === "openai-responses" || (wire === "openai-chat" && target.maker === "openai");

const grammarOf = (tool: CustomTool): string | undefined => {
  const definition = asString(tool.format?.["definition"]);
  return definition === undefined
    ? undefined
    : `The text, by this ${asString(tool.format?.["syntax"]) ?? ""} grammar:\n${definition}`;
};

const asFunction = (tool: CustomTool): FunctionTool => {
  const grammar = grammarOf(tool);
  const input: JsonObject = { type: "string", ...(grammar === undefined ? {} : { description: grammar }) };
  return {
    type: "function",
    name: tool.name,
    ...(tool.description === undefined ? {} : { description: tool.description }),
    parameters: { type: "object", properties: { input }, required: ["input"], additionalProperties: false },
  };
};

const toFunctionPart = (part: Part): Part => {
  if (part.type !== "tool-call" && part.type !== "tool-result") return part;
  if (part.custom !== true) return part;
  const { custom: _custom, ...rest } = part;
  return rest.type === "tool-call" ? { ...rest, arguments: JSON.stringify({ input: rest.arguments }) } : rest;
};

/** The text in a whole call's arguments; what a model wrote in another shape goes as it is. */
const inputOf = (text: string): string => {
  const value = asObject(parseJson(text));
  if (value === undefined) return text;
  return asString(value["input"]) ?? (Object.keys(value).length === 0 ? "" : text);
};

const head = /^\s*\{\s*"input"\s*:\s*"/;
const highSurrogate = /^\\u[dD][89abAB]/;

/** The same, as the arguments come: each piece gives what it adds to the text. */
const createInputReader = (): { push: (piece: string) => string; end: () => string } => {
  let whole = "";
  let at = -1;
  let closed = false;
  let given = "";

  /** The end of the character that begins at `from`, both halves of a pair; undefined where it is not whole yet. */
  const characterEnd = (from: number): number | undefined => {
    let size = 1;
    if (whole[from] === "\\")
      size = whole[from + 1] !== "u" ? 2 : highSurrogate.test(whole.slice(from, from + 4)) ? 12 : 6;
    else if ((whole.charCodeAt(from) & 0xfc00) === 0xd800) size = 2;
    return from + size > whole.length ? undefined : from + size;
  };

  return {
    push: (piece) => {
      whole += piece;
      if (at < 0) at = head.exec(whole)?.[0].length ?? -1;
      if (at < 0 || closed) return "";
      let end = at;
      while (end < whole.length) {
        if (whole[end] === '"') {
          closed = true;
          break;
        }
        const next = characterEnd(end);
        if (next === undefined) break;
        end = next;
      }
      const text = asString(parseJson(`"${whole.slice(at, end)}"`));
      if (text === undefined) {
        // No JSON after all: what is left of it is told at the end.
        closed = true;
        return "";
      }
      at = end;
      given += text;
      return text;
    },
    end: () => {
      const text = inputOf(whole);
      if (given === "") return text;
      return text.startsWith(given) ? text.slice(given.length) : "";
    },
  };
};

const backToCustom = (names: ReadonlySet<string>): Restorer => {
  const readers = new Map<number, ReturnType<typeof createInputReader>>();
  const isOurs = (part: Part): part is Extract<Part, { type: "tool-call" }> =>
    part.type === "tool-call" && names.has(part.name);
  const delta = (index: number, text: string): StreamEvent[] =>
    text === "" ? [] : [{ type: "part-delta", index, delta: { type: "arguments", text } }];
  return {
    response: (response) =>
      mapResponseParts(response, (part) =>
        isOurs(part) ? { ...part, custom: true, arguments: inputOf(part.arguments) } : part,
      ),
    events: (events) =>
      events.flatMap((event): StreamEvent[] => {
        if (event.type === "part-start") {
          if (!isOurs(event.part)) return [event];
          const reader = createInputReader();
          readers.set(event.index, reader);
          return [
            { ...event, part: { ...event.part, custom: true, arguments: "" } },
            ...delta(event.index, reader.push(event.part.arguments)),
          ];
        }
        const reader = "index" in event ? readers.get(event.index) : undefined;
        if (reader === undefined) return [event];
        if (event.type === "part-delta" && event.delta.type === "arguments")
          return delta(event.index, reader.push(event.delta.text));
        if (event.type !== "part-end") return [event];
        readers.delete(event.index);
        return [...delta(event.index, reader.end()), event];
      }),
  };
};

/** `dropped` names the grammars that the target doesn't enforce: it is only told of them. */
export const mapCustomTools = (
  request: ChatRequest,
  wire: WireId,
  target: Target,
): { request: ChatRequest; dropped: string[]; restore?: Restorer } => {
  const names = new Set<string>();
  for (const tool of request.tools) if (tool.type === "custom") names.add(tool.name);
  const inHistory = request.messages.some((message) => message.parts.some((part) => "custom" in part && part.custom));
  if (takesCustomTools(wire, target) || (names.size === 0 && !inHistory)) return { request, dropped: [] };
  const dropped: string[] = [];
  const tools = request.tools.map((tool, at): Tool => {
    if (tool.type !== "custom") return tool;
    if (tool.format !== undefined && tool.format["type"] !== "text") dropped.push(`tools[${at}].format`);
    return asFunction(tool);
  });
  const messages = request.messages.map((message) => ({ ...message, parts: message.parts.map(toFunctionPart) }));
  const mapped = { request: { ...request, tools, messages }, dropped };
  return names.size === 0 ? mapped : { ...mapped, restore: backToCustom(names) };
};
