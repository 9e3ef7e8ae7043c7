// Schemas: Gemini's older fields take an OpenAPI subset with upper-case type names, everything else here is JSON Schema.
import type { Json, JsonObject } from "../../model/json.ts";
import { isObject } from "../../model/json.ts";
import { camel } from "./names.ts";

/** Counts that protobuf writes as text. */
const counts = new Set([
  "maxItems",
  "minItems",
  "maxLength",
  "minLength",
  "maxProperties",
  "minProperties",
  "maximum",
  "minimum",
]);

const mapped = (value: Json | undefined): Json | undefined => (isObject(value) ? toJsonSchema(value) : value);

const typeName = (value: Json | undefined): Json | undefined => {
  if (Array.isArray(value)) return value.map((entry) => typeName(entry) ?? "null");
  if (typeof value !== "string") return value;
  return value.toUpperCase() === "TYPE_UNSPECIFIED" ? undefined : value.toLowerCase();
};

const withNull = (schema: JsonObject): JsonObject => {
  const type = schema["type"];
  if (typeof type === "string") schema["type"] = [type, "null"];
  else if (Array.isArray(type)) schema["type"] = type.includes("null") ? type : [...type, "null"];
  else if (Array.isArray(schema["anyOf"])) schema["anyOf"] = [...schema["anyOf"], { type: "null" }];
  const values = schema["enum"];
  if (Array.isArray(values) && !values.includes(null)) schema["enum"] = [...values, null];
  return schema;
};

/** Names in `$defs` and the like, and in `properties`, are the caller's own: only their values are schemas. */
const eachValue = (value: Json | undefined): Json | undefined => {
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const key in value) result[key] = mapped(value[key]);
  return result;
};

/** JSON Schema from either form; a schema that is JSON Schema already stays as it is (LangChain's lower-case types, Vercel's `$schema`). */
export const toJsonSchema = (schema: JsonObject): JsonObject => {
  const source = camel(schema);
  const result: JsonObject = {};
  let nullable = false;
  for (const key in source) {
    const value = source[key];
    if (value === undefined || value === null) continue;
    if (key === "type") {
      const type = typeName(value);
      if (type !== undefined) result["type"] = type;
    } else if (key === "nullable") nullable = value === true;
    else if (key === "propertyOrdering") continue;
    else if (key === "example") result["examples"] = [value];
    else if (key === "properties" || key === "$defs" || key === "definitions") result[key] = eachValue(value) ?? {};
    else if (key === "anyOf" || key === "oneOf" || key === "allOf" || key === "prefixItems")
      result[key] = Array.isArray(value) ? value.map((entry) => mapped(entry) ?? null) : value;
    else if (key === "items" || key === "additionalProperties" || key === "not") result[key] = mapped(value) ?? value;
    else if (counts.has(key) && typeof value === "string" && Number.isFinite(Number(value)))
      result[key] = Number(value);
    else result[key] = value;
  }
  return nullable ? withNull(result) : result;
};
