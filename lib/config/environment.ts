// What the environment alone says: the names people already use, and those of a predecessor with a notice.
import type { ProviderConfig } from "../config-types.ts";
import type { Environment } from "./file.ts";

/** An older gateway's names, and ours. */
const aliases: Readonly<Record<string, string>> = {
  AI_PROXY_SERVER__HOST: "HEDDLE_HOST",
  AI_PROXY_SERVER__PORT: "HEDDLE_PORT",
  AI_PROXY_PROVIDERS__OPENAI__API_KEY: "OPENAI_API_KEY",
  AI_PROXY_PROVIDERS__OPENAI__API_BASE: "OPENAI_BASE_URL",
  AI_PROXY_PROVIDERS__ANTHROPIC__API_KEY: "ANTHROPIC_API_KEY",
  AI_PROXY_PROVIDERS__ANTHROPIC__API_BASE: "ANTHROPIC_BASE_URL",
  AI_PROXY_PROVIDERS__GEMINI__API_KEY: "GEMINI_API_KEY",
  AI_PROXY_PROVIDERS__GEMINI__API_BASE: "GEMINI_BASE_URL",
  LOG_LEVEL: "HEDDLE_LOG_LEVEL",
};

/** The environment with empty values gone and older names under ours; a notice for each that was used. */
export const normalised = (env: Environment): { env: Environment; notices: string[] } => {
  const result: Record<string, string> = {};
  const notices: string[] = [];
  for (const name in env) {
    const value = env[name];
    if (value !== undefined && value !== "") result[name] = value;
  }
  for (const [old, name] of Object.entries(aliases)) {
    const value = result[old];
    if (value === undefined || result[name] !== undefined) continue;
    result[name] = value;
    notices.push(`${old} is read as ${name}`);
  }
  return { env: result, notices };
};

type Found = Partial<ProviderConfig> & Pick<ProviderConfig, "id" | "kind">;

const some = <T extends object>(fields: { [K in keyof T]: T[K] | undefined }): Partial<T> => {
  const kept: Partial<T> = {};
  for (const key in fields) if (fields[key] !== undefined) kept[key] = fields[key];
  return kept;
};

/** The settings that the environment gives to a kind of provider. */
export const environmentOf = (kind: ProviderConfig["kind"], env: Environment): Partial<ProviderConfig> => {
  switch (kind) {
    case "openai":
      return some<ProviderConfig>({ apiKey: env["OPENAI_API_KEY"], baseUrl: env["OPENAI_BASE_URL"] } as ProviderConfig);
    case "anthropic":
      return some<ProviderConfig>({ apiKey: env["ANTHROPIC_API_KEY"], baseUrl: env["ANTHROPIC_BASE_URL"] } as ProviderConfig);
    case "gemini":
      return some<ProviderConfig>({ apiKey: env["GEMINI_API_KEY"] ?? env["GOOGLE_API_KEY"], baseUrl: env["GEMINI_BASE_URL"] } as ProviderConfig);
    case "azure-openai":
      return some<ProviderConfig>({
        apiKey: env["AZURE_OPENAI_API_KEY"],
        baseUrl: env["AZURE_OPENAI_ENDPOINT"],
        apiVersion: env["AZURE_OPENAI_API_VERSION"] ?? env["OPENAI_API_VERSION"],
      } as ProviderConfig);
    case "bedrock":
      return some<ProviderConfig>({
        region: env["AWS_REGION"] ?? env["AWS_DEFAULT_REGION"],
        bearerToken: env["AWS_BEARER_TOKEN_BEDROCK"],
        accessKeyId: env["AWS_ACCESS_KEY_ID"],
        secretAccessKey: env["AWS_SECRET_ACCESS_KEY"],
        sessionToken: env["AWS_SESSION_TOKEN"],
      } as ProviderConfig);
    case "openai-compatible":
    case "echo":
      return {};
  }
};

/** Providers that the environment alone turns on. */
export const environmentProviders = (env: Environment): Found[] => {
  const on: readonly [ProviderConfig["kind"], boolean][] = [
    ["openai", env["OPENAI_API_KEY"] !== undefined],
    ["anthropic", env["ANTHROPIC_API_KEY"] !== undefined],
    ["gemini", env["GEMINI_API_KEY"] !== undefined || env["GOOGLE_API_KEY"] !== undefined],
    ["azure-openai", env["AZURE_OPENAI_ENDPOINT"] !== undefined],
    ["bedrock", env["AWS_BEARER_TOKEN_BEDROCK"] !== undefined],
  ];
  return on.flatMap(([kind, is]) => (is ? [{ id: kind, kind, ...environmentOf(kind, env) }] : []));
};
