// A run as it is asked for: what its model is to do, and how its thread takes it.
import { invalid } from "../../model/error.ts";
import { compact, type JsonObject } from "../../model/json.ts";
import type { ChatRequest, FunctionTool, OutputFormat, ReasoningEffort, ToolChoice } from "../../model/request.ts";
import type { NewMessage } from "../../threads/message-items.ts";
import type { OnConflict } from "../../threads/turns.ts";
import { type Fields, fieldsOf } from "./fields.ts";
import { newMessages, parentOf } from "./input.ts";

export type AskedRun = {
  request: ChatRequest;
  messages: NewMessage[];
  background: boolean;
  parentId?: string | null;
  onConflict?: OnConflict;
  metadata?: JsonObject;
  id?: string;
};

export const runFields = [
  "model",
  "messages",
  "input",
  "stream",
  "background",
  "instructions",
  "tools",
  "tool_choice",
  "max_output_tokens",
  "temperature",
  "top_p",
  "stop",
  "reasoning",
  "output",
  "parent_id",
  "on_conflict",
  "metadata",
  "run_id",
] as const;

const efforts: readonly ReasoningEffort[] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

const toolsOf = (fields: Fields): FunctionTool[] => {
  const names = new Set<string>();
  return (fields.list("tools", { max: 128 }) ?? []).map(({ value, path }) => {
    const tool = fieldsOf(value, path, ["name", "description", "parameters", "strict"]);
    const name = tool.needText("name", { min: 1, max: 128 });
    if (names.has(name)) throw invalid(tool.at("name"), "there is a tool of this name before it");
    names.add(name);
    return compact<FunctionTool>({
      type: "function",
      name,
      description: tool.text("description"),
      parameters: tool.json("parameters"),
      strict: tool.flag("strict"),
    });
  });
};

const choiceWords = { auto: "auto", none: "none", required: "any" } as const;

const toolChoiceOf = (fields: Fields, tools: readonly FunctionTool[]): ToolChoice | undefined => {
  const given = fields.given("tool_choice");
  if (given === undefined || given === null) return undefined;
  const expected = "expected auto, none, required, or {name}";
  if (typeof given !== "object") {
    const word = fields.oneOf("tool_choice", ["auto", "none", "required"]);
    if (word === undefined) throw invalid("tool_choice", expected);
    if (word === "required" && tools.length === 0) throw invalid("tool_choice", "expected tools to choose from");
    return { type: choiceWords[word] };
  }
  const choice = fields.object("tool_choice", ["name"]);
  if (choice === undefined) throw invalid("tool_choice", expected);
  const name = choice.needText("name");
  if (!tools.some((tool) => tool.name === name))
    throw invalid(choice.at("name"), "expected the name of one of the tools");
  return { type: "tool", name };
};

const stopOf = (fields: Fields): string[] | undefined => {
  const given = fields.given("stop");
  if (typeof given === "string") return [fields.needText("stop")];
  return fields.list("stop", { max: 16 })?.map(({ value, path }) => {
    if (typeof value !== "string" || value === "") throw invalid(path, "expected a string that is not empty");
    return value;
  });
};

const outputOf = (fields: Fields): OutputFormat | undefined => {
  const output = fields.object("output", ["type", "schema", "name", "description", "strict"]);
  if (output === undefined) return undefined;
  if (output.oneOf("type", ["json_schema"]) === undefined) throw invalid(output.at("type"), "expected json_schema");
  const schema = output.json("schema");
  if (schema === undefined) throw invalid(output.at("schema"), "expected a JSON Schema");
  return compact<OutputFormat>({
    type: "json-schema",
    schema,
    name: output.text("name", { min: 1, max: 64 }),
    description: output.text("description"),
    strict: output.flag("strict"),
  });
};

const messagesOf = (fields: Fields): NewMessage[] => {
  const input = fields.text("input", { min: 1 });
  const messages = newMessages(fields, "messages");
  if (input === undefined) return messages ?? [];
  if (messages !== undefined) throw invalid("input", "expected messages or input, not both");
  return [{ message: { role: "user", parts: [{ type: "text", text: input }] } }];
};

/** Throws a 400 that names the field. The messages are apart: they are the thread's. */
export const decodeRun = (fields: Fields): AskedRun => {
  const model = fields.needText("model", { min: 1, max: 512 });
  const tools = toolsOf(fields);
  const instructions = fields.text("instructions", { min: 1 });
  const reasoning = fields.object("reasoning", ["effort"]);
  const effort = reasoning?.oneOf("effort", efforts);
  const parentId = parentOf(fields);
  const asked = compact<AskedRun>({
    request: compact<ChatRequest>({
      model,
      stream: fields.flag("stream") ?? false,
      system: instructions === undefined ? [] : [{ type: "text", text: instructions }],
      messages: [],
      tools,
      toolChoice: toolChoiceOf(fields, tools),
      output: outputOf(fields),
      sampling: compact<ChatRequest["sampling"]>({
        temperature: fields.number("temperature", 0, 2),
        topP: fields.number("top_p", 0, 1),
        stop: stopOf(fields),
      }),
      maxOutputTokens: fields.whole("max_output_tokens", 1),
      reasoning: effort === undefined ? undefined : { effort },
    }),
    messages: messagesOf(fields),
    background: fields.flag("background") ?? false,
    onConflict: fields.oneOf("on_conflict", ["reject", "enqueue", "interrupt"]),
    metadata: fields.pairs("metadata"),
    id: fields.text("run_id"),
  });
  if (parentId !== undefined) asked.parentId = parentId;
  return asked;
};
