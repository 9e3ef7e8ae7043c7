// The gateway: the route table and the only error boundary. A call in, a reply out; it never throws.
import type { Call, Headers, Invocation, Reply } from "./model/call.ts";
import { GatewayError, invalid, toGatewayError } from "./model/error.ts";
import type { HeddleConfig } from "./config-types.ts";
import { actingAs, actingHeader } from "./auth/acting.ts";
import type { Caller } from "./auth/caller.ts";
import { createIdentityMapper } from "./auth/identities.ts";
import { enforce } from "./auth/policy.ts";
import { type Authenticated, type Authenticator } from "./auth/authenticator.ts";
import { corsHeaders, preflight } from "./http/cors.ts";
import { refuseStrangers } from "./auth/open-access.ts";
import { asksForArray, routesOf, wireOf } from "./routes/index.ts";
import { mayRunAhead, runAhead } from "./routes/ahead.ts";
import { envelopeOf } from "./routes/envelopes.ts";
import type { Route, RouteContext } from "./routes/route.ts";
import { parseThreadRef } from "./turns/ref.ts";
import { traceOf } from "./telemetry/trace.ts";
import { wrapStreamError } from "./wires/gemini-generate/index.ts";
import { createServices, type Platform } from "./services.ts";

export type Gateway = ((call: Call, invocation: Invocation, failure?: unknown) => Promise<Reply>) & {
  /** For those who work beside its routes: the commands. */
  services: ReturnType<typeof createServices>;
  /** What a queue's message is about; rejects where it should come again. `over`: see `Invocation`. */
  work: (id: string, over?: AbortSignal) => Promise<void>;
  /** Ends what died, deletes what is past its end, wakes what waits: to be called every few seconds or minutes, anywhere. */
  sweep: (over?: AbortSignal) => Promise<void>;
  /** Writes what was gathered: to be called before the process ends. */
  flush: () => Promise<void>;
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
  const identified = createIdentityMapper(isOpen ? [] : (config.auth.identities ?? []));
  const origins = config.cors?.origins ?? [];

  /** A refusal has a record, as every call has. */
  const recordRefusal = (call: Call, { requestId, waitUntil }: Invocation, thrown: unknown): GatewayError => {
    const error = toGatewayError(thrown);
    services
      .meter({
        requestId,
        traceId: traceOf(call.headers).traceId,
        wire: wireOf(call).id,
        operation: "authenticate",
        model: "",
        stream: false,
        caller: nobody,
        waitUntil,
      })
      .finish(error.status, error);
    return error;
  };

  const answer = (call: Call, invocation: Invocation): Promise<Reply> | Reply => {
    checkBody(call);
    if (isOpen) refuseStrangers(call, origins);
    const { route, params } = findRoute(routes, call);
    const trace = traceOf(call.headers);
    const serve = (given: Caller, within: Invocation): Promise<Reply> | Reply => {
      const caller = route.action === "none" ? given : actingAs(given, call.headers[actingHeader]);
      const context: RouteContext = {
        call,
        invocation: within,
        params,
        query: () => new URLSearchParams(call.query),
        wire: wireOf(call),
        caller,
        trace,
        services,
      };
      if (route.action !== "none")
        try {
          enforce(services.policy, caller, route.action);
        } catch (thrown) {
          if (route.refused === undefined) throw thrown;
          return route.refused(context).then(() => Promise.reject(toGatewayError(thrown)));
        }
      const key = call.headers["idempotency-key"];
      if (key !== undefined && route.secret === true)
        throw invalid("idempotency-key", "an answer that holds a key is not kept: leave the header out");
      return key === undefined || route.method !== "POST" || services.threads === undefined
        ? route.handle(context)
        : import("./routes/idempotent.ts").then(({ onceUnder }) => onceUnder(key, context, route));
    };
    if (route.action === "none") return serve(nobody, invocation);
    const refuseAs = (thrown: unknown): never => {
      throw recordRefusal(call, invocation, thrown);
    };
    const admit = ({ caller, verified }: Authenticated): Promise<Reply> | Reply => {
      if (verified === undefined) return serve(caller, invocation);
      const known = verified.catch(refuseAs);
      return mayRunAhead(route, call)
        ? runAhead(known, invocation, (within) => serve(caller, within))
        : known.then(() => serve(caller, invocation));
    };
    // What the platform has proven comes first; an identity that is nobody here may have a credential as well as anyone.
    const proven = invocation.identity === undefined ? undefined : identified(invocation.identity);
    if (proven !== undefined) return serve(proven, invocation);
    let authenticated: ReturnType<Authenticator["authenticate"]>;
    try {
      authenticated = services.authenticator.authenticate(call, invocation.waitUntil);
    } catch (thrown) {
      return refuseAs(thrown);
    }
    return authenticated instanceof Promise ? authenticated.catch(refuseAs).then(admit) : admit(authenticated);
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
    services,
    work: async (id: string, over?: AbortSignal): Promise<void> => {
      const place = parseThreadRef(id);
      if (place === undefined) throw new GatewayError("invalid_request", "The message names no job.");
      if (services.threads === undefined) throw new GatewayError("not_implemented", "Nothing is stored here.");
      const { turns } = await services.threads();
      await turns.work(place.space, place.thread, over);
    },
    sweep: async (over?: AbortSignal): Promise<void> => {
      if (services.threads !== undefined) await (await services.threads()).turns.sweep(over);
      await services.limiter.sweep();
    },
    flush: () => services.flush(),
  });
};
