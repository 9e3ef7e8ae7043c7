// Tools and the choice among them.
import type { FunctionCallingMode } from "@google/generative-ai";
import type { Json, JsonObject } from "../../model/json.ts";
import type { ChatRequest, FunctionTool, HostedTool, Tool, ToolChoice } from "../../model/request.ts";
import type { ModelFacts } from "./models.ts";
import { asObject, compact, isObject, unknownFields } from "../../model/json.ts";
import { invalid } from "../../model/error.ts";
import { asExtra, camel, isAbsent, listAt, objectAt, own, stringAt, wireId } from "./names.ts";
import { toJsonSchema } from "./schema.ts";

/** Hosted tools with the same meaning on other wires; the first name of a kind is the one that is written. */
const kinds: readonly (readonly [string, NonNullable<HostedTool["kind"]>])[] = [
  ["googleSearch", "web-search"],
  ["googleSearchRetrieval", "web-search"],
  ["enterpriseWebSearch", "web-search"],
  ["codeExecution", "code-execution"],
  ["urlContext", "web-fetch"],
];

const knownOfFunction = new Set(["name", "description", "parameters", "parametersJsonSchema"]);

const decodeFunction = (raw: Json, param: string): FunctionTool => {
  if (!isObject(raw)) throw invalid(param, "expected a function declaration");
  const native = camel(raw);
  const name = stringAt(native["name"], `${param}.name`);
  if (name === undefined) throw invalid(`${param}.name`, "required");
  const jsonSchema = native["parametersJsonSchema"];
  const openApi = native["parameters"];
  if (!isAbsent(jsonSchema) && !isObject(jsonSchema))
    throw invalid(`${param}.parametersJsonSchema`, "expected a JSON schema");
  if (!isAbsent(openApi) && !isObject(openApi)) throw invalid(`${param}.parameters`, "expected a schema");
  const parameters = isObject(jsonSchema) ? jsonSchema : isObject(openApi) ? toJsonSchema(openApi) : undefined;
  const rest: JsonObject = { ...unknownFields(native, knownOfFunction) };
  if (!isObject(jsonSchema) && isObject(openApi)) rest["parameters"] = openApi;
  return compact<FunctionTool>({
    type: "function",
    name,
    description: stringAt(native["description"], `${param}.description`),
    parameters,
    extra: asExtra(rest),
  });
};

export const decodeTools = (value: Json | undefined): Tool[] => {
  const tools: Tool[] = [];
  for (const [at, entry] of listAt(value, "tools").entries()) {
    const param = `tools[${at}]`;
    const tool = objectAt(entry, param) ?? {};
    for (const key in tool) {
      const part = tool[key];
      if (part === undefined) continue;
      if (key === "functionDeclarations") {
        for (const [index, declaration] of listAt(part, `${param}.${key}`).entries())
          tools.push(decodeFunction(declaration, `${param}.${key}[${index}]`));
        continue;
      }
      const kind = kinds.find(([name]) => name === key)?.[1];
      tools.push(compact<HostedTool>({ type: "hosted", wire: wireId, kind, value: { [key]: part } }));
    }
  }
  return tools;
};

/** A free-form tool is a function of one text here; its calls come back as `{input}`. */
const customParameters: JsonObject = {
  type: "object",
  properties: { input: { type: "string" } },
  required: ["input"],
};

const encodeFunction = (tool: FunctionTool): JsonObject => {
  const rest = own(tool.extra);
  const native: JsonObject = { name: tool.name };
  if (tool.description !== undefined) native["description"] = tool.description;
  // A client's own OpenAPI form stays as it was written; JSON Schema has a field that takes `$ref`, unions and the like (F19).
  if (rest?.["parameters"] === undefined && tool.parameters !== undefined) {
    const schema = tool.parameters;
    if (Object.keys(schema).length > 0) native["parametersJsonSchema"] = schema;
  }
  return { ...native, ...rest };
};

export type EncodedTools = {
  tools: JsonObject[];
  hasFunctions: boolean;
  /** Functions beside a foreign hosted tool: Gemini wants to be told that it may run both. */
  mixed: boolean;
};

