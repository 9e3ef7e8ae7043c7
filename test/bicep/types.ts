// Azure's published resource types (github.com/Azure/bicep-types-az, the folder `generated` of a copy), and what they say against a resource.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { textOf, type Value } from "./evaluate.ts";

type Ref = { $ref: string };
type Property = { type: Ref; flags: number };
type Type =
  | { $type: "ResourceType"; name: string; body: Ref }
  | { $type: "ObjectType"; properties: Record<string, Property>; additionalProperties?: Ref }
  | {
      $type: "DiscriminatedObjectType";
      discriminator: string;
      baseProperties: Record<string, Property>;
      elements: Record<string, Ref>;
    }
  | { $type: "ArrayType"; itemType: Ref }
  | { $type: "UnionType"; elements: Ref[] }
  | { $type: "StringLiteralType"; value: string }
  | { $type: "StringType"; minLength?: number; maxLength?: number }
  | { $type: "IntegerType"; minValue?: number; maxValue?: number }
  | { $type: "BooleanType" }
  | { $type: "AnyType" };

const required = 1;
const readOnly = 2;
const deployTime = 8;

/** What only Azure knows has any type. */
const isUnknown = (value: Value): boolean => typeof value === "string" && value.includes("{{");
const isObject = (value: Value): value is { [name: string]: Value } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const check = (types: Type[], type: Type, value: Value, path: string, say: (text: string) => void): void => {
  const at = (ref: Ref): Type => types[Number(ref.$ref.split("/").at(-1))] ?? { $type: "AnyType" };
  const properties = (known: Record<string, Property>, other: Ref | undefined): void => {
    if (!isObject(value)) return say(`${path} is no object`);
    for (const [name, each] of Object.entries(value)) {
      const property = known[name];
      if (property === undefined && other === undefined) say(`${path}.${name} is unknown`);
      else if (property !== undefined && (property.flags & readOnly) !== 0 && (property.flags & deployTime) === 0)
        say(`${path}.${name} can't be set`);
      const of = property?.type ?? other;
      if (of !== undefined) check(types, at(of), each, `${path}.${name}`, say);
    }
    for (const [name, { flags }] of Object.entries(known))
      if ((flags & required) !== 0 && (flags & readOnly) === 0 && !(name in value)) say(`${path}.${name} is missing`);
  };
  if (value === null || isUnknown(value)) return;
  switch (type.$type) {
    case "ObjectType":
      return properties(type.properties, type.additionalProperties);
    case "DiscriminatedObjectType": {
      const one = type.elements[isObject(value) ? textOf(value[type.discriminator]) : ""];
      if (one === undefined)
        return say(`${path}.${type.discriminator} is none of ${Object.keys(type.elements).join(", ")}`);
      const element = at(one);
      if (element.$type === "ObjectType") properties({ ...type.baseProperties, ...element.properties }, undefined);
      return;
    }
    case "ArrayType":
      if (!Array.isArray(value)) return say(`${path} is no array`);
      for (const [index, each] of value.entries()) check(types, at(type.itemType), each, `${path}[${index}]`, say);
      return;
    case "UnionType": {
      // Where any text is let in, too, the values that Azure knows are still the ones to use.
      const values = type.elements.map(at).flatMap((each) => (each.$type === "StringLiteralType" ? [each.value] : []));
      if (values.length > 0 && !values.includes(textOf(value)))
        say(`${path} is ${textOf(value)}, none of ${values.join(", ")}`);
      return;
    }
    case "StringLiteralType":
      return value === type.value ? undefined : say(`${path} is not ${type.value}`);
    case "StringType":
      if (typeof value !== "string") return say(`${path} is no text`);
      if (value.length > (type.maxLength ?? Number.MAX_SAFE_INTEGER)) say(`${path} is too long`);
      if (value.length < (type.minLength ?? 0)) say(`${path} is too short`);
      return;
    case "IntegerType":
      if (typeof value !== "number") return say(`${path} is no number`);
      if (value > (type.maxValue ?? Number.MAX_SAFE_INTEGER) || value < (type.minValue ?? -Number.MAX_SAFE_INTEGER))
        say(`${path} is out of range`);
      return;
    case "BooleanType":
      return typeof value === "boolean" ? undefined : say(`${path} is neither true nor false`);
    default:
  }
};

/** Folders `…/<provider>/<version>` below `generated`. */
const foldersOf = (generated: string, provider: string, version: string): string[] =>
  readdirSync(generated).flatMap((service) => {
    const path = join(generated, service, provider.toLowerCase(), version, "types.json");
    return existsSync(path) ? [path] : [];
  });

const read = new Map<string, Type[]>();

/** What the type says against the body of a resource; one sentence each. */
export const typeProblems = (generated: string, type: string, version: string, body: Value): string[] => {
  const problems: string[] = [];
  for (const path of foldersOf(generated, type.split("/")[0] ?? "", version)) {
    const types = read.get(path) ?? (JSON.parse(readFileSync(path, "utf8")) as Type[]);
    read.set(path, types);
    const found = types.find(
      (each) => each.$type === "ResourceType" && each.name.toLowerCase() === `${type}@${version}`.toLowerCase(),
    );
    if (found?.$type !== "ResourceType") continue;
    if (found.name !== `${type}@${version}`) problems.push(`it is written ${found.name}`);
    const of = types[Number(found.body.$ref.split("/").at(-1))];
    if (of !== undefined) check(types, of, body, type, (text) => void problems.push(text));
    return problems;
  }
  return [`there is no ${type}@${version}`];
};
