// What the grammar refuses, in words: where, and what was expected. The grammar's own messages are never used: they may quote a value.
import type { $ZodIssue } from "zod/v4/core";
import { nearest, type Path, type Problem } from "./problems.ts";

const nouns: Readonly<Record<string, string>> = {
  string: "text",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  object: "a map of settings",
  record: "a map",
};

const noun = (type: string): string => nouns[type] ?? type;

const bound = (issue: $ZodIssue & { code: "too_small" | "too_big" }): string => {
  const small = issue.code === "too_small";
  const limit = String(small ? issue.minimum : issue.maximum);
  if (issue.origin === "string") return limit === "1" ? "expected some text" : `expected at least ${limit} characters`;
  if (issue.origin === "array") return `expected at least ${limit} ${limit === "1" ? "entry" : "entries"}`;
  if (issue.inclusive === false) return `expected ${small ? "more" : "less"} than ${limit}`;
  return `expected at ${small ? "least" : "most"} ${limit}`;
};

/** Messages written in the grammar itself; its library has none of its own in the small build. */
const own = (issue: { message: string }): string | undefined =>
  issue.message.startsWith("expected ") ? issue.message : undefined;

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (at, step) => (typeof at === "object" && at !== null && Object.hasOwn(at, step) ? at[step as never] : undefined),
    value,
  );

type Definition = {
  shape?: Record<string, unknown>;
  innerType?: unknown;
  valueType?: unknown;
  element?: unknown;
  options?: unknown[];
  format?: string;
};

const definitionOf = (schema: unknown): Definition | undefined => {
  const definition = (schema as { _zod?: { def?: Definition } } | undefined)?._zod?.def;
  return definition?.innerType === undefined ? definition : definitionOf(definition.innerType);
};

/** What the grammar says of a path; several where it has branches. */
const definitionsAt = (schema: unknown, path: Path): (Definition | undefined)[] => {
  let at = [definitionOf(schema)];
  for (const step of path)
    at = at.flatMap((node) => {
      const next = node?.shape === undefined ? (node?.valueType ?? node?.element) : node.shape[String(step)];
      const definition = definitionOf(next);
      return definition?.options === undefined ? [definition] : definition.options.map(definitionOf);
    });
  return at;
};

const settingsAt = (schema: unknown, path: Path): string[] =>
  definitionsAt(schema, path).flatMap((node) => Object.keys(node?.shape ?? {}));

/** The grammar's library calls whole numbers numbers until they are of that type. */
const isWhole = (schema: unknown, path: Path): boolean =>
  definitionsAt(schema, path).some((node) => node?.format === "safeint");

/** A branch that failed on the value's very type was not the one that was meant. */
const isOtherType = (issues: readonly $ZodIssue[]): boolean =>
  issues.length === 1 && issues[0]?.code === "invalid_type" && issues[0].path.length === 0;

const describeUnion = (issue: $ZodIssue & { code: "invalid_union" }, schema: unknown, input: unknown): Problem[] => {
  const meant = issue.errors.find((branch) => !isOtherType(branch));
  if (meant !== undefined)
    return meant.flatMap((each) => describe({ ...each, path: [...issue.path, ...each.path] }, schema, input));
  const types = issue.errors.flatMap(([first]) => (first?.code === "invalid_type" ? [noun(first.expected)] : []));
  return [{ path: issue.path, message: `expected ${types.join(" or ")}` }];
};

const describe = (issue: $ZodIssue, schema: unknown, input: unknown): Problem[] => {
  const { path } = issue;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => {
        const known = settingsAt(schema, path);
        const meant = nearest(key, known);
        const hint = meant === undefined ? `expected one of ${known.join(", ")}` : `did you mean ${meant}?`;
        const masked = meant === undefined && !/^[A-Za-z$][A-Za-z_$-]{0,30}$/.test(key);
        return { path: [...path, key], message: `unknown setting; ${hint}`, masked };
      });
    case "invalid_union":
      return describeUnion(issue, schema, input);
    case "invalid_key":
      return [{ path, message: issue.issues.map(own).find((message) => message !== undefined) ?? "not a name" }];
    case "invalid_type": {
      const value = valueAt(input, path);
      const missing = value === undefined ? "is missing; " : "";
      // A name that the caller made up, and nothing after it.
      const masked = value === null && !settingsAt(schema, path.slice(0, -1)).includes(String(path.at(-1)));
      return [{ path, masked, message: `${missing}expected ${noun(isWhole(schema, path) ? "int" : issue.expected)}` }];
    }
    case "invalid_value":
      return [{ path, message: `expected ${issue.values.length > 1 ? "one of " : ""}${issue.values.join(", ")}` }];
    case "too_small":
    case "too_big":
      return [{ path, message: own(issue) ?? bound(issue) }];
    default:
      return [{ path, message: own(issue) ?? "not what was expected here" }];
  }
};

/** `input` is what was parsed; it is only asked whether a value is there at all. */
export const problemsOf = (issues: readonly $ZodIssue[], schema: unknown, input: unknown): Problem[] =>
  issues.flatMap((issue) => describe(issue, schema, input));
