// heddle.yaml: found, `${NAME}` filled in, checked against its grammar.
import type { Document, Node, Pair } from "yaml";
import type { ConfigFile } from "./schema.ts";
import { ConfigError, type Path, type Problem } from "./problems.ts";
import { unseal } from "./sealed.ts";
import { type Environment, substitute } from "./substitute.ts";

type ReadFile = (path: string) => string | undefined;

const defaultPaths = ["heddle.yaml", "heddle.yml", "heddle.json"];

/** The parser's own words may quote the line, and the line may hold a key: its code is told, in ours where it needs more. */
const yamlErrors: Readonly<Record<string, string>> = {
  BAD_ALIAS: "a value that begins with * must stand in quotes",
  DUPLICATE_KEY: "a key stands twice in one map",
  MULTIPLE_DOCS: "expected one document",
  TAB_AS_INDENT: "expected spaces, not tabs, to indent",
  TAG_RESOLVE_FAILED: "tags (!name) are not known here",
};
const yamlError = (code: string): string =>
  yamlErrors[code] ?? `not valid YAML (${code.toLowerCase().replaceAll("_", " ")})`;

type Source = {
  value: unknown;
  /** The line of the deepest step of the path that is there. */
  lineOf: (path: Path) => number | undefined;
};

const isPair = (item: unknown): item is Pair<Node, Node | null> =>
  typeof item === "object" && item !== null && "key" in item;

/** Throws ConfigError where the text is not YAML (of which JSON is a part). */
const parseText = async (name: string, text: string): Promise<Source> => {
  const { LineCounter, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  const document: Document.Parsed = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  const [first] = [...document.errors, ...document.warnings];
  if (first !== undefined)
    throw new ConfigError(name, [{ path: [], message: yamlError(first.code) }], () => lineAt(first.pos[0]));

  const lineOf = (path: Path): number | undefined => {
    let at: unknown = document.contents;
    let line: number | undefined;
    for (const step of path) {
      const items: unknown = typeof at === "object" && at !== null && "items" in at ? at.items : undefined;
      if (!Array.isArray(items)) break;
      const item: unknown =
        typeof step === "number"
          ? items[step]
          : items.find((each) => isPair(each) && "value" in each.key && each.key.value === step);
      const place = isPair(item) ? item.key : (item as Node | undefined);
      if (place?.range === undefined || place.range === null) break;
      line = lineAt(place.range[0]);
      at = isPair(item) ? item.value : item;
    }
    return line;
  };
  try {
    return { value: document.toJS() as unknown, lineOf };
  } catch {
    // An alias without its anchor, or a bomb of them.
    throw new ConfigError(name, [{ path: [], message: "not valid YAML (an alias that can't be resolved)" }]);
  }
};

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A section whose entries are all commented out is empty, and so is a provider without settings (`echo:`). */
const withoutEmpty = (value: unknown): unknown => {
  if (value === null || value === undefined) return {};
  if (!isMap(value)) return value;
  const sections = Object.fromEntries(Object.entries(value).filter(([, section]) => section !== null));
  if (isMap(sections["providers"]))
    sections["providers"] = Object.fromEntries(
      Object.entries(sections["providers"]).map(([id, settings]) => [id, settings ?? {}]),
    );
  return sections;
};

/** The number or switch that a text stands for; undefined where it is neither. */
const scalar = (text: string): number | boolean | undefined => {
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
};

const isSame = (a: Path, b: Path): boolean => a.length === b.length && a.every((step, at) => step === b[at]);

/** Variables are text; where the grammar wants a number or a switch, theirs is taken. Changes `value` in place. */
const convertWhole = (
  value: unknown,
  whole: readonly { path: Path; text: string }[],
  refused: readonly Path[],
): void => {
  for (const { path, text } of whole) {
    const converted = refused.some((each) => isSame(each, path)) ? scalar(text) : undefined;
    if (converted === undefined) continue;
    const owner = path.slice(0, -1).reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown>)[step], value);
    (owner as Record<PropertyKey, unknown>)[path.at(-1) ?? ""] = converted;
  }
};

export type FoundFile = {
  file: ConfigFile;
  /** Where it was found; absent where there is none, and then `file` is empty. */
  source?: string;
  lineOf: (path: Path) => number | undefined;
};

const noLine = (): undefined => undefined;

/** The file's settings. Throws ConfigError with every problem of it, or where a file that was named does not exist. */
export const readConfigFile = async (env: Environment, readFile: ReadFile, path?: string): Promise<FoundFile> => {
  const named = path ?? env["HEDDLE_CONFIG"];
  for (const source of named === undefined ? defaultPaths : [named]) {
    const text = readFile(source);
    if (text === undefined) continue;
    const built = unseal(text);
    if (built?.checked === true) return { file: built.value as ConfigFile, source, lineOf: noLine };
    const [parsedText, { configSchema }, { problemsOf }] = await Promise.all([
      built === undefined ? parseText(source, text) : { value: built.value, lineOf: noLine },
      import("./schema.ts"),
      import("./issues.ts"),
    ]);
    const { value, problems: unfilled, whole } = substitute(withoutEmpty(parsedText.value), env);
    let parsed = configSchema.safeParse(value);
    if (!parsed.success && whole.length > 0) {
      const wrongType = parsed.error.issues.filter(
        (issue) => issue.code === "invalid_type" || issue.code === "invalid_union",
      );
      convertWhole(
        value,
        whole,
        wrongType.map((issue) => issue.path),
      );
      parsed = configSchema.safeParse(value);
    }
    // A variable that is not set is told once, not again as a text that is too short.
    const problems: Problem[] = [...unfilled];
    for (const problem of parsed.success ? [] : problemsOf(parsed.error.issues, configSchema, value))
      if (!unfilled.some((each) => isSame(each.path, problem.path))) problems.push(problem);
    if (problems.length > 0 || !parsed.success) throw new ConfigError(source, problems, parsedText.lineOf);
    return { file: parsed.data, source, lineOf: parsedText.lineOf };
  }
  if (named !== undefined) throw new ConfigError(named, [{ path: [], message: "the file does not exist" }]);
  return { file: {}, lineOf: noLine };
};
