// The routes of usage.
import type { Route } from "../route.ts";

export const usageRoutes: readonly Route[] = [
  {
    method: "GET",
    pattern: /^\/v1\/admin\/usage$/,
    action: "usage:read",
    handle: async (context) => (await import("./usage.ts")).usageRoute(context),
  },
  {
    method: "GET",
    pattern: /^\/v1\/admin\/usage\/entries$/,
    action: "usage:read",
    handle: async (context) => (await import("./usage.ts")).usageEntriesRoute(context),
  },
];
