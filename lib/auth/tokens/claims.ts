// What a verified token's claims say about its bearer. Nothing here falls back to another tenant or user than the one that is meant.
import type { IssuerConfig } from "../../config-types.ts";
import { type Caller, defaultTenant } from "../caller.ts";
import { refusedToken } from "./refusal.ts";

export type Claims = Readonly<Record<string, unknown>>;

const maxTextLength = 200;
const control = /\p{Cc}/u;

const own = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;

/** A claim of exactly this name (they may hold dots: `https://example.com/tenant`), else the one that a dotted path leads to. */
const claimAt = (claims: Claims, path: string): unknown =>
  own(claims, path) ?? path.split(".").reduce<unknown>(own, claims);

/** A name or an id: text, or a whole number. Undefined where it is absent, empty, or nothing that could stand in a log or a key. */
const textAt = (claims: Claims, path: string): string | undefined => {
  const value = claimAt(claims, path);
  const text = typeof value === "number" && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof text !== "string" || text.trim() === "" || text.length > maxTextLength || control.test(text))
    return undefined;
  return text;
};

/** A list of text, or words in one text (`scp`, `scope`). */
const wordsAt = (claims: Claims, path: string): readonly string[] | undefined => {
  const value = claimAt(claims, path);
  if (typeof value === "string") return value.split(" ").filter((word) => word !== "");
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : undefined;
};

/** Where roles stand, in the tokens of Entra ID, Cognito, and Entra's users without a role. */
const roleClaims = ["roles", "cognito:groups", "scp"];

const rolesOf = (claims: Claims, { claims: names, roles, defaultRoles }: IssuerConfig): string[] => {
  const places = names.roles === undefined ? roleClaims : [names.roles];
  let words: readonly string[] = [];
  for (const place of places) {
    const found = wordsAt(claims, place);
    if (found === undefined) continue;
    words = found;
    break;
  }
  // What a token calls a role is one here only where the configuration says so.
  const mapped = words.flatMap((word) => (Object.hasOwn(roles, word) ? (roles[word] ?? []) : []));
  return [...new Set(mapped.length > 0 ? mapped : defaultRoles)];
};

const required = (claims: Claims, path: string, what: string): string => {
  const text = textAt(claims, path);
  if (text === undefined) throw refusedToken(`does not say its ${what}: the claim '${path}' is missing or unusable`);
  return text;
};

/** `*` is any value; a claim that is a list has one of the values among its own. */
const hasValue = (found: unknown, wanted: IssuerConfig["requiredClaims"][string]): boolean => {
  if (wanted === "*") return found !== undefined && found !== null && found !== "" && found !== false;
  const values: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted];
  const given: readonly unknown[] = Array.isArray(found) ? found : [found];
  return given.some((each) => values.includes(each));
};

/** Throws `authentication` over the first claim that is not as the configuration wants it. */
export const checkRequired = (claims: Claims, { requiredClaims, audience, audienceClaim }: IssuerConfig): void => {
  if (!hasValue(claimAt(claims, audienceClaim), audience)) throw refusedToken("is for another audience");
  for (const [path, wanted] of Object.entries(requiredClaims))
    if (!hasValue(claimAt(claims, path), wanted))
      throw refusedToken(`lacks what is asked of it: the claim '${path}' is missing or has another value`);
};

/** Throws `authentication` where a claim that was mapped is missing. `issuerId`: short, the same on every instance. */
export const callerOfClaims = (claims: Claims, entry: IssuerConfig, issuerId: string): Caller => {
  const { claims: names, scopes, limits } = entry;
  const tenant =
    names.tenant === undefined ? (entry.tenant ?? defaultTenant) : required(claims, names.tenant, "tenant");
  const user =
    names.user === undefined
      ? (textAt(claims, "oid") ?? required(claims, "sub", "user"))
      : required(claims, names.user, "user");
  const owner = names.owner === undefined ? user : required(claims, names.owner, "owner");
  return {
    name: names.name === undefined ? user : (textAt(claims, names.name) ?? user),
    open: false,
    tenant,
    owner,
    user,
    key: `jwt:${issuerId}:${textAt(claims, "sub") ?? user}`,
    roles: rolesOf(claims, entry),
    ...(scopes === undefined ? {} : { scopes }),
    ...(limits === undefined ? {} : { limits }),
  };
};
