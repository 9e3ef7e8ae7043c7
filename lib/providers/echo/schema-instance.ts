// A value that fits a JSON Schema, always the same for the same schema and prompt; words of the prompt fill what asks for words.
import { asArray, asNumber, asObject, asString, type Json, type JsonObject } from "../../model/json.ts";

const maxDepth = 12;

type Context = { root: JsonObject; words: readonly string[]; depth: number };

const resolveRef = (ref: string, root: JsonObject): JsonObject | undefined => {
  if (!ref.startsWith("#")) return undefined;
  let at: Json | undefined = root;
  for (const step of ref
    .slice(1)
    .split("/")
    .filter((each) => each !== "")) {
    const key = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
    at = Array.isArray(at) ? at[Number(key)] : asObject(at)?.[key];
  }
  return asObject(at);
};

const formats: Record<string, string> = {
  date: "2026-01-15",
  "date-time": "2026-01-15T12:00:00Z",
  time: "12:00:00Z",
  duration: "PT1H",
  email: "echo@example.com",
  hostname: "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uri: "https://example.com/",
  url: "https://example.com/",
  uuid: "00000000-0000-4000-8000-000000000000",
};

/** Common patterns, best effort: character classes with counts, literals, alternatives' first branch. */
const fromPattern = (pattern: string): string | undefined => {
  const candidate = pattern
    .replace(/^\^/, "")
    .replace(/\$$/, "")
    .replaceAll(/\\d|\[0-9\]/g, "1")
    .replaceAll(/\\w|\[[^\]]*[A-Za-z]-?[^\]]*\]/g, (found) => (/\[A-Z/.test(found) ? "A" : "a"))
    .replaceAll(/(.)\{(\d+)(?:,\d*)?\}/g, (_whole, letter: string, count: string) => letter.repeat(Number(count)))
    .replaceAll(/(.)[+]/g, "$1")
    .replaceAll(/(.)[*?]/g, "$1")
    .replaceAll(/\\(.)/g, "$1")
    .replaceAll(/\((?:\?:)?([^|)]*)[^)]*\)/g, "$1");
  try {
    return new RegExp(pattern).test(candidate) ? candidate : undefined;
  } catch {
    return undefined;
  }
};

const text = (schema: JsonObject, name: string, words: readonly string[]): string => {
  const format = asString(schema["format"]);
  const known = format === undefined ? undefined : formats[format];
  if (known !== undefined) return known;
  const pattern = asString(schema["pattern"]);
  const matched = pattern === undefined ? undefined : fromPattern(pattern);
  if (matched !== undefined) return matched;
  const isPlace = /city|location|place|town|country|name|person|subject/i.test(name);
  const proper = words.findLast((word, at) => at > 0 && /^\p{Lu}/u.test(word));
  let value = (isPlace ? proper : undefined) ?? proper ?? words.at(-1) ?? "echo";
  const least = asNumber(schema["minLength"]) ?? 0;
  const most = asNumber(schema["maxLength"]) ?? Number.POSITIVE_INFINITY;
  while (value.length < least) value += "o";
  return value.slice(0, most);
};

const number = (schema: JsonObject, whole: boolean): number => {
  const step = asNumber(schema["multipleOf"]) ?? (whole ? 1 : undefined);
  const above = asNumber(schema["exclusiveMinimum"]);
  const below = asNumber(schema["exclusiveMaximum"]);
  const least =
    asNumber(schema["minimum"]) ??
    (above === undefined ? undefined : above + (step ?? (below === undefined ? 1 : (below - above) / 2)));
  const most = asNumber(schema["maximum"]) ?? (below === undefined ? undefined : below - (step ?? 0.5));
  let value = whole ? 1 : 1.5;
  if (least !== undefined && value < least) value = least;
  if (most !== undefined && value > most) value = most;
  if (step !== undefined && step > 0) {
    value = Math.ceil(value / step) * step;
    if (most !== undefined && value > most) value = Math.floor(most / step) * step;
  }
  return value;
};

