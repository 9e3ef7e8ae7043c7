// What CloudFormation knows of a resource's properties, from AWS's own specification: names, types, allowed values, what is required.
import { loadAwsServiceSpecSync } from "@aws-cdk/aws-service-spec";
import type { Property, PropertyType, Resource as SpecResource } from "@aws-cdk/service-spec-types";
import { textOf, type Dictionary, type Value } from "./template.ts";

type Properties = Record<string, Property>;

let loaded: ReturnType<typeof loadAwsServiceSpecSync> | undefined;
const database = (): ReturnType<typeof loadAwsServiceSpecSync> => (loaded ??= loadAwsServiceSpecSync());

export const specOf = (type: string): SpecResource | undefined =>
  database().lookup("resource", "cloudFormationType", "equals", type)[0];

/** SAM's schema in the specification is older than SAM: what it lacks is checked as what SAM hands it to. */
const propertyOf = (type: string, name: string): Property => {
  const property = specOf(type)?.properties[name];
  if (property === undefined) throw new Error(`${type} has no ${name}`);
  return property;
};
const newerThanSpec = (type: string): Properties =>
  type === "AWS::Serverless::Function"
    ? {
        LoggingConfig: propertyOf("AWS::Lambda::Function", "LoggingConfig"),
        AutoPublishAliasAllProperties: { type: { type: "boolean" } },
        // The events are checked one by one below.
        Events: { type: { type: "json" } },
        // Each is an ARN, or absent.
        Layers: propertyOf("AWS::Lambda::Function", "Layers"),
      }
    : {};

const isDictionary = (value: Value): value is Dictionary =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** CloudFormation takes numbers and truths as text, too. */
const isA = (type: PropertyType["type"], value: Value): boolean => {
  const text = typeof value === "object" ? "" : textOf(value);
  if (type === "number") return text !== "" && Number.isFinite(Number(text));
  if (type === "integer") return /^-?\d+$/.test(text);
  if (type === "boolean") return text === "true" || text === "false";
  return typeof value !== "object";
};

const typeProblems = (type: PropertyType, value: Value, path: string): string[] => {
  switch (type.type) {
    case "json":
      return [];
    case "null":
      return value === null ? [] : [`${path}: expected null`];
    case "tag":
      return isDictionary(value) && "Key" in value && "Value" in value ? [] : [`${path}: expected a tag`];
    case "array":
      return Array.isArray(value)
        ? value.flatMap((each, at) => typeProblems(type.element, each, `${path}[${at}]`))
        : [`${path}: expected a list`];
    case "map":
      return isDictionary(value)
        ? Object.entries(value).flatMap(([name, each]) => typeProblems(type.element, each, `${path}.${name}`))
        : [`${path}: expected a map`];
    case "union": {
      const each = type.types.map((one) => typeProblems(one, value, path));
      // The nearest alternative says what is wrong.
      return each.reduce((best, next) => (next.length < best.length ? next : best));
    }
    case "ref": {
      const definition = database().get("typeDefinition", type.reference.$ref);
      return isDictionary(value)
        ? propertyProblems(definition.properties, value, path)
        : [`${path}: expected ${definition.name}`];
    }
    default: {
      if (!isA(type.type, value)) return [`${path}: expected ${type.type}, not ${JSON.stringify(value)}`];
      const allowed: readonly unknown[] | undefined = "allowedValues" in type ? type.allowedValues : undefined;
      return allowed === undefined || allowed.includes(value)
        ? []
        : [`${path}: ${textOf(value)} is not one of ${allowed.join(", ")}`];
    }
  }
};

const propertyProblems = (known: Properties, given: Dictionary, path: string): string[] => [
  ...Object.entries(given).flatMap(([name, value]) => {
    const property = known[name];
    return property === undefined
      ? [`${path}.${name} is no property`]
      : typeProblems(property.type, value, `${path}.${name}`);
  }),
  ...Object.entries(known).flatMap(([name, { required }]) =>
    required === true && !(name in given) ? [`${path}.${name} is required`] : [],
  ),
];

/** Everything in `given` that the specification does not know, and all that it misses. */
export const specProblems = (type: string, given: Dictionary, path: string): string[] => {
  const spec = specOf(type);
  if (spec === undefined) return [`${path}: ${type} is no type of resource`];
  return propertyProblems({ ...spec.properties, ...newerThanSpec(type) }, given, path);
};

/** SAM's events, as the resources that they become. */
export const eventProblems = (event: Dictionary, path: string): string[] => {
  const properties = event["Properties"] as Dictionary;
  if (event["Type"] === "SQS") {
    const { Queue: EventSourceArn = "", ...rest } = properties;
    return specProblems("AWS::Lambda::EventSourceMapping", { EventSourceArn, FunctionName: "f", ...rest }, path);
  }
  if (event["Type"] === "Schedule") {
    const { Schedule: ScheduleExpression = "", RetryPolicy, ...rest } = properties;
    const target: Dictionary = { Arn: "a", Id: "i", ...(RetryPolicy === undefined ? {} : { RetryPolicy }) };
    return specProblems("AWS::Events::Rule", { ScheduleExpression, Targets: [target], ...rest }, path);
  }
  return [`${path}: ${textOf(event["Type"])} is not checked here`];
};
