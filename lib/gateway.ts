// The gateway: the route table and the only error boundary. A call in, a reply out; it never throws.
import type { Call, Headers, Invocation, Reply } from "./model/call.ts";
import { GatewayError, toGatewayError } from "./model/error.ts";
import type { Usage } from "./model/usage.ts";
import { createChat, createPreparer, forwardedHeaders } from "./chat.ts";
import { createMeter, type Meter, type MeterStart } from "./chat/meter.ts";
import type { HeddleConfig } from "./config-types.ts";
import { actingAs, actingHeader } from "./auth/acting.ts";
import type { Caller } from "./auth/caller.ts";
import { createIdentityMapper } from "./auth/identities.ts";
import { createPolicy, enforce, type Policy } from "./auth/policy.ts";
import { credentialOf } from "./auth/credential.ts";
import { createAuthenticator } from "./auth/static-keys.ts";
import { createTokenVerifier } from "./auth/tokens/index.ts";
import { corsHeaders, preflight } from "./http/cors.ts";
import { refuseStrangers } from "./auth/open-access.ts";
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
import { asksForArray, routesOf, wireOf } from "./routes/index.ts";
import { envelopeOf } from "./routes/envelopes.ts";
import type { Route, RouteContext } from "./routes/route.ts";
import { parseThreadRef } from "./turns/ref.ts";
import type { ModelServices, Storage } from "./turns/services.ts";
import type { Threads } from "./turns/open.ts";
import { createCostOf } from "./telemetry/cost.ts";
import type { Log } from "./telemetry/log.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";
import { type Trace, traceOf } from "./telemetry/trace.ts";
import { wrapStreamError } from "./wires/gemini-generate/index.ts";
import { wires } from "./wires/index.ts";

/** What a platform brings. */
export type Platform = {
  transport: Transport;
  log: Log;
  clock?: Clock;
  version: string;
  /** Where threads, runs and kept answers lie; opened when first needed. Without it nothing is kept, and what needs it is refused. */
  storage?: () => Promise<Storage>;
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
  /** Whether the caller may call the model at all, and now. */
  admit: Limiter["admit"];
  limiter: Limiter;
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

export type Gateway = ((call: Call, invocation: Invocation, failure?: unknown) => Promise<Reply>) & {
  /** What a queue's message is about; rejects where it should come again. */
  work: (id: string) => Promise<void>;
  /** Ends what died, deletes what is past its end, wakes what waits: to be called every few seconds or minutes, anywhere. */
  sweep: () => Promise<void>;
};

/** The threads open once, at the first call that needs them; a failure is told each time, not kept. */
const openOnce = (
  storage: (() => Promise<Storage>) | undefined,
  models: ModelServices,
  limits: HeddleConfig["threads"],
): (() => Promise<Threads>) | undefined => {
  if (storage === undefined) return undefined;
  let opening: Promise<Threads> | undefined;
  const open = async (): Promise<Threads> => {
    const [{ openThreads }, opened] = await Promise.all([import("./turns/open.ts"), storage()]);
    return openThreads(opened, models, limits);
  };
  return () => {
    opening ??= open().catch((thrown: unknown) => {
      opening = undefined;
      throw toGatewayError(thrown);
    });
    return opening;
  };
};

const createServices = (platform: Platform, config: HeddleConfig): Services => {
  const clock = platform.clock ?? systemClock;
  const registry = createRegistry(config.providers, { transport: platform.transport, now: clock.now });
  const resolve = createResolver({
    aliases: new Map(config.models.map((model) => [model.name, model])),
    providers: new Set(registry.ids),
    claim: registry.claim,
  });
  const metrics = createMetrics({ models: config.providers.flatMap((provider) => provider.models) });
  const costOf = createCostOf(config.prices);
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
        platform.log.call(record);
        const settling = accounting.record(record, caller, thread, permit);
        if (settling !== undefined) waitUntil(settling);
      },
    });
  };
  const policy = createPolicy(config.auth.roles);
  const accounting = createAccounting();
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
    admit,
    limiter,
    fetchMedia,
    metrics,
    clock,
    makerOf: async (route) => (await prepare(route, "openai-responses")).target.maker,
    threads: openOnce(
      platform.storage,
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

/** The route of a call. Throws 404, or 405 with what the path does take. */
const findRoute = (routes: readonly Route[], call: Call): { route: Route; params: string[] } => {
  const method = call.method === "HEAD" ? "GET" : call.method;
  const others: string[] = [];
  for (const route of routes) {
    const match = route.pattern.exec(call.path);
    if (match === null) continue;
    if (route.method === method) return { route, params: match.slice(1).map(decodeSegment) };
    others.push(route.method);
  }
  if (others.length > 0)
    throw new GatewayError(
      "method_not_allowed",
      `${call.method} is not allowed here; use ${[...new Set(others)].join(", ")}.`,
      {
        headers: { allow: [...new Set(others)].join(", ") },
      },
    );
  throw new GatewayError("not_found", `There is no route ${call.method.slice(0, 20)} ${call.path.slice(0, 200)}.`);
};

const decodeSegment = (segment: string): string => {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new GatewayError("invalid_request", "The path is not well percent-encoded.");
  }
};

