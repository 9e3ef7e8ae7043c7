// Bicep's expressions as values: names are looked up, functions called; what only Azure knows stays as `{{name.path}}`.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { regrouped } from "./grouping.ts";
import type { Expression } from "./syntax.ts";

export type Value = string | number | boolean | null | Value[] | { [name: string]: Value };
export type Dictionary = { [name: string]: Value };

/** A resource or module, or a part of one: what the file says of it, and its path for what it doesn't say. */
export class Reference {
  readonly path: string;
  readonly body: Found;
  constructor(path: string, body: Found) {
    this.path = path;
    this.body = body;
  }
}
class Lambda {
  readonly parameter: string;
  readonly body: Expression;
  readonly scope: Scope;
  constructor(parameter: string, body: Expression, scope: Scope) {
    this.parameter = parameter;
    this.body = body;
    this.scope = scope;
  }
}
export type Found = Value | undefined | Reference | Lambda | Found[] | { [name: string]: Found };

export type Scope = {
  lookUp: (name: string) => Found;
  /** Of the file, for what it loads. */
  path: string;
  problem: (text: string) => void;
  environment: Readonly<Record<string, string>>;
};

export const isDictionary = (value: unknown): value is { [name: string]: Found } =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Reference) &&
  !(value instanceof Lambda);

/** Without references and undefined members. */
export const plain = (value: Found): Value => {
  if (value instanceof Reference) return value.body === undefined ? `{{${value.path}}}` : plain(value.body);
  if (value instanceof Lambda) return null;
  if (Array.isArray(value)) return value.map(plain);
  if (isDictionary(value))
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, each]) => (each === undefined ? [] : [[name, plain(each)]])),
    );
  return value ?? null;
};

export const textOf = (value: Found): string => {
  const found = plain(value);
  return typeof found === "string" ? found : JSON.stringify(found);
};

const hash = (texts: string[]): Buffer => createHash("sha256").update(texts.join("\n")).digest();
const isEmpty = (value: Found): boolean => {
  if (value instanceof Reference) return false;
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
};

const merged = (below: Found, above: Found): Found => {
  if (Array.isArray(below) && Array.isArray(above))
    return [...below, ...(above as Value[]).filter((each) => !(below as Value[]).includes(each))];
  if (!isDictionary(below) || !isDictionary(above)) return above;
  const all: { [name: string]: Found } = { ...below };
  for (const [name, value] of Object.entries(above))
    all[name] = isDictionary(all[name]) && isDictionary(value) ? merged(all[name], value) : value;
  return all;
};

const group = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/rg-heddle-test";
const places: Record<string, Dictionary> = {
  resourceGroup: { id: group, name: "rg-heddle-test", location: "swedencentral" },
  subscription: {
    id: group.split("/resourceGroups")[0] ?? "",
    subscriptionId: "00000000-0000-4000-8000-000000000000",
    tenantId: "00000000-0000-4000-8000-000000000001",
  },
  tenant: { tenantId: "00000000-0000-4000-8000-000000000001" },
  environment: { suffixes: { storage: "core.windows.net", keyvaultDns: ".vault.azure.net" } },
  deployment: { name: "test" },
};

const numbers = (values: Found[]): number[] => values.map(Number);

