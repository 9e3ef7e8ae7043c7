// What the gateway works with: every part made once, of the configuration and of what the platform brings.
import { toGatewayError } from "./model/error.ts";
import { once } from "./model/once.ts";
import type { Usage } from "./model/usage.ts";
import { createChat, createPreparer, forwardedHeaders } from "./chat.ts";
import { createMeter, type Meter, type MeterStart } from "./chat/meter.ts";
import type { HeddleConfig } from "./config-types.ts";
import { createPolicy, enforce, type Policy } from "./auth/policy.ts";
import { type Authenticator, createAuthenticator, type Tokens } from "./auth/authenticator.ts";
import { type Control, createControl } from "./auth/control.ts";
import type { KeyStore } from "./auth/keys/types.ts";
import { createTokenVerifier } from "./auth/tokens/index.ts";
import type { Limiter } from "./limits/types.ts";
import { createAccounting } from "./limits/accounting.ts";
import { createDocumentFetcher } from "./http/document.ts";
import { createMediaFetcher, type MediaFetcher } from "./http/media-fetch.ts";
import type { Transport } from "./http/transport.ts";
import { createRegistry, type Registry } from "./providers/registry.ts";
import { contextWindow, outputLimit } from "./providers/model-limits.ts";
import { createBreaker } from "./routing/breaker.ts";
import { createResolver, type RouteTarget } from "./routing/resolve.ts";
import { type Clock, systemClock } from "./routing/retry.ts";
import type { Secrets } from "./secrets/secrets.ts";
import type { Table } from "./stores/table.ts";
import type { ModelServices, Storage } from "./turns/services.ts";
import type { Threads } from "./turns/open.ts";
import { createPricing } from "./telemetry/cost.ts";
import type { Log } from "./telemetry/log.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";
import { wires } from "./wires/index.ts";

/** What a platform brings. */
export type Platform = {
  transport: Transport;
  log: Log;
  clock?: Clock;
  version: string;
  /** Where threads, runs and kept answers lie; opened when first needed. Without it nothing is kept, and what needs it is refused. */
  storage?: () => Promise<Storage>;
  /** Whether the process may sleep after each call: what is gathered is then written at once. */
  sleeps?: boolean;
  /** Where the pepper of keys comes from. Without it only the configuration's keys are known. */
  secrets?: Secrets;
  /** Where calls are counted besides the process's own numbers: a line a call, where no one comes to read those. */
  counters?: Pick<Metrics, "record" | "budgetAlert">;
  /** True once the process has begun to end: readiness says so. */
  draining?: () => boolean;
};

/** What routes work with. */
export type Services = {
  config: HeddleConfig;
  registry: Registry;
  resolve: (model: string) => readonly RouteTarget[];
  chat: ReturnType<typeof createChat>;
  meter: (start: MeterStart) => Meter;
  policy: Policy;
  authenticator: Authenticator;
  /** Keys that are made while the gateway runs; undefined where nothing is kept. */
  keys: (() => Promise<KeyStore>) | undefined;
  /** What every instance knows within seconds; undefined where nothing is kept. */
  control: Control | undefined;
  /** Whether the caller may call the model at all, and now. */
  admit: Limiter["admit"];
  limiter: Limiter;
  /** Writes the usage that waits to be written. */
  flush: () => Promise<void>;
  fetchMedia: MediaFetcher;
  metrics: Metrics;
  clock: Clock;
  /** Whose opaque state a target of the resolver understands. */
  makerOf: (route: RouteTarget) => Promise<string>;
  /** Threads and their runs; undefined where nothing is kept. */
  threads: (() => Promise<Threads>) | undefined;
  version: string;
  draining: () => boolean;
};

/** As `once`; what fails is told as an error of the gateway's. */
const openedOnce = <T>(open: () => Promise<T>): (() => Promise<T>) =>
  once(() =>
    open().catch((thrown: unknown) => {
      throw toGatewayError(thrown);
    }),
  );

const threadsOf = (
  storage: (() => Promise<Storage>) | undefined,
  models: ModelServices,
  limits: HeddleConfig["threads"],
): (() => Promise<Threads>) | undefined =>
  storage === undefined
    ? undefined
    : openedOnce(async () => {
        const [{ openThreads }, opened] = await Promise.all([import("./turns/open.ts"), storage()]);
        return openThreads(opened, models, limits);
      });

