// What infra/azure deploys for a set of parameters, as plain values: every module walked, conditions and loops carried out.
import { dirname, join } from "node:path";
import { evaluate, isDictionary, looped, plain, Reference, textOf } from "./evaluate.ts";
import type { Dictionary, Found, Scope, Value } from "./evaluate.ts";
import { parseBicep, parseParameters } from "./syntax.ts";
import type { Expression, File, Module, Parameter, Resource } from "./syntax.ts";

export const root = new URL("../../", import.meta.url).pathname;
export const infra = join(root, "infra/azure");
export const main = join(infra, "main.bicep");

export type Deployed = {
  /** Where it is declared: `modules/storage.bicep:account`. */
  place: string;
  type: string;
  version: string;
  id: string;
  name: string;
  /** All that the file says of it but parent, scope and dependsOn. */
  body: Dictionary;
  /** The id of what it extends, such as a diagnostic setting's resource. */
  scope?: string;
};
export type Deployment = { resources: Deployed[]; outputs: Dictionary; problems: string[] };

const files = new Map<string, File>();
export const readBicep = (path: string): File => {
  const known = files.get(path) ?? parseBicep(path);
  files.set(path, known);
  return known;
};

const types: Record<string, (value: Value) => boolean> = {
  string: (value) => typeof value === "string",
  int: Number.isInteger,
  bool: (value) => typeof value === "boolean",
  object: isDictionary,
  array: Array.isArray,
};

/** What Bicep's compiler or the service would say of a value. */
const refusals = (parameter: Parameter, value: Value, scope: Scope): string[] => {
  const { name, type, allowed, decorators } = parameter;
  const says: string[] = [];
  // What a resource tells only when it is there has any type.
  if (typeof value === "string" && value.startsWith("{{")) return says;
  const of = type.endsWith("[]") ? "array" : type.replace("?", "");
  if (allowed === undefined && types[of]?.(value) !== true) says.push(`${name} is no ${type}: ${textOf(value)}`);
  if (allowed?.includes(value as string | number) === false) says.push(`${name} can't be ${textOf(value)}`);
  const size = typeof value === "number" ? value : (value as string | Value[] | null)?.length;
  for (const { name: rule, arguments: given } of decorators) {
    const first = given[0] === undefined ? undefined : plain(evaluate(given[0], scope));
    if (rule === "allowed" && !(first as Value[]).includes(value)) says.push(`${name} can't be ${textOf(value)}`);
    if ((rule === "minValue" || rule === "minLength") && Number(size) < Number(first))
      says.push(`${name} is too small`);
    if ((rule === "maxValue" || rule === "maxLength") && Number(size) > Number(first))
      says.push(`${name} is too large`);
  }
  return says;
};

const conditionOf = (body: Expression): Expression | undefined => (body.kind === "if" ? body.condition : undefined);

/** The body of a resource or module: one, several of a loop, or none where its condition doesn't hold. */
const bodies = (body: Expression, scope: Scope): { [name: string]: Found }[] => {
  const found = body.kind === "for" ? looped(body, scope) : [evaluate(body, scope)];
  return found.filter(isDictionary);
};

const group = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/rg-heddle-test";

/** As Azure composes ids: under the parent, or under what is extended. */
const idOf = (type: string, name: string, parent: string | undefined, scope: string | undefined): string => {
  const [provider = "", ...segments] = type.split("/");
  if (parent !== undefined) return `${parent}/${segments.at(-1)}/${name}`;
  const names = name.split("/");
  return `${scope ?? group}/providers/${provider}${segments.map((each, at) => `/${each}/${names[at] ?? ""}`).join("")}`;
};

const idIn = (value: Found): string | undefined =>
  value instanceof Reference && isDictionary(value.body) ? textOf(value.body["id"]) : undefined;

