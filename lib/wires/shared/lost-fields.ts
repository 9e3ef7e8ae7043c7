// Fields that only the client's own wire has, named where the call goes out on another (F18).
import { type Json, type JsonObject, isObject } from "../../model/json.ts";
import type { ChatRequest } from "../../model/request.ts";
import { type ClientWireId, clientWireIds, type WireId } from "../../model/wire-id.ts";

/** Kept for their own wire, and said in neutral terms as well, or about the answer's form alone: by these nothing is lost. */
const understood: Record<ClientWireId, ReadonlySet<string>> = {
  "anthropic-messages": new Set(),
  "openai-chat": new Set(["user", "safety_identifier", "stream_options"]),
  "openai-responses": new Set(["user", "safety_identifier", "stream_options", "include"]),
  "gemini-generate": new Set(["labels"]),
};

/** Objects of which the rest is kept: their fields are named one by one. */
const groups: ReadonlySet<string> = new Set(["metadata", "output_config", "text", "generationConfig", "toolConfig"]);

/** What is done anyway. */
const defaults: Readonly<Record<string, readonly string[]>> = {
  response_format: ['{"type":"text"}'],
  modalities: ['["text"]'],
  responseModalities: ['["TEXT"]'],
  truncation: ['"disabled"'],
};

const saysNothing = (name: string, value: Json | undefined): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  (typeof value === "object" && Object.keys(value).length === 0) ||
  defaults[name]?.includes(JSON.stringify(value)) === true;

const namesIn = (fields: JsonObject, prefix: string): string[] =>
  Object.entries(fields).flatMap(([name, value]) => {
    if (saysNothing(name, value)) return [];
    return prefix === "" && groups.has(name) && isObject(value) ? namesIn(value, `${name}.`) : [prefix + name];
  });

/** The same of a tool: its kind, its older spelling, its schema as Gemini wrote it. */
const understoodOfTools: ReadonlySet<string> = new Set(["type", "legacy", "parameters"]);

/** By the client's own names. */
export const lostFields = (request: ChatRequest, wire: WireId): string[] => {
  if (request.extra === undefined && request.tools.length === 0) return [];
  return clientWireIds.flatMap((client) => {
    if (client === wire) return [];
    const lost = namesIn(request.extra?.[client] ?? {}, "").filter((name) => !understood[client].has(name));
    const ofTools = request.tools.flatMap((tool, at) =>
      tool.type === "hosted"
        ? []
        : namesIn(tool.extra?.[client] ?? {}, "")
            .filter((name) => !understoodOfTools.has(name))
            .map((name) => `tools[${at}].${name}`),
    );
    return lost.concat(ofTools);
  });
};
