// A command with verbs: `heddle keys list`.
import { type Given, readArguments } from "./arguments.ts";
import { type Command, type Io, UsageError } from "./io.ts";
import type { ParseArgsOptionsConfig } from "node:util";

export type Verb = {
  options: ParseArgsOptionsConfig;
  /** The words after the verb: `id`, `name?`. */
  words?: readonly string[];
  run: (given: Given, io: Io) => Promise<number>;
};

/** Runs a verb; `--help` anywhere tells the whole command's help. */
export const commandOf =
  (name: string, help: string, verbs: Readonly<Record<string, Verb>>, usual?: string): Command =>
  async (args, io) => {
    const [first = "", ...rest] = args;
    const verb = Object.hasOwn(verbs, first) ? verbs[first] : undefined;
    const asked = args.includes("--help") || args.includes("-h") || first === "help";
    if (asked) {
      io.out(help);
      return 0;
    }
    try {
      if (verb !== undefined) return await verb.run(readArguments(rest, verb.options, verb.words), io);
      const fallback = usual === undefined ? undefined : verbs[usual];
      if (fallback === undefined || (first !== "" && !first.startsWith("-")))
        throw new UsageError(
          `${first === "" ? "expected" : `'${first.slice(0, 40)}' is not`} one of ${Object.keys(verbs).join(", ")}`,
        );
      return await fallback.run(readArguments(args, fallback.options, fallback.words), io);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      io.err(`heddle ${name}: ${error.message}; see heddle ${name} --help\n`);
      return 2;
    }
  };
