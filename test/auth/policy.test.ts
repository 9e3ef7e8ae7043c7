// What each role allows, what scopes take away from it, and where nobody reaches (F44: roles are for everybody).
import { describe, expect, test } from "vitest";
import type { Caller, Scopes } from "../../lib/auth/caller.ts";
import { type Action, actions, builtInRoles, createPolicy, enforce, matchesName } from "../../lib/auth/policy.ts";
import { GatewayError } from "../../lib/model/error.ts";

const caller = (roles: readonly string[], change: Partial<Caller> = {}): Caller => ({
  name: "k",
  open: false,
  tenant: "acme",
  owner: "ada",
  user: "ada",
  key: "config:k",
  roles,
  ...change,
});
const scoped = (scopes: Scopes, roles: readonly string[] = ["admin"]): Caller => caller(roles, { scopes });

/** The least of the built-in roles that may; written out, so that a change of one is seen here. */
const least: Record<Action, "viewer" | "member" | "operator" | "admin"> = {
  "models:list": "viewer",
  "threads:read": "viewer",
  "files:read": "viewer",
  "usage:read": "viewer",
  "models:call": "member",
  "threads:write": "member",
  "files:write": "member",
  "usage:manage": "operator",
  "limits:read": "operator",
  "keys:read": "operator",
  "audit:read": "operator",
  "health:read": "operator",
  "metrics:read": "operator",
  "limits:write": "admin",
  "keys:write": "admin",
  "threads:manage": "admin",
};
const ranks = ["viewer", "member", "operator", "admin"] as const;

describe("built-in roles", () => {
  const policy = createPolicy();

  test.each(ranks.flatMap((role) => actions.map((action) => [role, action] as const)))("%s: %s", (role, action) => {
    const isAllowed = ranks.indexOf(role) >= ranks.indexOf(least[action]);
    expect(policy(caller([role]), action) === undefined).toBe(isAllowed);
  });

  test("are these four, each with all of the one before", () => {
    expect(Object.keys(builtInRoles)).toEqual([...ranks]);
    for (const [at, role] of ranks.entries())
      expect(builtInRoles[role]).toEqual(expect.arrayContaining([...(builtInRoles[ranks[at - 1] ?? role] ?? [])]));
  });

  test("several roles allow what any of them does; none, or one that is not known, nothing", () => {
    expect(policy(caller(["viewer", "member"]), "models:call")).toBeUndefined();
    for (const roles of [[], ["nobody"], ["Admin"], ["__proto__"], ["constructor"], ["*"]])
      for (const action of actions) expect(policy(caller(roles), action)).toContain("role");
  });
});

describe("custom roles", () => {
  const policy = createPolicy({
    reader: ["threads:read"],
    threads: ["threads:*"],
    all: ["*"],
    typo: ["thread:read"],
    none: [],
  });
  const allowed = (role: string): Action[] => actions.filter((action) => policy(caller([role]), action) === undefined);

  test("allow what they list, by name or by how it begins", () => {
    expect(allowed("reader")).toEqual(["threads:read"]);
    expect(allowed("threads")).toEqual(["threads:read", "threads:write", "threads:manage"]);
    expect(allowed("all")).toEqual([...actions]);
    expect(allowed("typo")).toEqual([]);
    expect(allowed("none")).toEqual([]);
  });

  test("can't change a built-in one", () => {
    const changed = createPolicy({ viewer: ["*"], admin: [] });
    expect(changed(caller(["viewer"]), "keys:write")).toContain("role");
    expect(changed(caller(["admin"]), "keys:write")).toBeUndefined();
  });
});

