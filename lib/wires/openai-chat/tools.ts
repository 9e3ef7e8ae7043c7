// Tools and the choice among them, both ways (PROTOCOLS section 6), with `functions` and `function_call` of old.
import type { ChatCompletionTool, ChatCompletionToolChoiceOption } from "openai/resources/chat/completions";
import { invalid } from "../../model/error.ts";
import {
  asArray,
  asBoolean,
  asObject,
  asString,
  compact,
  isObject,
  type Json,
  type JsonObject,
} from "../../model/json.ts";
import type { CacheHint } from "../../model/message.ts";
import type { ChatRequest, CustomTool, FunctionTool, HostedTool, Tool, ToolChoice } from "../../model/request.ts";
import type { Target } from "../wire.ts";
import { isLegacy } from "./calls.ts";
import { json, keptIn, own, rest, wireId } from "./names.ts";

const toolFields = new Set(["type", "function"]);
const functionFields = new Set(["name", "description", "parameters", "strict"]);
const customFields = new Set(["name", "description", "format"]);

const decodeFunction = (fn: JsonObject, path: string, left: JsonObject): FunctionTool => {
  const name = asString(fn["name"]);
  if (name === undefined) throw invalid(`${path}.name`, "expected a string");
  const hint = asObject(left["cache_control"]);
  const inner = rest(fn, functionFields);
  return compact<FunctionTool>({
    type: "function",
    name,
    description: asString(fn["description"]),
    parameters: asObject(fn["parameters"]),
    strict: asBoolean(fn["strict"]),
    cache: hint === undefined ? undefined : compact<CacheHint>({ ttl: asString(hint["ttl"]) }),
    ...keptIn(Object.keys(inner).length === 0 ? left : { ...left, function: inner }),
  });
};

/** A grammar lies flat in the neutral model, nested here. */
const flatFormat = (format: JsonObject | undefined): JsonObject | undefined => {
  const grammar = asObject(format?.["grammar"]);
  return grammar === undefined ? format : { type: "grammar", ...grammar };
};
const nestedFormat = (format: JsonObject): JsonObject => {
  const { type, ...grammar } = format;
  return type === "grammar" ? { type, grammar } : format;
};

const decodeTool = (tool: Json, path: string): Tool => {
  if (!isObject(tool)) throw invalid(path, "expected an object");
  const fn = tool["function"];
  if (isObject(fn)) return decodeFunction(fn, `${path}.function`, rest(tool, toolFields));
  const type = asString(tool["type"]);
  if (type === undefined) throw invalid(`${path}.type`, "expected a string");
  if (type === "function") throw invalid(`${path}.function`, "expected an object");
  const custom = tool["custom"];
  if (type !== "custom" || !isObject(custom))
    return type.includes("web_search")
      ? { type: "hosted", wire: wireId, kind: "web-search", value: tool }
      : { type: "hosted", wire: wireId, value: tool };
  const name = asString(custom["name"]);
  if (name === undefined) throw invalid(`${path}.custom.name`, "expected a string");
  return compact<CustomTool>({
    type: "custom",
    name,
    description: asString(custom["description"]),
    format: flatFormat(asObject(custom["format"])),
    ...keptIn(rest(custom, customFields)),
  });
};

const list = (value: Json | undefined, name: string): Json[] => {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(name, "expected an array");
  return value;
};

/** All tools of a request: `tools`, `functions` and `web_search_options`. */
export const decodeTools = (body: JsonObject): Tool[] => {
  const tools = list(body["tools"], "tools").map((tool, at) => decodeTool(tool, `tools[${at}]`));
  list(body["functions"], "functions").forEach((fn, at) => {
    if (!isObject(fn)) throw invalid(`functions[${at}]`, "expected an object");
    tools.push(decodeFunction(fn, `functions[${at}]`, { legacy: true }));
  });
  const search = body["web_search_options"];
  if (isObject(search))
    tools.push({ type: "hosted", wire: wireId, kind: "web-search", value: { web_search_options: search } });
  return tools;
};

const modes: Readonly<Record<string, ToolChoice>> = {
  auto: { type: "auto" },
  none: { type: "none" },
  required: { type: "any" },
  // Mistral's word.
  any: { type: "any" },
};

const nameIn = (choice: Json | undefined): string | undefined => {
  const value = asObject(choice);
  return asString((asObject(value?.["function"]) ?? asObject(value?.["custom"]) ?? value)?.["name"]);
};

export const decodeToolChoice = (body: JsonObject): ToolChoice | undefined => {
  const value = body["tool_choice"] ?? body["function_call"];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") {
    const mode = modes[value];
    if (mode === undefined) throw invalid("tool_choice", "expected none, auto, required or an object");
    return mode;
  }
  if (!isObject(value)) throw invalid("tool_choice", "expected a string or an object");
  if (value["type"] === "allowed_tools") {
    const allowed = asObject(value["allowed_tools"]) ?? value;
    const names = (asArray(allowed["tools"]) ?? []).map(nameIn);
    if (names.every((name) => name !== undefined))
      return { type: "subset", names, required: allowed["mode"] === "required" };
  }
  const name = nameIn(value);
  return name === undefined ? { type: "native", wire: wireId, value } : { type: "tool", name };
};

