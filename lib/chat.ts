// One model call, left to right: read, route, try, answer. Retry and fallback end with the first upstream event.
import type { Headers, Reply } from "./model/call.ts";
import { GatewayError, toGatewayError } from "./model/error.ts";
import type { MediaFetcher } from "./http/media-fetch.ts";
import type { Provider } from "./providers/provider.ts";
import { redactError } from "./providers/redact.ts";
import type { Breaker } from "./routing/breaker.ts";
import type { Limiter } from "./limits/types.ts";
import { type Clock, firstThatAnswers, type RetryPolicy } from "./routing/retry.ts";
import type { RouteTarget } from "./routing/resolve.ts";
import type { Trace } from "./telemetry/trace.ts";
import type { Target, Wire } from "./wires/wire.ts";
import type { WireId } from "./model/wire-id.ts";
import type { Attempt, ChatCall, ReadCall } from "./chat/call.ts";
import { translate } from "./chat/cross-wire.ts";
import type { Meter, MeterStart } from "./chat/meter.ts";
import { demandOf } from "./chat/demand.ts";
import { readCall } from "./chat/read.ts";
import { mayPass, passThrough } from "./chat/same-wire.ts";

export type ChatServices = {
  resolve: (model: string) => readonly RouteTarget[];
  prepare: Preparer;
  meter: (start: MeterStart) => Meter;
  admit: Limiter["admit"];
  fetchMedia: MediaFetcher;
  breaker: Breaker;
  retry: RetryPolicy;
  clock: Clock;
};

/**
 * Client headers that reach a provider; its trace goes on from ours. Betas are filtered by the provider's own allow list (F21).
 * An Idempotency-Key ends here: a provider knows one account, which all owners share, and could give one owner's answer to another's
 * key; and a call that moves to another model would come with the same key and another body.
 */
const forwarded = ["anthropic-beta", "anthropic-version", "openai-beta"];

export const forwardedHeaders = (headers: Headers, provider: Provider, trace: Trace): Headers => {
  const passed: Headers = { ...trace.headers };
  for (const name of forwarded) {
    const value = headers[name];
    if (value !== undefined) passed[name] = value;
  }
  if (provider.kind === "echo")
    for (const name in headers) {
      const value = headers[name];
      if (value !== undefined && name.startsWith("x-echo-")) passed[name] = value;
    }
  return passed;
};

/** The client's own wire where the provider speaks it for this model, else the provider's first. */
const upstreamWire = (provider: Provider, model: string, client: WireId): WireId => {
  const spoken = provider.wires(model);
  const first = spoken[0];
  if (first === undefined) throw new GatewayError("internal", `The provider '${provider.id}' speaks no wire.`);
  return spoken.includes(client) ? client : first;
};

/** A body that can't be read ends the call before it is known: that has its record too. */
const readOrRecord = (call: ChatCall, meterFor: (model: string, stream: boolean) => Meter): ReadCall => {
  try {
    return readCall(call);
  } catch (thrown) {
    const error = toGatewayError(thrown);
    meterFor(call.path.model ?? "", call.path.stream ?? false).finish(error.status, error);
    throw error;
  }
};

/** What a route's calls share, whoever makes them. */
type Prepared = { provider: Provider; target: Target; upstream: Wire };
/** By the client's wire. A promise only where the provider is not there yet. */
export type Preparer = (route: RouteTarget, client: WireId) => Prepared | Promise<Prepared>;

/** The resolver gives the same object for the same name, so that what follows from it is worked out once. */
export const createPreparer = (services: {
  provider: (id: string) => Promise<Provider>;
  wire: (id: WireId) => Wire;
  /** The most output tokens a model can make, where known. */
  outputLimit: (provider: Provider, model: string) => number | undefined;
}): Preparer => {
  const known = new WeakMap<RouteTarget, Map<WireId, Prepared>>();
  const prepare = async (route: RouteTarget, client: WireId): Promise<Prepared> => {
    const provider = await services.provider(route.provider);
    const target: Target = {
      provider: provider.id,
      maker: provider.makerOf?.(route.model) ?? provider.maker,
      model: route.model,
      dialect: provider.dialect(route.model),
      ...limitOf(route.maxOutputTokens ?? services.outputLimit(provider, route.model)),
    };
    const prepared = { provider, target, upstream: services.wire(upstreamWire(provider, route.model, client)) };
    const byWire = known.get(route) ?? new Map<WireId, Prepared>();
    known.set(route, byWire.set(client, prepared));
    return prepared;
  };
  return (route, client) => known.get(route)?.get(client) ?? prepare(route, client);
};

export const createChat =
  (services: ChatServices) =>
  async (call: ChatCall): Promise<Reply> => {
    const { invocation, wire } = call;
    const meterFor = (model: string, stream: boolean): Meter =>
      services.meter({
        requestId: invocation.requestId,
        wire: wire.id,
        operation: "generate",
        model,
        stream,
        caller: call.caller,
        traceId: call.trace.traceId,
        waitUntil: invocation.waitUntil,
      });
    const read = readOrRecord(call, meterFor);
    const meter = meterFor(read.model, read.stream);

    let firstMaker: string | undefined;
    try {
      const resolved = services.resolve(read.model);
      const admitted = services.admit(demandOf(read, resolved));
      // Nothing is waited for where nothing is asked.
      meter.hold(admitted instanceof Promise ? await admitted : admitted);
      const targets = services.breaker.order(resolved);
      const reply = await firstThatAnswers(
        targets,
        services.retry,
        services.clock,
        invocation.signal,
        async (route, number) => {
          const ready = services.prepare(route, wire.id);
          const { provider, target, upstream } = ready instanceof Promise ? await ready : ready;
          firstMaker ??= target.maker;
          const attempt: Attempt = {
            provider,
            number,
            moved: target.maker !== firstMaker,
            signal: invocation.signal,
            headers: forwardedHeaders(call.headers, provider, call.trace),
            upstream,
            target,
          };
          meter.attempt({ provider: provider.id, model: route.model, number });
          try {
            const answer = mayPass(read, attempt)
              ? await passThrough(read, attempt, meter)
              : await translate(read, attempt, meter, services.fetchMedia);
            services.breaker.succeeded(route);
            return answer;
          } catch (thrown) {
            const error = redactError(toGatewayError(thrown), provider.secrets());
            services.breaker.failed(route, error);
            throw error;
          }
        },
      );
      Object.assign(reply.headers, meter.headers());
      return reply;
    } catch (thrown) {
      throw failed(meter, thrown);
    }
  };

/** A provider that refuses the gateway's key: told with the provider's own status (docs/decisions/0004). */
export const outwards = (error: GatewayError): GatewayError =>
  error.code === "upstream_authentication"
    ? new GatewayError("authentication", error.message, { ...error.details, status: error.details.status ?? 401 })
    : error;

/** Ends the call's record. The error as the caller gets it: with the headers that an answer has. */
export const failed = (meter: Meter, thrown: unknown): GatewayError => {
  const error = outwards(toGatewayError(thrown));
  meter.finish(error.status, error);
  const headers = { ...error.details.headers, ...meter.headers() };
  return new GatewayError(error.code, error.message, { ...error.details, headers });
};

const limitOf = (maxOutputTokens: number | undefined): { maxOutputTokens?: number } =>
  maxOutputTokens === undefined ? {} : { maxOutputTokens };
