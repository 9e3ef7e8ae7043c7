// Configurations as texts, and what becomes of them.
import { loadConfig } from "../../lib/config.ts";
import { ConfigError } from "../../lib/config/problems.ts";
import type { HeddleConfig, ProviderConfig } from "../../lib/config-types.ts";

/** `env` is all the environment there is; a file that is not named is `heddle.yaml`. */
export const load = (text?: string, env: Record<string, string> = {}, name = "heddle.yaml"): Promise<HeddleConfig> =>
  loadConfig({ env, readFile: (path) => (path === name ? text : undefined) });

/** The lines of the error that the configuration ends with; fails where it is accepted. */
export const refusal = async (text?: string, env: Record<string, string> = {}, name?: string): Promise<string[]> => {
  try {
    await load(text, env, name);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  throw new Error("the configuration was accepted");
};

export const provider = (config: HeddleConfig, id: string): ProviderConfig => {
  const found = config.providers.find((each) => each.id === id);
  if (found === undefined) throw new Error(`no provider ${id}`);
  return found;
};
