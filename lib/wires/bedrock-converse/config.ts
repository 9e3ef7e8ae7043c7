// Sampling, limits, reasoning and the answer's form: what Converse itself names, and what each family of models wants in `additionalModelRequestFields`.
import type { Json, JsonObject } from "../../model/json.ts";
import type { ChatRequest, OutputFormat, Reasoning, ReasoningEffort, Sampling } from "../../model/request.ts";
import { invalid } from "../../model/error.ts";
import { asNumber, asObject, asString, compact, isObject, parseJson, unknownFields } from "../../model/json.ts";
import type { Target } from "../wire.ts";
import { listAt, objectAt } from "./names.ts";
import { claudeThinking, claudeVersion, type Family } from "./models.ts";
import type { Writer } from "./parts.ts";

const knownOfInference = new Set(["maxTokens", "temperature", "topP", "stopSequences"]);

const numberAt = (value: JsonObject, name: string): number | undefined => {
  const number = value[name];
  if (number === undefined || number === null) return undefined;
  if (asNumber(number) === undefined) throw invalid(`inferenceConfig.${name}`, "expected a number");
  return asNumber(number);
};

export const decodeInference = (
  value: Json | undefined,
): { sampling: Sampling; maxOutputTokens: number | undefined; rest: JsonObject | undefined } => {
  const config = objectAt(value, "inferenceConfig") ?? {};
  const stop = listAt(config["stopSequences"], "inferenceConfig.stopSequences").map((text, at) => {
    if (typeof text !== "string") throw invalid(`inferenceConfig.stopSequences[${at}]`, "expected a string");
    return text;
  });
  return {
    sampling: compact<Sampling>({
      temperature: numberAt(config, "temperature"),
      topP: numberAt(config, "topP"),
      stop: config["stopSequences"] === undefined ? undefined : stop,
    }),
    maxOutputTokens: numberAt(config, "maxTokens"),
    rest: unknownFields(config, knownOfInference),
  };
};

export const decodeOutput = (value: Json | undefined): { output?: OutputFormat; rest?: JsonObject } => {
  const config = objectAt(value, "outputConfig");
  if (config === undefined) return {};
  const { textFormat, ...rest } = config;
  const native = asObject(asObject(asObject(textFormat)?.["structure"])?.["jsonSchema"]);
  const schema = parseJson(asString(native?.["schema"]) ?? "");
  if (native === undefined || !isObject(schema)) return { rest: config };
  const output = compact<OutputFormat>({
    type: "json-schema",
    schema,
    name: asString(native["name"]),
    description: asString(native["description"]),
  });
  return Object.keys(rest).length === 0 ? { output } : { output, rest };
};

/** Tokens to think with, by effort: a convention, as the older Claude models know no efforts. */
const budgets: Record<Exclude<ReasoningEffort, "none">, number> = {
  minimal: 1024,
  low: 1024,
  medium: 4096,
  high: 16_384,
  xhigh: 32_768,
  max: 65_536,
};

const effortOf = (budget: number): ReasoningEffort =>
  budget === 0 ? "none" : budget <= 2048 ? "low" : budget <= 8192 ? "medium" : budget <= 24_576 ? "high" : "max";

/** Where a family of models wants what Converse has no field for. */
type ModelFields = { fields: JsonObject; effort?: string };

/** Whether an unfinished tool loop lacks the signed reasoning that Claude demands before its call. */
const lacksThinking = (request: ChatRequest, maker: string): boolean => {
  const last = request.messages.findLast((message) => message.role === "assistant");
  return (
    last !== undefined &&
    last.parts.some((part) => part.type === "tool-call") &&
    !last.parts.some((part) => part.type === "reasoning" && part.opaque?.origin === maker)
  );
};

const isForced = (request: ChatRequest): boolean => {
  const choice = request.toolChoice;
  return choice?.type === "any" || choice?.type === "tool" || (choice?.type === "subset" && choice.required);
};

const claudeReasoning = (reasoning: Reasoning, request: ChatRequest, target: Target, writer: Writer): ModelFields => {
  const way = claudeThinking(target.model, target.dialect.adaptiveThinking);
  const effort =
    reasoning.effort ?? (reasoning.budgetTokens === undefined ? undefined : effortOf(reasoning.budgetTokens));
  if (effort === "none") return way === "none" ? { fields: {} } : { fields: { thinking: { type: "disabled" } } };
  if (way === "none" || isForced(request) || (way === "budget" && lacksThinking(request, target.maker))) {
    writer.drop("reasoning");
    return { fields: {} };
  }
  const display = reasoning.show === undefined ? undefined : reasoning.show === "none" ? "omitted" : "summarized";
  if (way === "adaptive") {
    const version = claudeVersion(target.model);
    // Claude 4.6 refuses `xhigh`; no model knows `minimal`.
    const before = version !== undefined && version[0] === 4 && version[1] <= 6;
    const level = effort === "minimal" ? "low" : effort === "xhigh" && before ? "high" : effort;
    const fields: JsonObject = { thinking: compact<JsonObject>({ type: "adaptive", display }) };
    return level === undefined ? { fields } : { fields, effort: level };
  }
  const limit = request.maxOutputTokens ?? target.maxOutputTokens ?? Number.POSITIVE_INFINITY;
  const budget = Math.min(Math.max(reasoning.budgetTokens ?? budgets[effort ?? "medium"], 1024), limit - 1);
  if (budget < 1024) {
    writer.drop("reasoning");
    return { fields: {} };
  }
  return { fields: { thinking: { type: "enabled", budget_tokens: budget } } };
};

