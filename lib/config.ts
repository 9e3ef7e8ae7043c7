// The only reader of the environment and of heddle.yaml: parsed once, defaulted, checked beyond its shape.
import { bootstrapKey, bootstrapProblem } from "./auth/bootstrap.ts";
import type { HeddleConfig, ModelConfig, ProviderConfig } from "./config-types.ts";
import {
  authProblems,
  corsProblems,
  limitProblems,
  modelProblems,
  providerProblems,
  siiliProblems,
} from "./config/checks.ts";
import { authOf, identityProblems, issuerProblems } from "./config/auth.ts";
import { addressProblems, environmentOf, environmentProviders, normalised } from "./config/environment.ts";
import { readConfigFile } from "./config/file.ts";
import { ConfigError, type Problem } from "./config/problems.ts";
import type { ConfigFile } from "./config/schema.ts";
import type { Environment } from "./config/substitute.ts";
import { type ProviderKind, providerKinds } from "./providers/provider.ts";

export type ConfigSource = {
  env: Environment;
  /** The text of a file; undefined where there is none. */
  readFile: (path: string) => string | undefined;
  /** Instead of HEDDLE_CONFIG and the default names. */
  path?: string;
};

const isKind = (name: string): name is ProviderKind => (providerKinds as readonly string[]).includes(name);

/** Anthropic takes any `anthropic-beta`; its other hosts refuse calls over one they don't know, so there the list is written (F21). */
const withDefaults = (found: Partial<ProviderConfig> & { id: string; kind: ProviderKind }): ProviderConfig => ({
  headers: {},
  models: [],
  dialect: {},
  betas: found.kind === "anthropic" ? ["*"] : [],
  ...found,
});

const providersOf = (
  file: ConfigFile,
  env: Environment,
  environment: HeddleConfig["environment"],
): ProviderConfig[] => {
  const providers = new Map<string, ProviderConfig>();
  for (const found of environmentProviders(env)) providers.set(found.kind, withDefaults({ id: found.kind, ...found }));
  for (const [id, { kind: named, ...settings }] of Object.entries(file.providers ?? {})) {
    const kind = named ?? (isKind(id) ? id : "openai-compatible");
    // A setting that is written wins; what it leaves out, the environment gives to the provider of its own kind's name.
    const fromEnvironment = id === kind ? environmentOf(kind, env, settings) : {};
    providers.set(id, withDefaults({ id, kind, ...fromEnvironment, ...settings }));
  }
  // The stand-in answers anyone for nothing: welcome everywhere but in production.
  if (!providers.has("echo") && environment !== "production")
    providers.set("echo", withDefaults({ id: "echo", kind: "echo" }));
  return [...providers.values()];
};

const modelOf = (name: string, model: NonNullable<ConfigFile["models"]>[string]): ModelConfig => {
  if (typeof model === "string") return { name, strategy: "fallback", targets: [model] };
  return { ...model, name, strategy: "fallback" };
};

const environments = ["development", "staging", "production"] as const;
const levels = ["debug", "info", "warn", "error", "silent"] as const;

/** Reads single variables; `refuse` is told of a value that can't be used. */
const variableReader = (env: Environment, refuse: (name: string, message: string) => undefined) => ({
  oneOf: <T extends string>(name: string, allowed: readonly T[]): T | undefined => {
    const value = env[name]?.toLowerCase();
    if (value === undefined) return undefined;
    return allowed.find((each) => each === value) ?? refuse(name, `expected one of ${allowed.join(", ")}`);
  },
  port: (name: string): number | undefined => {
    const value = env[name];
    if (value === undefined) return undefined;
    const port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
    return port <= 65_535 ? port : refuse(name, "expected a port from 0 to 65535");
  },
  seconds: (name: string): number | undefined => {
    const value = env[name];
    if (value === undefined) return undefined;
    return Number(value) > 0 ? Number(value) * 1_000 : refuse(name, "expected seconds, more than 0");
  },
});

/**
 * LOG_LEVEL and TIMEOUT (seconds) are a predecessor's names, and many another program's: they give way to the file, and one that
 * can't be used is no reason not to start.
 */
const sharedVariables = (env: Environment, file: ConfigFile, notices: string[]) => {
  const read = variableReader(env, (name, message) => {
    notices.push(`${name} is not used: ${message}`);
    return undefined;
  });
  const unless = <T>(written: unknown, name: string, setting: string, value: T | undefined): T | undefined => {
    if (value !== undefined && written === undefined) notices.push(`${name} is read as ${setting}`);
    return value;
  };
  const level = env["HEDDLE_LOG_LEVEL"] ?? file.log?.level;
  return {
    level: unless(level, "LOG_LEVEL", "log.level", read.oneOf("LOG_LEVEL", levels)),
    headersMs: unless(file.timeouts?.headersMs, "TIMEOUT", "timeouts.headersMs", read.seconds("TIMEOUT")),
  };
};

const exposedHeaders = [
  "x-request-id",
  "request-id",
  "retry-after",
  "heddle-provider",
  "heddle-model",
  "heddle-cost",
  "heddle-attempts",
  "heddle-dropped",
  "heddle-estimated",
  "idempotent-replayed",
];

const corsOf = ({ cors }: ConfigFile): HeddleConfig["cors"] =>
  cors === undefined
    ? undefined
    : { headers: ["*"], exposeHeaders: exposedHeaders, maxAgeSeconds: 600, credentials: false, ...cors };

