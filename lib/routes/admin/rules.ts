// Rates and budgets that are set while the gateway runs, beside those of the configuration. A rule has the fields and the names that it
// has in heddle.yaml (`limits.rates`, `limits.budgets`).
import type { Caller } from "../../auth/caller.ts";
import type { ControlState } from "../../auth/control.ts";
import { matchesName } from "../../auth/policy.ts";
import type { BudgetRule, RateRule } from "../../config-types.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import { isObject, type JsonObject, parseJson } from "../../model/json.ts";
import type { Reply } from "../../model/call.ts";
import { json, type RouteContext } from "../route.ts";
import { listObject } from "../threads/objects.ts";
import { controlOf, nameIn, storeOf, tenantFor } from "./access.ts";
import { audited } from "./audit-log.ts";

export type RuleKind = "rates" | "budgets";
type Rule = RateRule | BudgetRule;
type Source = "configuration" | "runtime";
type Found = { rule: Rule; source: Source };

/** All rules of the run are in one small item, which every instance reads every few seconds. */
const mostRules = 200;
const mostOfTenant = 50;

const asJson = (value: object): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject;

const ruleObject = (kind: RuleKind, { rule, source }: Found): JsonObject => ({
  object: kind === "rates" ? "limits.rate" : "limits.budget",
  name: rule.name,
  source,
  rule: asJson(rule),
});

const concerns = ({ match }: Rule, tenant: string): boolean =>
  match?.tenants === undefined || match.tenants.some((pattern) => matchesName(pattern, tenant));

const isPattern = (name: string): boolean => name.endsWith("*");

/** A rule of one tenant alone, which that tenant's administrators may change. */
const isOf = ({ match }: Rule, tenant: string): boolean =>
  match?.tenants?.length === 1 && match.tenants[0] === tenant && !isPattern(tenant);

const patternsMeet = (one: string, other: string): boolean => {
  if (!one.endsWith("*")) return matchesName(other, one);
  if (!other.endsWith("*")) return matchesName(one, other);
  const [a, b] = [one.slice(0, -1), other.slice(0, -1)];
  return a.startsWith(b) || b.startsWith(a);
};

/** Two rules of one name that may meet in one call would be counted as one. */
const mayMeet = (one: Rule, other: Rule): boolean => {
  const [some, others] = [one.match?.tenants, other.match?.tenants];
  return some === undefined || others === undefined || some.some((a) => others.some((b) => patternsMeet(a, b)));
};

const listOf = <Kind extends RuleKind>(state: Pick<ControlState, Kind>, kind: Kind): readonly Rule[] => state[kind];

const withRules = (state: ControlState, kind: RuleKind, rules: readonly Rule[]): ControlState =>
  kind === "rates" ? { ...state, rates: rules } : { ...state, budgets: rules as BudgetRule[] };

/** What a caller sees: all, or what may concern its tenant. */
const visible = (all: readonly Rule[], { everywhere, tenant }: Caller, only?: string): Rule[] =>
  all.filter((rule) => (everywhere === true ? only === undefined || concerns(rule, only) : concerns(rule, tenant)));

const allRules = async (context: RouteContext, kind: RuleKind): Promise<Found[]> => {
  const { caller, services } = context;
  const asked = nameIn(context.query().get("tenant"), "tenant");
  const only = asked === undefined ? undefined : tenantFor(caller, asked);
  const state = await controlOf(context).state();
  return [
    ...visible(listOf(services.config.limits, kind), caller, only).map((rule): Found => ({
      rule,
      source: "configuration",
    })),
    ...visible(listOf(state, kind), caller, only).map((rule): Found => ({ rule, source: "runtime" })),
  ];
};

const noSuchRule = (kind: RuleKind): GatewayError =>
  new GatewayError("not_found", kind === "rates" ? "No such rate." : "No such budget.", { param: "name" });

