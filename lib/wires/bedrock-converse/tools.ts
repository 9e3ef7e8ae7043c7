// `toolConfig`: tools, their cache points, and which of them must or may be called.
import type { Json, JsonObject } from "../../model/json.ts";
import type { ChatRequest, CustomTool, FunctionTool, HostedTool, Tool, ToolChoice } from "../../model/request.ts";
import { invalid } from "../../model/error.ts";
import { asBoolean, asObject, asString, compact, isObject, unknownFields } from "../../model/json.ts";
import type { Target } from "../wire.ts";
import { cacheHintOf } from "./content.ts";
import { calledNames, hasResults } from "./history.ts";
import { asExtra, listAt, objectAt, own, wireId } from "./names.ts";
import { cachePoint, type Writer } from "./parts.ts";

/** Tools that Bedrock runs itself, and what they are elsewhere; Nova's models have them. */
const systemTools: readonly (readonly [string, NonNullable<HostedTool["kind"]>])[] = [
  ["nova_grounding", "web-search"],
  ["nova_code_interpreter", "code-execution"],
];

const knownOfSpec = new Set(["name", "description", "inputSchema", "strict"]);

const decodeTool = (entry: JsonObject, path: string): Tool => {
  const spec = asObject(entry["toolSpec"]);
  if (spec !== undefined) {
    const name = asString(spec["name"]);
    if (name === undefined) throw invalid(`${path}.toolSpec.name`, "expected a string");
    return compact<FunctionTool>({
      type: "function",
      name,
      description: asString(spec["description"]),
      parameters: asObject(asObject(spec["inputSchema"])?.["json"]),
      strict: asBoolean(spec["strict"]),
      extra: asExtra(unknownFields(spec, knownOfSpec)),
    });
  }
  const system = asString(asObject(entry["systemTool"])?.["name"]);
  const kind = systemTools.find(([name]) => name === system)?.[1];
  return compact<HostedTool>({ type: "hosted", wire: wireId, kind, value: entry });
};

export const decodeTools = (value: Json | undefined): Tool[] => {
  const tools: Tool[] = [];
  for (const [at, entry] of listAt(value, "toolConfig.tools").entries()) {
    const path = `toolConfig.tools[${at}]`;
    if (!isObject(entry)) throw invalid(path, "expected a tool");
    const hint = cacheHintOf(entry);
    const last = tools.at(-1);
    if (hint !== undefined && last?.type === "function" && last.cache === undefined) last.cache = hint;
    else tools.push(decodeTool(entry, path));
  }
  return tools;
};

export const decodeToolChoice = (value: Json | undefined): ToolChoice | undefined => {
  const choice = objectAt(value, "toolConfig.toolChoice");
  if (choice === undefined) return undefined;
  if (isObject(choice["auto"])) return { type: "auto" };
  if (isObject(choice["any"])) return { type: "any" };
  const name = asString(asObject(choice["tool"])?.["name"]);
  return name === undefined ? { type: "native", wire: wireId, value: choice } : { type: "tool", name };
};

const anyObject: JsonObject = { type: "object", properties: {} };

/** A free-form tool is a function of one text here; its calls come back as `{input}`. */
const oneText: JsonObject = { type: "object", properties: { input: { type: "string" } }, required: ["input"] };

const functionSpec = (tool: FunctionTool): JsonObject => ({
  toolSpec: compact<JsonObject>({
    name: tool.name,
    description: tool.description === "" ? undefined : tool.description,
    inputSchema: { json: tool.parameters ?? anyObject },
    strict: tool.strict,
    ...own(tool.extra),
  }),
});

const customSpec = (tool: CustomTool): JsonObject => ({
  toolSpec: compact<JsonObject>({ name: tool.name, description: tool.description, inputSchema: { json: oneText } }),
});

