// An app under the local Functions host, for tests.
import type { Outcome } from "../../functions/local/azure/worker-process.ts";
import { type HostOptions, startHost } from "../../functions/local/azure/host.ts";
import type { HostJson } from "../../functions/local/azure/settings.ts";

export type TestFunctions = {
  url: string;
  /** Names of what the app has registered. */
  functions: readonly string[];
  /** All that the host shows: what the worker wrote, what invocations logged, its own lines. */
  logs: string[];
  /** What the worker alone wrote, line by line. */
  output: string[];
  /** Bytes that the worker holds in memory. */
  memory: () => Promise<number>;
  /** The worker's; another one's where it has died. */
  pid: () => Promise<number>;
  /** Runs a queue or timer function once, by hand. */
  run: (functionName: string, input?: string) => Promise<Outcome>;
  /** Ends the worker as a crash does; the host starts another one. */
  kill: () => Promise<void>;
  /** Tells the worker that it ends, as the host does where it restarts it; the host starts another one. */
  terminate: () => Promise<void>;
  stop: () => Promise<void>;
};

export type TestFunctionsOptions = {
  /** All the settings that there are. */
  env?: Record<string, string>;
  /** In place of the folder's. */
  hostJson?: HostJson;
} & Partial<
  Pick<HostOptions, "timeoutMs" | "largestBody" | "frontEnd" | "dropAfter" | "execArgv" | "triggers" | "leaseMs">
>;

export const startFunctions = async (appFolder: string, options: TestFunctionsOptions = {}): Promise<TestFunctions> => {
  const { env = {}, ...rest } = options;
  const logs: string[] = [];
  const output: string[] = [];
  const host = await startHost({
    ...rest,
    appFolder,
    settings: env,
    port: 0,
    log: ({ from, text }) => {
      logs.push(text);
      if (from === "console") output.push(text);
    },
  });
  return {
    url: host.url,
    functions: host.functions.map(({ name }) => name),
    logs,
    output,
    memory: async () => (await host.worker()).memory() ?? 0,
    pid: async () => (await host.worker()).pid,
    run: host.run,
    kill: async () => {
      const worker = await host.worker();
      worker.kill();
      await worker.ended;
    },
    terminate: async () => (await host.worker()).terminate(),
    stop: host.stop,
  };
};
