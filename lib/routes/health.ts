// Probes and numbers for those who run the gateway.
import type { Route } from "./route.ts";
import { json } from "./route.ts";

export const healthRoutes: readonly Route[] = [
  {
    method: "GET",
    pattern: /^\/health$/,
    authenticated: false,
    handle: ({ services }) =>
      json(200, {
        status: "ok",
        service: "heddle",
        version: services.version,
        providers: services.registry.ids,
        store: "none",
      }),
  },
  { method: "GET", pattern: /^\/health\/live$/, authenticated: false, handle: () => json(200, { status: "ok" }) },
  { method: "GET", pattern: /^\/health\/startup$/, authenticated: false, handle: () => json(200, { status: "ok" }) },
  {
    method: "GET",
    pattern: /^\/health\/ready$/,
    authenticated: false,
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
    authenticated: true,
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
    authenticated: true,
    handle: ({ services }) => ({
      status: 200,
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      body: services.metrics.render(),
    }),
  },
];
