// What the fields of a key may be. The first one that can't be is named.
import { invalid } from "../../model/error.ts";
import type { OwnLimits, Scopes } from "../caller.ts";
import { actions, matchesName, type Policy } from "../policy.ts";
import { callerOfRecord } from "./record.ts";
import type { KeyRecord } from "./types.ts";

const mostName = 100;
const mostEntries = 50;
const mostEntry = 200;
/** Stores bound their keys, of which the tenant is a part in every item. */
const mostTenant = 128;

/** Visible, and of a length that keys and logs can hold. */
const checkText = (param: string, text: string, most: number): void => {
  if (text === "" || text.length > most || !text.isWellFormed() || /\p{Cc}/u.test(text))
    throw invalid(param, `expected 1 to ${most} characters without control characters`);
};

const checkList = (param: string, list: readonly string[] | undefined): void => {
  if (list === undefined) return;
  if (list.length > mostEntries) throw invalid(param, `expected at most ${mostEntries} entries`);
  list.forEach((each, at) => checkText(`${param}[${at}]`, each, mostEntry));
};

const checkScopes = ({ actions: allowed, models, owners }: Scopes): void => {
  checkList("scopes.actions", allowed);
  checkList("scopes.models", models);
  if (owners !== "*") checkList("scopes.owners", owners);
  allowed?.forEach((each, at) => {
    if (!actions.some((action) => matchesName(each, action)))
      throw invalid(`scopes.actions[${at}]`, `expected an action such as ${actions[0]}, or its beginning and *`);
  });
};

const positive = (param: string, value: number | undefined, whole = false): void => {
  if (value !== undefined && !(Number.isFinite(value) && value > 0 && (!whole || Number.isInteger(value))))
    throw invalid(param, `expected a ${whole ? "whole " : ""}number above 0`);
};

const checkLimits = ({ requestsPerMinute, tokensPerMinute, concurrent, budgets = [] }: OwnLimits): void => {
  positive("limits.requestsPerMinute", requestsPerMinute);
  positive("limits.tokensPerMinute", tokensPerMinute);
  positive("limits.concurrent", concurrent, true);
  if (budgets.length > 8) throw invalid("limits.budgets", "expected at most 8 entries");
  budgets.forEach(({ amount, per }, at) => {
    if (!(Number.isFinite(amount) && amount >= 0))
      throw invalid(`limits.budgets[${at}].amount`, "expected dollars, 0 or more");
    if (!["day", "month", "total"].includes(per))
      throw invalid(`limits.budgets[${at}].per`, "expected day, month or total");
  });
};

/** Throws `invalid_request`. A role that allows nothing is one that is not known. */
export const checkRecord = (policy: Policy, record: KeyRecord): void => {
  checkText("name", record.name, mostName);
  checkText("tenant", record.tenant, mostTenant);
  checkText("owner", record.owner, mostTenant);
  if (record.user !== undefined) checkText("user", record.user, mostTenant);
  if (record.roles.length === 0 || record.roles.length > 16) throw invalid("roles", "expected 1 to 16 entries");
  const { scopes: _, ...unscoped } = record;
  record.roles.forEach((role, at) => {
    const caller = callerOfRecord({ ...unscoped, roles: [role] });
    if (!actions.some((action) => policy(caller, action) === undefined))
      throw invalid(`roles[${at}]`, `there is no role '${role.slice(0, 60)}'`);
  });
  if (record.scopes !== undefined) checkScopes(record.scopes);
  if (record.limits !== undefined) checkLimits(record.limits);
};

/** Unix milliseconds of a moment to come, within ten thousand years. */
export const checkFuture = (param: string, at: number | undefined, now: number): void => {
  if (at !== undefined && !(Number.isSafeInteger(at) && at > now && at < 253_402_300_800_000))
    throw invalid(param, "expected a time in the future");
};
