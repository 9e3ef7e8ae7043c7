// heddle.yaml as a build writes it: checked already, and quick to read. YAML and the grammar take longer to load than all the rest of
// a cold start's first call. It is YAML still, so that whoever edits it gets a file that is read, and checked, like any other.

/** Tells a file that was changed after its build; no secret, and no protection. */
const digest = (json: string): string =>
  process.getBuiltinModule("node:crypto").createHash("sha256").update(json).digest("hex");

/** Settings with `${NAME}` in them can only be checked where the variables are. */
export const hasVariables = (json: string): boolean => json.includes("${");

export const seal = (settings: unknown): string => {
  const json = JSON.stringify(settings);
  return `# built ${digest(json)}\n${json}`;
};

/** Undefined where the text is not as `seal` made it. `checked`: it follows the grammar, and has no variables. */
export const unseal = (text: string): { value: unknown; checked: boolean } | undefined => {
  const [, mark, json = ""] = /^# built ([0-9a-f]{64})\n(.*)$/s.exec(text) ?? [];
  if (mark === undefined || digest(json) !== mark) return undefined;
  return { value: JSON.parse(json), checked: !hasVariables(json) };
};