const encodeTool = (tool: Tool, at: number, writer: Writer): JsonObject[] => {
  const path = `tools[${at}]`;
  if (tool.type === "custom") {
    if (tool.format !== undefined && tool.format["type"] !== "text") writer.drop(`${path}.format`);
    return [customSpec(tool)];
  }
  if (tool.type === "hosted") {
    if (tool.wire === wireId) return [tool.value];
    const name = systemTools.find(([, kind]) => kind === tool.kind)?.[0];
    if (name !== undefined && writer.family === "nova-2") return [{ systemTool: { name } }];
    writer.drop(path);
    return [];
  }
  const spec = functionSpec(tool);
  if (tool.cache === undefined) return [spec];
  // Nova caches the system's text and messages, no tools.
  if (writer.family === "claude" || writer.family === "unknown")
    return [spec, cachePoint(tool.cache.ttl, writer.family)];
  writer.drop(`${path}.cache`);
  return [spec];
};

type Choice = { choice?: JsonObject; only?: ReadonlySet<string>; none?: boolean };

const encodeChoice = (choice: ToolChoice | undefined, writer: Writer, mayForce: boolean): Choice => {
  const forced = (value: JsonObject): JsonObject => {
    if (mayForce) return value;
    writer.drop("toolChoice");
    return { auto: {} };
  };
  if (choice === undefined) return {};
  switch (choice.type) {
    case "auto":
      return { choice: { auto: {} } };
    case "any":
      return { choice: forced({ any: {} }) };
    case "tool":
      return { choice: forced({ tool: { name: choice.name } }) };
    case "none":
      return { none: true };
    case "subset":
      return { only: new Set(choice.names), choice: choice.required ? forced({ any: {} }) : { auto: {} } };
    default:
      if (choice.wire === wireId) return { choice: choice.value };
      writer.drop("toolChoice");
      return {};
  }
};

export type EncodedTools = {
  toolConfig?: JsonObject;
  /** Claude's own `tool_choice`, which says what Bedrock's can't. */
  modelFields?: JsonObject;
};

/** Claude's spelling of a choice. */
const claudeChoice = (choice: JsonObject | undefined): JsonObject => {
  const name = asString(asObject(choice?.["tool"])?.["name"]);
  if (name !== undefined) return { type: "tool", name };
  return { type: choice?.["any"] === undefined ? "auto" : "any" };
};

/**
 * Where the history holds calls or results, Bedrock wants tools declared, whatever the caller wishes now: they are kept with
 * the choice `none`, and made up from the calls where the caller sends none any more.
 */
export const encodeTools = (request: ChatRequest, target: Target, writer: Writer): EncodedTools => {
  const { choice, only, none } = encodeChoice(request.toolChoice, writer, target.dialect.toolChoiceRequired !== false);
  const declared = request.tools.flatMap((tool, at) =>
    only !== undefined && tool.type !== "hosted" && !only.has(tool.name) ? [] : encodeTool(tool, at, writer),
  );
  const called = calledNames(request.messages);
  const needed = called.length > 0 || hasResults(request.messages);
  const isSpec = (tool: JsonObject): boolean => tool["cachePoint"] === undefined;
  if (!declared.some(isSpec) || (none === true && !needed)) {
    if (!needed) return {};
    const names = called.length > 0 ? called : ["tool"];
    return { toolConfig: { tools: names.map((name) => ({ toolSpec: { name, inputSchema: { json: anyObject } } })) } };
  }
  const isClaude = writer.family === "claude";
  const single = request.parallelToolCalls === false && none !== true;
  if (!isClaude && none === true) writer.drop("toolChoice");
  if (!isClaude && single) writer.drop("parallelToolCalls");
  if (isClaude && (single || none === true))
    return {
      toolConfig: { tools: declared },
      modelFields: {
        tool_choice: none === true ? { type: "none" } : { ...claudeChoice(choice), disable_parallel_tool_use: true },
      },
    };
  return { toolConfig: compact<JsonObject>({ tools: declared, toolChoice: choice }) };
};
