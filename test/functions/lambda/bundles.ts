// The functions as they are deployed, built for a test file, and what they run on.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleLambda } from "../../../scripts/bundle.ts";
import { startLambda, type TestLambda, type TestLambdaOptions } from "../../support/lambda.ts";

export const key = "fake-client-key-0123456789";

/** `upstream`: where scripted providers answer. */
const yamlOf = (upstream: string): string => `
providers:
  openai:
    baseUrl: ${upstream}/v1
    apiKey: fake-openai-key
  anthropic:
    baseUrl: ${upstream}
    apiKey: fake-anthropic-key
auth:
  mode: keys
  keys:
    - name: test
      key: ${key}
cors:
  origins: ["https://app.example"]
`;

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
  writeFileSync(config, yamlOf(upstream));
  await Promise.all(names.map((name) => bundleLambda(out, name)));
  const started: TestLambda[] = [];
  return {
    start: async (name, options = {}) => {
      const lambda = await startLambda(entry, join(out, "aws", name), {
        ...options,
        env: { HEDDLE_CONFIG: config, AWS_REGION: "eu-west-1", ...env, ...options.env },
      });
      started.push(lambda);
      return lambda;
    },
    stop: async () => {
      await Promise.all(started.map((lambda) => lambda.stop()));
      rmSync(out, { recursive: true, force: true });
    },
  };
};

/** What the runtime takes for a fault of the function: there must be none. */
export const faults = ({ logs }: TestLambda): string[] =>
  logs.filter((line) => /Invoke Error|Unhandled|Uncaught|Status: error|not finished/.test(line));
