// What the grammar can't see: names that lead nowhere, access that is open to the world, settings that contradict each other.
import type {
  AuthConfig,
  CorsConfig,
  LimitsConfig,
  ModelConfig,
  ProviderConfig,
  SiiliConfig,
} from "../config-types.ts";
import { claimant } from "../providers/claims.ts";
import { hostOf } from "../providers/dialects.ts";
import { providerKinds } from "../providers/provider.ts";
import { nearest, type Problem } from "./problems.ts";

const hint = (name: string, known: readonly string[]): string => {
  const meant = nearest(name, known);
  return meant === undefined ? "" : `; did you mean ${meant}?`;
};

/** The variable that turns a provider on, for those who name one that is off. */
const switchedOnBy: Readonly<Record<string, string>> = {
  openai: "OPENAI_API_KEY",
  anthropic: "ANTHROPIC_API_KEY",
  gemini: "GEMINI_API_KEY",
  "azure-openai": "AZURE_OPENAI_ENDPOINT",
  bedrock: "AWS_BEARER_TOKEN_BEDROCK",
};

const unknownProvider = (name: string, ids: readonly string[]): string => {
  const variable = Object.hasOwn(switchedOnBy, name) ? switchedOnBy[name] : undefined;
  if (variable !== undefined) return `the provider '${name}' is off: set ${variable}, or write it under providers`;
  const known = ids.length === 0 ? "none is configured" : `configured: ${ids.join(", ")}`;
  return `there is no provider '${name}'${hint(name, ids) || ` (${known})`}`;
};

