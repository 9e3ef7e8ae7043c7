// What the environment alone says: the names people already use, and those of predecessors with a notice.
import type { ProviderConfig } from "../config-types.ts";
import type { ProviderKind } from "../providers/provider.ts";
import type { Problem } from "./problems.ts";
import type { Environment } from "./substitute.ts";

/** Predecessors' names, and ours. */
const aliases: Readonly<Record<string, string>> = {
  AI_PROXY_SERVER__HOST: "HEDDLE_HOST",
  AI_PROXY_SERVER__PORT: "HEDDLE_PORT",
  AI_PROXY_PROVIDERS__OPENAI__API_KEY: "OPENAI_API_KEY",
  AI_PROXY_PROVIDERS__OPENAI__API_BASE: "OPENAI_BASE_URL",
  AI_PROXY_PROVIDERS__ANTHROPIC__API_KEY: "ANTHROPIC_API_KEY",
  AI_PROXY_PROVIDERS__ANTHROPIC__API_BASE: "ANTHROPIC_BASE_URL",
  AI_PROXY_PROVIDERS__GEMINI__API_KEY: "GEMINI_API_KEY",
  AI_PROXY_PROVIDERS__GEMINI__API_BASE: "GEMINI_BASE_URL",
};

/** Predecessors' switches of what is not here (yet). */
const unused = new Set(["CACHE_ENABLED", "RATE_LIMIT_ENABLED"]);

/** The environment with empty values gone and older names under ours; a notice for each that was used. Ours win. */
export const normalised = (
  env: Environment,
): { env: Readonly<Record<string, string>>; given: (name: string) => string; notices: string[] } => {
  const result: Record<string, string> = {};
  const notices: string[] = [];
  const from = new Map<string, string>();
  for (const name in env) {
    const value = env[name];
    if (value !== undefined && value !== "") result[name] = value;
  }
  for (const [old, name] of Object.entries(aliases)) {
    const value = result[old];
    if (value === undefined) continue;
    const ours = sameAs(name).find((each) => result[each] !== undefined);
    if (ours === undefined) {
      result[name] = value;
      from.set(name, old);
      notices.push(`${old} is read as ${name}`);
    } else notices.push(`${old} is not used: ${ours} is set`);
  }
  for (const name in result)
    if (unused.has(name) || (name.startsWith("AI_PROXY_") && !Object.hasOwn(aliases, name)))
      notices.push(`${name} is not used`);
  return { env: result, given: (name) => from.get(name) ?? name, notices };
};

type Setting =
  | "apiKey"
  | "baseUrl"
  | "apiVersion"
  | "region"
  | "bearerToken"
  | "accessKeyId"
  | "secretAccessKey"
  | "sessionToken";

/** Which variables give a provider its settings; of several the first that is set. */
const variables: Partial<Record<ProviderKind, Partial<Record<Setting, readonly string[]>>>> = {
  openai: { apiKey: ["OPENAI_API_KEY"], baseUrl: ["OPENAI_BASE_URL"] },
  anthropic: { apiKey: ["ANTHROPIC_API_KEY"], baseUrl: ["ANTHROPIC_BASE_URL"] },
  gemini: { apiKey: ["GEMINI_API_KEY", "GOOGLE_API_KEY"], baseUrl: ["GEMINI_BASE_URL"] },
  "azure-openai": {
    apiKey: ["AZURE_OPENAI_API_KEY"],
    baseUrl: ["AZURE_OPENAI_ENDPOINT"],
    apiVersion: ["AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION"],
  },
  bedrock: {
    region: ["AWS_REGION", "AWS_DEFAULT_REGION"],
    bearerToken: ["AWS_BEARER_TOKEN_BEDROCK"],
    accessKeyId: ["AWS_ACCESS_KEY_ID"],
    secretAccessKey: ["AWS_SECRET_ACCESS_KEY"],
    sessionToken: ["AWS_SESSION_TOKEN"],
  },
};

/** The names of one setting, the one given among them. */
const sameAs = (name: string): readonly string[] =>
  Object.values(variables)
    .flatMap((settings) => Object.values(settings))
    .find((names) => names.includes(name)) ?? [name];

/** AWS credentials belong together: of a set that the file begins, the environment adds nothing. */
const credentials: readonly Setting[] = ["bearerToken", "accessKeyId", "secretAccessKey", "sessionToken"];

/**
 * The setting that turns a provider on without a file. Plain AWS keys don't: they lie in the environment of most functions and
 * developers for other ends, so Bedrock over them is asked for by name.
 */
const triggers: Partial<Record<ProviderKind, Setting>> = {
  openai: "apiKey",
  anthropic: "apiKey",
  gemini: "apiKey",
  "azure-openai": "baseUrl",
  bedrock: "bearerToken",
};

const kinds = Object.keys(variables) as ProviderKind[];

/** The settings that the environment gives to a provider beside those that the file has. */
export const environmentOf = (
  kind: ProviderKind,
  env: Environment,
  written: Partial<ProviderConfig> = {},
): Partial<ProviderConfig> => {
  const settings: Partial<ProviderConfig> = {};
  const ownCredentials = credentials.some((setting) => written[setting] !== undefined);
  for (const [setting, names] of Object.entries(variables[kind] ?? {}) as [Setting, readonly string[]][]) {
    const name = names.find((each) => env[each] !== undefined);
    const value = name === undefined ? undefined : env[name];
    if (value !== undefined && !(ownCredentials && credentials.includes(setting))) settings[setting] = value;
  }
  return settings;
};

/** Providers that the environment alone turns on. */
export const environmentProviders = (env: Environment): (Partial<ProviderConfig> & { kind: ProviderKind })[] =>
  kinds.flatMap((kind) => {
    const settings = environmentOf(kind, env);
    const trigger = triggers[kind];
    return trigger !== undefined && settings[trigger] !== undefined ? [{ ...settings, kind }] : [];
  });

/** Addresses in the environment that are none. `given` names a variable as it was written. */
export const addressProblems = (env: Environment, given: (name: string) => string): Problem[] =>
  kinds.flatMap((kind) =>
    (variables[kind]?.baseUrl ?? []).flatMap((name) =>
      env[name] === undefined || /^https?:\/\/[^\s/]/.test(env[name])
        ? []
        : [{ file: "environment", path: [given(name)], message: "expected an http(s) address" }],
    ),
  );
