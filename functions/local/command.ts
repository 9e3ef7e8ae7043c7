// What `npm run lambda` and `npm run azure` have in common.
import process from "node:process";
import { UsageError } from "./cli/io.ts";

/** The key that the events in events/ come with. */
export const eventKey = "example-key-for-local-invocations-only";

export const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Resolves when the process is told to end. */
export const toldToEnd = (): Promise<void> =>
  new Promise((resolve) => {
    const told = (): void => resolve();
    process.once("SIGINT", told);
    process.once("SIGTERM", told);
  });

/** `run` resolves to the exit code. What it throws is told; a UsageError with the usage, and 2. */
export const runCommand = async (run: () => Promise<number>, usage: string): Promise<void> => {
  try {
    process.exitCode = await run();
  } catch (error) {
    say(error instanceof UsageError ? `${error.message}\n\n${usage}` : String(error));
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
};
