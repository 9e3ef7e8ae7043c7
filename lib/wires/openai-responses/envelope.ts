// The Response object around an answer: what the caller asked for is echoed in all its required fields.
import type { Response } from "openai/resources/responses/responses";
import type { Json, JsonObject } from "../../model/json.ts";
import type { ChatRequest } from "../../model/request.ts";
import { encodeSystem } from "./input-encode.ts";
import { json, own } from "./names.ts";
import { encodeFormat, encodeReasoningOptions } from "./options.ts";
import { encodeTool, encodeToolChoice } from "./tools.ts";
import { nativeOrigin } from "./names.ts";

/** Every field that the SDK's type demands, and those that clients read without asking. */
type Echoed = Exclude<
  keyof Response,
  "id" | "created_at" | "output_text" | "model" | "output" | "usage" | "_request_id"
>;

const echoTool = (tool: ChatRequest["tools"][number]): JsonObject[] => {
  const encoded = encodeTool(tool);
  if (encoded === undefined) return [];
  return [tool.type === "function" ? { description: null, parameters: null, strict: null, ...encoded } : encoded];
};

/** The fields that are the same from `response.created` to the end. */
export const echo = (request: ChatRequest): JsonObject => {
  const same = own(request) ?? {};
  const reader = { maker: nativeOrigin, same: true };
  const told = (name: string, otherwise: Json): Json => same[name] ?? otherwise;
  const { sampling, metadata } = request;
  const text = same["text"];
  const fields = {
    object: "response",
    status: "in_progress",
    background: told("background", false),
    completed_at: null,
    error: null,
    incomplete_details: null,
    access_programs: told("access_programs", null),
    instructions: encodeSystem(request.system, reader).instructions ?? null,
    max_output_tokens: request.maxOutputTokens ?? null,
    max_tool_calls: told("max_tool_calls", null),
    metadata: metadata?.labels ?? {},
    parallel_tool_calls: request.parallelToolCalls ?? true,
    previous_response_id: told("previous_response_id", null),
    prompt_cache_key: request.cacheKey ?? null,
    reasoning: {
      effort: null,
      summary: null,
      ...(request.reasoning === undefined ? {} : encodeReasoningOptions(request.reasoning)),
    },
    safety_identifier: told("safety_identifier", null),
    service_tier: request.serviceTier ?? "default",
    store: told("store", false),
    temperature: sampling.temperature ?? 1,
    text: {
      ...(typeof text === "object" && !Array.isArray(text) ? text : {}),
      format: request.output === undefined ? { type: "text" } : encodeFormat(request.output),
      ...(request.verbosity === undefined ? {} : { verbosity: request.verbosity }),
    },
    tool_choice:
      request.toolChoice === undefined ? "auto" : (encodeToolChoice(request.toolChoice, request.tools) ?? "auto"),
    tools: request.tools.flatMap(echoTool),
    top_logprobs: sampling.topLogprobs ?? 0,
    top_p: sampling.topP ?? 1,
    truncation: told("truncation", "disabled"),
    user: told("user", null),
  } satisfies Partial<Record<Echoed | "store", Json>>;
  const { prompt, conversation } = same;
  return {
    ...json(fields),
    ...(prompt === undefined ? {} : { prompt }),
    ...(conversation === undefined ? {} : { conversation }),
  };
};
