// template.yaml as data: its short tags as long functions, and those resolved for a set of parameters.
import { readFileSync } from "node:fs";
import { isMap, isScalar, isSeq, parse, type CollectionTag, type ScalarTag } from "yaml";

export type Value = string | number | boolean | null | Value[] | { [name: string]: Value };
export type Dictionary = { [name: string]: Value };

type Resource = {
  Type: string;
  Condition?: string;
  Properties?: Dictionary;
  DeletionPolicy?: string;
  [name: string]: unknown;
};
export type Template = {
  Parameters: Record<string, { Type: string; Default?: string | number; AllowedValues?: (string | number)[] }>;
  Rules: Record<string, { RuleCondition: Value; Assertions: { Assert: Value; AssertDescription: string }[] }>;
  Mappings: Record<string, Record<string, Record<string, Value>>>;
  Conditions: Dictionary;
  Globals: { Function: Dictionary };
  Resources: Record<string, Resource>;
  Outputs: Record<string, { Value: Value; Condition?: string }>;
};

const longName = (tag: string): string => (tag === "Ref" || tag === "Condition" ? tag : `Fn::${tag}`);
const tags = [
  "Ref",
  "Condition",
  "Sub",
  "GetAtt",
  "If",
  "Not",
  "And",
  "Or",
  "Equals",
  "FindInMap",
  "Join",
  "Select",
  "Split",
];

const customTags: (ScalarTag | CollectionTag)[] = tags.flatMap((tag): (ScalarTag | CollectionTag)[] => [
  {
    tag: `!${tag}`,
    resolve: (text: string) => ({ [longName(tag)]: tag === "GetAtt" ? text.split(/\.(.*)/s).slice(0, 2) : text }),
  },
  {
    tag: `!${tag}`,
    collection: "seq",
    resolve: (node: unknown) => ({
      [longName(tag)]: isSeq(node) || isMap(node) || isScalar(node) ? (node.toJSON() as Value) : null,
    }),
  },
]);

/** Text, numbers and truths as CloudFormation would put them into a text. */
export const textOf = (value: unknown): string =>
  typeof value === "string"
    ? value
    : typeof value === "object"
      ? JSON.stringify(value)
      : `${value as number | boolean | undefined}`;

export const root = new URL("../../", import.meta.url).pathname;

export const readTemplate = (): Template =>
  parse(readFileSync(`${root}template.yaml`, "utf8"), { customTags }) as Template;

export type Resolved = {
  resources: Record<string, Resource & { Properties: Dictionary }>;
  outputs: Record<string, Value>;
  /** Names that lead nowhere under these parameters. */
  problems: string[];
  /** What the template's rules refuse. */
  refused: string[];
};

const pseudo: Record<string, Value> = {
  "AWS::AccountId": "123456789012",
  "AWS::Partition": "aws",
  "AWS::Region": "us-east-1",
  "AWS::StackName": "heddle-test",
  "AWS::StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/heddle-test/0",
  "AWS::URLSuffix": "amazonaws.com",
};

const nothing = Symbol("AWS::NoValue");
type Found = Value | typeof nothing;

const isDictionary = (value: unknown): value is Dictionary =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Maps are merged, everything else the function's own value wins: as SAM does with Globals. */
const merged = (below: Dictionary, above: Dictionary): Dictionary => {
  const all: Dictionary = { ...below };
  for (const [name, value] of Object.entries(above)) {
    const under = all[name];
    all[name] = isDictionary(under) && isDictionary(value) ? merged(under, value) : value;
  }
  return all;
};

/** What SAM makes beside a function with an alias. */
const generatedBySam = (resources: Record<string, Resource>): Set<string> =>
  new Set(
    Object.entries(resources).flatMap(([name, { Properties }]) =>
      typeof Properties?.["AutoPublishAlias"] === "string"
        ? [
            `${name}Alias${Properties["AutoPublishAlias"]}`,
            `${name}.Version`,
            `${name}DeploymentGroup`,
            "ServerlessDeploymentApplication",
          ]
        : [],
    ),
  );

