// Functions under AWS's own runtime client, for tests; and whether it can be had here.
import { createFunction, type LocalFunction } from "../../functions/local/lambda/function.ts";
import { startFront } from "../../functions/local/lambda/front.ts";
import type { FunctionOptions } from "../../functions/local/lambda/instance.ts";
import { findRuntimeClient } from "../../functions/local/lambda/runtime-client.ts";

/** The runtime client's entry file, built now if need be; undefined where there is none, which is said. */
export const runtimeClient = async (): Promise<string | undefined> => {
  const found = await findRuntimeClient((line) => console.warn(line));
  if ("entry" in found) return found.entry;
  console.warn(`${found.problem} The tests under it are skipped.`);
  return undefined;
};

export type TestLambda = {
  url: string;
  target: LocalFunction;
  /** What the function and the platform wrote. */
  logs: string[];
  stop: () => Promise<void>;
};

export type TestLambdaOptions = {
  env?: Record<string, string>;
  memoryMb?: number;
  timeoutMs?: number;
  cold?: boolean;
  dropAfter?: number;
  freeze?: FunctionOptions["freeze"];
};

/** A function with a URL. `env` is all the environment there is, but for PATH. */
export const startLambda = async (
  entry: string,
  bundle: string,
  options: TestLambdaOptions = {},
): Promise<TestLambda> => {
  const { env = {}, memoryMb = 512, timeoutMs = 60_000, cold = false, dropAfter, freeze } = options;
  const logs: string[] = [];
  const target = createFunction({
    runtimeClient: entry,
    bundle,
    name: "heddle-test",
    env: { PATH: process.env["PATH"] ?? "", ...env },
    memoryMb,
    timeoutMs,
    cold,
    log: (line) => logs.push(line),
    ...(freeze === undefined ? {} : { freeze }),
  });
  const front = await startFront(target, { port: 0, ...(dropAfter === undefined ? {} : { dropAfter }) });
  return {
    url: front.url,
    target,
    logs,
    stop: async () => {
      await front.stop();
      await target.stop();
    },
  };
};
