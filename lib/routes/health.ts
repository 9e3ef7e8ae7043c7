// Probes and numbers for those who run the gateway.
import type { Services } from "../services.ts";
import type { Route } from "./route.ts";
import { json } from "./route.ts";

/** Milliseconds that a store has to answer a probe. */
const probeMs = 2_000;

/** A store that hangs is down. */
const answers = async (ask: () => Promise<unknown>): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), probeMs);
  });
  const asked = ask().then(
    () => true,
    () => false,
  );
  const answered = await Promise.race([asked, late]);
  clearTimeout(timer);
  return answered;
};

/** `none` where nothing is kept. Calls that need no store are served while it is down; those that do get a 503. */
const storeState = async ({ threads }: Services): Promise<"none" | "ok" | "down"> => {
  if (threads === undefined) return "none";
  const well = await answers(async () => (await threads()).store.table.get({ pk: "~health", sk: "probe" }));
  return well ? "ok" : "down";
};

/** Whether every caller has a key that must be looked up: none of the configuration, no issuer, no identity. */
const allKeysStored = ({ config: { auth }, keys }: Services): boolean => {
  const { mode, keys: configured, issuers = [], identities = [], onStoreFailure } = auth;
  const others = configured.length + issuers.length + identities.length;
  return mode === "keys" && keys !== undefined && others === 0 && onStoreFailure !== "open";
};

/** Ready is who would serve a call: a limit that must hold, and can't be checked, refuses them all, and so do keys that can't be read (F45). */
const readiness = async (services: Services): Promise<string | undefined> => {
  if (services.draining()) return "draining";
  if (services.registry.ids.length === 0) return "no provider is configured";
  if (!(await answers(services.limiter.ready))) return "the limits can't be checked: the store is down";
  if (allKeysStored(services) && (await storeState(services)) === "down")
    return "the keys can't be read: the store is down";
  return undefined;
};

export const healthRoutes: readonly Route[] = [
  {
    method: "GET",
    pattern: /^\/health$/,
    action: "none",
    handle: async ({ services }) => {
      const store = await storeState(services);
      return json(200, {
        status: store === "down" ? "degraded" : "ok",
        service: "heddle",
        version: services.version,
        providers: services.registry.ids,
        store,
      });
    },
  },
  { method: "GET", pattern: /^\/health\/live$/, action: "none", handle: () => json(200, { status: "ok" }) },
  { method: "GET", pattern: /^\/health\/startup$/, action: "none", handle: () => json(200, { status: "ok" }) },
  {
    method: "GET",
    pattern: /^\/health\/ready$/,
    action: "none",
    handle: async ({ services }) => {
      const reason = await readiness(services);
      return reason === undefined ? json(200, { status: "ok" }) : json(503, { status: reason });
    },
  },
  {
    method: "GET",
    pattern: /^\/health\/providers$/,
    action: "health:read",
    handle: async ({ services, invocation }) => {
      const providers = await services.registry.status(invocation.signal);
      const well = providers.filter((provider) => provider.ok).length;
      const status = well === providers.length ? "ok" : well > 0 ? "degraded" : "down";
      return json(200, { status, providers });
    },
  },
  {
    method: "GET",
    pattern: /^\/metrics$/,
    action: "metrics:read",
    handle: ({ services }) => ({
      status: 200,
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      body: services.metrics.render(),
    }),
  },
];
