// A client's request. What only this wire knows stays in `extra`, and so do fields with several spellings, as they were written.
import { invalid } from "../../model/error.ts";
import { asArray, asBoolean, asNumber, asObject, asString, compact, type JsonObject } from "../../model/json.ts";
import type { ChatRequest, Sampling } from "../../model/request.ts";
import type { RequestContext } from "../wire.ts";
import { decodeMessages } from "./messages-decode.ts";
import { extraOf, rest } from "./names.ts";
import { decodeOutput, decodeReasoning, reasoningFields } from "./options.ts";
import { decodeToolChoice, decodeTools } from "./tools.ts";

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

/** Sampling fields that differ from the model in name alone. */
export const samplingFields = {
  temperature: "temperature",
  topP: "top_p",
  seed: "seed",
  presencePenalty: "presence_penalty",
  frequencyPenalty: "frequency_penalty",
  topLogprobs: "top_logprobs",
  candidates: "n",
} as const satisfies Partial<Record<keyof Sampling, string>>;

/** The fields with a neutral form. `user`, `top_k` and the like have one and stay, as only some targets know them. */
const known: ReadonlySet<string> = new Set([
  "model",
  "messages",
  "stream",
  "tools",
  "functions",
  "web_search_options",
  "tool_choice",
  "function_call",
  "parallel_tool_calls",
  "max_tokens",
  "max_completion_tokens",
  "stop",
  "logprobs",
  "logit_bias",
  "verbosity",
  "service_tier",
  "metadata",
  "prompt_cache_key",
  ...reasoningFields,
  ...Object.values(samplingFields),
]);

const decodeStop = (body: JsonObject): string[] | undefined => {
  const value = body["stop"];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return [value];
  const list = asArray(value);
  if (list === undefined || !list.every((entry) => typeof entry === "string"))
    throw invalid("stop", "expected a string or an array of strings");
  return list;
};

const decodeSampling = (body: JsonObject): Sampling => {
  const sampling: Sampling = {};
  for (const name of Object.keys(samplingFields) as (keyof typeof samplingFields)[]) {
    const value = field(body, samplingFields[name], aNumber);
    if (value !== undefined) sampling[name] = value;
  }
  return compact<Sampling>({
    ...sampling,
    topK: asNumber(body["top_k"]),
    stop: decodeStop(body),
    logprobs: field(body, "logprobs", aBoolean),
    logitBias: field(body, "logit_bias", anObject),
  });
};

export const decodeRequest = (body: JsonObject, context: RequestContext): ChatRequest => {
  const model = field(body, "model", aString) ?? context.model;
  if (model === undefined || model === "") throw invalid("model", "expected a model's name");
  const { system, messages } = decodeMessages(body["messages"]);
  const limitName = (body["max_completion_tokens"] ?? null) === null ? "max_tokens" : "max_completion_tokens";
  const maxOutputTokens = field(body, limitName, aNumber);
  if (maxOutputTokens !== undefined && (maxOutputTokens < 1 || !Number.isInteger(maxOutputTokens)))
    throw invalid(limitName, "expected a positive integer");
  const sampling = decodeSampling(body);
  if (sampling.candidates !== undefined && (sampling.candidates < 1 || !Number.isInteger(sampling.candidates)))
    throw invalid("n", "expected a positive integer");
  const streamOptions = field(body, "stream_options", anObject);
  const output = decodeOutput(body["response_format"]);
  const userId = field(body, "safety_identifier", aString) ?? field(body, "user", aString);
  const labels = field(body, "metadata", anObject);
  const extra = rest(body, known);
  // What is understood has one place only; an unknown kind of format goes on as it is.
  if (output !== undefined) delete extra["response_format"];
  return compact<ChatRequest>({
    model,
    stream: field(body, "stream", aBoolean) ?? context.stream ?? false,
    system,
    messages,
    tools: decodeTools(body),
    toolChoice: decodeToolChoice(body),
    parallelToolCalls: field(body, "parallel_tool_calls", aBoolean),
    output,
    sampling,
    maxOutputTokens,
    reasoning: decodeReasoning(body),
    verbosity: field(body, "verbosity", aString),
    serviceTier: field(body, "service_tier", aString),
    includeUsage: asBoolean(streamOptions?.["include_usage"]),
    metadata:
      labels === undefined && userId === undefined
        ? undefined
        : compact<{ userId?: string; labels?: JsonObject }>({ userId, labels }),
    cacheKey: field(body, "prompt_cache_key", aString),
    extra: extraOf(extra),
  });
};
