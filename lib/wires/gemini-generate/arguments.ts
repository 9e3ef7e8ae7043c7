// A tool call's arguments: raw JSON text in the model, an object on this wire.
import type { Json, JsonObject } from "../../model/json.ts";
import { isObject, parseJson } from "../../model/json.ts";

/** The brackets and the quote that a cut text still owes, and where its last whole value ended. */
const closers = (text: string): { cut: number; tail: string; end: string } => {
  const open: string[] = [];
  let quoted = false;
  let cut = 0;
  let tailAtCut = "";
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted) {
      if (char === "\\") at += 1;
      else if (char === '"') quoted = false;
      continue;
    }
    if (char === '"') quoted = true;
    else if (char === "{") open.push("}");
    else if (char === "[") open.push("]");
    else if (char === "}" || char === "]") open.pop();
    if (char === "," || char === "}" || char === "]" || char === "{" || char === "[") {
      cut = char === "," ? at : at + 1;
      tailAtCut = open.toReversed().join("");
    }
  }
  return { cut, tail: tailAtCut, end: (quoted ? '"' : "") + open.toReversed().join("") };
};

/** What can be read of a text that was cut off at the output limit: whole values, and a last string as far as it came. */
const parseCut = (text: string): Json | undefined => {
  const { cut, tail, end } = closers(text);
  return parseJson(text + end) ?? parseJson(text.slice(0, cut) + tail);
};

/** The arguments as an object; free text of a custom tool goes under `input`. Never fails: what can't be read is `{}`. */
export const argumentsToObject = (text: string, custom = false): JsonObject => {
  if (custom) return { input: text };
  if (text.trim() === "") return {};
  const value = parseJson(text) ?? parseCut(text);
  if (isObject(value)) return value;
  return value === undefined || value === null ? {} : { value };
};

/** Raw JSON text of a call's `args`; absent ones are `{}` (F2). */
export const argumentsToText = (args: Json | undefined): string =>
  args === undefined || args === null ? "{}" : JSON.stringify(args);

const steps = (path: string): (string | number)[] =>
  [...path.matchAll(/\.([^.[\]]+)|\[(\d+)\]|\[['"]([^'"]*)['"]\]/g)].map(([, name, index, quoted]) =>
    index === undefined ? (name ?? quoted ?? "") : Number(index),
  );

const child = (parent: Json, step: string | number): Json | undefined =>
  Array.isArray(parent) ? parent[Number(step)] : isObject(parent) ? parent[step] : undefined;

const put = (parent: Json, step: string | number, value: Json): void => {
  if (step === "__proto__") return;
  if (Array.isArray(parent)) {
    const at = Number(step);
    // An index far beyond the end would be a hole of that size.
    if (at <= parent.length) parent[at] = value;
  } else if (isObject(parent)) parent[step] = value;
};

/** Applies one piece of streamed arguments (Vertex `partialArgs`): a JSON path and a value; text of a string arrives in pieces. */
export const applyPartialArgument = (args: JsonObject, piece: JsonObject): void => {
  const path = steps(typeof piece["jsonPath"] === "string" ? piece["jsonPath"] : "");
  const last = path.pop();
  if (last === undefined) return;
  let parent: Json = args;
  for (const [at, step] of path.entries()) {
    let next = child(parent, step);
    if (!Array.isArray(next) && !isObject(next)) {
      next = typeof (path[at + 1] ?? last) === "number" ? [] : {};
      put(parent, step, next);
    }
    parent = next;
  }
  if (typeof piece["stringValue"] === "string") {
    const before = child(parent, last);
    put(parent, last, typeof before === "string" ? before + piece["stringValue"] : piece["stringValue"]);
  } else if (piece["numberValue"] !== undefined) put(parent, last, piece["numberValue"]);
  else if (piece["boolValue"] !== undefined) put(parent, last, piece["boolValue"]);
  else if ("nullValue" in piece) put(parent, last, null);
};
