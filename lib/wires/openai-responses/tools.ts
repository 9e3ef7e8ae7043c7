// Tools and the choice among them, both ways (PROTOCOLS section 6).
import type { ToolChoiceAllowed, ToolChoiceCustom, ToolChoiceFunction } from "openai/resources/responses/responses";
import {
  asArray,
  asBoolean,
  asObject,
  asString,
  compact,
  isObject,
  unknownFields,
  type Json,
  type JsonObject,
} from "../../model/json.ts";
import { invalid } from "../../model/error.ts";
import type { CustomTool, FunctionTool, HostedTool, Tool, ToolChoice } from "../../model/request.ts";
import { extraOf, json, own, wireId } from "./names.ts";

type HostedKind = NonNullable<HostedTool["kind"]>;

/** What a hosted tool of another wire is here: the options that both have go along. */
const hosted: Readonly<Partial<Record<HostedKind, (value: JsonObject) => JsonObject>>> = {
  "web-search": (value) => {
    const tool: JsonObject = { type: "web_search" };
    const domains = asArray(value["allowed_domains"]);
    if (domains !== undefined) tool["filters"] = { allowed_domains: domains };
    const place = asObject(value["user_location"]);
    if (place !== undefined)
      tool["user_location"] = { type: "approximate", ...(asObject(place["approximate"]) ?? place) };
    if (value["search_context_size"] !== undefined) tool["search_context_size"] = value["search_context_size"];
    return tool;
  },
  "code-execution": () => ({ type: "code_interpreter", container: { type: "auto" } }),
};

const encodeHosted = (tool: HostedTool): JsonObject | undefined => {
  if (tool.wire === wireId) return tool.value;
  return tool.kind === undefined ? undefined : hosted[tool.kind]?.(tool.value);
};

const kindOf = (type: string): HostedKind | undefined =>
  type.startsWith("web_search") ? "web-search" : type === "code_interpreter" ? "code-execution" : undefined;

const names: ReadonlySet<string> = new Set(["type", "name"]);

/** The tool without the fields that were understood; those of an odd type (null among them) stay as they were. */
const left = (tool: JsonObject, taken: object): JsonObject => {
  const understood = new Set(names);
  for (const key in taken) understood.add(key);
  return unknownFields(tool, understood) ?? {};
};

export const decodeTools = (value: Json | undefined): Tool[] => {
  if (value === undefined || value === null) return [];
  const tools = asArray(value);
  if (tools === undefined) throw invalid("tools", "expected an array");
  return tools.map(decodeTool);
};

const decodeTool = (tool: Json, at: number): Tool => {
  if (!isObject(tool)) throw invalid(`tools[${at}]`, "expected an object");
  const type = asString(tool["type"]);
  if (type === undefined) throw invalid(`tools[${at}].type`, "expected a string");
  if (type !== "function" && type !== "custom")
    return compact<HostedTool>({ type: "hosted", wire: wireId, kind: kindOf(type), value: tool });
  const name = asString(tool["name"]);
  if (name === undefined) throw invalid(`tools[${at}].name`, "expected a string");
  if (type === "custom") {
    const taken = compact<{ description?: string; format?: JsonObject }>({
      description: asString(tool["description"]),
      format: asObject(tool["format"]),
    });
    return { type, name, ...taken, extra: extraOf(left(tool, taken)) } satisfies CustomTool;
  }
  const taken = compact<{ description?: string; parameters?: JsonObject; strict?: boolean }>({
    description: asString(tool["description"]),
    parameters: asObject(tool["parameters"]),
    strict: asBoolean(tool["strict"]),
  });
  return { type, name, ...taken, extra: extraOf(left(tool, taken)) } satisfies FunctionTool;
};

/** Undefined where this wire has no such tool. */
export const encodeTool = (tool: Tool): JsonObject | undefined => {
  if (tool.type === "hosted") return encodeHosted(tool);
  const same = own(tool);
  const { name, description } = tool;
  const described: JsonObject = description === undefined ? {} : { description };
  if (tool.type === "custom")
    return {
      type: "custom",
      name,
      ...described,
      ...(tool.format === undefined ? {} : { format: tool.format }),
      ...same,
    };
  // Absent means strict on this wire and lax on the others: said aloud for them.
  const strict = tool.strict ?? (same === undefined ? false : undefined);
  return {
    type: "function",
    name,
    ...described,
    ...(tool.parameters === undefined && same !== undefined
      ? {}
      : { parameters: tool.parameters ?? { type: "object", properties: {} } }),
    ...(strict === undefined ? {} : { strict }),
    ...same,
  };
};

const modes: Readonly<Record<string, ToolChoice>> = {
  auto: { type: "auto" },
  none: { type: "none" },
  required: { type: "any" },
};

/** The names of a list of named tools; undefined where one of them has none, or more than a name. */
const namesOf = (tools: Json | undefined): string[] | undefined => {
  const found = (asArray(tools) ?? []).map((tool) =>
    isObject(tool) &&
    (tool["type"] === "function" || tool["type"] === "custom") &&
    unknownFields(tool, names) === undefined
      ? asString(tool["name"])
      : undefined,
  );
  return found.every((name) => name !== undefined) ? found : undefined;
};

export const decodeToolChoice = (value: Json | undefined): ToolChoice | undefined => {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") {
    const mode = modes[value];
    if (mode === undefined) throw invalid("tool_choice", "expected auto, none, required or an object");
    return mode;
  }
  if (!isObject(value)) throw invalid("tool_choice", "expected a string or an object");
  const type = value["type"];
  const name = asString(value["name"]);
  if ((type === "function" || type === "custom") && name !== undefined && unknownFields(value, names) === undefined)
    return { type: "tool", name };
  const listed = type === "allowed_tools" ? namesOf(value["tools"]) : undefined;
  if (listed !== undefined) return { type: "subset", names: listed, required: value["mode"] === "required" };
  return { type: "native", wire: wireId, value };
};

/** Undefined where the choice is another wire's own. */
export const encodeToolChoice = (choice: ToolChoice, tools: readonly Tool[]): Json | undefined => {
  const kind = (name: string): "function" | "custom" =>
    tools.some((tool) => tool.type === "custom" && tool.name === name) ? "custom" : "function";
  switch (choice.type) {
    case "auto":
    case "none":
      return choice.type;
    case "any":
      return "required";
    case "tool":
      return json({ type: kind(choice.name), name: choice.name } satisfies ToolChoiceFunction | ToolChoiceCustom);
    case "subset":
      return json({
        type: "allowed_tools",
        mode: choice.required ? "required" : "auto",
        tools: choice.names.map((name) => ({ type: kind(name), name })),
      } satisfies ToolChoiceAllowed);
    default:
      return choice.wire === wireId ? choice.value : undefined;
  }
};
