// `heddle check [file]`: what a configuration means, or everything that is wrong with it.
import { type ConfigSource, loadConfig } from "../../lib/config.ts";
import { ConfigError } from "../../lib/config/problems.ts";
import type { HeddleConfig, ProviderConfig } from "../../lib/config-types.ts";

export type CheckIo = {
  env: ConfigSource["env"];
  readFile: ConfigSource["readFile"];
  out: (text: string) => void;
  err: (text: string) => void;
};

const credential = (provider: ProviderConfig): string => {
  if (provider.kind === "echo") return "needs none";
  if (provider.apiKey !== undefined || provider.bearerToken !== undefined || provider.accessKeyId !== undefined) return "key is set";
  if (provider.tokenCredential === true) return "Entra token";
  if (provider.kind === "bedrock") return "AWS credential chain";
  return provider.kind === "openai-compatible" ? "no key" : "KEY IS MISSING";
};

const summary = (config: HeddleConfig): string =>
  [
    `${config.source ?? "environment"}: ok`,
    `environment  ${config.environment}`,
    `listens on   ${config.server.host}:${config.server.port}, access ${config.auth.mode}${config.auth.mode === "keys" ? ` (${config.auth.keys.map((key) => key.name).join(", ")})` : ""}`,
    ...config.providers.map((provider) => `provider     ${provider.id} (${provider.kind}): ${credential(provider)}`),
    ...config.models.map((model) => `model        ${model.name} -> ${model.targets.join(", then ")}`),
    ...config.notices.map((notice) => `notice       ${notice}`),
    "",
  ].join("\n");

/** The exit code: 0, or 1 where the configuration has problems. */
export const runCheck = async (args: readonly string[], io: CheckIo): Promise<number> => {
  const [path] = args;
  try {
    const config = await loadConfig({ env: io.env, readFile: io.readFile, ...(path === undefined ? {} : { path }) });
    io.out(summary(config));
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.err(`${error.message}\n`);
    return 1;
  }
};