export const createServices = (platform: Platform, config: HeddleConfig): Services => {
  const clock = platform.clock ?? systemClock;
  const storage = platform.storage === undefined ? undefined : openedOnce(platform.storage);
  const table = storage === undefined ? undefined : async (): Promise<Table> => (await storage()).table;
  const registry = createRegistry(config.providers, { transport: platform.transport, now: clock.now });
  const resolve = createResolver({
    aliases: new Map(config.models.map((model) => [model.name, model])),
    providers: new Set(registry.ids),
    claim: registry.claim,
  });
  const metrics = createMetrics({ models: config.providers.flatMap((provider) => provider.models) });
  const { costOf, priceVersionOf } = createPricing(config.prices);
  const cost = (provider: string, model: string, usage: Usage): number | undefined =>
    costOf(registry.kindOf(provider), provider, model, usage);
  const meter = (start: MeterStart): Meter => {
    const streamOver = start.stream ? metrics.streamStarted(start.wire) : undefined;
    return createMeter(start, {
      now: clock.now,
      cost,
      write: (record, { caller, thread, waitUntil }, permit) => {
        streamOver?.();
        metrics.record(record);
        platform.counters?.record(record);
        platform.log.call(record);
        const settling = accounting.record(record, caller, thread, permit);
        if (settling !== undefined) waitUntil(settling);
      },
    });
  };
  const policy = createPolicy(config.auth.roles);
  const control = table === undefined ? undefined : createControl(table, clock);
  const { secrets } = platform;
  const verifyToken = createTokenVerifier(config.auth.mode === "open" ? [] : (config.auth.issuers ?? []), {
    fetch: createDocumentFetcher(platform.transport),
    now: clock.now,
  });
  const tokens: Tokens = (credential) => (credential === undefined ? undefined : verifyToken(credential));
  const authenticator = createAuthenticator({ config, secrets, table, control, policy, clock, tokens });
  const accounting = createAccounting({
    limits: config.limits,
    usage: config.usage,
    table,
    dynamic: control,
    now: clock.now,
    sleep: clock.sleep,
    cost: ({ provider, model }, usage) => cost(provider, model, usage),
    outputLimit: ({ provider, model }) => {
      const kind = registry.kindOf(provider);
      return kind === "" ? undefined : outputLimit(kind, model);
    },
    priceVersion: (provider, model) => priceVersionOf(registry.kindOf(provider), provider, model),
    tell: async (alert) => {
      metrics.budgetAlert(alert.rule, alert.share);
      platform.counters?.budgetAlert(alert.rule, alert.share);
      const { tenant, rule, share } = alert;
      platform.log.warn("a budget is nearly spent", { tenant, rule, share });
      const { webhook } = config.limits;
      if (webhook === undefined) return;
      const { deliverAlert } = await import("./limits/alert-webhook.ts");
      const delivery = await deliverAlert(webhook, alert);
      if (!delivery.ok) platform.log.warn("a budget's alert could not be delivered", { rule, reason: delivery.reason });
    },
    log: platform.log,
    immediate: platform.sleeps ?? false,
  });
  const { limiter } = accounting;
  const admit: Limiter["admit"] = (demand) => {
    const { caller, model, targets } = demand;
    const names = caller.scopes?.models === undefined ? [] : targets.map((each) => `${each.provider}/${each.model}`);
    enforce(policy, caller, "models:call", { model, targets: names });
    return limiter.admit(demand);
  };
  const fetchMedia = createMediaFetcher();
  const { retry } = config;
  const breaker = createBreaker(clock.now);
  const prepare = createPreparer({
    provider: registry.get,
    wire: (id) => wires[id],
    outputLimit: (provider, model) => outputLimit(provider.kind, model),
  });
  const chat = createChat({ resolve, prepare, meter, admit, fetchMedia, breaker, retry, clock });
  return {
    config,
    registry,
    resolve,
    chat,
    meter,
    policy,
    authenticator,
    keys: authenticator.keys,
    control,
    admit,
    limiter,
    flush: accounting.flush,
    fetchMedia,
    metrics,
    clock,
    makerOf: async (route) => (await prepare(route, "openai-responses")).target.maker,
    threads: threadsOf(
      storage,
      {
        resolve,
        prepare: async (route, wire) => prepare(route, wire),
        forwarded: forwardedHeaders,
        contextWindow: (provider, model) => contextWindow(provider.kind, model),
        meter,
        admit,
        fetchMedia,
        breaker,
        retry,
        clock,
      },
      config.threads,
    ),
    version: platform.version,
    draining: platform.draining ?? (() => false),
  };
};
