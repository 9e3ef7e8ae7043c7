// Instances of JSON schemas: valid, always the same, and never without an end.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { JsonObject } from "../../../lib/model/json.ts";
import { schemaInstance } from "../../../lib/providers/echo/schema-instance.ts";
import { misfits } from "./validate.ts";

const prompt = "What is the weather like in Oslo tomorrow?";
const instance = (schema: object, said = prompt): unknown => schemaInstance(schema as JsonObject, said);

/** Schemas that have a value; whatever they ask for is asked in a way that can be met. */
const numeric = fc.constantFrom("integer", "number");
const leaves = fc.oneof(
  fc
    .tuple(fc.nat(30), fc.nat(30))
    .map(([least, more]) => ({ type: "string", minLength: least, maxLength: least + more })),
  fc
    .constantFrom("date", "date-time", "time", "duration", "email", "uri", "uuid", "ipv4", "ipv6", "hostname")
    .map((format) => ({ type: "string", format })),
  fc
    .constantFrom(
      "^[A-Z]{3}-\\d{4}$",
      "^(?:red|green|blue)$",
      "^\\+?[1-9]\\d{1,14}$",
      "[a-f0-9]{8}",
      "^\\S+@\\S+\\.\\w{2,}$",
      "^#(?:[0-9a-fA-F]{3}){1,2}$",
      "^v\\d+(?:\\.\\d+)*$",
      "x+y?z*",
    )
    .map((pattern) => ({ type: "string", pattern })),
  fc
    .tuple(numeric, fc.integer({ min: -1e6, max: 1e6 }), fc.nat(1e3))
    .map(([type, minimum, more]) => ({ type, minimum, maximum: minimum + more })),
  fc
    .tuple(numeric, fc.integer({ min: -1e3, max: 1e3 }), fc.integer({ min: 2, max: 9 }))
    .map(([type, least, more]) => ({ type, exclusiveMinimum: least, exclusiveMaximum: least + more })),
  fc
    .tuple(numeric, fc.constantFrom(1, 3, 5, 7, 12), fc.integer({ min: -500, max: 500 }))
    .map(([type, multipleOf, minimum]) => ({ type, multipleOf, minimum, maximum: minimum + multipleOf })),
  fc
    .tuple(fc.constantFrom(0.01, 0.25, 0.1), fc.double({ min: -9, max: 9, noNaN: true }))
    .map(([multipleOf, minimum]) => ({ type: "number", multipleOf, minimum })),
  fc
    .uniqueArray(fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.boolean()), { minLength: 1 })
    .map((choices) => ({ enum: choices })),
  fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.boolean()).map((value) => ({ const: value })),
  fc.constantFrom(
    { type: "boolean" },
    { type: "null" },
    { type: ["null", "string"] },
    {},
    { type: "string", description: "x" },
    { $ref: "#/$defs/name" },
  ),
);
const keys = fc.string({ minLength: 1, maxLength: 8 });
const { schema } = fc.letrec<{ schema: object; leaf: object; object: object; array: object; any: object; all: object }>(
  (tie) => ({
    schema: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      tie("leaf"),
      tie("object"),
      tie("array"),
      tie("any"),
      tie("all"),
    ),
    leaf: leaves,
    object: fc
      .tuple(fc.dictionary(keys, tie("schema"), { maxKeys: 4 }), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))
      .map(([properties, isRequired]) => ({
        type: "object",
        properties,
        required: Object.keys(properties).filter((_key, at) => isRequired[at]),
        additionalProperties: false,
      })),
    array: fc
      .record({ items: tie("schema"), minItems: fc.nat(3), more: fc.nat(3) })
      .map(({ items, minItems, more }) => ({ type: "array", items, minItems, maxItems: minItems + more })),
    any: fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    all: fc.tuple(tie("schema"), tie("schema")).map(([a, b]) => ({
      allOf: [
        { type: "object", properties: { a }, required: ["a"] },
        { properties: { b }, required: ["b"] },
      ],
    })),
  }),
);

test("whatever a schema asks for, the instance fits it", () => {
  fc.assert(
    fc.property(schema, fc.string(), (made, said) => {
      const whole = { ...made, $defs: { name: { type: "string", minLength: 2 } } };
      const value = instance(whole, said);
      expect(misfits(whole, value)).toEqual([]);
      // The same again for the same schema and prompt.
      expect(instance(structuredClone(whole), said)).toEqual(value);
    }),
    { numRuns: 500 },
  );
});