const encodeFunction = (tool: FunctionTool, target: Target, cacheControl: boolean): JsonObject => {
  const { function: inner, legacy: _legacy, ...left } = own(tool) ?? {};
  const strict = target.dialect.strictTools === false ? undefined : tool.strict;
  const encoded = {
    type: "function",
    function: compact<{ name: string; description?: string; parameters?: JsonObject; strict?: boolean }>({
      name: tool.name,
      description: tool.description,
      parameters: tool.parameters,
      strict,
      ...asObject(inner),
    }),
  } satisfies ChatCompletionTool;
  const cache: JsonObject =
    tool.cache === undefined || !cacheControl
      ? {}
      : { cache_control: compact<JsonObject>({ type: "ephemeral", ttl: tool.cache.ttl }) };
  return { ...json(encoded), ...cache, ...left };
};

const encodeCustom = (tool: CustomTool): JsonObject => ({
  type: "custom",
  custom: {
    name: tool.name,
    ...(tool.description === undefined ? {} : { description: tool.description }),
    ...(tool.format === undefined ? {} : { format: nestedFormat(tool.format) }),
    ...own(tool),
  },
});

/** Another wire's web search, with the options both have. */
const searchOptions = (tool: HostedTool): JsonObject => {
  const own_ = asObject(tool.value["web_search_options"]);
  if (own_ !== undefined) return own_;
  const size = tool.value["search_context_size"];
  const place = asObject(tool.value["user_location"]);
  const { type: _type, ...where } = asObject(place?.["approximate"]) ?? place ?? {};
  return {
    ...(typeof size === "string" ? { search_context_size: size } : {}),
    ...(place === undefined ? {} : { user_location: { type: "approximate", approximate: where } }),
  };
};

/** `tools`, the choice among them, and whether they may run in parallel. */
export const encodeTools = (
  request: ChatRequest,
  target: Target,
  cacheControl: boolean,
  drop: (path: string) => void,
): JsonObject => {
  const same = own(request) !== undefined;
  const fields: JsonObject = {};
  const tools: JsonObject[] = [];
  const functions: JsonObject[] = [];
  const { toolChoice } = request;
  // Only OpenAI knows a choice among some: others are given just those.
  const only = toolChoice?.type === "subset" && target.maker !== "openai" ? new Set(toolChoice.names) : undefined;
  request.tools.forEach((tool, at) => {
    if (tool.type === "hosted") {
      if (tool.kind === "web-search" && (tool.wire !== wireId || tool.value["web_search_options"] !== undefined))
        fields["web_search_options"] = searchOptions(tool);
      else if (tool.wire === wireId) tools.push(tool.value);
      else drop(`tools[${at}]`);
      return;
    }
    if (only !== undefined && !only.has(tool.name)) return;
    if (tool.type === "custom") {
      tools.push(encodeCustom(tool));
      return;
    }
    if (tool.strict === true && target.dialect.strictTools === false) drop(`tools[${at}].strict`);
    const encoded = encodeFunction(tool, target, cacheControl);
    if (isLegacy(tool)) functions.push(asObject(encoded["function"]) ?? {});
    else tools.push(encoded);
  });
  if (tools.length > 0) fields["tools"] = tools;
  if (functions.length > 0) fields["functions"] = functions;
  if (toolChoice !== undefined) encodeChoice(toolChoice, request, target, fields, drop);
  // Without tools OpenAI refuses to be told how to call them.
  if (request.parallelToolCalls !== undefined && (tools.length > 0 || same)) {
    if (target.dialect.parallelToolCalls !== false) fields["parallel_tool_calls"] = request.parallelToolCalls;
    else if (!request.parallelToolCalls) drop("parallel_tool_calls");
  }
  return fields;
};

const encodeChoice = (
  choice: ToolChoice,
  request: ChatRequest,
  target: Target,
  fields: JsonObject,
  drop: (path: string) => void,
): void => {
  const legacy = fields["functions"] !== undefined;
  if (fields["tools"] === undefined && !legacy && own(request) === undefined) return;
  const encoded = choiceOf(choice, request.tools, target);
  if (encoded === undefined) drop("tool_choice");
  else if (legacy) fields["function_call"] = isObject(encoded) ? (encoded["function"] ?? "auto") : encoded;
  else if (target.dialect.toolChoiceRequired === false && encoded !== "auto" && encoded !== "none") {
    fields["tool_choice"] = "auto";
    drop("tool_choice");
  } else fields["tool_choice"] = encoded;
};

/** Undefined where the choice is another wire's own. */
const choiceOf = (choice: ToolChoice, tools: readonly Tool[], target: Target): Json | undefined => {
  const named = (name: string): JsonObject =>
    tools.some((tool) => tool.type === "custom" && tool.name === name)
      ? { type: "custom", custom: { name } }
      : { type: "function", function: { name } };
  switch (choice.type) {
    case "auto":
    case "none":
      return choice.type;
    case "any":
      return "required" satisfies ChatCompletionToolChoiceOption;
    case "tool":
      return named(choice.name);
    case "subset": {
      const mode = choice.required ? "required" : "auto";
      return target.maker === "openai"
        ? { type: "allowed_tools", allowed_tools: { mode, tools: choice.names.map(named) } }
        : mode;
    }
    default:
      return choice.wire === wireId ? choice.value : undefined;
  }
};
