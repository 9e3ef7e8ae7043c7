// What callers may do: one function over (caller, action, resource), asked by every route.
import { GatewayError } from "../model/error.ts";
import type { Caller } from "./caller.ts";

/** Everything that can be allowed. `manage` is beyond one's own: what concerns the whole tenant. */
export const actions = [
  "models:list",
  "models:call",
  "threads:read",
  "threads:write",
  "files:read",
  "files:write",
  "usage:read",
  "usage:manage",
  "limits:read",
  "limits:write",
  "keys:read",
  "keys:write",
  "threads:manage",
  "audit:read",
  "health:read",
  "metrics:read",
] as const;
export type Action = (typeof actions)[number];

/** What an action is about, as far as it matters. */
export type Resource = {
  tenant?: string;
  owner?: string;
  /** As the caller named it. */
  model?: string;
  /** What that name leads to, as `provider/model`. */
  targets?: readonly string[];
};

const viewer: readonly Action[] = ["models:list", "threads:read", "files:read", "usage:read"];
const member: readonly Action[] = [...viewer, "models:call", "threads:write", "files:write"];
const operator: readonly Action[] = [
  ...member,
  "usage:manage",
  "limits:read",
  "keys:read",
  "audit:read",
  "health:read",
  "metrics:read",
];

/** The roles that are always there. A configuration may add others, not change these. */
export const builtInRoles: Readonly<Record<string, readonly Action[]>> = {
  viewer,
  member,
  operator,
  admin: [...actions],
};

/** `*` at the end stands for anything. */
export const matchesName = (pattern: string, name: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;

const anyMatches = (patterns: readonly string[], name: string): boolean =>
  patterns.some((pattern) => matchesName(pattern, name));

/** An alias is within the scope by its own name, or where all that it leads to is. */
const modelInScope = (patterns: readonly string[], { model = "", targets = [] }: Resource): boolean =>
  anyMatches(patterns, model) || (targets.length > 0 && targets.every((target) => anyMatches(patterns, target)));

/** Undefined where it is allowed; else what is missing, in words for the caller. */
export type Policy = (caller: Caller, action: Action, resource?: Resource) => string | undefined;

/** `custom`: roles of the configuration, by name. A role that is not known gives nothing. */
export const createPolicy = (custom: Readonly<Record<string, readonly string[]>> = {}): Policy => {
  const roles = new Map<string, ReadonlySet<string>>();
  for (const [name, allowed] of [...Object.entries(custom), ...Object.entries(builtInRoles)])
    roles.set(name, new Set(actions.filter((action) => anyMatches(allowed, action))));
  return (caller, action, resource) => {
    if (!caller.roles.some((role) => roles.get(role)?.has(action) === true))
      return `The caller's role does not allow ${action}.`;
    const { scopes } = caller;
    if (scopes?.actions !== undefined && !anyMatches(scopes.actions, action))
      return `The key's scope does not allow ${action}.`;
    if (resource === undefined) return undefined;
    if (resource.tenant !== undefined && resource.tenant !== caller.tenant && caller.everywhere !== true)
      return "Only one's own tenant can be reached.";
    const { owner } = resource;
    if (
      owner !== undefined &&
      owner !== caller.owner &&
      scopes?.owners !== "*" &&
      (scopes?.owners === undefined || !anyMatches(scopes.owners, owner))
    )
      return "The key does not act for this user.";
    if (resource.model !== undefined && scopes?.models !== undefined && !modelInScope(scopes.models, resource))
      return `The key's scope does not allow the model '${resource.model.slice(0, 200)}'.`;
    return undefined;
  };
};

/** Throws `permission`, with the field at fault where there is one. */
export const enforce = (policy: Policy, caller: Caller, action: Action, resource?: Resource): void => {
  const missing = policy(caller, action, resource);
  if (missing === undefined) return;
  throw new GatewayError("permission", missing, resource?.model === undefined ? {} : { param: "model" });
};
