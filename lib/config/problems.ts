// What is wrong with a configuration, all of it at once: where, and what was expected. Never a value: it may be a key.

export type Problem = { path: string; message: string };

export class ConfigError extends Error {
  readonly problems: readonly Problem[];
  /** `file` is the configuration's path, or `environment`. */
  constructor(file: string, problems: readonly Problem[]) {
    super(problems.map(({ path, message }) => `${file}: ${path === "" ? "" : `${path}: `}${message}`).join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** `models.smart.targets[1]`. */
export const pathText = (path: readonly PropertyKey[]): string =>
  path.map((step, at) => (typeof step === "number" ? `[${step}]` : `${at === 0 ? "" : "."}${String(step)}`)).join("");

/** The known name that `name` was probably meant to be. */
export const nearest = (name: string, known: readonly string[]): string | undefined => {
  let best: { name: string; distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance <= Math.max(2, candidate.length / 3) && (best === undefined || distance < best.distance)) best = { name: candidate, distance };
  }
  return best?.name;
};

const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1)
      next[j] = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length] ?? 0;
};
