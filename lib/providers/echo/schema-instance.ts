// A value that fits a JSON Schema, always the same for the same schema and prompt; words of the prompt fill what asks for words.
import { asArray, asNumber, asObject, asString, type Json, type JsonObject } from "../../model/json.ts";
import { textOfPattern } from "./pattern.ts";
import { heightOf, merged, resolveRef } from "./schema.ts";

const maxDepth = 16;
const maxHops = 100;
/** Values in all: a small schema can ask for any number of them. */
const maxValues = 5_000;
const maxTextLength = 10_000;
const maxItems = 100;

type Context = {
  root: JsonObject;
  words: readonly string[];
  depth: number;
  /** Which of several alike this is, where no two may be the same. */
  variant: number;
  values: { left: number };
  /** References and choices followed on the way here. */
  hops: number;
  height: (schema: JsonObject) => number;
};

const formats: Readonly<Record<string, string>> = {
  date: "2026-01-15",
  "date-time": "2026-01-15T12:00:00Z",
  time: "12:00:00Z",
  duration: "PT1H",
  email: "echo@example.com",
  "idn-email": "echo@example.com",
  hostname: "example.com",
  "idn-hostname": "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uri: "https://example.com/",
  iri: "https://example.com/",
  url: "https://example.com/",
  "uri-reference": "/echo",
  uuid: "00000000-0000-4000-8000-000000000000",
  byte: "ZWNobw==",
  "json-pointer": "/echo",
  regex: "^echo$",
};

/** Some senders write counts as text. */
const count = (value: Json | undefined): number | undefined => {
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : asNumber(value);
  return number === undefined ? undefined : Math.max(0, number);
};

const text = (schema: JsonObject, name: string, { words, variant }: Context): string => {
  const least = Math.min(count(schema["minLength"]) ?? 0, maxTextLength);
  const most = count(schema["maxLength"]) ?? Number.POSITIVE_INFINITY;
  const fits = (value: string): boolean => value.length >= least && value.length <= most;
  const known = formats[asString(schema["format"]) ?? ""];
  if (known !== undefined && fits(known)) return known;
  const pattern = asString(schema["pattern"]);
  const matched = pattern === undefined ? undefined : textOfPattern(pattern, least, most);
  if (matched !== undefined) return matched;
  const isPlace = /city|location|place|town|country|name|person|subject/i.test(name);
  const proper = words.findLast((word, at) => at > 0 && /^\p{Lu}/u.test(word));
  const word = (isPlace ? proper : undefined) ?? words.at(-1) ?? "echo";
  const number = variant === 0 ? "" : String(variant);
  const letters = Array.from(word).slice(0, Math.max(0, most - number.length));
  return letters.join("") + "o".repeat(Math.max(0, least - letters.length - number.length)) + number;
};

const isMultiple = (value: number, step: number): boolean => {
  const times = value / step;
  return Math.abs(times - Math.round(times)) < 1e-9 * Math.max(1, Math.abs(times));
};

/** OpenAPI's older form says by a switch that a bound itself is out. */
const bounds = (schema: JsonObject, side: "minimum" | "maximum"): { at: number; open: boolean }[] => {
  const exclusive = schema[side === "minimum" ? "exclusiveMinimum" : "exclusiveMaximum"];
  const at = asNumber(schema[side]);
  const open = asNumber(exclusive);
  return [
    ...(at === undefined ? [] : [{ at, open: exclusive === true }]),
    ...(open === undefined ? [] : [{ at: open, open: true }]),
  ];
};

const number = (schema: JsonObject, whole: boolean, variant: number): number => {
  const lower = bounds(schema, "minimum");
  const upper = bounds(schema, "maximum");
  const multiple = asNumber(schema["multipleOf"]);
  const step = multiple !== undefined && multiple > 0 ? multiple : whole ? 1 : undefined;
  const fits = (value: number): boolean =>
    (!whole || Number.isInteger(value)) &&
    (step === undefined || isMultiple(value, step)) &&
    lower.every(({ at, open }) => (open ? value > at : value >= at)) &&
    upper.every(({ at, open }) => (open ? value < at : value <= at));
  const wished = (whole ? 1 : 1.5) + variant;
  const least = Math.max(...lower.map(({ at }) => at));
  const most = Math.min(...upper.map(({ at }) => at));
  const grid = step ?? 1;
  // From each of these to the next that the step allows, and on by it.
  const starts = [wished, least + variant * grid, most - variant * grid].filter(Number.isFinite);
  const near = starts.flatMap((start) =>
    [Math.ceil, Math.floor].flatMap((round) => {
      const at = round(start / grid);
      return [at, at + 1, at - 1, at + 2, at - 2, at + 3].map((times) => Number((times * grid).toPrecision(15)));
    }),
  );
  const between = Number.isFinite(least) && Number.isFinite(most) ? [least + (most - least) / (2 + variant)] : [];
  const beside = [least, most, least + 0.5, most - 0.5].filter(Number.isFinite);
  return [wished, ...near, ...beside, ...between].find(fits) ?? starts.at(1) ?? wished;
};

