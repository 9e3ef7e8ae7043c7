// Bicep read into plain values: what a file declares, and its expressions. The parser is tree-sitter's; what it can't read is an error here.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Language, Parser, type Node } from "web-tree-sitter";
import { following } from "./grouping.ts";

export type Expression =
  | { kind: "literal"; value: string | number | boolean | null }
  | { kind: "text"; parts: (string | Expression)[] }
  | { kind: "name"; name: string }
  | { kind: "member"; object: Expression; property: string; safe: boolean }
  | { kind: "index"; object: Expression; index: Expression }
  | { kind: "call"; name: string; arguments: Expression[] }
  | { kind: "object"; members: { key: Expression; value: Expression }[] }
  | { kind: "array"; items: Expression[] }
  | { kind: "for"; item: string; index?: string; over: Expression; body: Expression }
  | { kind: "if"; condition: Expression; body: Expression }
  | { kind: "ternary"; condition: Expression; yes: Expression; no: Expression }
  | { kind: "binary"; operator: string; left: Expression; right: Expression }
  | { kind: "unary"; operator: string; argument: Expression }
  | { kind: "lambda"; parameter: string; body: Expression }
  | { kind: "group"; inner: Expression };

type Decorator = { name: string; arguments: Expression[] };
type Declaration = { name: string; decorators: Decorator[]; line: number };
export type Parameter = Declaration & { type: string; allowed?: (string | number)[]; default?: Expression };
export type Variable = Declaration & { value: Expression };
export type Resource = Declaration & { type: string; version: string; existing: boolean; body: Expression };
export type Module = Declaration & { path: string; body: Expression };
type Output = Declaration & { type: string; value: Expression };
export type File = {
  path: string;
  scope: string | undefined;
  parameters: Parameter[];
  variables: Variable[];
  resources: Resource[];
  modules: Module[];
  outputs: Output[];
};

await Parser.init();
const language = await Language.load(fileURLToPath(import.meta.resolve("tree-sitter-bicep/tree-sitter-bicep.wasm")));
const parser = new Parser();
parser.setLanguage(language);

const at = (node: Node): string => `line ${node.startPosition.row + 1}: ${node.text.split("\n")[0]}`;
const parts = (node: Node): Node[] => node.namedChildren.filter((child) => !child.type.includes("comment"));
const only = (node: Node, index = 0): Node => {
  const child = parts(node)[index];
  if (child === undefined) throw new Error(`something is missing, ${at(node)}`);
  return child;
};
const field = (node: Node, name: string): Node => {
  const child = node.childForFieldName(name);
  if (child === null) throw new Error(`no ${name}, ${at(node)}`);
  return child;
};

const escapes: Record<string, string> = { n: "\n", r: "\r", t: "\t" };
const unescaped = (raw: string): string =>
  raw.replaceAll(/\\(u\{([0-9a-fA-F]+)\}|.)/gs, (_whole, one: string, code: string | undefined) =>
    code === undefined ? (escapes[one] ?? one) : String.fromCodePoint(Number.parseInt(code, 16)),
  );

/** Cut from the source by hand: the parser drops white space within texts. */
const textOf = (node: Node): Expression => {
  if (node.text.startsWith("'''")) return { kind: "literal", value: node.text.slice(3, -3).replace(/^\r?\n/, "") };
  const found: (string | Expression)[] = [];
  let from = 1;
  for (const child of parts(node)) {
    if (child.type !== "interpolation") continue;
    found.push(unescaped(node.text.slice(from, child.startIndex - node.startIndex)), expressionOf(only(child)));
    from = child.endIndex - node.startIndex;
  }
  found.push(unescaped(node.text.slice(from, -1)));
  const kept = found.filter((part) => part !== "");
  if (kept.every((part) => typeof part === "string")) return { kind: "literal", value: kept.join("") };
  return { kind: "text", parts: kept };
};

const memberOf = (node: Node): { key: Expression; value: Expression } => {
  const [key, value] = parts(node);
  if (key === undefined || value === undefined) throw new Error(`no property, ${at(node)}`);
  return {
    key: key.type === "string" ? textOf(key) : { kind: "literal", value: key.text },
    value: expressionOf(value),
  };
};

const loopOf = (node: Node): Expression => {
  const [names, over] = parts(node);
  if (names === undefined || over === undefined) throw new Error(`no loop, ${at(node)}`);
  const [item, index] = names.type === "for_loop_parameters" ? parts(names).map((each) => each.text) : [names.text];
  return {
    kind: "for",
    item: item ?? "",
    ...(index === undefined ? {} : { index }),
    over: expressionOf(over),
    body: expressionOf(field(node, "body")),
  };
};