/** A resource's name or attribute stays as `ref(Table)` or `att(Table.Arn)`. */
export const resolveTemplate = (
  template: Template,
  given: Record<string, string | number> = {},
  region = "us-east-1",
): Resolved => {
  const problems: string[] = [];
  const parameters: Record<string, Value> = { ...pseudo, "AWS::Region": region };
  for (const [name, { Type, Default }] of Object.entries(template.Parameters)) {
    const value = given[name] ?? Default;
    if (value === undefined) problems.push(`${name} has no value`);
    parameters[name] =
      Type === "CommaDelimitedList" ? textOf(value).split(",") : Type === "Number" ? Number(value) : textOf(value);
  }
  for (const name of Object.keys(given)) if (!(name in template.Parameters)) problems.push(`${name} is no parameter`);

  const isOn = (name: string): boolean => {
    const condition = template.Conditions[name];
    if (condition === undefined) {
      problems.push(`${name} is no condition`);
      return false;
    }
    return holds(condition);
  };
  const holds = (value: Value): boolean => {
    if (!isDictionary(value)) return value === true;
    const [name, argument] = Object.entries(value)[0] ?? ["", null];
    const list = Array.isArray(argument) ? argument : [];
    if (name === "Condition") return isOn(textOf(argument));
    if (name === "Fn::Not") return !holds(list[0] ?? null);
    if (name === "Fn::And") return list.every(holds);
    if (name === "Fn::Or") return list.some(holds);
    if (name === "Fn::Equals") return textOf(found(list[0] ?? null)) === textOf(found(list[1] ?? null));
    problems.push(`${name} in a condition`);
    return false;
  };

  const generated = generatedBySam(template.Resources);
  const known = (name: string): boolean => {
    if (generated.has(name)) return true;
    const resource = template.Resources[name];
    return resource !== undefined && (resource.Condition === undefined || isOn(resource.Condition));
  };
  const ref = (name: string): Found => {
    if (name === "AWS::NoValue") return nothing;
    const parameter = parameters[name];
    if (parameter !== undefined) return parameter;
    if (!known(name)) problems.push(`Ref to ${name}, which is not there`);
    return `ref(${name})`;
  };
  const attribute = (name: string, path: string): string => {
    if (!known(name)) problems.push(`GetAtt of ${name}, which is not there`);
    return `att(${name}.${path})`;
  };
  const substitute = (argument: Value): string => {
    const [text, own] = Array.isArray(argument) ? [textOf(argument[0]), argument[1]] : [textOf(argument), {}];
    return text.replaceAll(/\$\{([^}!]+)\}/g, (_whole, name: string) => {
      const local = isDictionary(own ?? null) ? (own as Dictionary)[name] : undefined;
      if (local !== undefined) return textOf(found(local));
      const [resource, path] = name.split(/\.(.*)/s);
      const value = path === undefined || generated.has(name) ? ref(name) : attribute(resource ?? "", path);
      return textOf(value === nothing ? "" : value);
    });
  };

  const found = (value: Value): Found => {
    if (Array.isArray(value)) return value.map(found).filter((each): each is Value => each !== nothing);
    if (!isDictionary(value)) return value;
    const entries = Object.entries(value);
    const [name, argument] = entries[0] ?? ["", null];
    const list = Array.isArray(argument) ? argument : [];
    const plain = (at: number): Value => {
      const each = found(list[at] ?? null);
      return each === nothing ? null : each;
    };
    if (entries.length === 1)
      switch (name) {
        case "Ref":
          return ref(textOf(argument));
        case "Fn::Sub":
          return substitute(argument);
        case "Fn::GetAtt":
          return attribute(textOf(list[0]), textOf(list[1]));
        case "Fn::If":
          return found(list[isOn(textOf(list[0])) ? 1 : 2] ?? null);
        case "Fn::FindInMap": {
          const [map, first, second] = [plain(0), plain(1), plain(2)].map(textOf);
          const mapped = template.Mappings[map ?? ""]?.[first ?? ""]?.[second ?? ""];
          if (mapped === undefined) problems.push(`nothing at ${map}.${first}.${second}`);
          return mapped ?? null;
        }
        case "Fn::Join":
          return (plain(1) as Value[]).map(textOf).join(textOf(list[0]));
        case "Fn::Split":
          return textOf(plain(1)).split(textOf(list[0]));
        // Parts of what is only known when deployed.
        case "Fn::Select":
          return `select(${textOf(list[0])}, ${JSON.stringify(plain(1))})`;
        default:
          if (name.startsWith("Fn::")) problems.push(`${name} is not known here`);
      }
    const out: Dictionary = {};
    for (const [key, each] of entries) {
      const one = found(each);
      if (one !== nothing) out[key] = one;
    }
    return out;
  };

  const resources: Resolved["resources"] = {};
  for (const [name, resource] of Object.entries(template.Resources)) {
    if (resource.Condition !== undefined && !isOn(resource.Condition)) continue;
    const own = resource.Properties ?? {};
    const properties = resource.Type === "AWS::Serverless::Function" ? merged(template.Globals.Function, own) : own;
    resources[name] = { ...resource, Properties: found(properties) as Dictionary };
  }
  const outputs: Resolved["outputs"] = {};
  for (const [name, output] of Object.entries(template.Outputs))
    if (output.Condition === undefined || isOn(output.Condition)) outputs[name] = found(output.Value) as Value;
  const refused = Object.values(template.Rules).flatMap(({ RuleCondition, Assertions }) =>
    holds(RuleCondition) ? Assertions.filter(({ Assert }) => !holds(Assert)).map((each) => each.AssertDescription) : [],
  );
  return { resources, outputs, problems, refused };
};