const encodeReasoning = (request: ChatRequest, target: Target, writer: Writer): ModelFields => {
  const { reasoning } = request;
  if (reasoning === undefined) return { fields: {} };
  if (writer.family === "claude") return claudeReasoning(reasoning, request, target, writer);
  const effort =
    reasoning.effort ?? (reasoning.budgetTokens === undefined ? "medium" : effortOf(reasoning.budgetTokens));
  if (writer.family === "gpt-oss") {
    const level =
      effort === "none" || effort === "minimal" ? "low" : effort === "xhigh" || effort === "max" ? "high" : effort;
    return { fields: { reasoning_effort: level } };
  }
  if (effort === "none") return { fields: {} };
  if (writer.family !== "nova-2") {
    writer.drop("reasoning");
    return { fields: {} };
  }
  const high = effort === "high" || effort === "xhigh" || effort === "max";
  // Nova thinks at length only without limits: the caller's limits are worth more than the effort.
  const bound = request.maxOutputTokens ?? request.sampling.temperature ?? request.sampling.topP;
  if (high && bound !== undefined) writer.drop("reasoning.effort");
  const level = high ? (bound === undefined ? "high" : "medium") : effort === "minimal" ? "low" : effort;
  return { fields: { reasoningConfig: { type: "enabled", maxReasoningEffort: level } } };
};

/** `top_k` in each family's own words. */
const topK: Partial<Record<Family, (value: number) => JsonObject>> = {
  claude: (value) => ({ top_k: value }),
  mistral: (value) => ({ top_k: value }),
  cohere: (value) => ({ k: value }),
  nova: (value) => ({ inferenceConfig: { topK: value } }),
  "nova-2": (value) => ({ inferenceConfig: { topK: value } }),
};

/** Fields of `Sampling` that no model on Converse takes. */
const unsaid = ["seed", "presencePenalty", "frequencyPenalty", "logprobs", "topLogprobs", "logitBias"] as const;

/** Which of the caller's sampling fields this model takes beside the rest of the request; the others are dropped by name. */
const allowedSampling = (request: ChatRequest, target: Target, writer: Writer, thinks: boolean): Sampling => {
  const sampling = { ...request.sampling };
  const drop = (...names: ("temperature" | "topP" | "topK")[]): void => {
    for (const name of names) {
      if (sampling[name] === undefined) continue;
      writer.drop(name);
      delete sampling[name];
    }
  };
  if (writer.family !== "claude") return sampling;
  const [major, minor] = claudeVersion(target.model) ?? [0, 0];
  if (major >= 5 || (major === 4 && minor >= 7)) drop("temperature", "topP", "topK");
  if (thinks) drop("temperature", "topK");
  if (sampling.temperature !== undefined && major === 4 && minor >= 1) drop("topP");
  return sampling;
};

const encodeTextFormat = (output: OutputFormat | undefined, writer: Writer): JsonObject | undefined => {
  if (output === undefined) return undefined;
  if (output.type === "json") {
    writer.drop("output");
    return undefined;
  }
  const jsonSchema = compact<JsonObject>({
    schema: JSON.stringify(output.schema),
    name: output.name,
    description: output.description,
  });
  return { type: "json_schema", structure: { jsonSchema } };
};

const objectOrNothing = (value: JsonObject): JsonObject | undefined =>
  Object.keys(value).length === 0 ? undefined : value;

export type EncodedConfig = {
  inferenceConfig: JsonObject | undefined;
  outputConfig: JsonObject | undefined;
  modelFields: JsonObject;
};

/** `extra` is this wire's own, whose fields come last and win. */
export const encodeConfig = (
  request: ChatRequest,
  target: Target,
  writer: Writer,
  extra: JsonObject,
): EncodedConfig => {
  const { fields, effort } = encodeReasoning(request, target, writer);
  const thinks =
    asObject(fields["thinking"])?.["type"] === "enabled" || asObject(fields["thinking"])?.["type"] === "adaptive";
  const sampling = allowedSampling(request, target, writer, thinks);
  for (const name of unsaid) if (sampling[name] !== undefined && sampling[name] !== false) writer.drop(name);
  if ((sampling.candidates ?? 1) > 1) writer.drop("candidates");
  if (sampling.topK !== undefined) {
    const native = topK[writer.family]?.(sampling.topK);
    if (native === undefined) writer.drop("topK");
    else Object.assign(fields, native);
  }
  // Bedrock's scale ends at 1.
  if (sampling.temperature !== undefined && sampling.temperature > 1) writer.drop("temperature");
  const stop = sampling.stop?.filter((text) => text !== "");
  const inference = compact<JsonObject>({
    maxTokens:
      request.maxOutputTokens === undefined
        ? undefined
        : Math.min(request.maxOutputTokens, target.maxOutputTokens ?? Number.POSITIVE_INFINITY),
    temperature: sampling.temperature === undefined ? undefined : Math.min(sampling.temperature, 1),
    topP: sampling.topP,
    stopSequences: stop !== undefined && stop.length > 0 ? stop : undefined,
    ...asObject(extra["inferenceConfig"]),
  });
  const output = compact<JsonObject>({
    textFormat: encodeTextFormat(request.output, writer),
    effort,
    ...asObject(extra["outputConfig"]),
  });
  return { inferenceConfig: objectOrNothing(inference), outputConfig: objectOrNothing(output), modelFields: fields };
};
