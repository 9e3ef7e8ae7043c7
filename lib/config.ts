// The only reader of the environment and of heddle.yaml: parsed once, defaulted, checked beyond its shape.
import type { AuthConfig, HeddleConfig, ModelConfig, ProviderConfig } from "./config-types.ts";
import { environmentOf, environmentProviders, normalised } from "./config/environment.ts";
import { type Environment, readConfigFile } from "./config/file.ts";
import { ConfigError, nearest, type Problem } from "./config/problems.ts";
import type { ConfigFile } from "./config/schema.ts";
import { providerKinds } from "./providers/provider.ts";

export type ConfigSource = {
  env: Environment;
  /** The text of a file; undefined where there is none. */
  readFile: (path: string) => string | undefined;
  /** Instead of HEDDLE_CONFIG and the default names. */
  path?: string;
};

const isKind = (name: string): name is ProviderConfig["kind"] => (providerKinds as readonly string[]).includes(name);

/** `anthropic-beta` values that pass unless the configuration says otherwise: those that change the wire, not the account. */
const defaultBetas = ["*"];

const withDefaults = (found: Partial<ProviderConfig> & Pick<ProviderConfig, "id" | "kind">): ProviderConfig => ({
  headers: {},
  models: [],
  dialect: {},
  betas: found.kind === "anthropic" ? defaultBetas : [],
  ...found,
});

const providersOf = (file: ConfigFile, env: Environment, environment: HeddleConfig["environment"]): ProviderConfig[] => {
  const providers = new Map<string, ProviderConfig>();
  for (const found of environmentProviders(env)) providers.set(found.id, withDefaults(found));
  for (const [id, { kind: named, ...settings }] of Object.entries(file.providers ?? {})) {
    const kind = named ?? (isKind(id) ? id : "openai-compatible");
    // A setting that is written wins; what it leaves out, the environment gives to the provider of its own kind's name.
    const fromEnvironment = id === kind ? environmentOf(kind, env) : {};
    providers.set(id, withDefaults({ id, kind, ...fromEnvironment, ...(settings as Partial<ProviderConfig>) }));
  }
  // The stand-in answers anyone for nothing: welcome everywhere but in production.
  if (!providers.has("echo") && environment !== "production") providers.set("echo", withDefaults({ id: "echo", kind: "echo" }));
  return [...providers.values()];
};

const modelsOf = (file: ConfigFile): ModelConfig[] =>
  Object.entries(file.models ?? {}).map(([name, model]) => {
    if (typeof model === "string") return { name, strategy: "fallback", targets: [model] };
    const { targets, maxOutputTokens } = model;
    return { name, strategy: "fallback", targets, ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }) };
  });

/** Targets that lead nowhere, and aliases that lead to themselves. */
const modelProblems = (models: readonly ModelConfig[], providers: readonly ProviderConfig[]): Problem[] => {
  const byName = new Map(models.map((model) => [model.name, model]));
  const ids = providers.map((provider) => provider.id);
  const problems: Problem[] = [];
  const leadsTo = (name: string, goal: string, seen: Set<string>): boolean => {
    if (seen.has(name)) return false;
    seen.add(name);
    return (byName.get(name)?.targets ?? []).some((target) => target === goal || leadsTo(target, goal, seen));
  };
  for (const model of models) {
    if (leadsTo(model.name, model.name, new Set())) problems.push({ path: `models.${model.name}`, message: "the alias leads back to itself" });
    model.targets.forEach((target, at) => {
      if (byName.has(target)) return;
      const slash = target.indexOf("/");
      const path = `models.${model.name}.targets[${at}]`;
      if (slash > 0 && !ids.includes(target.slice(0, slash))) {
        const meant = nearest(target.slice(0, slash), ids);
        problems.push({
          path,
          message: `there is no provider '${target.slice(0, slash)}'${meant === undefined ? ` (configured: ${ids.join(", ")})` : `; did you mean ${meant}?`}`,
        });
      }
    });
  }
  return problems;
};

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);

const authOf = (file: ConfigFile, host: string): { auth: AuthConfig; problems: Problem[] } => {
  const keys = file.auth?.keys ?? [];
  const mode = file.auth?.mode ?? (keys.length > 0 ? "keys" : "open");
  const problems: Problem[] = [];
  if (mode === "open" && !isLoopback(host))
    problems.push({ path: "auth", message: `open access listens on loopback only: add auth.keys, or leave the host at 127.0.0.1` });
  if (mode === "keys" && keys.length === 0) problems.push({ path: "auth.keys", message: "expected at least one key" });
  const names = keys.map((key) => key.name);
  keys.forEach((key, at) => {
    if (names.indexOf(key.name) !== at) problems.push({ path: `auth.keys[${at}].name`, message: `the name '${key.name}' is used twice` });
  });
  return { auth: { mode, keys }, problems };
};

