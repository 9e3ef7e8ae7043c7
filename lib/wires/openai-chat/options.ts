// `response_format` and how much to reason, both ways (PROTOCOLS sections 7 and 8).
import type { ResponseFormatJSONSchema } from "openai/resources/shared";
import { invalid } from "../../model/error.ts";
import {
  asBoolean,
  asNumber,
  asObject,
  asString,
  compact,
  isObject,
  type Json,
  type JsonObject,
} from "../../model/json.ts";
import type { OutputFormat, Reasoning, ReasoningEffort } from "../../model/request.ts";
import type { Target } from "../wire.ts";
import { extraOf, json, own, rest } from "./names.ts";

const schemaFields = new Set(["name", "description", "schema", "strict"]);

/** `{type: "text"}` is what is done anyway; an unknown kind is left to `extra`. */
export const decodeOutput = (value: Json | undefined): OutputFormat | undefined => {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw invalid("response_format", "expected an object");
  if (value["type"] === "json_object") return { type: "json" };
  if (value["type"] !== "json_schema") return undefined;
  const format = asObject(value["json_schema"]);
  if (format === undefined) throw invalid("response_format.json_schema", "expected an object");
  return compact<OutputFormat>({
    type: "json-schema",
    schema: asObject(format["schema"]) ?? {},
    name: asString(format["name"]),
    description: asString(format["description"]),
    strict: asBoolean(format["strict"]),
    extra: extraOf(rest(format, schemaFields)),
  });
};

/** Whether OpenAI takes the schema as strict: every object closed, every property required. */
const isStrictSchema = (schema: Json | undefined): boolean => {
  if (Array.isArray(schema)) return schema.every(isStrictSchema);
  if (!isObject(schema)) return true;
  const properties = asObject(schema["properties"]);
  const type = schema["type"];
  if (properties !== undefined || type === "object" || (Array.isArray(type) && type.includes("object"))) {
    const required = schema["required"];
    const listed = new Set(Array.isArray(required) ? required : []);
    if (schema["additionalProperties"] !== false) return false;
    for (const name in properties) if (!listed.has(name)) return false;
  }
  for (const map of [properties, asObject(schema["$defs"]), asObject(schema["definitions"])])
    for (const name in map) if (!isStrictSchema(map[name])) return false;
  return (
    isStrictSchema(schema["items"]) &&
    isStrictSchema(schema["anyOf"]) &&
    schema["oneOf"] === undefined &&
    schema["allOf"] === undefined
  );
};

const legalName = (name: string | undefined): string =>
  name?.replaceAll(/[^a-zA-Z0-9_-]/g, "_").slice(0, 64) || "response";

const encodeSchema = (output: Extract<OutputFormat, { type: "json-schema" }>): JsonObject => {
  const same = own(output);
  const strict = output.strict ?? (same === undefined && isStrictSchema(output.schema) ? true : undefined);
  const format = {
    type: "json_schema",
    json_schema: compact<ResponseFormatJSONSchema.JSONSchema>({
      name: same === undefined ? legalName(output.name) : (output.name ?? "response"),
      description: output.description,
      schema: output.schema,
      strict,
    }),
  } satisfies ResponseFormatJSONSchema;
  return json({ ...format, json_schema: { ...format.json_schema, ...same } });
};

/**
 * By what the host enforces (F22). A schema that it can't enforce has become a forced call before this, where that can be done
 * (`shared/schema-tool.ts`); one that comes here all the same asks for JSON alone, and is named.
 */
export const encodeOutput = (
  output: OutputFormat | undefined,
  target: Target,
  drop: (path: string) => void,
): JsonObject => {
  if (output === undefined) return {};
  const can = target.dialect.structuredOutput ?? "json_schema";
  if (can === "none") {
    drop("response_format");
    return {};
  }
  if (output.type === "json-schema" && can === "json_schema") return { response_format: encodeSchema(output) };
  if (output.type === "json-schema") drop("response_format.json_schema");
  return { response_format: { type: "json_object" } };
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

/** The fields by which hosts are told: OpenAI's, OpenRouter's, DeepSeek's. They stay in `extra` as well, for this very wire. */
export const reasoningFields = ["reasoning_effort", "reasoning", "thinking"] as const;

export const decodeReasoning = (body: JsonObject): Reasoning | undefined => {
  const kept: JsonObject = {};
  for (const name of reasoningFields) if ((body[name] ?? null) !== null) kept[name] = body[name];
  if (Object.keys(kept).length === 0) return undefined;
  const router = asObject(body["reasoning"]);
  const thinking = asObject(body["thinking"]);
  const said = asString(body["reasoning_effort"]) ?? asString(router?.["effort"]);
  const off = thinking?.["type"] === "disabled" || router?.["enabled"] === false;
  return compact<Reasoning>({
    effort: isEffort(said) ? said : off ? "none" : undefined,
    budgetTokens: asNumber(router?.["max_tokens"]) ?? asNumber(thinking?.["budget_tokens"]),
    dynamic:
      (thinking?.["type"] === "enabled" || router?.["enabled"] === true) && said === undefined ? true : undefined,
    show: router?.["exclude"] === true ? "none" : undefined,
    extra: extraOf(kept),
  });
};

/** The most tokens that an effort still covers: a convention, no provider's rule. */
const budgets: readonly (readonly [limit: number, effort: ReasoningEffort])[] = [
  [0, "none"],
  [1024, "low"],
  [8192, "medium"],
  [Number.POSITIVE_INFINITY, "high"],
];

const effortOf = ({ effort, budgetTokens }: Reasoning): ReasoningEffort | undefined =>
  effort ?? budgets.find(([limit]) => budgetTokens !== undefined && budgetTokens <= limit)?.[1];

export const encodeReasoning = (reasoning: Reasoning, target: Target, drop: (path: string) => void): JsonObject => {
  const how = target.dialect.reasoningEffort ?? true;
  const kept = own(reasoning);
  const { reasoning_effort: said, reasoning: router, ...others } = kept ?? {};
  if (how === "openrouter") {
    const effort = said ?? (reasoning.budgetTokens === undefined ? reasoning.effort : undefined);
    const wanted = compact<JsonObject>({
      effort,
      max_tokens: reasoning.budgetTokens,
      enabled: effort === undefined && reasoning.dynamic === true ? true : undefined,
      exclude: reasoning.show === "none" ? true : undefined,
      ...asObject(router),
    });
    return Object.keys(wanted).length === 0 ? others : { ...others, reasoning: wanted };
  }
  // What a client of this wire said in a host's own field (`thinking`) is not said twice.
  const effort = said ?? (kept === undefined || router !== undefined ? effortOf(reasoning) : undefined);
  if (!how) {
    if (effort !== undefined) drop("reasoning_effort");
    return others;
  }
  return effort === undefined ? others : { ...others, reasoning_effort: effort };
};