/** The one rule of this name that the caller sees. Tenants may have rules of the same name: `?tenant=` tells them apart. */
const findRule = async (context: RouteContext, kind: RuleKind): Promise<Found> => {
  const [name = ""] = context.params;
  const found = (await allRules(context, kind)).filter(({ rule }) => rule.name === name);
  const [first] = found;
  if (first === undefined) throw noSuchRule(kind);
  if (found.length > 1)
    throw new GatewayError("conflict", "Several tenants have a rule of this name: say which by ?tenant=.", {
      param: "tenant",
    });
  return first;
};

const fromConfiguration = (): GatewayError =>
  new GatewayError("conflict", "The rule is one of the configuration, and is changed there.", { param: "name" });

/** Throws where the caller may not change it: its rules are those of its own tenant alone. */
const checkMayChange = ({ rule, source }: Found, { everywhere, tenant }: Caller): void => {
  if (source === "configuration") throw fromConfiguration();
  if (everywhere !== true && !isOf(rule, tenant))
    throw new GatewayError("permission", "The rule is not of one's own tenant alone.", { param: "name" });
};

/** `match.tenants[0]` */
const pathText = (path: readonly PropertyKey[]): string =>
  path
    .map((step, at) => (typeof step === "number" ? `[${step}]` : at === 0 ? String(step) : `.${String(step)}`))
    .join("");

const defaults = {
  rates: { onStoreFailure: "open" },
  budgets: { onStoreFailure: "closed", alerts: [0.8, 1] },
} as const;

const limitsSomething = (rule: Rule): boolean =>
  "requestsPerMinute" in rule || "tokensPerMinute" in rule || "concurrent" in rule;

/** The body as a rule. `name`: that of the path, which the body may leave out. A tenant's administrator makes rules for that tenant alone. */
const readRule = async (context: RouteContext, kind: RuleKind, name?: string): Promise<Rule> => {
  const { call, caller } = context;
  const body = parseJson(new TextDecoder().decode(call.body));
  if (!isObject(body)) throw invalid("", "expected a JSON object");
  const [{ budgetRule, rateRule }, { problemsOf }] = await Promise.all([
    import("../../config/schema.ts"),
    import("../../config/issues.ts"),
  ]);
  const schema = kind === "rates" ? rateRule : budgetRule;
  const given = name === undefined ? body : { name, ...body };
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const [problem] = problemsOf(parsed.error.issues, schema, given);
    throw invalid(pathText(problem?.path ?? []), problem?.message ?? "expected a rule as in heddle.yaml");
  }
  const rule = { ...defaults[kind], ...parsed.data } as Rule & { name?: string };
  if (rule.name === undefined) throw invalid("name", "expected the rule's name");
  if (name !== undefined && rule.name !== name) throw invalid("name", "expected the name that the path has");
  // What a key brings of its own is counted under these.
  if (/^own\d*$/.test(rule.name)) throw invalid("name", "expected another name: this one is kept for keys' own limits");
  if (kind === "rates" && !limitsSomething(rule))
    throw invalid("requestsPerMinute", "expected one of requestsPerMinute, tokensPerMinute and concurrent");
  if (caller.everywhere === true) return rule;
  if (isPattern(caller.tenant))
    throw invalid(
      "match.tenants",
      "a tenant whose name ends in * can have no rules of its own: they would match others",
    );
  const tenants = rule.match?.tenants;
  if (tenants !== undefined && !isOf(rule, caller.tenant))
    throw new GatewayError("permission", "Only one's own tenant can be limited.", { param: "match.tenants" });
  return { ...rule, match: { ...rule.match, tenants: [caller.tenant] } };
};

/** The tenant in whose audit log it stands: the one it is for, or the caller's. */
const tenantIn = ({ match }: Rule, { tenant }: Caller): string => {
  const [only, ...others] = match?.tenants ?? [];
  return only === undefined || others.length > 0 || only.endsWith("*") ? tenant : only;
};