/** The way from an alias back to itself, both ends included. */
const cycleOf = (name: string, byName: ReadonlyMap<string, ModelConfig>): string[] | undefined => {
  const seen = new Set<string>();
  const walk = (at: string, way: readonly string[]): string[] | undefined => {
    for (const target of byName.get(at)?.targets ?? []) {
      if (target === name) return [...way, name];
      if (seen.has(target) || !byName.has(target)) continue;
      seen.add(target);
      const found = walk(target, [...way, target]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return walk(name, [name]);
};

/** What is wrong with the name of a model; undefined where it leads to a provider. */
const nowhere = (
  target: string,
  aliases: readonly string[],
  providers: readonly ProviderConfig[],
): string | undefined => {
  if (aliases.includes(target)) return undefined;
  const ids = providers.map((provider) => provider.id);
  const slash = target.indexOf("/");
  const provider = target.slice(0, Math.max(slash, 0));
  if (slash > 0 && ids.includes(provider))
    return slash + 1 === target.length ? "expected a model after the provider" : undefined;
  if (claimant(providers, target) !== undefined) return undefined;
  return slash > 0
    ? unknownProvider(provider, ids)
    : `'${target}' is no alias, and no configured provider claims it${hint(target, aliases) || "; write provider/model"}`;
};

/** Targets that lead nowhere, and aliases that lead to themselves. `short` are the models written as one text. */
export const modelProblems = (
  models: readonly ModelConfig[],
  providers: readonly ProviderConfig[],
  short: ReadonlySet<string>,
): Problem[] => {
  const byName = new Map(models.map((model) => [model.name, model]));
  const names = [...byName.keys()];
  return models.flatMap(({ name, targets }) => {
    const cycle = cycleOf(name, byName);
    const problems: Problem[] =
      cycle === undefined
        ? []
        : [{ path: ["models", name], message: `the alias leads back to itself: ${cycle.join(" -> ")}` }];
    targets.forEach((target, at) => {
      const message = nowhere(target, names, providers);
      if (message !== undefined)
        problems.push({ path: short.has(name) ? ["models", name] : ["models", name, "targets", at], message });
    });
    return problems;
  });
};

/** Models of the Siili API that lead nowhere. */
export const siiliProblems = (
  siili: Partial<SiiliConfig>,
  models: readonly ModelConfig[],
  providers: readonly ProviderConfig[],
): Problem[] =>
  (["model", "speechModel", "transcriptionModel"] as const).flatMap((name) => {
    const target = siili[name];
    const message =
      target === undefined
        ? undefined
        : nowhere(
            target,
            models.map((model) => model.name),
            providers,
          );
    return message === undefined ? [] : [{ path: ["siili", name], message }];
  });

/** Settings without which a provider can't be called at all. A missing key is told at the call: it may come later. */
export const providerProblems = (providers: readonly ProviderConfig[]): Problem[] =>
  providers.flatMap((provider): Problem[] => {
    const { id, kind } = provider;
    const path = ["providers", id];
    switch (kind) {
      case "openai-compatible": {
        if (provider.baseUrl !== undefined || hostOf(id, undefined).baseUrl !== undefined) return [];
        const meant = nearest(id, providerKinds);
        const question = meant === undefined ? "" : `; or did you mean the provider ${meant}?`;
        return [{ path: [...path, "baseUrl"], message: `is missing; expected the address of the host${question}` }];
      }
      case "azure-openai":
        if (provider.baseUrl !== undefined) return [];
        return [
          {
            path: [...path, "baseUrl"],
            message: "is missing; expected the resource's endpoint (or AZURE_OPENAI_ENDPOINT)",
          },
        ];
      case "bedrock": {
        const problems: Problem[] = [];
        if (provider.region === undefined && provider.baseUrl === undefined)
          problems.push({ path: [...path, "region"], message: "is missing; expected an AWS region (or AWS_REGION)" });
        if ((provider.accessKeyId === undefined) !== (provider.secretAccessKey === undefined))
          problems.push({ path, message: "expected accessKeyId and secretAccessKey together" });
        return problems;
      }
      default:
        return [];
    }
  });

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);

/** The host, and where it was set. */
export type HostSetting = { value: string; place: Omit<Problem, "message"> };

/** Open access off loopback, a lock without keys, two keys that can't be told apart. */
export const authProblems = ({ mode, keys }: AuthConfig, host: HostSetting): Problem[] => {
  const problems: Problem[] = [];
  if (mode === "open" && !isLoopback(host.value))
    problems.push({ ...host.place, message: "open access listens on loopback only; expected 127.0.0.1, or auth.keys" });
  keys.forEach(({ name, key }, at) => {
    const sameName = keys.findIndex((other) => other.name === name);
    if (sameName < at)
      problems.push({ path: ["auth", "keys", at, "name"], message: `the name is that of auth.keys[${sameName}] too` });
    const sameKey = keys.findIndex((other) => other.key === key);
    if (sameKey < at)
      problems.push({ path: ["auth", "keys", at, "key"], message: `the key is that of auth.keys[${sameKey}] too` });
  });
  return problems;
};

/** Browsers refuse an answer to anyone that carries credentials. */
export const corsProblems = (cors: CorsConfig | undefined): Problem[] =>
  cors?.credentials === true && cors.origins.includes("*")
    ? [{ path: ["cors", "origins"], message: "expected the origins by name where credentials are allowed, not *" }]
    : [];

/** Two rules of one name would count as one; a limit needs a place to count in; an alert is not sent in the clear. */
export const limitProblems = ({ rates, budgets, webhook }: LimitsConfig, storage: string): Problem[] => {
  const problems: Problem[] = [];
  for (const [kind, rules] of [
    ["rates", rates],
    ["budgets", budgets],
  ] as const) {
    rules.forEach(({ name }, at) => {
      const same = rules.findIndex((other) => other.name === name);
      if (same < at)
        problems.push({
          path: ["limits", kind, at, "name"],
          message: `the name is that of limits.${kind}[${same}] too`,
        });
      if (/^own\d*$/.test(name))
        problems.push({ path: ["limits", kind, at, "name"], message: "own… is the name of keys' own limits" });
    });
    if (rules.length > 0 && storage === "none")
      problems.push({
        path: ["limits", kind],
        message: "nothing is stored (storage: none): limits need a place to count in",
      });
  }
  rates.forEach((rule, at) => {
    const { requestsPerMinute, tokensPerMinute, concurrent } = rule;
    if (requestsPerMinute === undefined && tokensPerMinute === undefined && concurrent === undefined)
      problems.push({
        path: ["limits", "rates", at],
        message: "expected one of requestsPerMinute, tokensPerMinute and concurrent",
      });
  });
  if (
    webhook?.url.startsWith("http:") === true &&
    !(URL.canParse(webhook.url) && isLoopback(new URL(webhook.url).hostname))
  )
    problems.push({ path: ["limits", "webhook", "url"], message: "expected https" });
  return problems;
};
