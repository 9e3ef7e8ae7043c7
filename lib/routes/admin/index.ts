// The routes of administration. What carries them out is loaded with the first call: most gateways' instances never administer.
import type { Action } from "../../auth/policy.ts";
import type { Reply } from "../../model/call.ts";
import { GatewayError } from "../../model/error.ts";
import type { Route, RouteContext } from "../route.ts";

type Handle = (context: RouteContext) => Promise<Reply> | Reply;

/** What somebody had no right to is written down too. `name` is what they tried. */
const writeDown = async (context: RouteContext, name: string): Promise<void> => {
  if (context.services.threads === undefined) return;
  try {
    const [{ auditRefusal }, { store }] = await Promise.all([import("./audit-log.ts"), context.services.threads()]);
    await auditRefusal(store, context, name);
  } catch {
    // The store is down: the refusal stands.
  }
};

/** `:` stands for one segment of the path. `name`: what the audit log calls it. */
const route = (
  method: Route["method"],
  path: string,
  action: Action,
  name: string,
  load: () => Promise<Handle>,
): Route => ({
  method,
  pattern: new RegExp(`^/v1/admin${path.replaceAll(":", "([^/]+)")}$`),
  action,
  refused: (context) => writeDown(context, name),
  handle: async (context) => {
    const handle = await load();
    try {
      return await handle(context);
    } catch (thrown) {
      // A right of the role, but not to this tenant, this key, this much.
      const refused = thrown instanceof GatewayError && thrown.code === "permission";
      if (refused && !(await import("./audit-log.ts")).isWrittenDown(thrown)) await writeDown(context, name);
      throw thrown;
    }
  },
});

const keys = () => import("./keys.ts");
const threads = () => import("./threads.ts");

const ruleRoutes = (kind: "rates" | "budgets"): Route[] => {
  const path = `/limits/${kind}`;
  const name = `limits.${kind}`;
  const load =
    (verb: "listRules" | "getRule" | "createRule" | "putRule" | "deleteRule"): (() => Promise<Handle>) =>
    async () => {
      const rules = await import("./rules.ts");
      return (context) => rules[verb](context, kind);
    };
  return [
    route("GET", path, "limits:read", `${name}.list`, load("listRules")),
    route("POST", path, "limits:write", `${name}.create`, load("createRule")),
    route("GET", `${path}/:`, "limits:read", `${name}.read`, load("getRule")),
    route("PUT", `${path}/:`, "limits:write", `${name}.update`, load("putRule")),
    route("DELETE", `${path}/:`, "limits:write", `${name}.delete`, load("deleteRule")),
  ];
};

export const adminRoutes: readonly Route[] = [
  route("GET", "/whoami", "models:list", "whoami", async () => (await import("./people.ts")).whoamiRoute),
  route("GET", "/tenants", "keys:read", "tenants.list", async () => (await import("./people.ts")).tenantsRoute),
  { ...route("POST", "/keys", "keys:write", "keys.create", async () => (await keys()).createKeyRoute), secret: true },
  route("GET", "/keys", "keys:read", "keys.list", async () => (await keys()).listKeysRoute),
  route("GET", "/keys/:", "keys:read", "keys.read", async () => (await keys()).getKeyRoute),
  route("PATCH", "/keys/:", "keys:write", "keys.update", async () => (await keys()).patchKeyRoute),
  route("DELETE", "/keys/:", "keys:write", "keys.revoke", async () => (await keys()).revokeKeyRoute),
  {
    ...route("POST", "/keys/:/rotate", "keys:write", "keys.rotate", async () => (await keys()).rotateKeyRoute),
    secret: true,
  },
  route("POST", "/keys/:/revoke", "keys:write", "keys.revoke", async () => (await keys()).revokeKeyRoute),
  ...ruleRoutes("rates"),
  ...ruleRoutes("budgets"),
  route("GET", "/budgets", "limits:read", "budgets.list", async () => (await import("./budgets.ts")).budgetsRoute),
  route(
    "POST",
    "/budgets/reset",
    "limits:write",
    "budgets.reset",
    async () => (await import("./budgets.ts")).resetBudgetRoute,
  ),
  route("GET", "/usage", "usage:read", "usage.read", async () => (await import("./usage.ts")).usageRoute),
  route(
    "GET",
    "/usage/entries",
    "usage:read",
    "usage.list",
    async () => (await import("./usage.ts")).usageEntriesRoute,
  ),
  route("GET", "/audit", "audit:read", "audit.read", async () => (await import("./audit.ts")).auditRoute),
  route("GET", "/threads", "threads:manage", "threads.list", async () => (await threads()).listOwnersThreadsRoute),
  route(
    "DELETE",
    "/threads/:",
    "threads:manage",
    "threads.delete",
    async () => (await threads()).deleteOwnersThreadRoute,
  ),
  route(
    "GET",
    "/threads/:/export",
    "threads:manage",
    "threads.export",
    async () => (await threads()).exportOwnersThreadRoute,
  ),
];
