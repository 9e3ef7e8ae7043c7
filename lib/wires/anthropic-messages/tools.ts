// Tools and the choice among them, in both directions.
import { invalid } from "../../model/error.ts";
import { asArray, asBoolean, asObject, asString, isObject } from "../../model/json.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type { ChatRequest, FunctionTool, HostedTool, Tool, ToolChoice } from "../../model/request.ts";
import { mergeExtra } from "../shared/fold.ts";
import { carried, decodeCache, encodeCache, nativeExtra, wire } from "./common.ts";

type Kind = NonNullable<HostedTool["kind"]>;

/** The hosted tools that other wires have as well: how their types begin, and the version that every model takes. */
const kinds: Record<Kind, { prefix: string; type: string; name: string }> = {
  "web-search": { prefix: "web_search_", type: "web_search_20250305", name: "web_search" },
  "web-fetch": { prefix: "web_fetch_", type: "web_fetch_20250910", name: "web_fetch" },
  "code-execution": { prefix: "code_execution_", type: "code_execution_20250825", name: "code_execution" },
};

const kindOf = (type: string): Kind | undefined =>
  (Object.keys(kinds) as Kind[]).find((kind) => type.startsWith(kinds[kind].prefix));

const functionFields = new Set(["name", "description", "input_schema", "strict", "cache_control"]);

const decodeTool = (tool: Json, path: string): Tool => {
  if (!isObject(tool)) throw invalid(path, "expected an object");
  const type = asString(tool["type"]);
  if (type !== undefined && type !== "custom") {
    const kind = kindOf(type);
    return kind === undefined ? { type: "hosted", wire, value: tool } : { type: "hosted", wire, kind, value: tool };
  }
  const name = asString(tool["name"]);
  if (name === undefined) throw invalid(`${path}.name`, "expected a string");
  const made: FunctionTool = { type: "function", name };
  const description = asString(tool["description"]);
  const parameters = asObject(tool["input_schema"]);
  const strict = asBoolean(tool["strict"]);
  const { cache, rest } = decodeCache(tool["cache_control"]);
  if (description !== undefined) made.description = description;
  if (parameters !== undefined) made.parameters = parameters;
  if (strict !== undefined) made.strict = strict;
  if (cache !== undefined) made.cache = cache;
  const extra = mergeExtra(
    carried(tool, functionFields)?.extra,
    rest === undefined ? undefined : { [wire]: { cache_control: rest } },
  );
  if (extra !== undefined) made.extra = extra;
  return made;
};

export const decodeTools = (value: Json | undefined): Tool[] => {
  if (value === undefined || value === null) return [];
  const list = asArray(value);
  if (list === undefined) throw invalid("tools", "expected an array");
  return list.map((tool, at) => decodeTool(tool, `tools[${at}]`));
};

export const decodeToolChoice = (value: Json | undefined): { toolChoice?: ToolChoice; parallelToolCalls?: boolean } => {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw invalid("tool_choice", "expected an object");
  const disabled = asBoolean(value["disable_parallel_tool_use"]);
  const parallel = disabled === undefined ? {} : { parallelToolCalls: !disabled };
  switch (value["type"]) {
    case "auto":
    case "any":
    case "none":
      return { toolChoice: { type: value["type"] }, ...parallel };
    case "tool": {
      const name = asString(value["name"]);
      if (name === undefined) throw invalid("tool_choice.name", "expected a string");
      return { toolChoice: { type: "tool", name }, ...parallel };
    }
    default:
      return { toolChoice: { type: "native", wire, value }, ...parallel };
  }
};

/** This wire wants an object at the top of every schema. */
const inputSchema = (parameters: JsonObject | undefined): JsonObject => {
  if (parameters === undefined) return { type: "object", properties: {} };
  return parameters["type"] === undefined ? { type: "object", ...parameters } : parameters;
};

const encodeFunction = (tool: FunctionTool): JsonObject => {
  const encoded: JsonObject = { name: tool.name };
  if (tool.description !== undefined) encoded["description"] = tool.description;
  encoded["input_schema"] = inputSchema(tool.parameters);
  // false is the default here, and hosts that came later refuse the field.
  if (tool.strict === true) encoded["strict"] = true;
  const cache = encodeCache(tool.cache);
  if (cache !== undefined) encoded["cache_control"] = cache;
  return { ...encoded, ...nativeExtra(tool.extra) };
};

/** A hosted tool of another wire by this wire's name, with the options both have. */
const translateHosted = (kind: Kind, value: JsonObject): JsonObject => {
  const { type, name } = kinds[kind];
  const encoded: JsonObject = { type, name };
  if (kind !== "web-search") return encoded;
  const domains = asArray(asObject(value["filters"])?.["allowed_domains"]);
  const place = asObject(value["user_location"]);
  const located = asObject(place?.["approximate"]) ?? place;
  if (domains !== undefined) encoded["allowed_domains"] = domains;
  if (located !== undefined) {
    const location: JsonObject = { type: "approximate" };
    for (const field of ["city", "region", "country", "timezone"])
      if (typeof located[field] === "string") location[field] = located[field];
    encoded["user_location"] = location;
  }
  return encoded;
};

const encodeTool = (tool: Tool, hosted: boolean): JsonObject | undefined => {
  switch (tool.type) {
    case "function":
      return encodeFunction(tool);
    case "custom":
      return undefined;
    default:
      if (tool.wire === wire) return tool.value;
      return tool.kind === undefined || !hosted ? undefined : translateHosted(tool.kind, tool.value);
  }
};

/** `hosted`: whether the host runs Anthropic's own tools (Bedrock does not). */
export const encodeTools = (
  request: ChatRequest,
  hosted: boolean,
  dropped: string[],
): { tools?: JsonObject[]; toolChoice?: JsonObject } => {
  const { toolChoice: choice } = request;
  const allowed = choice?.type === "subset" ? new Set(choice.names) : undefined;
  const tools: JsonObject[] = [];
  request.tools.forEach((tool, at) => {
    const encoded = encodeTool(tool, hosted);
    if (encoded === undefined) dropped.push(`tools[${at}]`);
    else if (allowed === undefined || allowed.has(asString(encoded["name"]) ?? "")) tools.push(encoded);
  });
  const servers = asArray(nativeExtra(request.extra)?.["mcp_servers"]);
  if (tools.length === 0 && (servers === undefined || servers.length === 0)) {
    if (choice !== undefined && choice.type !== "auto" && choice.type !== "none") dropped.push("toolChoice");
    return {};
  }
  const toolChoice = encodeChoice(choice, request.parallelToolCalls, dropped);
  const found = tools.length === 0 ? {} : { tools };
  return toolChoice === undefined ? found : { ...found, toolChoice };
};

const encodeChoice = (
  choice: ToolChoice | undefined,
  parallel: boolean | undefined,
  dropped: string[],
): JsonObject | undefined => {
  const one = parallel === false ? { disable_parallel_tool_use: true } : {};
  if (choice === undefined) return parallel === false ? { type: "auto", ...one } : undefined;
  switch (choice.type) {
    case "none":
      return { type: "none" };
    case "auto":
    case "any":
      return { type: choice.type, ...one };
    case "tool":
      return { type: "tool", name: choice.name, ...one };
    case "subset":
      return { type: choice.required ? "any" : "auto", ...one };
    default:
      if (choice.wire === wire) return choice.value;
      dropped.push("toolChoice");
      return undefined;
  }
};

export const isForced = (choice: JsonObject | undefined): boolean =>
  choice?.["type"] === "any" || choice?.["type"] === "tool";