test.each<[string, object]>([
  ["an open lower bound", { type: "integer", exclusiveMinimum: 5 }],
  ["a bound that is open by OpenAPI's switch", { type: "number", minimum: 5, maximum: 6 }],
  ["a narrow gap", { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 0.001 }],
  ["a multiple within bounds", { type: "integer", minimum: 10, maximum: 20, multipleOf: 7 }],
  ["a broken multiple of a whole number", { type: "integer", multipleOf: 2.5, minimum: 1 }],
  ["cents", { type: "number", multipleOf: 0.01, minimum: 0.29 }],
  ["less than nothing", { type: "number", maximum: -3.5 }],
  ["no text at all", { type: "string", maxLength: 0 }],
  ["a pattern with a length", { type: "string", pattern: "^[a-z]+$", minLength: 12, maxLength: 14 }],
  ["a pattern that leaves its end open", { type: "string", pattern: "^AB", minLength: 9 }],
  ["a pattern of a class of its own letters", { type: "string", pattern: "^[æøå]{3}$" }],
  ["a pattern of properties", { type: "string", pattern: "^\\p{Lu}\\p{Ll}+$" }],
  ["a date by pattern", { type: "string", pattern: "^\\d{4}-(?:0[1-9]|1[0-2])-(?<day>0[1-9]|[12]\\d|3[01])$" }],
  ["a list of different things", { type: "array", items: { type: "string" }, minItems: 3, uniqueItems: true }],
  [
    "a list of different numbers",
    { type: "array", items: { type: "integer", minimum: 1, maximum: 3 }, minItems: 3, uniqueItems: true },
  ],
  ["a list of different choices", { type: "array", items: { enum: ["a", "b", "c"] }, minItems: 3, uniqueItems: true }],
  [
    "a tuple",
    { type: "array", prefixItems: [{ type: "string" }, { type: "integer" }], items: { type: "null" }, minItems: 4 },
  ],
  ["an empty list", { type: "array", items: { type: "string" }, maxItems: 0 }],
  ["a map", { type: "object", additionalProperties: { type: "integer" }, minProperties: 2 }],
  [
    "a required name that is not described",
    { type: "object", required: ["a"], additionalProperties: { type: "boolean" } },
  ],
  [
    "names of objects' own",
    {
      type: "object",
      properties: { toString: { type: "integer" }, constructor: { type: "null" } },
      required: ["toString", "constructor"],
    },
  ],
  [
    "the narrower of two bounds",
    {
      allOf: [
        { type: "integer", minimum: 5 },
        { minimum: 3, maximum: 6 },
      ],
    },
  ],
  ["what two lists of choices share", { allOf: [{ enum: ["a", "b"] }, { enum: ["b", "c"] }] }],
  [
    "a reference with more beside it",
    { $ref: "#/$defs/text", minLength: 20, $defs: { text: { type: "string", maxLength: 30 } } },
  ],
  [
    "a reference through a reference",
    { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { type: "integer", minimum: 7 } } },
  ],
  [
    "one of several",
    {
      oneOf: [
        { type: "object", properties: { kind: { const: "a" } }, required: ["kind"] },
        { type: "object", properties: { kind: { const: "b" } }, required: ["kind"] },
      ],
    },
  ],
  [
    "no type, but what it implies",
    { properties: { a: { minimum: 2 }, b: { minItems: 1 }, c: { pattern: "^z$" } }, required: ["a", "b", "c"] },
  ],
])("%s", (_what, made) => {
  expect(misfits(made as Record<string, unknown>, instance(made))).toEqual([]);
});

test("a tree ends: by what is optional, by empty lists, by null, by the branch that goes no deeper", () => {
  const node = (children: object): object => ({
    $ref: "#/$defs/node",
    $defs: {
      node: { type: "object", properties: { name: { type: "string" }, children }, required: ["name", "children"] },
    },
  });
  const self = { $ref: "#/$defs/node" };
  for (const children of [
    { type: "array", items: self },
    { anyOf: [self, { type: "null" }] },
    { anyOf: [{ type: "null" }, self] },
    {
      oneOf: [
        { type: "object", properties: { left: self, right: self }, required: ["left", "right"] },
        { type: "integer" },
      ],
    },
  ]) {
    const made = node(children);
    expect(misfits(made as Record<string, unknown>, instance(made))).toEqual([]);
  }
  const optional = { type: "object", properties: { next: { $ref: "#" }, id: { type: "integer" } }, required: ["id"] };
  expect(misfits(optional, instance(optional))).toEqual([]);
});

test.each<[string, object]>([
  ["itself", { $ref: "#" }],
  ["nowhere", { $ref: "#/$defs/none" }],
  ["a broken escape", { $ref: "#/%E0%A4%A" }],
  ["elsewhere", { $ref: "https://example.com/schema.json" }],
  [
    "a type without an end",
    { type: "object", properties: { a: { $ref: "#" }, b: { $ref: "#" }, c: { $ref: "#" } }, required: ["a", "b", "c"] },
  ],
  [
    "lists of lists of lists",
    {
      type: "array",
      minItems: 99,
      items: { type: "array", minItems: 99, items: { type: "array", minItems: 99, items: {} } },
    },
  ],
  ["a text of any length", { type: "string", minLength: 1e12 }],
  ["a pattern of any length", { type: "string", pattern: "^((a{999}){999}){999}$" }],
  ["a pattern that takes an engine for ever", { type: "string", pattern: "^(a+)+(?=x)$" }],
  ["a pattern of another engine", { type: "string", pattern: "^(?<x>a)(?P<y>b)$" }],
  ["an empty pattern class", { type: "string", pattern: "^[^\\s\\S]$" }],
  ["odd kinds", { type: 7, enum: {}, anyOf: "x", properties: [], required: "a", items: 3 }],
])("what has no valid instance still ends with a value of some kind: %s", (_what, made) => {
  expect(JSON.stringify(instance(made)).length).toBeLessThan(200_000);
});

test("words of the prompt fill what asks for words", () => {
  expect(instance({ type: "object", properties: { city: { type: "string" } }, required: ["city"] })).toEqual({
    city: "Oslo",
  });
  expect(instance({ type: "string" }, "find Paris")).toBe("Paris");
  expect(instance({ enum: ["celsius", "fahrenheit"] }, "in Fahrenheit please")).toBe("fahrenheit");
});

test("types in Gemini's capitals, and counts written as text", () => {
  const made = {
    type: "OBJECT",
    properties: { list: { type: "ARRAY", items: { type: "STRING" }, minItems: "2" } },
    required: ["list"],
  };
  expect(instance(made)).toEqual({ list: ["tomorrow", "tomorrow"] });
});
