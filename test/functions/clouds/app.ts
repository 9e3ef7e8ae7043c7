// What the tests of the deployed bundles have in common, whatever the cloud: the configuration, and what is started and stopped.
import { rmSync, writeFileSync } from "node:fs";

/** What was deployed, as it runs. `logs`: what it and the platform wrote. */
export type Instance = { url: string; logs: string[] };

export const key = "fake-client-key-0123456789";

/** The client key of test/support/clients.ts, too. */
export const keysYaml = `
auth:
  mode: keys
  keys:
    - name: test
      key: ${key}
`;

/** heddle.yaml. `upstream`: where scripted providers answer. `more` is for its end. */
export const writeConfig = (path: string, upstream: string, more = keysYaml): void =>
  writeFileSync(
    path,
    `
providers:
  openai:
    baseUrl: ${upstream}/v1
    apiKey: fake-openai-key
  anthropic:
    baseUrl: ${upstream}
    apiKey: fake-anthropic-key
cors:
  origins: ["https://app.example"]
${more}`,
  );

/** Keeps what is started, so that it can be stopped at once, and the folder it is started from removed. */
export const keepIn = <T extends { stop: () => Promise<void> }>(
  folder: string,
): { keep: (one: T) => T; stop: () => Promise<void> } => {
  const started: T[] = [];
  return {
    keep: (one) => {
      started.push(one);
      return one;
    },
    stop: async () => {
      await Promise.all(started.map((one) => one.stop()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