/** What Bicep's functions give: those that are used here. */
const functions: Record<string, (given: Found[], scope: Scope) => Found> = {
  empty: ([value]) => isEmpty(value),
  contains: ([all, one]) =>
    Array.isArray(all)
      ? (all as Value[]).includes(one as Value)
      : isDictionary(all)
        ? textOf(one) in all
        : textOf(all).includes(textOf(one)),
  length: ([value]) => (isDictionary(value) ? Object.keys(value).length : (value as Found[] | string).length),
  union: ([first, ...others]) => others.reduce(merged, first),
  concat: (given) => (Array.isArray(given[0]) ? given.flat() : given.map(textOf).join("")),
  toLower: ([text]) => textOf(text).toLowerCase(),
  toUpper: ([text]) => textOf(text).toUpperCase(),
  take: ([value, count]) => (Array.isArray(value) ? value : textOf(value)).slice(0, Number(count)),
  replace: ([text, from, to]) => textOf(text).replaceAll(textOf(from), textOf(to)),
  split: ([text, by]) => textOf(text).split(textOf(by)),
  join: ([all, by]) => (all as Found[]).map(textOf).join(textOf(by)),
  string: ([value]) => textOf(value),
  int: ([value]) => Number(textOf(value)),
  bool: ([value]) => textOf(value).toLowerCase() === "true",
  json: ([text]) => JSON.parse(textOf(text)) as Value,
  items: ([value]) =>
    Object.entries(value as { [name: string]: Found })
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, each]) => ({ key, value: each })),
  // Of a network with `/length`, the part of that number.
  cidrSubnet: ([prefix, length, part]) => {
    const address = textOf(prefix).split("/")[0] ?? "";
    const start = address.split(".").reduce((all, byte) => all * 256 + Number(byte), 0);
    const own = start + Number(part) * 2 ** (32 - Number(length));
    return `${[24, 16, 8, 0].map((bits) => Math.trunc(own / 2 ** bits) % 256).join(".")}/${textOf(length)}`;
  },
  range: ([from, count]) => Array.from({ length: Number(count) }, (_each, index) => Number(from) + index),
  min: (given) => Math.min(...numbers(given.flat() as Found[])),
  max: (given) => Math.max(...numbers(given.flat() as Found[])),
  uniqueString: (given) => hash(given.map(textOf)).toString("hex").slice(0, 13),
  guid: (given) =>
    hash(given.map(textOf))
      .toString("hex")
      .replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-4$3-8$4-$5"),
  loadTextContent: ([path], { path: from }) => readFileSync(join(dirname(from), textOf(path)), "utf8"),
  subscriptionResourceId: ([type, name]) =>
    `${textOf(places["subscription"]?.["id"])}/providers/${textOf(type)}/${textOf(name)}`,
  resourceId: ([type, ...names]) => {
    const [provider = "", ...types] = textOf(type).split("/");
    return `${group}/providers/${provider}${types.map((each, at) => `/${each}/${textOf(names[at])}`).join("")}`;
  },
  readEnvironmentVariable: ([name, otherwise], { environment, problem }) => {
    const value = environment[textOf(name)] ?? otherwise;
    if (value === undefined) problem(`${textOf(name)} is not set`);
    return value;
  },
  fail: ([message], { problem }) => {
    problem(`refused: ${textOf(message)}`);
    return textOf(message);
  },
  // What only Azure knows counts as one.
  map: ([all, lambda]) => (Array.isArray(all) ? all : [all]).map((each) => applied(lambda as Lambda, each)),
  filter: ([all, lambda]) => (all as Found[]).filter((each) => applied(lambda as Lambda, each) === true),
};

const withNames = (scope: Scope, names: Record<string, Found>): Scope => ({
  ...scope,
  lookUp: (name) => (name in names ? names[name] : scope.lookUp(name)),
});
const applied = ({ parameter, body, scope }: Lambda, value: Found): Found =>
  evaluate(body, withNames(scope, { [parameter]: value }));

const memberOf = (object: Found, name: string, safe: boolean, scope: Scope): Found => {
  if (object instanceof Reference) {
    const inside = isDictionary(object.body) ? object.body[name] : undefined;
    return inside === undefined || isDictionary(inside) ? new Reference(`${object.path}.${name}`, inside) : inside;
  }
  if (isDictionary(object) && name in object) return object[name];
  if (typeof object === "string" && object.startsWith("{{")) return `${object.slice(0, -2)}.${name}}}`;
  if (!safe) scope.problem(`${name} of ${textOf(object)} is not there`);
  return null;
};