/** Throws where there is no room, or another rule of this name that it could be taken for. */
const checkFits = (context: RouteContext, kind: RuleKind, rule: Rule, others: readonly Rule[]): void => {
  const configured = listOf(context.services.config.limits, kind);
  if ([...configured, ...others].some((other) => other.name === rule.name && mayMeet(other, rule)))
    throw new GatewayError("conflict", "There is a rule of this name.", { param: "name" });
  const { caller } = context;
  const full =
    others.length >= mostRules ||
    (caller.everywhere !== true && others.filter((other) => isOf(other, caller.tenant)).length >= mostOfTenant);
  if (full) throw new GatewayError("conflict", "There are as many rules as there can be: delete one.");
};

const isSame = (one: Rule, other: Rule): boolean =>
  one.name === other.name && JSON.stringify(one.match?.tenants) === JSON.stringify(other.match?.tenants);

const action = (kind: RuleKind, what: string): string => `limits.${kind}.${what}`;

export const listRules = async (context: RouteContext, kind: RuleKind): Promise<Reply> =>
  json(200, listObject((await allRules(context, kind)).map((found) => ruleObject(kind, found))));

export const getRule = async (context: RouteContext, kind: RuleKind): Promise<Reply> =>
  json(200, ruleObject(kind, await findRule(context, kind)));

const store = async (
  context: RouteContext,
  kind: RuleKind,
  { rule, replaced, what }: { rule: Rule; replaced?: Rule; what: string },
): Promise<void> => {
  const control = controlOf(context);
  const place = replaced ?? rule;
  const kept = (state: ControlState): Rule[] =>
    listOf(state, kind).filter((other) => replaced === undefined || !isSame(other, place));
  // Told before anything is written down; asked again where it is written.
  checkFits(context, kind, rule, kept(await control.state()));
  await audited(
    await storeOf(context),
    context,
    { action: action(kind, what), target: rule.name, tenant: tenantIn(rule, context.caller), changes: asJson(rule) },
    () =>
      control.change((state) => {
        checkFits(context, kind, rule, kept(state));
        return withRules(state, kind, [...kept(state), rule]);
      }),
  );
};

export const createRule = async (context: RouteContext, kind: RuleKind): Promise<Reply> => {
  const rule = await readRule(context, kind);
  await store(context, kind, { rule, what: "create" });
  return json(201, ruleObject(kind, { rule, source: "runtime" }));
};

/** As a whole: what the body leaves out is gone. What counts under the rule goes on. */
export const putRule = async (context: RouteContext, kind: RuleKind): Promise<Reply> => {
  const [name = ""] = context.params;
  const rule = await readRule(context, kind, name);
  const found = await findRule(context, kind).catch((thrown: unknown) => {
    if (thrown instanceof GatewayError && thrown.code === "not_found") return undefined;
    throw thrown;
  });
  if (found === undefined) {
    await store(context, kind, { rule, what: "create" });
    return json(201, ruleObject(kind, { rule, source: "runtime" }));
  }
  checkMayChange(found, context.caller);
  await store(context, kind, { rule, replaced: found.rule, what: "update" });
  return json(200, ruleObject(kind, { rule, source: "runtime" }));
};

export const deleteRule = async (context: RouteContext, kind: RuleKind): Promise<Reply> => {
  const found = await findRule(context, kind);
  checkMayChange(found, context.caller);
  const { rule } = found;
  const control = controlOf(context);
  await audited(
    await storeOf(context),
    context,
    { action: action(kind, "delete"), target: rule.name, tenant: tenantIn(rule, context.caller) },
    () =>
      control.change((state) =>
        withRules(
          state,
          kind,
          listOf(state, kind).filter((other) => !isSame(other, rule)),
        ),
      ),
  );
  return json(200, {
    name: rule.name,
    object: `limits.${kind === "rates" ? "rate" : "budget"}.deleted`,
    deleted: true,
  });
};
