// The configured providers: made when first used, listed together, asked how they are.
import type { ProviderConfig } from "../config-types.ts";
import { GatewayError, toGatewayError } from "../model/error.ts";
import { claimant } from "./claims.ts";
import { createProvider } from "./index.ts";
import type { ModelInfo, Provider, ProviderContext, ProviderKind } from "./provider.ts";

export type ProviderStatus = { id: string; kind: ProviderKind; ok: boolean; configured: boolean; latencyMs?: number; error?: string };

export type Registry = {
  ids: readonly string[];
  /** Throws where there is none of this id. */
  get: (id: string) => Promise<Provider>;
  kindOf: (id: string) => string;
  /** The provider that claims a bare model name. */
  claim: (model: string) => string | undefined;
  /** Every provider's models. One that fails keeps its last list; none fails the whole. */
  models: (signal: AbortSignal) => Promise<(ModelInfo & { provider: string })[]>;
  /** Forgets the lists: the next call asks again. */
  refresh: () => void;
  status: (signal: AbortSignal) => Promise<ProviderStatus[]>;
};

const listTtlMs = 5 * 60_000;
const listTimeoutMs = 5_000;

type Listing = { at: number; models: ModelInfo[] };

export const createRegistry = (configs: readonly ProviderConfig[], context: ProviderContext): Registry => {
  const byId = new Map(configs.map((config) => [config.id, config]));
  const made = new Map<string, Promise<Provider>>();
  const lists = new Map<string, Listing>();
  const pending = new Map<string, Promise<ModelInfo[]>>();

  const get = (id: string): Promise<Provider> => {
    const known = made.get(id);
    if (known !== undefined) return known;
    const config = byId.get(id);
    if (config === undefined) return Promise.reject(new GatewayError("model_not_found", `There is no provider '${id}'.`, { param: "model" }));
    const making = createProvider(config, context);
    made.set(id, making);
    // A failure (a missing setting) is told each time, not kept.
    making.catch(() => made.delete(id));
    return making;
  };

  const ask = async (id: string, signal: AbortSignal): Promise<ModelInfo[]> => {
    const provider = await get(id);
    const named = provider.models.map((model): ModelInfo => ({ id: model }));
    const list = provider.services.listModels;
    if (list === undefined) return named;
    const found = await list(AbortSignal.any([signal, AbortSignal.timeout(listTimeoutMs)]));
    const ids = new Set(found.map((model) => model.id));
    return [...found, ...named.filter((model) => !ids.has(model.id))];
  };

  /** One request at a time for each provider's list. It is not tied to the caller that happened to come first. */
  const fresh = (id: string): Promise<ModelInfo[]> => {
    let asking = pending.get(id);
    if (asking === undefined) {
      asking = ask(id, new AbortController().signal)
        .then((models) => {
          lists.set(id, { at: context.now(), models });
          return models;
        })
        .finally(() => pending.delete(id));
      pending.set(id, asking);
    }
    return asking;
  };

  const listOf = async (id: string): Promise<ModelInfo[]> => {
    const known = lists.get(id);
    if (known !== undefined && context.now() - known.at < listTtlMs) return known.models;
    try {
      return await fresh(id);
    } catch {
      // What the configuration names can be called whether or not the provider lists it now.
      return known?.models ?? (byId.get(id)?.models ?? []).map((model) => ({ id: model }));
    }
  };

  const ids = configs.map((config) => config.id);
  return {
    ids,
    get,
    kindOf: (id) => byId.get(id)?.kind ?? "",
    claim: (model) => claimant(configs, model),
    refresh: () => {
      for (const [id, list] of lists) lists.set(id, { ...list, at: 0 });
    },
    models: async () =>
      (await Promise.all(ids.map(async (id) => (await listOf(id)).map((model) => ({ ...model, provider: id }))))).flat(),
    status: (signal) =>
      Promise.all(
        configs.map(async ({ id, kind }): Promise<ProviderStatus> => {
          const began = context.now();
          try {
            await ask(id, signal);
            return { id, kind, ok: true, configured: true, latencyMs: context.now() - began };
          } catch (thrown) {
            const error = toGatewayError(thrown);
            return { id, kind, ok: false, configured: error.code !== "upstream_authentication" || error.details.native !== undefined, error: error.code };
          }
        }),
      ),
  };
};
