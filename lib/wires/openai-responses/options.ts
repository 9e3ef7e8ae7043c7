// `text` and `reasoning` of a request, both ways (PROTOCOLS sections 7 and 8).
import type { ResponseFormatTextJSONSchemaConfig } from "openai/resources/responses/responses";
import {
  asBoolean,
  asNumber,
  asObject,
  asString,
  compact,
  isObject,
  unknownFields,
  type Json,
  type JsonObject,
} from "../../model/json.ts";
import { invalid } from "../../model/error.ts";
import type { OutputFormat, Reasoning, ReasoningEffort } from "../../model/request.ts";
import { extraOf, isEmpty, json, own } from "./names.ts";

const formatFields = new Set(["type", "schema", "name", "description", "strict"]);
const textFields = new Set(["format", "verbosity"]);

/** `left` holds the fields of `text` that have no neutral form. */
export const decodeText = (
  value: Json | undefined,
): { output?: OutputFormat; verbosity?: string; left?: JsonObject } => {
  if (value === undefined || value === null) return {};
  const text = asObject(value);
  if (text === undefined) throw invalid("text", "expected an object");
  const unknown = unknownFields(text, textFields);
  const decoded = decodeFormat(text["format"]);
  return compact({
    output: decoded,
    verbosity: asString(text["verbosity"]),
    left: unknown,
  });
};

const decodeFormat = (value: Json | undefined): OutputFormat | undefined => {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw invalid("text.format", "expected an object");
  if (value["type"] === "json_object") return { type: "json" };
  if (value["type"] !== "json_schema") return undefined;
  const schema = asObject(value["schema"]);
  if (schema === undefined) throw invalid("text.format.schema", "expected an object");
  const left = unknownFields(value, formatFields);
  return compact<OutputFormat>({
    type: "json-schema",
    schema,
    name: asString(value["name"]),
    description: asString(value["description"]),
    strict: asBoolean(value["strict"]),
    extra: left === undefined ? extraOf({}) : extraOf(left),
  });
};

/** Whether OpenAI takes the schema as strict: every object closed, every property required. */
const isStrict = (schema: Json | undefined): boolean => {
  if (!isObject(schema)) return !Array.isArray(schema) || schema.every(isStrict);
  const properties = asObject(schema["properties"]);
  if (schema["type"] === "object" || properties !== undefined) {
    const required = schema["required"];
    const listed = new Set(Array.isArray(required) ? required : []);
    if (schema["additionalProperties"] !== false) return false;
    for (const name in properties) if (!listed.has(name)) return false;
  }
  const maps = [properties, asObject(schema["$defs"]), asObject(schema["definitions"])];
  for (const map of maps) for (const name in map) if (!isStrict(map[name])) return false;
  return (
    isStrict(schema["items"]) && isStrict(schema["anyOf"]) && isStrict(schema["oneOf"]) && isStrict(schema["allOf"])
  );
};

/** `same`: the format came on this wire, and goes as it came; else a schema is enforced where OpenAI can. */
export const encodeFormat = (output: OutputFormat): JsonObject => {
  if (output.type === "json") return { type: "json_object" };
  const same = own(output);
  const strict = output.strict ?? (same === undefined ? isStrict(output.schema) : undefined);
  const format = compact<{
    type: "json_schema";
    name: string;
    schema: JsonObject;
    description?: string;
    strict?: boolean;
  }>({
    type: "json_schema",
    name: output.name ?? "response",
    description: output.description,
    schema: output.schema,
    strict,
  }) satisfies ResponseFormatTextJSONSchemaConfig;
  return { ...json(format), ...same };
};

const efforts: ReadonlySet<string> = new Set<ReasoningEffort>([
  "none",
  "minimal",
  "low",
  "medium",
  "high",
  "xhigh",
  "max",
]);
const isEffort = (value: string | undefined): value is ReasoningEffort => value !== undefined && efforts.has(value);

const summaries = ["auto", "concise", "detailed"] as const;

export const decodeReasoningOptions = (value: Json | undefined): Reasoning | undefined => {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw invalid("reasoning", "expected an object");
  const effort = asString(value["effort"]);
  const show = summaries.find((summary) => summary === value["summary"]);
  const known = new Set<string>();
  if (isEffort(effort)) known.add("effort");
  if (show !== undefined) known.add("summary");
  const left = unknownFields(value, known);
  return compact<Reasoning>({
    effort: isEffort(effort) ? effort : undefined,
    show,
    extra: extraOf(left ?? {}),
  });
};

/** The least budget, in tokens, that is worth the next effort: a convention, no provider's rule. */
const budgets: readonly (readonly [limit: number, effort: ReasoningEffort])[] = [
  [0, "none"],
  [1024, "low"],
  [8192, "medium"],
  [Number.POSITIVE_INFINITY, "high"],
];

const effortOf = (reasoning: Reasoning): ReasoningEffort | undefined => {
  const budget = asNumber(reasoning.budgetTokens);
  return reasoning.effort ?? budgets.find(([limit]) => budget !== undefined && budget <= limit)?.[1];
};

/** Undefined where nothing is said. */
export const encodeReasoningOptions = (reasoning: Reasoning): JsonObject | undefined => {
  const effort = effortOf(reasoning);
  const result: JsonObject = {};
  if (effort !== undefined) result["effort"] = effort;
  if (reasoning.show !== undefined && reasoning.show !== "none" && effort !== "none")
    result["summary"] = reasoning.show;
  const all = { ...result, ...own(reasoning) };
  return isEmpty(all) && own(reasoning) === undefined ? undefined : all;
};