const walkFile = (
  path: string,
  given: Dictionary,
  all: Deployment,
  environment: Record<string, string>,
): Dictionary => {
  const file = readBicep(path);
  const place = path.replace(`${infra}/`, "");
  const memory = new Map<string, Found>();
  const problem = (text: string): void => void all.problems.push(`${place}: ${text}`);

  const addResource = (resource: Resource): Found => {
    const made = bodies(resource.body, scope).map((body) => {
      const { parent, scope: extended, dependsOn: _order, ...rest } = body;
      const name = textOf(rest["name"]);
      const id = idOf(resource.type, name, idIn(parent), idIn(extended));
      const deployed: Deployed = {
        place: `${place}:${resource.name}`,
        type: resource.type,
        version: resource.version,
        id,
        name,
        body: plain(rest) as Dictionary,
        ...(idIn(extended) === undefined ? {} : { scope: idIn(extended) ?? "" }),
      };
      if (!resource.existing) all.resources.push(deployed);
      return new Reference(`${place}:${resource.name}`, { ...rest, id, type: resource.type });
    });
    return resource.body.kind === "for" ? made : made[0];
  };

  const addModule = (module: Module): Found => {
    const below = join(dirname(path), module.path);
    const made = bodies(module.body, scope).map((body) => {
      const outputs = walkFile(below, plain(body["params"] ?? {}) as Dictionary, all, environment);
      return new Reference(`${place}:${module.name}`, { name: body["name"], outputs });
    });
    return module.body.kind === "for" ? made : made[0];
  };

  const found = (name: string): Found => {
    const parameter = file.parameters.find((each) => each.name === name);
    if (parameter !== undefined) {
      const value =
        given[name] ?? (parameter.default === undefined ? undefined : plain(evaluate(parameter.default, scope)));
      if (value === undefined && !parameter.type.endsWith("?")) problem(`${name} has no value`);
      else if (value !== undefined) refusals(parameter, value, scope).forEach(problem);
      return value ?? null;
    }
    const variable = file.variables.find((each) => each.name === name);
    if (variable !== undefined) return evaluate(variable.value, scope);
    const resource = file.resources.find((each) => each.name === name);
    const module = file.modules.find((each) => each.name === name);
    if (resource === undefined && module === undefined) {
      problem(`${name} is not declared`);
      return null;
    }
    const value = resource === undefined ? addModule(module as Module) : addResource(resource);
    return value;
  };
  const scope: Scope = {
    path,
    problem,
    environment,
    lookUp: (name) => {
      if (!memory.has(name)) memory.set(name, found(name));
      return memory.get(name);
    },
  };

  for (const name of Object.keys(given))
    if (!file.parameters.some((each) => each.name === name)) problem(`${name} is no parameter`);
  for (const { name } of [...file.parameters, ...file.variables, ...file.resources, ...file.modules])
    scope.lookUp(name);
  // What is not deployed under these parameters must not be asked for.
  for (const { name, body } of [...file.resources, ...file.modules])
    if (memory.get(name) === undefined && conditionOf(body) === undefined) problem(`${name} is nowhere`);
  return Object.fromEntries(file.outputs.map(({ name, value }) => [name, plain(evaluate(value, scope))]));
};

/** All that is deployed; `problems` says what a compiler or the service would refuse, as far as it is known here. */
export const deploy = (given: Dictionary, environment: Record<string, string> = {}, path = main): Deployment => {
  const all: Deployment = { resources: [], outputs: {}, problems: [] };
  all.outputs = walkFile(path, given, all, environment);
  return all;
};

/** What infra/azure/main.bicepparam says under these variables of the environment. */
export const parametersOf = (
  environment: Record<string, string>,
  path = join(infra, "main.bicepparam"),
): Dictionary => {
  const { parameters, variables } = parseParameters(path);
  const problems: string[] = [];
  const declared = new Map([...variables, ...parameters].map(({ name, value }) => [name, value]));
  const scope: Scope = {
    path,
    environment,
    problem: (text) => void problems.push(text),
    lookUp: (name) => {
      const value = declared.get(name);
      if (value === undefined) throw new Error(`main.bicepparam: ${name} is not declared`);
      return evaluate(value, scope);
    },
  };
  const values = Object.fromEntries(parameters.map(({ name, value }) => [name, plain(evaluate(value, scope))]));
  if (problems.length > 0) throw new Error(`main.bicepparam: ${problems.join(", ")}`);
  return values;
};
