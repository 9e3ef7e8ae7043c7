// How much of each budget is used, and beginning one anew.
import type { OwnLimits } from "../../auth/caller.ts";
import type { BudgetRule } from "../../config-types.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import { compact, type JsonObject } from "../../model/json.ts";
import type { Reply } from "../../model/call.ts";
import { dollars, nanos } from "../../usage/entry.ts";
import { json, type RouteContext } from "../route.ts";
import { bodyFields } from "../threads/access.ts";
import { listObject } from "../threads/objects.ts";
import { checkOwner, controlOf, keysOf, nameIn, storeOf, tenantFor, tenantOf } from "./access.ts";
import { audited } from "./audit-log.ts";
import { budgetField, budgetsFor, periodEnd, periodOf, resetUsed, subjectOf, usedOf, type Whose } from "./limits.ts";

type Budget = { rule: BudgetRule; source: "configuration" | "runtime" | "key" };

/** Budgets that came with the key itself. */
const ownBudgets = (limits: OwnLimits | undefined): Budget[] =>
  (limits?.budgets ?? []).map((budget, at) => ({
    source: "key",
    rule: { ...budget, name: `own${at + 1}`, by: "key", alerts: [], onStoreFailure: "closed" },
  }));

type Named = { whose: Whose; own: Budget[] };

type NamedKey = { name: string; roles?: readonly string[]; limits?: OwnLimits };

/** A key of the configuration, or of the store: `not_found` where it is of another tenant. */
const namedKey = async (context: RouteContext, tenant: string, id: string): Promise<NamedKey> => {
  const { auth } = context.services.config;
  const configured = auth.keys.find(
    (each) => (each.id ?? `config:${each.name}`) === id && (each.tenant ?? "default") === tenant,
  );
  if (configured !== undefined)
    return compact<NamedKey>({
      name: configured.name,
      roles: configured.roles ?? ["operator"],
      limits: configured.limits,
    });
  // Callers that a token or a platform proves have no record.
  if (/^[a-z]+:/.test(id)) return { name: id };
  const record = await (await keysOf(context)).get(context.caller, id);
  if (record.tenant !== tenant) throw new GatewayError("not_found", "No such key.", { param: "key" });
  return record;
};

const named = async (context: RouteContext, tenant: string, key?: string, user?: string): Promise<Named> => {
  if (user !== undefined) checkOwner(context.caller, user, "user");
  if (key === undefined) return { whose: compact<Whose>({ tenant, key: undefined, user }), own: [] };
  const { name, roles, limits } = await namedKey(context, tenant, key);
  return {
    whose: compact<Whose>({ tenant, key: { id: key, name, ...(roles === undefined ? {} : { roles }) }, user }),
    own: ownBudgets(limits),
  };
};

const allBudgets = async (context: RouteContext, { whose, own }: Named): Promise<Budget[]> => {
  const { budgets } = await controlOf(context).state();
  const from = (rules: readonly BudgetRule[], source: Budget["source"]): Budget[] =>
    budgetsFor(rules, whose).map((rule) => ({ rule, source }));
  return [...from(context.services.config.limits.budgets, "configuration"), ...from(budgets, "runtime"), ...own];
};

const placeOf = ({ services }: RouteContext, { rule }: Budget, whose: Whose) => ({
  tenant: whose.tenant,
  shards: services.config.limits.shards[whose.tenant] ?? 1,
  by: rule.by,
  subject: subjectOf(rule, whose) ?? "",
});

const budgetObject = async (context: RouteContext, budget: Budget, whose: Whose): Promise<JsonObject> => {
  const { table, clock } = await storeOf(context);
  const { rule, source } = budget;
  const now = clock.now();
  const period = periodOf(rule.per, now);
  const place = placeOf(context, budget, whose);
  const used = await usedOf(table, place, budgetField(rule.name, period));
  return {
    object: "budget",
    rule: rule.name,
    source,
    by: rule.by,
    subject: rule.by === "tenant" ? whose.tenant : place.subject,
    tenant: whose.tenant,
    per: rule.per,
    period,
    amount: rule.amount,
    used: dollars(used),
    remaining: dollars(Math.max(0, nanos(rule.amount) - used)),
    resets_at: periodEnd(rule.per, now) ?? null,
  };
};

/** Of the tenant; with `key` or `user` also of those. */
export const budgetsRoute = async (context: RouteContext): Promise<Reply> => {
  const tenant = tenantOf(context);
  const query = context.query();
  const found = await named(context, tenant, nameIn(query.get("key"), "key"), nameIn(query.get("user"), "user"));
  const budgets = await allBudgets(context, found);
  return json(200, listObject(await Promise.all(budgets.map((each) => budgetObject(context, each, found.whose)))));
};

export const resetBudgetRoute = async (context: RouteContext): Promise<Reply> => {
  const fields = bodyFields(context, ["rule", "tenant", "key", "user"]);
  const name = fields.needText("rule", { min: 1, max: 40 });
  const tenant = tenantFor(context.caller, fields.text("tenant", { max: 256 }));
  const [key, user] = [fields.text("key", { min: 1, max: 256 }), fields.text("user", { min: 1, max: 256 })];
  if (key !== undefined && user !== undefined) throw invalid("user", "expected key or user, not both");
  const found = await named(context, tenant, key, user);
  const budget = (await allBudgets(context, found)).find(({ rule }) => rule.name === name);
  if (budget === undefined)
    throw new GatewayError("not_found", "No such budget of this tenant, key or user.", { param: "rule" });
  const { rule } = budget;
  const store = await storeOf(context);
  const place = placeOf(context, budget, found.whose);
  const field = budgetField(rule.name, periodOf(rule.per, store.clock.now()));
  const before = await usedOf(store.table, place, field);
  await audited(
    store,
    context,
    {
      action: "budgets.reset",
      target: name,
      tenant,
      changes: { by: rule.by, subject: place.subject, used_before: dollars(before) },
    },
    () => resetUsed(store.table, place, field),
  );
  return json(200, await budgetObject(context, budget, found.whose));
};
