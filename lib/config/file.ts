// heddle.yaml: found, `${NAME}` filled in, checked against its grammar.
import type { ConfigFile } from "./schema.ts";
import { ConfigError, nearest, pathText, type Problem } from "./problems.ts";

export type Environment = Readonly<Record<string, string | undefined>>;
type ReadFile = (path: string) => string | undefined;

const defaultPaths = ["heddle.yaml", "heddle.yml", "heddle.json"];

/** `${NAME}` and `${NAME:-default}` in every string. A name without a value is a problem of that path. */
const fill = (value: unknown, env: Environment, path: readonly PropertyKey[], problems: Problem[]): unknown => {
  if (typeof value === "string")
    return value.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g, (_whole, name: string, fallback: string | undefined) => {
      const found = env[name] === "" ? undefined : env[name];
      if (found !== undefined) return found;
      if (fallback !== undefined) return fallback;
      problems.push({ path: pathText(path), message: `the environment variable ${name} is not set` });
      return "";
    });
  if (Array.isArray(value)) return value.map((each, at) => fill(each, env, [...path, at], problems));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fill(each, env, [...path, key], problems)]));
  return value;
};

type Issue = { code?: string; path: readonly PropertyKey[]; message: string; keys?: readonly string[]; errors?: readonly (readonly Issue[])[] };

const knownKeys = (schema: unknown, path: readonly PropertyKey[]): string[] => {
  let at: unknown = schema;
  for (const step of path) {
    const node = unwrap(at);
    const shape = node?.shape;
    at = shape !== undefined && Object.hasOwn(shape, step) ? shape[step as string] : (node?.valueType ?? node?.element);
  }
  return Object.keys(unwrap(at)?.shape ?? {});
};

type Definition = { shape?: Record<string, unknown>; innerType?: unknown; valueType?: unknown; element?: unknown };
const unwrap = (schema: unknown): Definition | undefined => {
  const definition = (schema as { _zod?: { def?: Definition } } | undefined)?._zod?.def;
  return definition?.innerType === undefined ? definition : unwrap(definition.innerType);
};

const describe = (issue: Issue, schema: unknown): Problem[] => {
  if (issue.code === "unrecognized_keys")
    return (issue.keys ?? []).map((key) => {
      const meant = nearest(key, knownKeys(schema, issue.path));
      return { path: pathText([...issue.path, key]), message: `unknown setting${meant === undefined ? "" : `; did you mean ${meant}?`}` };
    });
  if (issue.code === "invalid_union" && issue.errors !== undefined) {
    // The branch that came furthest says most.
    const branch = [...issue.errors].sort((a, b) => (b[0]?.path.length ?? 0) - (a[0]?.path.length ?? 0))[0] ?? [];
    return branch.flatMap((each) => describe({ ...each, path: [...issue.path, ...each.path] }, schema));
  }
  return [{ path: pathText(issue.path), message: issue.message.replace(/^Invalid input: /, "").replace(/, received .*$/, "") }];
};

/** The file's settings, or none where there is no file. Throws ConfigError with every problem. */
export const readConfigFile = async (
  env: Environment,
  readFile: ReadFile,
  path?: string,
): Promise<{ file: ConfigFile; source?: string }> => {
  const named = path ?? (env["HEDDLE_CONFIG"] === "" ? undefined : env["HEDDLE_CONFIG"]);
  const candidates = named === undefined ? defaultPaths : [named];
  for (const source of candidates) {
    const content = readFile(source);
    if (content === undefined) continue;
    const { parseDocument, LineCounter } = await import("yaml");
    const lines = new LineCounter();
    const document = parseDocument(content, { lineCounter: lines, prettyErrors: false });
    const lineOf = (problem: { pos: [number, number] }): string => `line ${lines.linePos(problem.pos[0]).line}`;
    // The parser's own words may quote the line, and the line may hold a key: its code says enough.
    if (document.errors.length > 0)
      throw new ConfigError(
        source,
        document.errors.map((error) => ({ path: lineOf(error), message: `not valid YAML (${error.code.toLowerCase().replaceAll("_", " ")})` })),
      );
    const problems: Problem[] = [];
    const filled = fill(document.toJS() ?? {}, env, [], problems);
    const { configSchema } = await import("./schema.ts");
    const parsed = configSchema.safeParse(filled);
    if (!parsed.success) problems.push(...(parsed.error.issues as unknown as Issue[]).flatMap((issue) => describe(issue, configSchema)));
    if (problems.length > 0 || !parsed.success) {
      const withLines = problems.map((problem) => {
        const node = document.getIn(problem.path.split(/[.[\]]+/).filter((step) => step !== ""), true) as { range?: [number, number, number] } | undefined;
        const line = node?.range === undefined ? "" : ` (line ${lines.linePos(node.range[0]).line})`;
        return { ...problem, message: `${problem.message}${line}` };
      });
      throw new ConfigError(source, withLines);
    }
    return { file: parsed.data, source };
  }
  if (named !== undefined) throw new ConfigError(named, [{ path: "", message: "the file does not exist" }]);
  return { file: {} };
};
