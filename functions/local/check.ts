// `heddle check [file]`: what a configuration means, or everything that is wrong with it.
import { type ConfigSource, loadConfig } from "../../lib/config.ts";
import { ConfigError } from "../../lib/config/problems.ts";
import type { HeddleConfig, ModelConfig, ProviderConfig } from "../../lib/config-types.ts";

export type CheckIo = {
  env: ConfigSource["env"];
  readFile: ConfigSource["readFile"];
  out: (text: string) => void;
  err: (text: string) => void;
};

const isSet = (value: string | undefined): boolean => value !== undefined && value !== "";

/** Whether there is a credential, never which. */
const credential = (provider: ProviderConfig): string => {
  if (provider.kind === "echo") return "needs no key";
  if (provider.tokenCredential === true) return "Entra token";
  if (isSet(provider.apiKey) || isSet(provider.bearerToken) || isSet(provider.accessKeyId)) return "key set";
  if (provider.kind === "bedrock") return "AWS credential chain";
  return provider.kind === "openai-compatible" ? "no key" : "KEY MISSING";
};

/** The host alone: an address may hold a password. */
const address = ({ baseUrl }: ProviderConfig): string => {
  if (baseUrl === undefined) return "";
  return URL.canParse(baseUrl) ? `, at ${new URL(baseUrl).host}` : ", at an address that can't be read";
};

/** An alias down to what is called: `anthropic/claude-opus-5, then fast (openai/gpt-5.4-mini)`. */
const chain = (model: ModelConfig, byName: ReadonlyMap<string, ModelConfig>): string =>
  model.targets
    .map((target) => {
      const alias = byName.get(target);
      return alias === undefined ? target : `${target} (${chain(alias, byName)})`;
    })
    .join(", then ");

const accessOf = ({ auth }: HeddleConfig): string =>
  auth.mode === "open"
    ? "open, on loopback only"
    : auth.keys.length > 0
      ? `keys of ${auth.keys.map((key) => key.name).join(", ")}`
      : "keys that are made while it runs";

const summary = (config: HeddleConfig): string => {
  const byName = new Map(config.models.map((model) => [model.name, model]));
  const rows: [string, string][] = [
    ["environment", config.environment],
    ["address", `${config.server.host}:${config.server.port}`],
    ["access", accessOf(config)],
    ...config.providers.map((provider): [string, string] => [
      "provider",
      `${provider.id} (${provider.kind}): ${credential(provider)}${address(provider)}`,
    ]),
    ...config.models.map((model): [string, string] => ["model", `${model.name} -> ${chain(model, byName)}`]),
    ...config.notices.map((notice): [string, string] => ["notice", notice]),
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(12)} ${value}\n`);
  return `${config.source ?? "no file, environment only"}: ok\n${lines.join("")}`;
};

/** The exit code: 0, or 1 where the configuration has problems. */
export const runCheck = async (args: readonly string[], io: CheckIo): Promise<number> => {
  const [path] = args;
  try {
    io.out(summary(await loadConfig({ env: io.env, readFile: io.readFile, ...(path === undefined ? {} : { path }) })));
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.err(`${error.message}\n`);
    return 1;
  }
};
