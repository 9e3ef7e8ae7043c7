// Reading what a caller sent: every refusal names its field by its path (`messages[0].parts[1].type`).
import { invalid } from "../../model/error.ts";
import { isObject, type Json, type JsonObject } from "../../model/json.ts";

type TextLimits = { min?: number; max?: number };

/** The fields of one object. null is as good as nothing, but where `given` is asked. A wrong type or value throws a 400. */
export type Fields = {
  /** The path of a field. */
  at: (name: string) => string;
  /** As it came; undefined where it is not there at all. */
  given: (name: string) => Json | undefined;
  text: (name: string, limits?: TextLimits) => string | undefined;
  needText: (name: string, limits?: TextLimits) => string;
  flag: (name: string) => boolean | undefined;
  number: (name: string, min: number, max: number) => number | undefined;
  /** A whole number. */
  whole: (name: string, min: number, max?: number) => number | undefined;
  oneOf: <T extends string>(name: string, values: readonly T[]) => T | undefined;
  /** An object whose fields are all known. */
  object: (name: string, known: readonly string[]) => Fields | undefined;
  /** An object of the caller's own, whatever is in it. */
  json: (name: string) => JsonObject | undefined;
  /** Names and values of text: 16 at most. */
  pairs: (name: string) => Record<string, string> | undefined;
  list: (name: string, limits?: { min?: number; max?: number }) => { value: Json; path: string }[] | undefined;
};

const expectedText = ({ min = 0, max = Infinity }: TextLimits): string => {
  if (max < Infinity) return `expected a string of ${min} to ${max} characters`;
  return min > 0 ? "expected a string that is not empty" : "expected a string";
};

const readPairs = (value: Json, path: string): Record<string, string> => {
  if (!isObject(value)) throw invalid(path, "expected an object of strings");
  const entries = Object.entries(value);
  if (entries.length > 16) throw invalid(path, "expected at most 16 pairs");
  return Object.fromEntries(
    entries.map(([name, each]) => {
      // As the name of a field, `__proto__` is lost wherever objects are copied.
      if (name === "" || name.length > 64 || name === "__proto__")
        throw invalid(path, "expected names of 1 to 64 characters");
      if (typeof each !== "string" || each.length > 512)
        throw invalid(`${path}.${name}`, "expected a string of at most 512 characters");
      return [name, each];
    }),
  );
};

/** Throws where `value` is no object, or has a field that is not `known`: what would be ignored is refused. */
export const fieldsOf = (value: unknown, path: string, known: readonly string[]): Fields => {
  if (!isObject(value)) throw invalid(path, "expected an object");
  const at = (name: string): string => (path === "" ? name : `${path}.${name}`);
  for (const name in value)
    if (!known.includes(name)) throw invalid(at(name.slice(0, 64)), `no such field; expected ${known.join(", ")}`);

  /** Own fields alone: `constructor` and the like are nobody's. */
  const given = (name: string): Json | undefined => (Object.hasOwn(value, name) ? value[name] : undefined);
  const read = <T>(name: string, check: (field: Json, at: string) => T): T | undefined => {
    const field = given(name);
    return field === undefined || field === null ? undefined : check(field, at(name));
  };

  const text = (name: string, limits: TextLimits = {}): string | undefined =>
    read(name, (field, where) => {
      const { min = 0, max = Infinity } = limits;
      if (typeof field !== "string" || field.length < min || field.length > max)
        throw invalid(where, expectedText(limits));
      return field;
    });

  return {
    at,
    given,
    text,
    needText: (name, limits = { min: 1 }) => {
      const found = text(name, limits);
      if (found === undefined) throw invalid(at(name), expectedText(limits));
      return found;
    },
    flag: (name) =>
      read(name, (field, where) => {
        if (typeof field !== "boolean") throw invalid(where, "expected true or false");
        return field;
      }),
    number: (name, min, max) =>
      read(name, (field, where) => {
        if (typeof field !== "number" || field < min || field > max)
          throw invalid(where, `expected a number from ${min} to ${max}`);
        return field;
      }),
    whole: (name, min, max = Number.MAX_SAFE_INTEGER) =>
      read(name, (field, where) => {
        if (typeof field !== "number" || !Number.isSafeInteger(field) || field < min || field > max)
          throw invalid(
            where,
            max === Number.MAX_SAFE_INTEGER
              ? `expected a whole number, ${min} or more`
              : `expected a whole number from ${min} to ${max}`,
          );
        return field;
      }),
    oneOf: (name, values) =>
      read(name, (field, where) => {
        const found = values.find((each) => each === field);
        if (found === undefined) throw invalid(where, `expected one of ${values.join(", ")}`);
        return found;
      }),
    object: (name, inner) => read(name, (field, where) => fieldsOf(field, where, inner)),
    json: (name) =>
      read(name, (field, where) => {
        if (!isObject(field)) throw invalid(where, "expected an object");
        return field;
      }),
    pairs: (name) => read(name, readPairs),
    list: (name, { min = 0, max = Infinity } = {}) =>
      read(name, (field, where) => {
        if (!Array.isArray(field)) throw invalid(where, "expected a list");
        if (field.length < min) throw invalid(where, `expected at least ${min}`);
        if (field.length > max) throw invalid(where, `expected at most ${max}`);
        return field.map((each, index) => ({ value: each, path: `${where}[${index}]` }));
      }),
  };
};