const compared: Record<string, (left: Found, right: Found) => Found> = {
  "==": (left, right) => textOf(left) === textOf(right),
  "!=": (left, right) => textOf(left) !== textOf(right),
  "=~": (left, right) => textOf(left).toLowerCase() === textOf(right).toLowerCase(),
  "<": (left, right) => Number(left) < Number(right),
  "<=": (left, right) => Number(left) <= Number(right),
  ">": (left, right) => Number(left) > Number(right),
  ">=": (left, right) => Number(left) >= Number(right),
  "+": (left, right) => Number(left) + Number(right),
  "-": (left, right) => Number(left) - Number(right),
  "*": (left, right) => Number(left) * Number(right),
  "/": (left, right) => Math.trunc(Number(left) / Number(right)),
  "%": (left, right) => Number(left) % Number(right),
  "??": (left, right) => left ?? right,
  "&&": (left, right) => left === true && right === true,
  "||": (left, right) => left === true || right === true,
};

const called = (name: string, given: Expression[], scope: Scope): Found => {
  const place = places[name];
  if (place !== undefined && given.length === 0) return place;
  const known = functions[name];
  if (known === undefined) {
    scope.problem(`${name}() is not known here`);
    return null;
  }
  return known(
    given.map((each) => evaluate(each, scope)),
    scope,
  );
};

/** The items of a loop; those whose condition doesn't hold are left out. */
export const looped = (expression: Extract<Expression, { kind: "for" }>, scope: Scope): Found[] => {
  const over = evaluate(expression.over, scope);
  if (!Array.isArray(over)) {
    scope.problem("a loop over what is no array");
    return [];
  }
  return over.flatMap((item, index) => {
    const inner = withNames(scope, {
      [expression.item]: item,
      ...(expression.index === undefined ? {} : { [expression.index]: index }),
    });
    const { body } = expression;
    if (body.kind !== "if") return [evaluate(body, inner)];
    return evaluate(body.condition, inner) === true ? [evaluate(body.body, inner)] : [];
  });
};

export const evaluate = (expression: Expression, scope: Scope): Found => {
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "text":
      return expression.parts.map((part) => (typeof part === "string" ? part : textOf(evaluate(part, scope)))).join("");
    case "name":
      return scope.lookUp(expression.name);
    case "member":
      return memberOf(evaluate(expression.object, scope), expression.property, expression.safe, scope);
    case "index": {
      const object = evaluate(expression.object, scope);
      const index = evaluate(expression.index, scope);
      if (Array.isArray(object)) return object[Number(index)];
      return memberOf(object, textOf(index), false, scope);
    }
    case "call":
      return called(expression.name, expression.arguments, scope);
    case "object": {
      const entries = expression.members.map(({ key, value }): [string, Found] => [
        textOf(evaluate(key, scope)),
        evaluate(value, scope),
      ]);
      const names = new Set(entries.map(([name]) => name));
      if (names.size !== entries.length) scope.problem(`a property is there twice: ${[...names].join(", ")}`);
      return Object.fromEntries(entries);
    }
    case "array":
      return expression.items.map((item) => evaluate(item, scope));
    case "for":
      return looped(expression, scope);
    case "if":
      return evaluate(expression.condition, scope) === true ? evaluate(expression.body, scope) : undefined;
    case "ternary":
      return evaluate(evaluate(expression.condition, scope) === true ? expression.yes : expression.no, scope);
    case "group":
      return evaluate(expression.inner, scope);
    case "binary": {
      const { operator, left, right } = regrouped(expression);
      const compare = compared[operator];
      if (compare === undefined) {
        scope.problem(`${operator} is not known here`);
        return null;
      }
      return compare(evaluate(left, scope), evaluate(right, scope));
    }
    case "unary": {
      const value = evaluate(expression.argument, scope);
      return expression.operator === "!" ? value !== true : -Number(value);
    }
    case "lambda":
      return new Lambda(expression.parameter, expression.body, scope);
  }
};
