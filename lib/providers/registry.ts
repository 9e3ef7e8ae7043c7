// The configured providers: made when first used, listed together, asked how they are.
import type { ProviderConfig } from "../config-types.ts";
import { upstreamFailure } from "../http/upstream-error.ts";
import { GatewayError, toGatewayError } from "../model/error.ts";
import { claimant } from "./claims.ts";
import { isConfigured, requireConfigured, secretsOf } from "./credentials.ts";
import { createProvider } from "./index.ts";
import type { ModelInfo, Provider, ProviderContext, ProviderKind } from "./provider.ts";
import { redactError } from "./redact.ts";

/** `unconfigured`: it has no key, and was not asked. `error` names no secret. */
type ProviderStatus = {
  id: string;
  kind: ProviderKind;
  ok: boolean;
  state: "ok" | "unconfigured" | "failed";
  latencyMs?: number;
  error?: string;
};

type ListedModel = ModelInfo & { provider: string };

export type Registry = {
  ids: readonly string[];
  /** Throws `model_not_found` where there is none of this id, or what its factory throws. */
  get: (id: string) => Promise<Provider>;
  /** "" where there is none of this id. */
  kindOf: (id: string) => ProviderKind | "";
  /** The provider that a bare model name belongs to. Loads nothing. */
  claim: (model: string) => string | undefined;
  /** Every provider's models. One that fails shows its last list, or what the configuration names; none fails the whole. */
  models: (signal: AbortSignal) => Promise<ListedModel[]>;
  /** The next call of `models` asks the providers again. */
  refresh: () => void;
  /** Asks every provider for its list. */
  status: (signal: AbortSignal) => Promise<ProviderStatus[]>;
};

const listTtlMs = 5 * 60_000;
/** A provider that failed is left alone this long. */
const failureTtlMs = 30_000;
const listTimeoutMs = 5000;

type Listing = {
  models?: readonly ModelInfo[];
  freshUntil: number;
  asking?: Promise<readonly ModelInfo[]>;
};

/** Resolves or rejects as `work` does, or as soon as the caller leaves; the work goes on for the others. */
const unlessAborted = async <T>(work: Promise<T>, signal: AbortSignal): Promise<T> => {
  if (signal.aborted) throw upstreamFailure(undefined, "connect", signal);
  let leave: (() => void) | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_resolve, reject) => {
        leave = () => reject(upstreamFailure(undefined, "connect", signal));
        signal.addEventListener("abort", leave, { once: true });
      }),
    ]);
  } finally {
    if (leave !== undefined) signal.removeEventListener("abort", leave);
  }
};

export const createRegistry = (configs: readonly ProviderConfig[], context: ProviderContext): Registry => {
  const byId = new Map(configs.map((config) => [config.id, config]));
  const made = new Map<string, Promise<Provider>>();
  const lists = new Map<string, Listing>(configs.map(({ id }) => [id, { freshUntil: 0 }]));

  const get = (id: string): Promise<Provider> => {
    const known = made.get(id);
    if (known !== undefined) return known;
    const config = byId.get(id);
    if (config === undefined)
      return Promise.reject(new GatewayError("model_not_found", `There is no provider '${id}'.`, { param: "model" }));
    const making = createProvider(config, context);
    made.set(id, making);
    // A failure (a setting that is missing) is told each time, not kept.
    making.catch(() => made.delete(id));
    return making;
  };

  const ask = async (config: ProviderConfig): Promise<readonly ModelInfo[]> => {
    requireConfigured(config);
    const provider = await get(config.id);
    const list = provider.services.listModels;
    const named = provider.models.map((model): ModelInfo => ({ id: model }));
    if (list === undefined) return named;
    const timeout = AbortSignal.timeout(listTimeoutMs);
    const found = await unlessAborted(list(timeout), timeout);
    const ids = new Set(found.map((model) => model.id));
    return [...found, ...named.filter((model) => !ids.has(model.id))];
  };

  /** One request at a time for a provider's list, tied to no caller. */
  const load = (config: ProviderConfig): Promise<readonly ModelInfo[]> => {
    const listing: Listing = lists.get(config.id) ?? { freshUntil: 0 };
    lists.set(config.id, listing);
    if (listing.asking !== undefined) return listing.asking;
    const run = async (): Promise<readonly ModelInfo[]> => {
      try {
        const models = await ask(config);
        listing.models = models;
        listing.freshUntil = context.now() + listTtlMs;
        return models;
      } catch (thrown) {
        listing.freshUntil = context.now() + failureTtlMs;
        const secrets = (await made.get(config.id)?.catch(() => undefined))?.secrets() ?? secretsOf(config);
        throw redactError(toGatewayError(thrown), secrets);
      } finally {
        delete listing.asking;
      }
    };
    listing.asking = run();
    return listing.asking;
  };

  const listed = async (config: ProviderConfig, signal: AbortSignal): Promise<ListedModel[]> => {
    const listing = lists.get(config.id);
    if (listing === undefined || listing.freshUntil <= context.now())
      try {
        await unlessAborted(load(config), signal);
      } catch (thrown) {
        // The provider's trouble is `status`'s to tell; only the caller's own leaving ends this.
        if (signal.aborted) throw thrown;
      }
    const models = lists.get(config.id)?.models ?? config.models.map((model): ModelInfo => ({ id: model }));
    const named = (model: ModelInfo): ListedModel => ({ ...model, provider: config.id });
    return models.map(named);
  };

  const statusOf = async (config: ProviderConfig, signal: AbortSignal): Promise<ProviderStatus> => {
    const { id, kind } = config;
    const began = context.now();
    try {
      await unlessAborted(load(config), signal);
      return { id, kind, ok: true, state: "ok", latencyMs: context.now() - began };
    } catch (thrown) {
      const error = toGatewayError(thrown).message;
      if (!isConfigured(config)) return { id, kind, ok: false, state: "unconfigured", error };
      return { id, kind, ok: false, state: "failed", latencyMs: context.now() - began, error };
    }
  };

  return {
    ids: configs.map((config) => config.id),
    get,
    kindOf: (id) => byId.get(id)?.kind ?? "",
    claim: (model) => claimant(configs, model),
    models: async (signal) => (await Promise.all(configs.map((config) => listed(config, signal)))).flat(),
    refresh: () => {
      for (const listing of lists.values()) listing.freshUntil = 0;
    },
    status: (signal) => Promise.all(configs.map((config) => statusOf(config, signal))),
  };
};