export const encodeTools = (tools: readonly Tool[], facts: ModelFacts, dropped: string[]): EncodedTools => {
  const result: JsonObject[] = [];
  const declarations: JsonObject[] = [];
  let mixed = false;
  const declare = (declaration: JsonObject): void => {
    if (declarations.length === 0) result.push({ functionDeclarations: declarations });
    declarations.push(declaration);
  };
  const hasFunctions = tools.some((tool) => tool.type !== "hosted");
  for (const [at, tool] of tools.entries()) {
    if (tool.type === "function") {
      declare(encodeFunction(tool));
      if (tool.strict === true) dropped.push(`tools[${at}].strict`);
    } else if (tool.type === "custom") {
      declare(
        compact<JsonObject>({ name: tool.name, description: tool.description, parametersJsonSchema: customParameters }),
      );
      if (tool.format !== undefined && tool.format["type"] !== "text") dropped.push(`tools[${at}].format`);
    } else if (tool.wire === wireId) result.push(tool.value);
    else {
      const name = kinds.find(([, kind]) => kind === tool.kind)?.[0];
      if (name === undefined || (hasFunctions && !facts.mixesTools)) dropped.push(`tools[${at}]`);
      else {
        result.push({ [name]: {} });
        mixed ||= hasFunctions;
      }
    }
  }
  return { tools: result, hasFunctions, mixed };
};

type Mode = `${FunctionCallingMode}` | "VALIDATED";

const knownOfCalling = new Set(["mode", "allowedFunctionNames"]);
const knownOfToolConfig = new Set(["functionCallingConfig"]);

/** `rest`: what the neutral choice does not say, for the same wire. */
export const decodeToolChoice = (
  value: Json | undefined,
): { choice: ToolChoice | undefined; rest: JsonObject | undefined } => {
  const config = objectAt(value, "toolConfig");
  if (config === undefined) return { choice: undefined, rest: undefined };
  const rest: JsonObject = { ...unknownFields(config, knownOfToolConfig) };
  const calling = objectAt(config["functionCallingConfig"], "toolConfig.functionCallingConfig");
  if (calling === undefined) return { choice: undefined, rest };
  const beyond: JsonObject = { ...unknownFields(calling, knownOfCalling) };
  rest["functionCallingConfig"] = beyond;
  const mode = stringAt(calling["mode"], "toolConfig.functionCallingConfig.mode")?.toUpperCase();
  const names = listAt(calling["allowedFunctionNames"], "toolConfig.functionCallingConfig.allowedFunctionNames").filter(
    (name) => typeof name === "string",
  );
  const [only] = names;
  if (mode === "NONE") return { choice: { type: "none" }, rest };
  if (mode === "ANY") {
    if (only === undefined) return { choice: { type: "any" }, rest };
    if (names.length === 1) return { choice: { type: "tool", name: only }, rest };
    return { choice: { type: "subset", names, required: true }, rest };
  }
  if (mode === "VALIDATED" && names.length > 0) return { choice: { type: "subset", names, required: false }, rest };
  // AUTO ignores names, and unknown modes are Gemini's alone: both go back as they came.
  if (names.length > 0) beyond["allowedFunctionNames"] = names;
  if (mode !== undefined && mode !== "AUTO") beyond["mode"] = mode;
  return { choice: mode === undefined ? undefined : { type: "auto" }, rest };
};

const encodeChoice = (choice: ToolChoice, dropped: string[]): { mode?: Mode; allowedFunctionNames?: string[] } => {
  switch (choice.type) {
    case "auto":
      return { mode: "AUTO" };
    case "none":
      return { mode: "NONE" };
    case "any":
      return { mode: "ANY" };
    case "tool":
      return { mode: "ANY", allowedFunctionNames: [choice.name] };
    case "subset":
      return { mode: choice.required ? "ANY" : "VALIDATED", allowedFunctionNames: choice.names };
    case "native":
      break;
  }
  dropped.push("toolChoice");
  return {};
};

export const encodeToolConfig = (
  request: ChatRequest,
  { hasFunctions, mixed }: EncodedTools,
  dropped: string[],
): JsonObject | undefined => {
  const { functionCallingConfig: kept, ...config }: JsonObject = { ...asObject(own(request.extra)?.["toolConfig"]) };
  const calling = asObject(kept);
  // Without functions a choice is an error to Gemini; a Gemini client's own mistake is its own to hear of.
  const choice =
    request.toolChoice !== undefined && (hasFunctions || calling !== undefined)
      ? encodeChoice(request.toolChoice, dropped)
      : {};
  const merged: JsonObject = {
    ...choice,
    ...(request.toolChoice?.type === "auto" || choice.mode === undefined ? calling : withoutChoice(calling)),
  };
  if (calling !== undefined || choice.mode !== undefined) config["functionCallingConfig"] = merged;
  if (mixed) config["includeServerSideToolInvocations"] = true;
  if (request.parallelToolCalls === false && hasFunctions) dropped.push("parallelToolCalls");
  return Object.keys(config).length > 0 ? config : undefined;
};

/** A choice that was changed on the way wins over what the client wrote. */
const withoutChoice = (calling: JsonObject | undefined): JsonObject | undefined =>
  calling === undefined ? undefined : unknownFields(calling, knownOfCalling);
