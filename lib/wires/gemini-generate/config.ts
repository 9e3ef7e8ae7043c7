// `generationConfig`: sampling, output format and thinking, one table for both directions.
import type { JsonObject } from "../../model/json.ts";
import type { ChatRequest, OutputFormat, Reasoning, Sampling } from "../../model/request.ts";
import type { Target } from "../wire.ts";
import { asObject, asString, compact, isObject, unknownFields } from "../../model/json.ts";
import { invalid } from "../../model/error.ts";
import { budgetOfEffort, clampBudget, effortOfBudget, effortOfLevel, levelOfEffort, modelFacts } from "./models.ts";
import { asExtra, booleanAt, isAbsent, listAt, numberAt, objectAt, own, stringAt } from "./names.ts";
import { toJsonSchema } from "./schema.ts";

type NumberField = { [K in keyof Sampling]-?: number extends Sampling[K] ? K : never }[keyof Sampling];

/** Native name, neutral name. */
const numberFields: readonly (readonly [string, NumberField])[] = [
  ["temperature", "temperature"],
  ["topP", "topP"],
  ["topK", "topK"],
  ["seed", "seed"],
  ["presencePenalty", "presencePenalty"],
  ["frequencyPenalty", "frequencyPenalty"],
  ["logprobs", "topLogprobs"],
  ["candidateCount", "candidates"],
];

const known = new Set([
  ...numberFields.map(([native]) => native),
  "stopSequences",
  "responseLogprobs",
  "maxOutputTokens",
  "responseMimeType",
  "responseSchema",
  "responseJsonSchema",
  "thinkingConfig",
]);

type Decoded = Pick<ChatRequest, "sampling" | "maxOutputTokens" | "output" | "reasoning"> & {
  /** Fields with no neutral name. */
  rest: JsonObject | undefined;
};

const decodeOutput = (config: JsonObject, rest: JsonObject): OutputFormat | undefined => {
  const mime = stringAt(config["responseMimeType"], "generationConfig.responseMimeType");
  const jsonSchema = config["responseJsonSchema"];
  const openApi = config["responseSchema"];
  if (!isAbsent(jsonSchema)) {
    if (!isObject(jsonSchema)) throw invalid("generationConfig.responseJsonSchema", "expected a JSON schema");
    return { type: "json-schema", schema: jsonSchema };
  }
  if (!isAbsent(openApi)) {
    if (!isObject(openApi)) throw invalid("generationConfig.responseSchema", "expected a schema");
    // `text/x.enum` with a schema: one word of a list, as plain text.
    if (mime !== undefined && mime !== "application/json") rest["responseMimeType"] = mime;
    const extra = asExtra({ responseSchema: openApi });
    return compact<OutputFormat>({ type: "json-schema", schema: toJsonSchema(openApi), extra });
  }
  if (mime === "application/json") return { type: "json" };
  if (mime !== undefined) rest["responseMimeType"] = mime;
  return undefined;
};

const knownOfThinking = new Set(["includeThoughts", "thinkingBudget", "thinkingLevel"]);

/** The client's own form is kept beside its meaning: which one a model takes is decided when the target is known. */
const decodeThinking = (config: JsonObject | undefined): Reasoning | undefined => {
  if (config === undefined) return undefined;
  const param = "generationConfig.thinkingConfig";
  const show = booleanAt(config["includeThoughts"], `${param}.includeThoughts`);
  const budget = numberAt(config["thinkingBudget"], `${param}.thinkingBudget`);
  const level = stringAt(config["thinkingLevel"], `${param}.thinkingLevel`);
  return compact<Reasoning>({
    effort: level !== undefined ? effortOfLevel(level.toUpperCase()) : budget === 0 ? "none" : undefined,
    budgetTokens: budget !== undefined && budget >= 0 ? budget : undefined,
    dynamic: budget !== undefined && budget < 0 ? true : undefined,
    show: show === undefined ? undefined : show ? "auto" : "none",
    extra: {
      "gemini-generate": compact<JsonObject>({
        thinkingBudget: budget,
        thinkingLevel: level,
        rest: unknownFields(config, knownOfThinking),
      }),
    },
  });
};