describe("scopes", () => {
  const policy = createPolicy();

  test("of actions: take away from the role, never add", () => {
    expect(policy(scoped({ actions: ["threads:*"] }), "threads:write")).toBeUndefined();
    expect(policy(scoped({ actions: ["threads:*"] }), "models:call")).toContain("scope");
    expect(policy(scoped({ actions: [] }), "models:list")).toContain("scope");
    expect(policy(scoped({ actions: ["*"] }, ["viewer"]), "models:call")).toContain("role");
  });

  const call = (models: readonly string[], model: string, targets: readonly string[] = [model]): boolean =>
    policy(scoped({ models }), "models:call", { model, targets }) === undefined;

  test("of models: by alias, by target, by how they begin", () => {
    expect(call(["fast"], "fast", ["openai/mini"])).toBe(true);
    expect(call(["openai/mini"], "openai/mini")).toBe(true);
    expect(call(["openai/*"], "openai/mini")).toBe(true);
    expect(call(["openai/*"], "fast", ["openai/mini"])).toBe(true);
    expect(call(["openai/*"], "smart", ["openai/mini", "anthropic/opus"])).toBe(false);
    expect(call(["openai/*", "anthropic/opus"], "smart", ["openai/mini", "anthropic/opus"])).toBe(true);
    expect(call(["fast"], "openai/mini")).toBe(false);
    expect(call(["fast"], "faster", ["openai/mini"])).toBe(false);
    expect(call([], "fast", [])).toBe(false);
    expect(call(["openai/*"], "unknown", [])).toBe(false);
    expect(call(["*"], "anything", [])).toBe(true);
  });

  test("of models say nothing where no model is meant", () => {
    expect(policy(scoped({ models: [] }), "threads:read")).toBeUndefined();
    expect(policy(scoped({ models: [] }), "threads:read", { owner: "ada" })).toBeUndefined();
  });

  test("of owners: others than oneself are to be listed", () => {
    const reaches = (scopes: Scopes, owner: string): boolean =>
      policy(scoped(scopes), "threads:read", { owner }) === undefined;
    expect(reaches({}, "ada")).toBe(true);
    expect(reaches({}, "bob")).toBe(false);
    expect(reaches({ owners: ["bob"] }, "bob")).toBe(true);
    expect(reaches({ owners: ["bob"] }, "ada")).toBe(true);
    expect(reaches({ owners: ["team-*"] }, "team-red")).toBe(true);
    expect(reaches({ owners: ["team-*"] }, "bob")).toBe(false);
    expect(reaches({ owners: "*" }, "anyone")).toBe(true);
  });
});

describe("tenants", () => {
  const policy = createPolicy();

  test("nobody reaches another's, whatever the role or the scope; who administers everywhere does", () => {
    for (const change of [{}, { scopes: { owners: "*" as const } }, { open: true }])
      expect(policy(caller(["admin"], change), "threads:read", { tenant: "other" })).toContain("tenant");
    expect(policy(caller(["admin"]), "threads:read", { tenant: "acme" })).toBeUndefined();
    expect(policy(caller(["admin"], { everywhere: true }), "threads:read", { tenant: "other" })).toBeUndefined();
  });

  test("everywhere is no role: it allows nothing by itself", () => {
    expect(policy(caller([], { everywhere: true }), "threads:read", { tenant: "other" })).toContain("role");
    expect(policy(caller(["viewer"], { everywhere: true }), "keys:write", { tenant: "other" })).toContain("role");
  });
});

test("a refusal is a 403 that names the field where there is one, and no more of a model's name than is needed", () => {
  const refusal = (model?: string): GatewayError => {
    try {
      enforce(
        createPolicy(),
        scoped({ models: [] }, ["viewer"]),
        "models:call",
        model === undefined ? undefined : { model },
      );
    } catch (error) {
      if (error instanceof GatewayError) return error;
    }
    throw new Error("it was allowed");
  };
  expect(refusal()).toMatchObject({ code: "permission", status: 403 });
  expect(refusal().details.param).toBeUndefined();
  expect(refusal("m").details.param).toBe("model");
  const long = (): void => enforce(createPolicy(), scoped({ models: [] }), "models:call", { model: "x".repeat(5_000) });
  expect(long).toThrow(/^The key's scope does not allow the model 'x{200}'\.$/);
});

test("a * stands for anything at the end, for itself elsewhere", () => {
  expect(matchesName("*", "")).toBe(true);
  expect(matchesName("a*", "a")).toBe(true);
  expect(matchesName("a*", "b")).toBe(false);
  expect(matchesName("a*c", "abc")).toBe(false);
  expect(matchesName("a", "ab")).toBe(false);
});