const expressionOf = (node: Node): Expression => {
  switch (node.type) {
    case "string":
      return textOf(node);
    case "number":
      return { kind: "literal", value: Number(node.text) };
    case "boolean":
      return { kind: "literal", value: node.text === "true" };
    case "null":
      return { kind: "literal", value: null };
    case "identifier":
    case "property_identifier":
      return { kind: "name", name: node.text };
    case "object":
      return { kind: "object", members: parts(node).map(memberOf) };
    case "array":
      return { kind: "array", items: parts(node).map(expressionOf) };
    case "parenthesized_expression":
      return { kind: "group", inner: expressionOf(only(node)) };
    case "member_expression": {
      const property = field(node, "property").text;
      const safe = node.children.some((child) => child.text === ".?");
      return following(expressionOf(field(node, "object")), (object) => ({ kind: "member", object, property, safe }));
    }
    case "subscript_expression": {
      const index = expressionOf(field(node, "index"));
      return following(expressionOf(field(node, "object")), (object) => ({ kind: "index", object, index }));
    }
    case "call_expression":
      return {
        kind: "call",
        name: field(node, "function").text,
        arguments: parts(field(node, "arguments")).map(expressionOf),
      };
    case "for_statement":
      return loopOf(node);
    case "if_statement":
      return { kind: "if", condition: expressionOf(only(node)), body: expressionOf(only(node, 1)) };
    case "ternary_expression":
      return {
        kind: "ternary",
        condition: expressionOf(field(node, "condition")),
        yes: expressionOf(field(node, "consequence")),
        no: expressionOf(field(node, "alternative")),
      };
    case "binary_expression":
      return {
        kind: "binary",
        operator: field(node, "operator").text,
        left: expressionOf(field(node, "left")),
        right: expressionOf(field(node, "right")),
      };
    case "unary_expression":
      return { kind: "unary", operator: field(node, "operator").text, argument: expressionOf(field(node, "argument")) };
    case "lambda_expression":
      return { kind: "lambda", parameter: only(node).text, body: expressionOf(only(node, 1)) };
    default:
      throw new Error(`${node.type} is not read here, ${at(node)}`);
  }
};

const faultsOf = (node: Node): string[] => {
  if (!node.hasError) return [];
  const inside = node.children.flatMap(faultsOf);
  return inside.length > 0 ? inside : node.isError || node.isMissing || node.childCount > 0 ? [at(node)] : [];
};

const plainText = (node: Node): string => {
  const text = textOf(node);
  if (text.kind !== "literal" || typeof text.value !== "string") throw new Error(`not a plain text, ${at(node)}`);
  return text.value;
};

/** `'a' | 'b'` as its values. */
const allowedBy = (type: Node): (string | number)[] | undefined => {
  const union = type.type === "union_type" ? type : parts(type).find((child) => child.type === "union_type");
  return union === undefined
    ? undefined
    : parts(union).map((child) => (child.type === "number" ? Number(child.text) : plainText(child)));
};

const empty = (path: string): File => ({
  path,
  scope: undefined,
  parameters: [],
  variables: [],
  resources: [],
  modules: [],
  outputs: [],
});

const declare = (file: File, node: Node, decorators: Decorator[]): void => {
  const line = node.startPosition.row + 1;
  const base = (): Declaration => ({ name: only(node).text, decorators, line });
  switch (node.type) {
    case "target_scope_assignment":
      file.scope = plainText(only(node));
      return;
    case "using_statement":
      return;
    case "parameter_declaration": {
      const type = only(node, 1);
      const allowed = allowedBy(type);
      const value = parts(node)[2];
      file.parameters.push({
        ...base(),
        type: type.text,
        ...(allowed && { allowed }),
        ...(value && { default: expressionOf(value) }),
      });
      return;
    }
    case "variable_declaration":
      file.variables.push({ ...base(), value: expressionOf(only(node, 1)) });
      return;
    case "resource_declaration": {
      const [type = "", version = ""] = plainText(only(node, 1)).split("@");
      const existing = node.children.some((child) => child.type === "existing");
      file.resources.push({ ...base(), type, version, existing, body: expressionOf(only(node, 2)) });
      return;
    }
    case "module_declaration":
      file.modules.push({ ...base(), path: plainText(only(node, 1)), body: expressionOf(only(node, 2)) });
      return;
    case "output_declaration":
      file.outputs.push({ ...base(), type: only(node, 1).text, value: expressionOf(only(node, 2)) });
      return;
    default:
      throw new Error(`${node.type} is not read here, ${at(node)}`);
  }
};

const decoratorsOf = (node: Node): Decorator[] =>
  parts(node).map((each) => {
    const call = expressionOf(only(each));
    if (call.kind !== "call") throw new Error(`no decorator, ${at(each)}`);
    return { name: call.name, arguments: call.arguments };
  });

/** Throws with the lines that are not Bicep. */
export const parseBicep = (path: string, source = readFileSync(path, "utf8")): File => {
  const tree = parser.parse(source);
  if (tree === null) throw new Error(`${path} can't be parsed`);
  const faults = faultsOf(tree.rootNode);
  if (faults.length > 0) throw new Error(`${path}, ${faults.join("; ")}`);
  const file = empty(path);
  let decorators: Decorator[] = [];
  for (const node of parts(tree.rootNode)) {
    if (node.type === "decorators") {
      decorators = decoratorsOf(node);
      continue;
    }
    declare(file, node, decorators);
    decorators = [];
  }
  tree.delete();
  return file;
};

/** A file of parameters: the grammar knows no `param name = value`, so it is read as a variable. */
export const parseParameters = (path: string): { using: string; parameters: Variable[]; variables: Variable[] } => {
  const source = readFileSync(path, "utf8");
  const names = new Set([...source.matchAll(/^param (\w+) = /gm)].map((match) => match[1]));
  const { variables } = parseBicep(path, source.replaceAll(/^param (\w+) = /gm, "var $1 = "));
  return {
    using: /^using '([^']+)'$/m.exec(source)?.[1] ?? "",
    parameters: variables.filter(({ name }) => names.has(name)),
    variables: variables.filter(({ name }) => !names.has(name)),
  };
};