export const decodeConfig = (config: JsonObject | undefined): Decoded => {
  if (config === undefined) return { sampling: {}, rest: undefined };
  const sampling: Sampling = {};
  for (const [native, neutral] of numberFields) {
    const value = numberAt(config[native], `generationConfig.${native}`);
    if (value !== undefined) sampling[neutral] = value;
  }
  const logprobs = booleanAt(config["responseLogprobs"], "generationConfig.responseLogprobs");
  if (logprobs !== undefined) sampling.logprobs = logprobs;
  const stop = isAbsent(config["stopSequences"])
    ? undefined
    : listAt(config["stopSequences"], "generationConfig.stopSequences").map((entry, at) => {
        if (typeof entry !== "string") throw invalid(`generationConfig.stopSequences[${at}]`, "expected a string");
        return entry;
      });
  if (stop !== undefined) sampling.stop = stop;
  const rest: JsonObject = { ...unknownFields(config, known) };
  const output = decodeOutput(config, rest);
  return compact<Decoded>({
    sampling,
    maxOutputTokens: numberAt(config["maxOutputTokens"], "generationConfig.maxOutputTokens"),
    output,
    reasoning: decodeThinking(objectAt(config["thinkingConfig"], "generationConfig.thinkingConfig")),
    rest: Object.keys(rest).length > 0 ? rest : undefined,
  });
};

const encodeOutput = (output: OutputFormat, config: JsonObject): void => {
  config["responseMimeType"] ??= "application/json";
  if (output.type === "json") return;
  const kept = asObject(own(output.extra)?.["responseSchema"]);
  if (kept !== undefined) config["responseSchema"] = kept;
  else config["responseJsonSchema"] = output.schema;
};

/** Gemini 3 takes a level, 2.5 a budget; a Gemini client's own form goes through where the model knows it. */
const encodeThinking = (reasoning: Reasoning, model: string, dropped: string[]): JsonObject | undefined => {
  const facts = modelFacts(model);
  const native = own(reasoning.extra);
  const config: JsonObject = { ...asObject(native?.["rest"]) };
  if (reasoning.show !== undefined) config["includeThoughts"] = reasoning.show !== "none";
  const { effort, budgetTokens } = reasoning;
  const ownBudget = native?.["thinkingBudget"];
  const ownLevel = asString(native?.["thinkingLevel"]);
  if (native !== undefined && facts.thinking !== "budget") {
    if (ownBudget !== undefined) config["thinkingBudget"] = ownBudget;
    if (ownLevel !== undefined) config["thinkingLevel"] = ownLevel;
  } else if (native !== undefined && ownBudget !== undefined) config["thinkingBudget"] = ownBudget;
  else if (facts.thinking === "level") {
    const wanted = effort ?? (budgetTokens === undefined ? undefined : effortOfBudget(budgetTokens));
    if (wanted !== undefined) config["thinkingLevel"] = levelOfEffort(wanted, facts);
  } else if (facts.thinking === "budget") {
    if (budgetTokens !== undefined) config["thinkingBudget"] = clampBudget(budgetTokens, facts);
    else if (effort !== undefined) config["thinkingBudget"] = budgetOfEffort(effort, facts);
    else if (reasoning.dynamic === true) config["thinkingBudget"] = -1;
  } else {
    if (effort !== undefined && effort !== "none") dropped.push("reasoning");
    return undefined;
  }
  return Object.keys(config).length > 0 || native !== undefined ? config : undefined;
};

/** At most five, as the API says. */
const stopLimit = 5;

export const encodeConfig = (request: ChatRequest, target: Target, dropped: string[]): JsonObject | undefined => {
  const { sampling } = request;
  const config: JsonObject = { ...asObject(own(request.extra)?.["generationConfig"]) };
  for (const [native, neutral] of numberFields) {
    const value = sampling[neutral];
    if (value !== undefined) config[native] = value;
  }
  if (sampling.logprobs !== undefined) config["responseLogprobs"] = sampling.logprobs;
  if (sampling.stop !== undefined) {
    config["stopSequences"] = sampling.stop.slice(0, stopLimit);
    if (sampling.stop.length > stopLimit) dropped.push(`stop[${stopLimit}]`);
  }
  if (sampling.logitBias !== undefined) dropped.push("logitBias");
  if (request.maxOutputTokens !== undefined) config["maxOutputTokens"] = request.maxOutputTokens;
  if (request.output !== undefined) encodeOutput(request.output, config);
  if (request.reasoning !== undefined) {
    const thinking = encodeThinking(request.reasoning, target.model, dropped);
    if (thinking !== undefined) config["thinkingConfig"] = thinking;
  }
  return Object.keys(config).length > 0 ? config : undefined;
};
