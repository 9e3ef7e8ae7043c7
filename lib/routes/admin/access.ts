// What every admin route begins with: the stores, the tenant that is meant, and who may reach it.
import type { Caller } from "../../auth/caller.ts";
import { matchesName } from "../../auth/policy.ts";
import type { Control } from "../../auth/control.ts";
import type { KeyStore } from "../../auth/keys/types.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import type { ThreadStore } from "../../threads/store.ts";
import type { RouteContext } from "../route.ts";
import { threadsOf } from "../turns.ts";

/** Throws `not_implemented` where nothing is kept. */
export const storeOf = async (context: RouteContext): Promise<ThreadStore> => (await threadsOf(context)).store;

const nothingKept = (): GatewayError =>
  new GatewayError("not_implemented", "Nothing is stored here: the configuration says storage: none.");

export const keysOf = async ({ services: { keys } }: RouteContext): Promise<KeyStore> => {
  if (keys === undefined) throw nothingKept();
  return keys();
};

export const controlOf = ({ services: { control } }: RouteContext): Control => {
  if (control === undefined) throw nothingKept();
  return control;
};

const longestName = 256;

/** A name that was given somewhere; undefined where it was not. Throws a 400 for one that is too long. */
export const nameIn = (given: string | null | undefined, param: string): string | undefined => {
  if (given === null || given === undefined || given === "") return undefined;
  if (given.length > longestName) throw invalid(param, `expected at most ${longestName} characters`);
  return given;
};

/** The tenant that a call is about: the caller's own where none is named. Throws `permission` for another, but for those who administer all. */
export const tenantFor = (caller: Caller, given: string | null | undefined): string => {
  const tenant = nameIn(given, "tenant") ?? caller.tenant;
  if (tenant !== caller.tenant && caller.everywhere !== true)
    throw new GatewayError("permission", "Only one's own tenant can be reached.", { param: "tenant" });
  return tenant;
};

/** Of a list's query. */
export const tenantOf = (context: RouteContext): string => tenantFor(context.caller, context.query().get("tenant"));

/** Throws `permission` where the caller's scope names the owners that it acts for, and this is none of them. */
export const checkOwner = ({ owner: own, scopes }: Caller, owner: string, param = "owner"): void => {
  const owners = scopes?.owners;
  if (owners === undefined || owners === "*" || owner === own) return;
  if (owners.some((pattern) => matchesName(pattern, owner))) return;
  throw new GatewayError("permission", "The key does not act for this user.", { param });
};

/** Of a query: Unix milliseconds or an ISO 8601 date or time, as Unix milliseconds. */
export const timeIn = (given: string | null, param: string): number | undefined => {
  if (given === null || given === "") return undefined;
  const time = /^\d{1,15}$/.test(given)
    ? Number(given)
    : /^\d{4}-\d{2}(?:-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?)?$/.test(given)
      ? Date.parse(given)
      : Number.NaN;
  // The last millisecond that has a date.
  if (Number.isNaN(time) || time > 8_640_000_000_000_000)
    throw invalid(param, "expected a date (2026-11-21), a time (2026-11-21T10:00:00Z) or Unix milliseconds");
  return time;
};
