// The gateway: the route table and the only error boundary. A call in, a reply out; it never throws.
import type { Call, Headers, Invocation, Reply } from "./model/call.ts";
import { GatewayError, toGatewayError } from "./model/error.ts";
import type { Usage } from "./model/usage.ts";
import { createChat } from "./chat.ts";
import { createMeter, type Meter, type MeterStart } from "./chat/meter.ts";
import type { HeddleConfig } from "./config-types.ts";
import { createAuthenticator } from "./auth/static-keys.ts";
import { corsHeaders, preflight } from "./http/cors.ts";
import { createMediaFetcher, type MediaFetcher } from "./http/media-fetch.ts";
import type { Transport } from "./http/transport.ts";
import { createRegistry, type Registry } from "./providers/registry.ts";
import { outputLimit } from "./providers/model-limits.ts";
import { createBreaker } from "./routing/breaker.ts";
import { createResolver, type RouteTarget } from "./routing/resolve.ts";
import { type Clock, systemClock } from "./routing/retry.ts";
import { allRoutes, asksForArray, wireOf } from "./routes/index.ts";
import type { Route } from "./routes/route.ts";
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
  fetchMedia: MediaFetcher;
  metrics: Metrics;
  clock: Clock;
  version: string;
  draining: () => boolean;
};

export type Gateway = (call: Call, invocation: Invocation, failure?: unknown) => Promise<Reply>;

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
      write: (record) => {
        streamOver?.();
        metrics.record(record);
        platform.log.call(record);
      },
    });
  };
  const fetchMedia = createMediaFetcher();
  const chat = createChat({
    resolve,
    provider: registry.get,
    wire: (id) => wires[id],
    meter,
    fetchMedia,
    breaker: createBreaker(clock.now),
    retry: config.retry,
    clock,
    outputLimit: (provider, model) => outputLimit(provider.kind, model),
  });
  return {
    config,
    registry,
    resolve,
    chat,
    meter,
    fetchMedia,
    metrics,
    clock,
    version: platform.version,
    draining: platform.draining ?? (() => false),
  };
};

/** The route of a call. Throws 404, or 405 with what the path does take. */
const findRoute = (call: Call): { route: Route; params: string[] } => {
  const method = call.method === "HEAD" ? "GET" : call.method;
  const others: string[] = [];
  for (const route of allRoutes) {
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

export const createGateway = (platform: Platform, config: HeddleConfig): Gateway => {
  const services = createServices(platform, config);
  const authenticate = createAuthenticator(config.auth);

  /** The name of the caller's key. A refusal has a record, as every call has. */
  const callerOf = (call: Call, { requestId }: Invocation, { traceId }: Trace): string => {
    try {
      return authenticate(call).name;
    } catch (thrown) {
      const error = toGatewayError(thrown);
      const start = { requestId, traceId, wire: wireOf(call).id, operation: "authenticate", model: "", stream: false };
      services.meter({ ...start, keyName: "none" }).finish(error.status, error);
      throw error;
    }
  };

  const answer = (call: Call, invocation: Invocation): Promise<Reply> | Reply => {
    checkBody(call);
    const { route, params } = findRoute(call);
    const trace = traceOf(call.headers);
    return route.handle({
      call,
      invocation,
      params,
      query: () => new URLSearchParams(call.query),
      wire: wireOf(call),
      keyName: route.authenticated ? callerOf(call, invocation, trace) : "none",
      trace,
      services,
    });
  };

  const refuse = (call: Call, invocation: Invocation, thrown: unknown): Reply => {
    const error = toGatewayError(thrown);
    if (error.code === "internal")
      platform.log.error("internal error", { requestId: invocation.requestId, cause: error.cause ?? error });
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

  return async (call, invocation, failure) => {
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
};
