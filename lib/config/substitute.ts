// `${NAME}` and `${NAME:-default}` in a configuration's values, taken from the environment.
import type { Path, Problem } from "./problems.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export type Substituted = {
  value: unknown;
  problems: Problem[];
  /** Values that are a variable and nothing else: where a number or a switch is expected, their text stands for it. */
  whole: { path: Path; text: string }[];
};

/** A second `$` makes it plain text. What begins like a variable and is none is refused: a key must not be taken for its name. */
const reference = /\$(\$)?\{([^}]*)(\}?)/g;
const grammar = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** Fills in every string of `value`. A name without a value is a problem of its path; an empty value counts as none. */
export const substitute = (value: unknown, env: Environment): Substituted => {
  const problems: Problem[] = [];
  const whole: Substituted["whole"] = [];

  const fillText = (text: string, path: Path): string => {
    const filled = text.replaceAll(
      reference,
      (all: string, escaped: string | undefined, inner: string, closed: string) => {
        if (escaped !== undefined) return all.slice(1);
        const [, name, fallback] = (closed === "" ? null : grammar.exec(inner)) ?? [];
        if (name === undefined) {
          problems.push({ path, message: "expected ${NAME} or ${NAME:-default}; write $${ for a plain ${" });
          return "";
        }
        const found = env[name];
        if (found !== undefined && found !== "") return found;
        if (fallback === undefined)
          problems.push({
            path,
            message: `the environment variable ${name} is not set (\${${name}:-} lets it be absent)`,
          });
        return fallback ?? "";
      },
    );
    if (/^\$\{[^}]*\}$/.test(text)) whole.push({ path, text: filled });
    return filled;
  };

  const fill = (current: unknown, path: Path): unknown => {
    if (typeof current === "string") return current.includes("${") ? fillText(current, path) : current;
    if (Array.isArray(current)) return current.map((each, at) => fill(each, [...path, at]));
    if (typeof current === "object" && current !== null)
      return Object.fromEntries(Object.entries(current).map(([key, each]) => [key, fill(each, [...path, key])]));
    return current;
  };

  return { value: fill(value, []), problems, whole };
};