const portOf = (env: Environment, file: ConfigFile): number | Problem => {
  const text = env["HEDDLE_PORT"];
  if (text === undefined) return file.server?.port ?? 8787;
  const port = Number(text);
  return Number.isInteger(port) && port >= 0 && port <= 65_535 ? port : { path: "HEDDLE_PORT", message: "expected a port from 0 to 65535" };
};

const environments = ["development", "staging", "production"] as const;
const levels = ["debug", "info", "warn", "error", "silent"] as const;
const oneOf = <T extends string>(allowed: readonly T[], value: string | undefined): T | undefined => allowed.find((each) => each === value);

/** Throws ConfigError with every problem found. */
export const loadConfig = async (source: ConfigSource): Promise<HeddleConfig> => {
  const { env, notices } = normalised(source.env);
  const { file, source: path } = await readConfigFile(env, source.readFile, source.path);
  const problems: Problem[] = [];

  const environment = oneOf(environments, env["HEDDLE_ENV"]) ?? file.environment ?? "development";
  if (env["HEDDLE_ENV"] !== undefined && oneOf(environments, env["HEDDLE_ENV"]) === undefined)
    problems.push({ path: "HEDDLE_ENV", message: `expected ${environments.join(", ")}` });
  const level = oneOf(levels, env["HEDDLE_LOG_LEVEL"]?.toLowerCase()) ?? file.log?.level ?? "info";
  if (env["HEDDLE_LOG_LEVEL"] !== undefined && oneOf(levels, env["HEDDLE_LOG_LEVEL"].toLowerCase()) === undefined)
    problems.push({ path: "HEDDLE_LOG_LEVEL", message: `expected ${levels.join(", ")}` });

  const host = env["HEDDLE_HOST"] ?? file.server?.host ?? "127.0.0.1";
  const port = portOf(env, file);
  if (typeof port !== "number") problems.push(port);
  const { auth, problems: authProblems } = authOf(file, host);
  const providers = providersOf(file, env, environment);
  const models = modelsOf(file);
  problems.push(...authProblems, ...modelProblems(models, providers));
  if (problems.length > 0) throw new ConfigError(path ?? "environment", problems);

  const timeoutMs = env["TIMEOUT"] === undefined ? Number.NaN : Number(env["TIMEOUT"]) * 1_000;
  const config: HeddleConfig = {
    environment,
    providers,
    models,
    prices: (file.prices ?? {}) as HeddleConfig["prices"],
    retry: { attempts: 2, baseDelayMs: 300, maxDelayMs: 8_000, totalMs: 60_000, ...(file.retry as Partial<HeddleConfig["retry"]>) },
    timeouts: {
      connectMs: 10_000,
      // A whole answer of a model that thinks takes minutes, and its headers come with it: the SDKs wait ten.
      headersMs: timeoutMs > 0 ? timeoutMs : 600_000,
      idleMs: 120_000,
      ...(file.timeouts as Partial<HeddleConfig["timeouts"]>),
    },
    server: {
      maxBodyBytes: 32 * 1024 * 1024,
      headersTimeoutMs: 30_000,
      bodyTimeoutMs: 60_000,
      heartbeatMs: 12_000,
      drainMs: 30_000,
      ...(file.server as Partial<HeddleConfig["server"]>),
      host,
      port: typeof port === "number" ? port : 8787,
    },
    auth,
    cors:
      file.cors === undefined
        ? undefined
        : {
            headers: ["*"],
            exposeHeaders: ["x-request-id", "request-id", "retry-after", "heddle-provider", "heddle-model", "heddle-cost", "heddle-attempts", "heddle-dropped"],
            maxAgeSeconds: 600,
            credentials: false,
            ...(file.cors as Partial<NonNullable<HeddleConfig["cors"]>>),
            origins: file.cors.origins,
          },
    log: { level },
    dataDir: env["HEDDLE_DATA"] ?? file.dataDir ?? ".heddle",
    notices,
  };
  if (path !== undefined) config.source = path;
  return config;
};
