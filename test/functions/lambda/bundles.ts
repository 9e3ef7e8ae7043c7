// The functions as they are deployed, built for a test file, and what they run on.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleLambda } from "../../../scripts/bundle.ts";
import { startLambda, type TestLambda, type TestLambdaOptions } from "../../support/lambda.ts";
import { type Instance, keepIn, writeConfig } from "../clouds/app.ts";

export type Functions = {
  start: (name: "gateway" | "worker" | "sweeper", options?: TestLambdaOptions) => Promise<TestLambda>;
  /** Stops all that was started. */
  stop: () => Promise<void>;
};

export const buildFunctions = async (
  entry: string,
  names: readonly string[],
  upstream: string,
  env: Record<string, string> = {},
): Promise<Functions> => {
  const out = mkdtempSync(join(tmpdir(), "heddle-lambda-"));
  const config = join(out, "heddle.yaml");
  writeConfig(config, upstream);
  await Promise.all(names.map((name) => bundleLambda(out, name)));
  const { keep, stop } = keepIn<TestLambda>(out);
  return {
    start: async (name, options = {}) =>
      keep(
        await startLambda(entry, join(out, "aws", name), {
          ...options,
          env: { HEDDLE_CONFIG: config, AWS_REGION: "eu-west-1", ...env, ...options.env },
        }),
      ),
    stop,
  };
};

/** What the runtime takes for a fault of the function: there must be none. */
export const faults = ({ logs }: Pick<Instance, "logs">): string[] =>
  logs.filter((line) => /Invoke Error|Unhandled|Uncaught|Status: error|not finished/.test(line));
