// A client's request. What only this wire knows stays in `extra`, the state fields (`store`, `previous_response_id`, …) among it:
// the gateway decides about those.
import { asBoolean, asNumber, asObject, asString, compact, type JsonObject } from "../../model/json.ts";
import { invalid } from "../../model/error.ts";
import type { ChatRequest, Sampling } from "../../model/request.ts";
import type { RequestContext } from "../wire.ts";
import { decodeInput } from "./input-decode.ts";
import { extraOf } from "./names.ts";
import { decodeReasoningOptions, decodeText } from "./options.ts";
import { decodeToolChoice, decodeTools } from "./tools.ts";

/** The fields with a neutral form. `user` and `safety_identifier` have one and stay, as both may be there. */
const known: ReadonlySet<string> = new Set([
  "model",
  "stream",
  "input",
  "instructions",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "text",
  "reasoning",
  "max_output_tokens",
  "temperature",
  "top_p",
  "top_logprobs",
  "metadata",
  "prompt_cache_key",
  "service_tier",
]);

type Reader<T> = { read: (value: unknown) => T | undefined; expected: string };
const aNumber: Reader<number> = { read: asNumber, expected: "expected a number" };
const aString: Reader<string> = { read: asString, expected: "expected a string" };
const aBoolean: Reader<boolean> = { read: asBoolean, expected: "expected a boolean" };
const anObject: Reader<JsonObject> = { read: asObject, expected: "expected an object" };

/** Absent where null. */
const field = <T>(body: JsonObject, name: string, reader: Reader<T>): T | undefined => {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  const found = reader.read(value);
  if (found === undefined) throw invalid(name, reader.expected);
  return found;
};

export const decodeRequest = (body: JsonObject, context: RequestContext): ChatRequest => {
  const model = field(body, "model", aString) ?? context.model;
  if (model === undefined || model === "") throw invalid("model", "expected a model's name");
  const { system, messages } = decodeInput(body["input"]);
  const instructions = field(body, "instructions", aString);
  if (instructions !== undefined) system.unshift({ type: "text", text: instructions });
  const text = decodeText(body["text"]);
  const maxOutputTokens = field(body, "max_output_tokens", aNumber);
  if (maxOutputTokens !== undefined && (maxOutputTokens < 1 || !Number.isInteger(maxOutputTokens)))
    throw invalid("max_output_tokens", "expected a positive integer");
  const labels = field(body, "metadata", anObject);
  const userId = field(body, "safety_identifier", aString) ?? field(body, "user", aString);
  const extra: JsonObject = {};
  for (const name in body) if (!known.has(name) && body[name] !== undefined) extra[name] = body[name];
  if (text.left !== undefined) extra["text"] = text.left;
  return compact<ChatRequest>({
    model,
    stream: field(body, "stream", aBoolean) ?? context.stream ?? false,
    system,
    messages,
    tools: decodeTools(body["tools"]),
    toolChoice: decodeToolChoice(body["tool_choice"]),
    parallelToolCalls: field(body, "parallel_tool_calls", aBoolean),
    output: text.output,
    sampling: compact<Sampling>({
      temperature: field(body, "temperature", aNumber),
      topP: field(body, "top_p", aNumber),
      topLogprobs: field(body, "top_logprobs", aNumber),
    }),
    maxOutputTokens,
    reasoning: decodeReasoningOptions(body["reasoning"]),
    verbosity: text.verbosity,
    serviceTier: field(body, "service_tier", aString),
    metadata:
      labels === undefined && userId === undefined
        ? undefined
        : compact<{ userId?: string; labels?: JsonObject }>({ userId, labels }),
    cacheKey: field(body, "prompt_cache_key", aString),
    extra: extraOf(extra),
  });
};