/** Bodies that must be plain JSON: compression and other types are refused, not misread. */
const checkBody = (call: Call): void => {
  const encoding = call.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity" && encoding !== "")
    throw new GatewayError("unsupported_media_type", "Compressed request bodies are not supported: send it plain.", {
      headers: { "accept-encoding": "identity" },
    });
};

/** Who asks where no key is asked for. */
const nobody: Caller = { name: "none", open: true, tenant: "", owner: "", user: "", key: "", roles: [] };

export const createGateway = (platform: Platform, config: HeddleConfig): Gateway => {
  const services = createServices(platform, config);
  const routes = routesOf(config);
  const isOpen = config.auth.mode === "open";
  const byKey = createAuthenticator(config.auth);
  const tokens = createTokenVerifier(isOpen ? [] : (config.auth.issuers ?? []), {
    fetch: createDocumentFetcher(platform.transport),
    now: services.clock.now,
  });
  const identified = createIdentityMapper(config.auth.identities ?? []);
  /** What the platform has proven comes first; an identity that is nobody here may have a credential as well as anyone. */
  const authenticate = (call: Call, { identity }: Invocation): Caller | Promise<Caller> => {
    const proven = identity === undefined || isOpen ? undefined : identified(identity);
    if (proven !== undefined) return proven;
    const credential = isOpen ? undefined : credentialOf(call);
    return (credential === undefined ? undefined : tokens(credential)) ?? byKey(call);
  };
  const origins = config.cors?.origins ?? [];

  /** A refusal has a record, as every call has. */
  const callerOf = (call: Call, invocation: Invocation, { traceId }: Trace): Caller | Promise<Caller> => {
    const { requestId, waitUntil } = invocation;
    const refused = (thrown: unknown): never => {
      const error = toGatewayError(thrown);
      services
        .meter({
          requestId,
          traceId,
          wire: wireOf(call).id,
          operation: "authenticate",
          model: "",
          stream: false,
          caller: nobody,
          waitUntil,
        })
        .finish(error.status, error);
      throw error;
    };
    try {
      const caller = authenticate(call, invocation);
      return caller instanceof Promise ? caller.catch(refused) : caller;
    } catch (thrown) {
      return refused(thrown);
    }
  };

  const answer = (call: Call, invocation: Invocation): Promise<Reply> | Reply => {
    checkBody(call);
    if (isOpen) refuseStrangers(call, origins);
    const { route, params } = findRoute(routes, call);
    const trace = traceOf(call.headers);
    const servedTo = (given: Caller): Promise<Reply> | Reply => {
      const caller = route.action === "none" ? given : actingAs(given, call.headers[actingHeader]);
      if (route.action !== "none") enforce(services.policy, caller, route.action);
      const context: RouteContext = {
        call,
        invocation,
        params,
        query: () => new URLSearchParams(call.query),
        wire: wireOf(call),
        caller,
        trace,
        services,
      };
      const key = call.headers["idempotency-key"];
      return key === undefined || route.method !== "POST" || services.threads === undefined
        ? route.handle(context)
        : import("./routes/idempotent.ts").then(({ onceUnder }) => onceUnder(key, context, route));
    };
    if (route.action === "none") return servedTo(nobody);
    const caller = callerOf(call, invocation, trace);
    return caller instanceof Promise ? caller.then(servedTo) : servedTo(caller);
  };

  const refuse = (call: Call, invocation: Invocation, thrown: unknown): Reply => {
    const error = toGatewayError(thrown);
    if (error.code === "internal")
      platform.log.error("internal error", { requestId: invocation.requestId, cause: error.cause ?? error });
    const envelope = envelopeOf(call, config.siili.prefix);
    if (envelope !== undefined) {
      const { status, headers, contentType, body } = envelope(error, invocation.requestId);
      return {
        status,
        headers: { ...headers, ...error.details.headers, "content-type": contentType },
        body: JSON.stringify(body),
      };
    }
    const wire = wireOf(call);
    const native = error.details.native;
    const encoded = wire.encodeError(error, invocation.requestId);
    const own = native !== undefined && native.wire === wire.id;
    const body = own ? native.body : encoded.body;
    return {
      status: own ? native.status : encoded.status,
      headers: { ...encoded.headers, ...error.details.headers, "content-type": "application/json" },
      body: JSON.stringify(asksForArray(call) ? wrapStreamError(body) : body),
    };
  };

  const handle = async (call: Call, invocation: Invocation, failure?: unknown): Promise<Reply> => {
    const early = config.cors === undefined ? undefined : preflight(config.cors, call);
    let reply: Reply;
    try {
      if (failure !== undefined) throw failure;
      reply = early ?? (await answer(call, invocation));
    } catch (thrown) {
      reply = refuse(call, invocation, thrown);
    }
    const headers: Headers = reply.headers;
    headers["x-request-id"] = invocation.requestId;
    headers["request-id"] = invocation.requestId;
    if (config.cors !== undefined) Object.assign(headers, corsHeaders(config.cors, call.headers["origin"]));
    return reply;
  };

  return Object.assign(handle, {
    work: async (id: string): Promise<void> => {
      const place = parseThreadRef(id);
      if (place === undefined || services.threads === undefined) return;
      const { turns } = await services.threads();
      await turns.work(place.tenant, place.thread);
    },
    sweep: async (): Promise<void> => {
      if (services.threads !== undefined) await (await services.threads()).turns.sweep();
    },
  });
};
