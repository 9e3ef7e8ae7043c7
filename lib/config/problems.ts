// What is wrong with a configuration, all of it at once: where, and what was expected. Never a value: it may be a key.

export type Path = readonly PropertyKey[];

/** `file` is said only where it is not the configuration's own: the environment. */
export type Problem = {
  path: Path;
  message: string;
  file?: string;
  /** The path's last step is not told: where a colon was forgotten, a value stands in the place of a name. */
  masked?: boolean;
};

/** A problem as it is told: `path` in words, the line counted from 1 where there is one. */
type LocatedProblem = { file: string; line?: number; path: string; message: string };

/** Its message has a line for each problem: `heddle.yaml:7: models.smart.targets[1]: there is no provider 'opnai'`. */
export class ConfigError extends Error {
  readonly problems: readonly LocatedProblem[];

  /** `file` is the configuration's path, or `environment`. */
  constructor(
    file: string,
    problems: readonly Problem[],
    lineOf: (path: Path) => number | undefined = () => undefined,
  ) {
    const located = problems
      .map((problem): LocatedProblem => {
        const line = problem.file === undefined ? lineOf(problem.path) : undefined;
        const told = {
          file: problem.file ?? file,
          path: pathText(problem.path, problem.masked),
          message: problem.message,
        };
        return line === undefined ? told : { ...told, line };
      })
      .toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
    super(located.map(problemText).join("\n"));
    this.name = "ConfigError";
    this.problems = located;
  }
}

const problemText = ({ file, line, path, message }: LocatedProblem): string =>
  [line === undefined ? file : `${file}:${line}`, ...(path === "" ? [] : [path]), message].join(": ");

/** What no name has, and a text with a forgotten colon or quote does. */
const isNoName = (name: string): boolean => /[\s"'{}]/.test(name) || name.length > 64;

/** `models.smart.targets[1]`, `models["gpt-5.4"]`. */
const pathText = (path: Path, masked = false): string =>
  path
    .map((step, at) => {
      if (typeof step === "number") return `[${step}]`;
      const name = String(step);
      if (isNoName(name) || (masked && at === path.length - 1)) return "[…]";
      if (!/^[\w$-]+$/.test(name)) return `[${JSON.stringify(name)}]`;
      return at === 0 ? name : `.${name}`;
    })
    .join("");

/** The known name that `name` was probably meant to be. */
export const nearest = (name: string, known: readonly string[]): string | undefined => {
  let best: { name: string; distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    const near = distance <= Math.max(1, Math.floor(Math.min(name.length, candidate.length) / 3));
    if (near && (best === undefined || distance < best.distance)) best = { name: candidate, distance };
  }
  return best?.name;
};

/** Letters left out, added, exchanged, and two neighbours swapped: each is one slip. */
const editDistance = (a: string, b: string): number => {
  const rows = [Array.from({ length: b.length + 1 }, (_, at) => at)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j += 1) {
      const slips = [at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)];
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) slips.push(at(i - 2, j - 2) + 1);
      row[j] = Math.min(...slips);
    }
  }
  return at(a.length, b.length);
};
