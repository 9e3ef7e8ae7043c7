// A JSON schema enforced by a forced call where the target has nothing better: the call's arguments become the answer (F22).
import type { ChatResponse, StreamEvent } from "../../model/event.ts";
import type { Part } from "../../model/message.ts";
import type { FunctionTool, ChatRequest } from "../../model/request.ts";
import type { WireId } from "../../model/wire-id.ts";
import { anthropicFacts } from "../anthropic-messages/models.ts";
import type { Target } from "../wire.ts";
import type { Restorer } from "./restore.ts";

const toolName = "respond_with_json";

/** Whether the target enforces a schema by itself. */
const enforces = (wire: WireId, target: Target): boolean => {
  if (target.dialect.structuredOutput !== undefined) return target.dialect.structuredOutput === "json_schema";
  if (wire === "anthropic-messages" || wire === "bedrock-converse") return anthropicFacts(target.model).structuredOutput;
  return true;
};

/** `dropped` names what had to give way: thinking, where the model can't think under a forced call. */
export const enforceSchema = (
  request: ChatRequest,
  wire: WireId,
  target: Target,
): { request: ChatRequest; dropped: string[]; restore?: Restorer } => {
  const { output, ...rest } = request;
  if (output?.type !== "json-schema" || enforces(wire, target)) return { request, dropped: [] };
  // A schema that is no object can't be a tool's: it goes under a field, and comes out of it.
  const isObjectSchema = output.schema["type"] === "object" || output.schema["properties"] !== undefined;
  const parameters = isObjectSchema
    ? output.schema
    : { type: "object", properties: { value: output.schema }, required: ["value"], additionalProperties: false };
  const tool: FunctionTool = {
    type: "function",
    name: toolName,
    description: output.description ?? "Gives the final answer. Call this once, when the answer is ready.",
    parameters,
  };
  const alone = request.tools.length === 0 || request.toolChoice?.type === "none";
  const dropped: string[] = [];
  const adapted: ChatRequest = {
    ...rest,
    tools: alone ? [tool] : [...request.tools, tool],
    toolChoice: alone ? { type: "tool", name: toolName } : (request.toolChoice?.type === "tool" ? request.toolChoice : { type: "any" }),
  };
  if (alone) adapted.parallelToolCalls = false;
  const oldClaude = (wire === "anthropic-messages" || wire === "bedrock-converse") && !anthropicFacts(target.model).adaptive;
  if (adapted.reasoning !== undefined && adapted.reasoning.effort !== "none" && oldClaude) {
    delete adapted.reasoning;
    dropped.push("reasoning");
  }
  return { request: adapted, dropped, restore: asText(isObjectSchema) };
};

const unwrap = (text: string): string => {
  try {
    const value = JSON.parse(text) as { value?: unknown };
    return JSON.stringify(value.value ?? null);
  } catch {
    return text;
  }
};

const asText = (isObjectSchema: boolean): Restorer => {
  const ours = new Set<number>();
  const held = new Map<number, string>();
  let others = false;
  const reasonOf = (reason: ChatResponse["reason"], found: boolean, rest: boolean): ChatResponse["reason"] =>
    reason === "tool-calls" && found && !rest ? "end" : reason;
  return {
    response: (response) => {
      const found = response.parts.some((part) => part.type === "tool-call" && part.name === toolName);
      const rest = response.parts.some((part) => part.type === "tool-call" && part.name !== toolName);
      if (!found) return response;
      return {
        ...response,
        reason: reasonOf(response.reason, found, rest),
        // What was said beside the answer would spoil its JSON.
        parts: response.parts.flatMap((part): Part[] => {
          if (part.type === "text") return [];
          return part.type === "tool-call" && part.name === toolName
            ? [{ type: "text", text: isObjectSchema ? part.arguments : unwrap(part.arguments) }]
            : [part];
        }),
      };
    },
    events: (events) =>
      events.flatMap((event): StreamEvent[] => {
        if (event.type === "part-start") {
          if (event.part.type !== "tool-call") return [event];
          if (event.part.name !== toolName) {
            others = true;
            return [event];
          }
          ours.add(event.index);
          const begun = event.part.arguments;
          held.set(event.index, begun);
          const start: StreamEvent = { ...event, part: { type: "text", text: "" } };
          return isObjectSchema && begun !== "" ? [start, { type: "part-delta", index: event.index, delta: { type: "text", text: begun } }] : [start];
        }
        if (event.type === "part-delta" && ours.has(event.index)) {
          if (event.delta.type !== "arguments") return [];
          if (isObjectSchema) return [{ ...event, delta: { type: "text", text: event.delta.text } }];
          held.set(event.index, (held.get(event.index) ?? "") + event.delta.text);
          return [];
        }
        if (event.type === "part-end" && ours.has(event.index)) {
          const end: StreamEvent = { type: "part-end", index: event.index };
          if (isObjectSchema) return [end];
          return [{ type: "part-delta", index: event.index, delta: { type: "text", text: unwrap(held.get(event.index) ?? "") } }, end];
        }
        if (event.type === "response-end") return [{ ...event, reason: reasonOf(event.reason, ours.size > 0, others) }];
        return [event];
      }),
  };
};
