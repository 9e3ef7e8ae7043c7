// JSON schemas as data: references followed, several made one, and how deep a value of one must be at least.
import { asArray, asNumber, asObject, asString, type Json, type JsonObject } from "../../model/json.ts";

/** Undefined where the reference leads nowhere, or out of the schema. */
export const resolveRef = (ref: string, root: JsonObject): JsonObject | undefined => {
  if (!ref.startsWith("#")) return undefined;
  let at: Json | undefined = root;
  for (const step of ref
    .slice(1)
    .split("/")
    .filter((each) => each !== "")) {
    const key = decoded(step).replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(at)) at = at[Number(key)];
    else {
      const owner: JsonObject = asObject(at) ?? {};
      at = Object.hasOwn(owner, key) ? owner[key] : undefined;
    }
  }
  return asObject(at);
};

const decoded = (step: string): string => {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
};

/** Of two bounds the narrower. */
const narrower: Readonly<Record<string, (a: number, b: number) => number>> = {
  minimum: Math.max,
  exclusiveMinimum: Math.max,
  minLength: Math.max,
  minItems: Math.max,
  minProperties: Math.max,
  maximum: Math.min,
  exclusiveMaximum: Math.min,
  maxLength: Math.min,
  maxItems: Math.min,
};

const both = (key: string, a: Json | undefined, b: Json): Json => {
  if (a === undefined) return b;
  if (key === "properties") return { ...asObject(a), ...asObject(b) };
  const [one, other] = [asArray(a), asArray(b)];
  if (one !== undefined && other !== undefined) {
    if (key === "required" || key === "allOf") return [...one, ...other];
    if (key === "enum") return one.filter((each) => other.some((its) => JSON.stringify(its) === JSON.stringify(each)));
  }
  const [low, high] = [asNumber(a), asNumber(b)];
  const narrow = Object.hasOwn(narrower, key) ? narrower[key] : undefined;
  return narrow !== undefined && low !== undefined && high !== undefined ? narrow(low, high) : b;
};

/** One schema that asks what all of them ask; where it can't be said in one, the later wins. */
export const merged = (parts: readonly JsonObject[]): JsonObject => {
  const all = new Map<string, Json>();
  for (const part of parts)
    for (const [key, value] of Object.entries(part)) all.set(key, both(key, all.get(key), value ?? null));
  return Object.fromEntries(all);
};

/** How many levels a value has at least; Infinity where it has no end. */
export const heightOf = (root: JsonObject): ((schema: JsonObject) => number) => {
  const known = new Map<JsonObject, number>();
  const highest = (schemas: readonly (Json | undefined)[]): number =>
    Math.max(0, ...schemas.map((each) => height(asObject(each) ?? {})));
  const measure = (schema: JsonObject): number => {
    const ref = asString(schema["$ref"]);
    if (ref !== undefined) return height(resolveRef(ref, root) ?? {});
    const some = asArray(schema["anyOf"]) ?? asArray(schema["oneOf"]);
    const least = some === undefined ? 0 : Math.min(...some.map((each) => height(asObject(each) ?? {})));
    const parts = highest(asArray(schema["allOf"]) ?? []);
    const properties = asObject(schema["properties"]) ?? {};
    const required = (asArray(schema["required"]) ?? []).map((key) => properties[asString(key) ?? ""]);
    const items = (asNumber(schema["minItems"]) ?? 0) > 0 ? [schema["items"]] : [];
    const inner = [...required, ...items, ...(asArray(schema["prefixItems"]) ?? [])];
    const isScalar = inner.length === 0 && schema["type"] !== "object" && schema["type"] !== "array";
    return Math.max(least, parts, isScalar ? Number(schema["type"] !== "null") : 1 + highest(inner));
  };
  const height = (schema: JsonObject): number => {
    const found = known.get(schema);
    if (found !== undefined) return found;
    // Met again on the way down: this way has no end.
    known.set(schema, Number.POSITIVE_INFINITY);
    const result = measure(schema);
    known.set(schema, result);
    return result;
  };
  return height;
};