const typeOf = (schema: JsonObject): string | undefined => {
  const { type } = schema;
  const named =
    asString(type) ??
    asArray(type)
      ?.map(asString)
      .toSorted((a, b) => Number(a === "null") - Number(b === "null"))[0];
  if (named !== undefined) return named.toLowerCase();
  const has = (...keys: readonly string[]): boolean => keys.some((key) => schema[key] !== undefined);
  if (has("properties", "required", "additionalProperties", "minProperties")) return "object";
  if (has("items", "prefixItems", "minItems", "uniqueItems")) return "array";
  if (has("minLength", "maxLength", "pattern", "format")) return "string";
  if (has("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")) return "number";
  return undefined;
};

const object = (schema: JsonObject, name: string, context: Context): JsonObject => {
  const properties = asObject(schema["properties"]) ?? {};
  const others = asObject(schema["additionalProperties"]) ?? {};
  const required = new Set((asArray(schema["required"]) ?? []).flatMap((each) => asString(each) ?? []));
  const keys = [...new Set([...Object.keys(properties), ...required])]
    // What is optional ends a recursion.
    .filter((key) => context.depth <= 4 || required.has(key));
  const least = Math.min(count(schema["minProperties"]) ?? 0, maxItems);
  for (const key of Object.keys(properties)) if (keys.length < least && !keys.includes(key)) keys.push(key);
  for (let at = 1; keys.length < least; at += 1) if (!keys.includes(`${name}${at}`)) keys.push(`${name}${at}`);
  return Object.fromEntries(
    keys.map((key) => {
      const own = Object.hasOwn(properties, key) ? asObject(properties[key]) : others;
      return [key, make(own ?? {}, key, { ...context, variant: 0 })];
    }),
  );
};

const array = (schema: JsonObject, name: string, context: Context): Json[] => {
  const prefix = (asArray(schema["prefixItems"]) ?? []).map((each) => asObject(each) ?? {});
  const rest = asObject(schema["items"]) ?? {};
  const wished = prefix.length > 0 ? prefix.length : context.depth > 4 ? 0 : 1;
  const length = Math.min(count(schema["minItems"]) ?? wished, maxItems);
  const most = count(schema["maxItems"]) ?? Number.POSITIVE_INFINITY;
  const isSet = schema["uniqueItems"] === true;
  return Array.from({ length: Math.min(Math.max(length, prefix.length), most) }, (_, at) =>
    make(prefix[at] ?? rest, name, { ...context, variant: isSet ? at : 0 }),
  );
};

const choice = (choices: readonly Json[], { words, variant }: Context): Json => {
  const said = new Set(words.map((word) => word.toLowerCase()));
  const named = choices.find((each) => typeof each === "string" && said.has(each.toLowerCase()));
  return (variant === 0 ? named : undefined) ?? choices[variant % choices.length] ?? null;
};

const make = (schema: JsonObject, name: string, outer: Context): Json => {
  const context = { ...outer, depth: outer.depth + 1 };
  context.values.left -= 1;
  if (context.depth > maxDepth || context.hops > maxHops || context.values.left < 0) return null;
  const here = { ...outer, hops: outer.hops + 1 };
  const ref = asString(schema["$ref"]);
  if (ref !== undefined) {
    const { $ref: _ref, ...beside } = schema;
    return make(merged([resolveRef(ref, context.root) ?? { type: "null" }, beside]), name, here);
  }
  if (schema["const"] !== undefined) return schema["const"];
  const every = asArray(schema["allOf"]);
  if (every !== undefined) {
    const { allOf: _allOf, ...beside } = schema;
    const parts = every
      .map((each) => asObject(each) ?? {})
      .map((part) => {
        const { $ref: target, ...more } = part;
        return typeof target === "string" ? merged([resolveRef(target, context.root) ?? {}, more]) : part;
      });
    return make(merged([...parts, beside]), name, here);
  }
  const choices = asArray(schema["enum"]);
  if (choices?.[0] !== undefined) return choice(choices, context);
  if (schema["default"] !== undefined && context.variant === 0) return schema["default"];
  const some = asArray(schema["anyOf"]) ?? asArray(schema["oneOf"]);
  if (some !== undefined) {
    const { anyOf: _anyOf, oneOf: _oneOf, ...beside } = schema;
    const options = some.map((each) => asObject(each) ?? {});
    const { height } = context;
    // Deep inside, the shortest way out is the end of a recursive type; else the first that is something.
    const branch =
      context.depth > 4
        ? options.toSorted((a, b) => height(a) - height(b))[0]
        : (options.find((option) => option["type"] !== "null" && height(option) < Infinity) ?? options[0]);
    return make(merged([beside, branch ?? {}]), name, here);
  }
  switch (typeOf(schema)) {
    case "object":
      return object(schema, name, context);
    case "array":
      return array(schema, name, context);
    case "integer":
      return number(schema, true, context.variant);
    case "number":
      return number(schema, false, context.variant);
    case "boolean":
      return context.variant % 2 === 0;
    case "null":
      return null;
    default:
      return text(schema, name, context);
  }
};

export const schemaInstance = (schema: JsonObject, prompt: string): Json =>
  make(schema, "", {
    root: schema,
    words: prompt.match(/[\p{L}\p{N}'-]+/gu) ?? [],
    depth: 0,
    variant: 0,
    values: { left: maxValues },
    hops: 0,
    height: heightOf(schema),
  });
