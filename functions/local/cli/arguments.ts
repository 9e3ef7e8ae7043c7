// Options of the commands: what parseArgs gives, with errors that name the option.
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { UsageError } from "./io.ts";

/** Options that every command which asks a server has. */
export const serverOptions = {
  url: { type: "string" },
  key: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const satisfies ParseArgsOptionsConfig;

export const serverHelp = `  --url URL          the gateway (HEDDLE_URL; default http://127.0.0.1:8787)
  --key KEY          an API key; other users of the machine can see it in the list of
                     processes: HEDDLE_KEY is better
  --json             what the server said, as JSON
`;

export type Given = {
  text: (name: string) => string | undefined;
  list: (name: string) => string[];
  flag: (name: string) => boolean;
  /** A number that is not negative. */
  number: (name: string) => number | undefined;
  /** A whole number that is not negative. */
  whole: (name: string) => number | undefined;
  /** What stands without an option, all of it named: `<id>`. */
  words: readonly string[];
};

const reader = (values: Readonly<Record<string, unknown>>, words: readonly string[]): Given => {
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === "string" ? value : undefined;
  };
  return {
    text,
    list: (name) => {
      const value = values[name];
      return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
    },
    flag: (name) => values[name] === true,
    number: (name) => {
      const value = text(name);
      if (value === undefined) return undefined;
      if (!/^\d+(?:\.\d+)?$/.test(value)) throw new UsageError(`--${name}: expected a number`);
      return Number(value);
    },
    whole: (name) => {
      const value = text(name);
      if (value === undefined) return undefined;
      if (!/^\d+$/.test(value)) throw new UsageError(`--${name} must be a whole number, not ${value}`);
      return Number(value);
    },
    words,
  };
};

/** `expected`: the words that must be there, by name; one that ends in `?` may be left out. Throws UsageError. */
export const readArguments = (
  args: readonly string[],
  options: ParseArgsOptionsConfig,
  expected: readonly string[] = [],
): Given => {
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // The first sentence names the option; the rest is about parseArgs.
    throw new UsageError(message.split(/\. |\n/)[0] ?? message);
  }
  const { positionals } = parsed;
  const needed = expected.filter((name) => !name.endsWith("?"));
  const missing = needed[positionals.length];
  if (parsed.values["help"] !== true) {
    if (missing !== undefined) throw new UsageError(`expected <${missing}>`);
    if (positionals.length > expected.length) throw new UsageError("more words than expected");
  }
  return reader(parsed.values, positionals);
};

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** `90d`, `12h`, `30m`, `3600`: as seconds. */
export const secondsOf = (text: string, option: string): number => {
  const [, number = "", unit = "s"] = /^(\d{1,9})([smhdw]?)$/.exec(text) ?? [];
  if (number === "") throw new UsageError(`--${option}: expected a time such as 90d, 12h or 3600`);
  return Number(number) * (units[unit === "" ? "s" : unit] ?? 1);
};
