// A JSON schema enforced by a call where the target has nothing better: the call's arguments become the answer (F22).
import type { ChatResponse } from "../../model/event.ts";
import { GatewayError } from "../../model/error.ts";
import type { Part, TextPart } from "../../model/message.ts";
import type { ChatRequest, FunctionTool, OutputFormat, ToolChoice } from "../../model/request.ts";
import type { WireId } from "../../model/wire-id.ts";
import { targetFacts } from "../anthropic-messages/models.ts";
import type { Target } from "../wire.ts";
import type { Restorer } from "./restore.ts";
import { schemaToolEvents, unwrap } from "./schema-tool-events.ts";

const schemaToolName = "respond_with_json";

type SchemaOutput = Extract<OutputFormat, { type: "json-schema" }>;
type Enforced = { request: ChatRequest; dropped: string[]; restore?: Restorer };

const isClaudes = (wire: WireId): boolean => wire === "anthropic-messages" || wire === "bedrock-converse";

/** Whether the target enforces a schema by itself. */
const enforces = (wire: WireId, target: Target): boolean => {
  if (target.dialect.structuredOutput !== undefined) return target.dialect.structuredOutput === "json_schema";
  return isClaudes(wire) ? targetFacts(target).structuredOutput : true;
};

/** What may be told of a schema to a host that makes JSON but enforces no schema: it must be asked for JSON in words, too. */
const inWords = (output: SchemaOutput): TextPart => ({
  type: "text",
  text: `Answer with nothing but one JSON value that fits this JSON Schema:\n${JSON.stringify(output.schema)}`,
});

const isObjectSchema = (output: SchemaOutput): boolean =>
  output.schema["type"] === "object" || output.schema["properties"] !== undefined;

/** A schema that is no object can't be a tool's: it goes under a field, and comes out of it. */
const schemaTool = (output: SchemaOutput): FunctionTool => ({
  type: "function",
  name: schemaToolName,
  description: output.description ?? "Gives the final answer. Call this once, when the answer is ready.",
  parameters: isObjectSchema(output)
    ? output.schema
    : { type: "object", properties: { value: output.schema }, required: ["value"], additionalProperties: false },
});

/**
 * `dropped` names what had to give way: thinking, where the model can't think under a forced call; the schema, where the host can't be
 * forced and is only asked. Throws `unsupported_field` where it can't even be asked.
 */
export const enforceSchema = (request: ChatRequest, wire: WireId, target: Target): Enforced => {
  const { output, ...rest } = request;
  if (output?.type !== "json-schema" || enforces(wire, target)) return { request, dropped: [] };
  const { structuredOutput, toolChoiceRequired } = target.dialect;
  const forces = toolChoiceRequired !== false;
  // The encoder asks for JSON, and names the schema as dropped.
  if (!forces && structuredOutput === "json_object")
    return { request: { ...request, system: [...request.system, inWords(output)] }, dropped: [] };
  if (!forces && structuredOutput === "none")
    throw new GatewayError("unsupported_field", "The target model can't be held to a JSON schema.", {
      param: "response_format",
    });

  const alone = request.tools.length === 0 || request.toolChoice?.type === "none";
  const dropped: string[] = [];
  const adapted: ChatRequest = {
    ...rest,
    tools: alone ? [schemaTool(output)] : [...request.tools, schemaTool(output)],
    toolChoice: forces ? forcedChoice(request, alone) : { type: "auto" },
  };
  if (!forces) dropped.push("response_format");
  if (alone) adapted.parallelToolCalls = false;
  if (
    adapted.reasoning !== undefined &&
    adapted.reasoning.effort !== "none" &&
    isClaudes(wire) &&
    !targetFacts(target).adaptive
  ) {
    delete adapted.reasoning;
    dropped.push("reasoning");
  }
  return { request: adapted, dropped, restore: asText(isObjectSchema(output)) };
};

const forcedChoice = ({ toolChoice }: ChatRequest, alone: boolean): ToolChoice => {
  if (alone) return { type: "tool", name: schemaToolName };
  if (toolChoice?.type === "tool") return toolChoice;
  return toolChoice?.type === "subset"
    ? { ...toolChoice, names: [...toolChoice.names, schemaToolName], required: true }
    : { type: "any" };
};

const isOurs = (part: Part): boolean => part.type === "tool-call" && part.name === schemaToolName;

const asText = (isObject: boolean): Restorer => ({
  events: schemaToolEvents(schemaToolName, isObject),
  response: (response): ChatResponse => {
    if (!response.parts.some(isOurs)) return response;
    const others = response.parts.some((part) => part.type === "tool-call" && !isOurs(part));
    const parts = response.parts.flatMap((part): Part[] => {
      // What was said beside the answer would spoil its JSON.
      if (part.type === "text" && !others) return [];
      if (part.type !== "tool-call" || !isOurs(part)) return [part];
      return [{ type: "text", text: isObject ? part.arguments : unwrap(part.arguments) }];
    });
    const { native: _native, ...rest } = response;
    return response.reason === "tool-calls" && !others ? { ...rest, reason: "end", parts } : { ...response, parts };
  },
});