const merged = (parts: readonly JsonObject[]): JsonObject => {
  const all: JsonObject = {};
  for (const part of parts) {
    for (const key in part) {
      if (key === "properties") all["properties"] = { ...asObject(all["properties"]), ...asObject(part["properties"]) };
      else if (key === "required")
        all["required"] = [...(asArray(all["required"]) ?? []), ...(asArray(part["required"]) ?? [])];
      else all[key] = part[key];
    }
  }
  return all;
};

const typeOf = (schema: JsonObject): string | undefined => {
  const { type } = schema;
  const named =
    asString(type) ??
    asArray(type)
      ?.map(asString)
      .find((each) => each !== "null" && each !== undefined);
  if (named !== undefined) return named.toLowerCase();
  if (schema["properties"] !== undefined || schema["required"] !== undefined) return "object";
  if (schema["items"] !== undefined || schema["prefixItems"] !== undefined) return "array";
  if (schema["minLength"] !== undefined || schema["pattern"] !== undefined || schema["format"] !== undefined)
    return "string";
  return schema["minimum"] !== undefined || schema["maximum"] !== undefined ? "number" : undefined;
};

const make = (schema: JsonObject, name: string, context: Context): Json => {
  const ref = asString(schema["$ref"]);
  if (ref !== undefined) {
    const found = resolveRef(ref, context.root);
    return found === undefined || context.depth >= maxDepth
      ? null
      : make(found, name, { ...context, depth: context.depth + 1 });
  }
  if (schema["const"] !== undefined) return schema["const"];
  const choices = asArray(schema["enum"]);
  if (choices?.[0] !== undefined) {
    const lower = context.words.map((word) => word.toLowerCase());
    return choices.find((choice) => typeof choice === "string" && lower.includes(choice.toLowerCase())) ?? choices[0];
  }
  if (schema["default"] !== undefined) return schema["default"];
  const every = asArray(schema["allOf"]);
  if (every !== undefined) {
    const { allOf: _allOf, ...rest } = schema;
    const parts = every.map((each): JsonObject => {
      const part = asObject(each);
      const target = asString(part?.["$ref"]);
      return (target === undefined ? part : resolveRef(target, context.root)) ?? {};
    });
    return make(merged([...parts, rest]), name, { ...context, depth: context.depth + 1 });
  }
  const some = asArray(schema["anyOf"]) ?? asArray(schema["oneOf"]);
  if (some !== undefined) {
    const { anyOf: _anyOf, oneOf: _oneOf, ...rest } = schema;
    const options = some.map((each): JsonObject => asObject(each) ?? {});
    // Deep inside, the shortest way out is the end of a recursive type.
    const branch =
      (context.depth > 3 ? options.find((option) => option["type"] === "null") : undefined) ??
      options.find((option) => option["type"] !== "null") ??
      options[0] ??
      {};
    return make(merged([rest, branch]), name, { ...context, depth: context.depth + 1 });
  }
  switch (typeOf(schema)) {
    case "object": {
      const properties = asObject(schema["properties"]) ?? {};
      const required = new Set((asArray(schema["required"]) ?? []).flatMap((each) => asString(each) ?? []));
      const value: JsonObject = {};
      for (const key of new Set([...Object.keys(properties), ...required])) {
        // What is optional ends a recursion.
        if (context.depth > 4 && !required.has(key)) continue;
        value[key] = make(asObject(properties[key]) ?? {}, key, { ...context, depth: context.depth + 1 });
      }
      return value;
    }
    case "array": {
      const prefix = asArray(schema["prefixItems"]);
      if (prefix !== undefined)
        return prefix.map((each) => make(asObject(each) ?? {}, name, { ...context, depth: context.depth + 1 }));
      const least = asNumber(schema["minItems"]) ?? (context.depth > 4 ? 0 : 1);
      const most = asNumber(schema["maxItems"]) ?? Number.POSITIVE_INFINITY;
      const item = asObject(schema["items"]) ?? {};
      return Array.from({ length: Math.min(least, most, 100) }, () =>
        make(item, name, { ...context, depth: context.depth + 1 }),
      );
    }
    case "integer":
      return number(schema, true);
    case "number":
      return number(schema, false);
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return text(schema, name, context.words);
  }
};

export const schemaInstance = (schema: JsonObject, prompt: string): Json =>
  make(schema, "", { root: schema, words: prompt.match(/[\p{L}\p{N}'-]+/gu) ?? [], depth: 0 });
