// A small validator of JSON Schema, by the specification's words and apart from the code under test.
import * as z from "zod";

type Schema = Record<string, unknown>;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const types: Record<string, (value: unknown) => boolean> = {
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === "boolean",
  null: (value) => value === null,
  array: (value) => Array.isArray(value),
  object: isMap,
};

const formats: Record<string, z.ZodType> = {
  date: z.iso.date(),
  "date-time": z.iso.datetime(),
  time: z.iso.time().or(z.string().regex(/^\d\d:\d\d:\d\dZ$/)),
  duration: z.iso.duration(),
  email: z.email(),
  uri: z.url(),
  uuid: z.guid(),
  ipv4: z.ipv4(),
  ipv6: z.ipv6(),
  hostname: z.hostname(),
};

const keywords: Record<string, (limit: never, value: never, schema: Schema) => boolean> = {
  const: (limit: unknown, value) => same(limit, value),
  enum: (limit: unknown[], value) => limit.some((each) => same(each, value)),
  minLength: (limit: number, value: unknown) => typeof value !== "string" || Array.from(value).length >= limit,
  maxLength: (limit: number, value: unknown) => typeof value !== "string" || Array.from(value).length <= limit,
  pattern: (limit: string, value: unknown) => typeof value !== "string" || new RegExp(limit, "u").test(value),
  format: (limit: string, value: unknown) =>
    typeof value !== "string" || (formats[limit]?.safeParse(value).success ?? true),
  minimum: (limit: number, value: unknown) => typeof value !== "number" || value >= limit,
  maximum: (limit: number, value: unknown) => typeof value !== "number" || value <= limit,
  exclusiveMinimum: (limit: number, value: unknown) => typeof value !== "number" || value > limit,
  exclusiveMaximum: (limit: number, value: unknown) => typeof value !== "number" || value < limit,
  multipleOf: (limit: number, value: unknown) =>
    typeof value !== "number" ||
    Math.abs(value / limit - Math.round(value / limit)) < 1e-9 * Math.max(1, Math.abs(value / limit)),
  minItems: (limit: number, value: unknown) => !Array.isArray(value) || value.length >= limit,
  maxItems: (limit: number, value: unknown) => !Array.isArray(value) || value.length <= limit,
  uniqueItems: (limit: boolean, value: unknown) =>
    !limit || !Array.isArray(value) || new Set(value.map((each) => JSON.stringify(each))).size === value.length,
  required: (limit: string[], value: unknown) => !isMap(value) || limit.every((key) => Object.hasOwn(value, key)),
  minProperties: (limit: number, value: unknown) => !isMap(value) || Object.keys(value).length >= limit,
};

/** Where and why the value does not fit; empty where it does. */
export const misfits = (schema: Schema, value: unknown, root: Schema = schema, at = "$"): string[] => {
  const inner = (part: unknown, each: unknown, where: string): string[] => misfits(part as Schema, each, root, where);
  const problems: string[] = [];
  const { $ref, type, allOf, anyOf, oneOf, properties, additionalProperties, items, prefixItems } = schema;
  if (typeof $ref === "string") {
    const target = $ref
      .split("/")
      .slice(1)
      .reduce<unknown>((owner, key) => (owner as Schema)[key], root);
    problems.push(...inner(target, value, at));
  }
  const named = type === undefined ? [] : [type].flat();
  if (named.length > 0 && !named.some((each) => typeof each === "string" && types[each]?.(value) === true))
    problems.push(`${at}: not ${JSON.stringify(type)}`);
  for (const [keyword, fits] of Object.entries(keywords))
    if (schema[keyword] !== undefined && !fits(schema[keyword] as never, value as never, schema))
      problems.push(`${at}: ${keyword} ${JSON.stringify(schema[keyword])}, not ${JSON.stringify(value)}`);
  if (Array.isArray(allOf)) problems.push(...allOf.flatMap((each) => inner(each, value, at)));
  const fitting = (options: unknown[]): number => options.filter((each) => inner(each, value, at).length === 0).length;
  if (Array.isArray(anyOf) && fitting(anyOf) === 0) problems.push(`${at}: none of anyOf`);
  if (Array.isArray(oneOf) && fitting(oneOf) !== 1) problems.push(`${at}: not one of oneOf`);
  if (isMap(value))
    for (const [key, each] of Object.entries(value)) {
      const own = isMap(properties) && Object.hasOwn(properties, key) ? properties[key] : additionalProperties;
      if (own === false) problems.push(`${at}: ${key} is not allowed`);
      else if (isMap(own)) problems.push(...inner(own, each, `${at}.${key}`));
    }
  if (Array.isArray(value))
    value.forEach((each, index) => {
      const own: unknown = Array.isArray(prefixItems) && index < prefixItems.length ? prefixItems[index] : items;
      if (isMap(own)) problems.push(...inner(own, each, `${at}[${index}]`));
    });
  return problems;
};
