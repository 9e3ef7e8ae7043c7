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

const isoTime = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;
/** The last millisecond that has a date. */
const lastTime = 8_640_000_000_000_000;

const parseTime = (text: string): number => {
  if (/^\d{5,16}$/.test(text)) return Number(text);
  if (!isoTime.test(text)) return Number.NaN;
  // `2026-02-30` is a date to the parser, of March.
  const day = text.slice(0, 10);
  const midnight = Date.parse(day);
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return Number.NaN;
  return Date.parse(text);
};

/** Of a query: an ISO 8601 date, a time with its zone, or Unix milliseconds; as Unix milliseconds. */
export const timeIn = (given: string | null, param: string): number | undefined => {
  if (given === null || given === "") return undefined;
  // A plus sign that was not percent-encoded arrives as a space.
  const time = parseTime(given.replace(/ (?=\d{2}:\d{2}$)/, "+"));
  if (Number.isNaN(time) || time < 0 || time > lastTime)
    throw invalid(
      param,
      "expected a date (2026-11-21), a time with its zone (2026-11-21T10:00:00Z) or Unix milliseconds",
    );
  return time;
};
