// Probes and numbers for those who run the gateway.
import type { Services } from "../gateway.ts";
import type { Route } from "./route.ts";
import { json } from "./route.ts";

/** Milliseconds that a store has to answer a probe. */
const probeMs = 2_000;

/** `none` where nothing is kept. Calls that need no store are served while it is down; those that do get a 503. */
const storeState = async ({ threads }: Services): Promise<"none" | "ok" | "down"> => {
  if (threads === undefined) return "none";
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"down">((resolve) => {
    timer = setTimeout(() => resolve("down"), probeMs);
  });
  const asked = async (): Promise<"ok" | "down"> => {
    try {
      const { store } = await threads();
      await store.table.get({ pk: "~health", sk: "probe" });
      return "ok";
    } catch {
      return "down";
    }
  };
  const state = await Promise.race([asked(), late]);
  clearTimeout(timer);
  return state;
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
    handle: ({ services }) =>
      services.draining()
        ? json(503, { status: "draining" })
        : services.registry.ids.length > 0
          ? json(200, { status: "ok" })
          : json(503, { status: "no provider is configured" }),
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
