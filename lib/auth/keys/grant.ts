// Nobody gives more than it has: what a key would hold, against what its creator holds.
import type { Caller, OwnLimits, Scopes } from "../caller.ts";
import { actions, type Policy } from "../policy.ts";
import { callerOfRecord } from "./record.ts";
import type { Excess, KeyRecord } from "./types.ts";

/** The fields of a record that grant something. */
export type Grant = Pick<
  KeyRecord,
  "name" | "tenant" | "owner" | "user" | "roles" | "everywhere" | "scopes" | "limits" | "selfProving"
>;

/** Whether all that `inner` matches, `outer` matches too. */
const covers = (outer: string, inner: string): boolean =>
  outer.endsWith("*") ? inner.startsWith(outer.slice(0, -1)) : outer === inner;
const allCovered = (outer: readonly string[], inner: readonly string[] | undefined): boolean =>
  inner !== undefined && inner.every((each) => outer.some((pattern) => covers(pattern, each)));

const atMost = (theirs: number | undefined, given: number | undefined): boolean =>
  theirs === undefined || (given !== undefined && given <= theirs);

const limitsHold = (theirs: OwnLimits, given: OwnLimits = {}): boolean =>
  atMost(theirs.requestsPerMinute, given.requestsPerMinute) &&
  atMost(theirs.tokensPerMinute, given.tokensPerMinute) &&
  atMost(theirs.concurrent, given.concurrent) &&
  (theirs.budgets ?? []).every(({ amount, per }) =>
    (given.budgets ?? []).some((each) => each.per === per && each.amount <= amount),
  );

const hasInScope = ({ scopes }: Caller, name: string): boolean =>
  scopes?.owners === "*" || scopes?.owners?.includes(name) === true;

const actsFor = (caller: Caller, name: string): boolean =>
  name === caller.owner || name === caller.user || hasInScope(caller, name);

/** In a scope what ends in `*` is a pattern, also where it is the creator's own name. */
const ownersExceed = (creator: Caller, { owners }: Scopes): boolean =>
  owners === "*"
    ? creator.scopes?.owners !== "*"
    : (owners ?? []).some((each) => (each.endsWith("*") ? !hasInScope(creator, each) : !actsFor(creator, each)));

/**
 * Undefined where the creator may give it. The tenant's managers (`threads:manage`) may give keys that act for others, and who may
 * write limits (`limits:write`) is not bound by its own.
 */
export const grantable = (policy: Policy, creator: Caller, record: Grant): Excess | undefined => {
  const excess = (param: string, message: string): Excess => ({ param, message });
  if (record.tenant !== creator.tenant && creator.everywhere !== true)
    return excess("tenant", "Only one's own tenant can be given.");
  if (record.everywhere === true && creator.everywhere !== true)
    return excess("everywhere", "Only who administers every tenant can give that.");
  const theirs = callerOfRecord({ id: "", ...record });
  const tooMuch = actions.find(
    (action) => policy(theirs, action) === undefined && policy(creator, action) !== undefined,
  );
  if (tooMuch !== undefined) return excess("roles", `These would allow ${tooMuch}, which the caller itself lacks.`);
  const { scopes = {} } = record;
  if (creator.scopes?.models !== undefined && !allCovered(creator.scopes.models, scopes.models))
    return excess("scopes.models", "Only models of the caller's own scope can be given.");
  if (policy(creator, "threads:manage") !== undefined) {
    if (!actsFor(creator, record.owner)) return excess("owner", "The caller does not act for this owner.");
    if (record.user !== undefined && !actsFor(creator, record.user))
      return excess("user", "The caller does not act for this user.");
    if (ownersExceed(creator, scopes)) return excess("scopes.owners", "The caller does not act for all of these.");
  }
  if (
    creator.limits !== undefined &&
    policy(creator, "limits:write") !== undefined &&
    !limitsHold(creator.limits, record.limits)
  )
    return excess("limits", "They must be as tight as the caller's own.");
  return undefined;
};
