// Who is there: the caller itself, and the tenants that are known.
import { actions } from "../../auth/policy.ts";
import { defaultTenant } from "../../auth/caller.ts";
import { GatewayError } from "../../model/error.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Reply } from "../../model/call.ts";
import { listTenants } from "../../usage/tenants.ts";
import { json, type RouteContext } from "../route.ts";
import { listObject } from "../threads/objects.ts";
import { storeOf } from "./access.ts";

/** What the caller's credential came down to, and what it may do. */
export const whoamiRoute = ({ caller, services }: RouteContext): Reply => {
  const { scopes, limits } = caller;
  return json(200, {
    object: "caller",
    name: caller.name,
    key: caller.key === "" ? null : caller.key,
    open: caller.open,
    tenant: caller.tenant,
    owner: caller.owner,
    user: caller.user,
    roles: caller.roles,
    everywhere: caller.everywhere === true,
    scopes: scopes ?? null,
    limits:
      limits === undefined
        ? null
        : {
            requests_per_minute: limits.requestsPerMinute,
            tokens_per_minute: limits.tokensPerMinute,
            concurrent: limits.concurrent,
            budgets: limits.budgets,
          },
    actions: actions.filter((action) => services.policy(caller, action) === undefined),
  });
};

/** Those of the configuration, and all that ever made a call. Where tokens name tenants, one that never called is nowhere written. */
export const tenantsRoute = async (context: RouteContext): Promise<Reply> => {
  const { caller, services } = context;
  if (caller.everywhere !== true)
    throw new GatewayError("permission", "Only administrators of every tenant see which there are.");
  const { table } = await storeOf(context);
  const names = new Set([caller.tenant, ...services.config.auth.keys.map(({ tenant = defaultTenant }) => tenant)]);
  for await (const { tenant } of listTenants(table)) names.add(tenant);
  return json(200, listObject([...names].toSorted().map((name): JsonObject => ({ object: "tenant", id: name }))));
};