const limitsOf = ({ limits }: ConfigFile): HeddleConfig["limits"] => {
  const { rates = [], budgets = [], ...rest } = limits ?? {};
  return {
    shards: {},
    reservationMs: 15 * 60_000,
    outputTokens: 32_768,
    unpriced: "refuse",
    onStoreFailure: "open",
    ...rest,
    rates: rates.map((rule, at) => ({ name: `rate${at + 1}`, onStoreFailure: "open", ...rule })),
    budgets: budgets.map((rule, at) => ({
      name: `budget${at + 1}`,
      onStoreFailure: "closed",
      alerts: [0.8, 1],
      ...rule,
    })),
  };
};

/** Who sets the first key wants keys to be asked for, but where `said` says whether they are. */
const withAdminKey = (
  auth: HeddleConfig["auth"],
  adminKey: string,
  said: string | undefined,
): HeddleConfig["auth"] => ({
  ...auth,
  mode: said === undefined ? "keys" : auth.mode,
  keys: [...auth.keys, bootstrapKey(adminKey)],
});

/** Pure over the environment and the files it is given. Throws ConfigError with every problem found. */
export const loadConfig = async (source: ConfigSource): Promise<HeddleConfig> => {
  const { env, given, notices } = normalised(source.env);
  const { file, source: path, lineOf } = await readConfigFile(env, source.readFile, source.path);
  const problems: Problem[] = [];
  const read = variableReader(env, (name, message) => {
    problems.push({ file: "environment", path: [given(name)], message });
    return undefined;
  });
  const shared = sharedVariables(env, file, notices);

  const environment = read.oneOf("HEDDLE_ENV", environments) ?? file.environment ?? "development";
  const keys = file.auth?.keys ?? [];
  const config: HeddleConfig = {
    environment,
    providers: providersOf(file, env, environment),
    models: Object.entries(file.models ?? {}).map(([name, model]) => modelOf(name, model)),
    prices: file.prices ?? {},
    retry: { attempts: 2, baseDelayMs: 300, maxDelayMs: 8_000, totalMs: 60_000, ...file.retry },
    timeouts: {
      connectMs: 10_000,
      // A whole answer of a model that thinks takes minutes, and its headers come with it: the SDKs wait ten.
      headersMs: shared.headersMs ?? 600_000,
      idleMs: 120_000,
      ...file.timeouts,
    },
    server: {
      maxBodyBytes: 32 * 1024 * 1024,
      headersTimeoutMs: 30_000,
      bodyTimeoutMs: 60_000,
      heartbeatMs: 12_000,
      drainMs: 30_000,
      ...file.server,
      host: env["HEDDLE_HOST"] ?? file.server?.host ?? "127.0.0.1",
      port: read.port("HEDDLE_PORT") ?? file.server?.port ?? 8787,
    },
    auth: authOf(file, keys, read.oneOf("HEDDLE_AUTH", ["open", "keys"])),
    cors: corsOf(file),
    siili: { prefix: "", model: Object.keys(file.models ?? {})[0] ?? "echo/echo", ...file.siili },
    log: { level: read.oneOf("HEDDLE_LOG_LEVEL", levels) ?? file.log?.level ?? shared.level ?? "info" },
    storage: file.storage ?? "sqlite",
    dataDir: env["HEDDLE_DATA"] ?? file.dataDir ?? ".heddle",
    threads: { leaseMs: 15_000, parkedMs: 600_000, eventsTtlSeconds: 3 * 86_400, queueLength: 16, ...file.threads },
    limits: limitsOf(file),
    usage: { ledger: "on", retentionDays: 90, rollupDays: 800, ...file.usage },
    notices,
  };
  if (path !== undefined) config.source = path;
  const adminKey = env["HEDDLE_ADMIN_KEY"];
  if (adminKey !== undefined) {
    const message = bootstrapProblem(adminKey);
    if (message === undefined) config.auth = withAdminKey(config.auth, adminKey, env["HEDDLE_AUTH"] ?? file.auth?.mode);
    else problems.push({ file: "environment", path: ["HEDDLE_ADMIN_KEY"], message });
  }

  const hostPlace =
    env["HEDDLE_HOST"] === undefined
      ? { path: ["server", "host"] }
      : { file: "environment", path: [given("HEDDLE_HOST")] };
  const short = new Set(
    Object.entries(file.models ?? {}).flatMap(([name, model]) => (typeof model === "string" ? [name] : [])),
  );
  problems.push(
    ...addressProblems(env, given),
    ...providerProblems(config.providers),
    ...modelProblems(config.models, config.providers, short),
    ...siiliProblems(file.siili ?? {}, config.models, config.providers),
    ...authProblems(config.auth, { value: config.server.host, place: hostPlace }),
    ...issuerProblems(config.auth),
    ...identityProblems(config.auth),
    ...corsProblems(config.cors),
    ...limitProblems(config.limits, config.storage),
  );
  if (problems.length > 0) throw new ConfigError(path ?? "environment", problems, lineOf);

  for (const name of ["keys", "issuers", "identities"] as const)
    if (config.auth.mode === "open" && (config.auth[name] ?? []).length > 0)
      notices.push(`auth.${name} are not asked for: auth.mode is open`);
  if (config.providers.length === 0) notices.push("no provider is on: every model call will fail");
  return config;
};
