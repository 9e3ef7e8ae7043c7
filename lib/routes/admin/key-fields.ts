// Keys as this API tells and takes them: snake_case, times in Unix milliseconds.
import type { OwnLimits, Scopes } from "../../auth/caller.ts";
import type { KeyChange, KeyRecord, NewKey } from "../../auth/keys/types.ts";
import { invalid } from "../../model/error.ts";
import { compact, type Json, type JsonObject } from "../../model/json.ts";
import { type Fields, fieldsOf } from "../threads/fields.ts";

const names = (all: readonly string[] | "*" | undefined): Json =>
  all === undefined ? null : typeof all === "string" ? all : [...all];

const scopesObject = ({ actions, models, owners }: Scopes): JsonObject =>
  compact<JsonObject>({
    actions: actions === undefined ? undefined : names(actions),
    models: models === undefined ? undefined : names(models),
    owners: owners === undefined ? undefined : names(owners),
  });

const limitsObject = ({ requestsPerMinute, tokensPerMinute, concurrent, budgets }: OwnLimits): JsonObject =>
  compact<JsonObject>({
    requests_per_minute: requestsPerMinute,
    tokens_per_minute: tokensPerMinute,
    concurrent,
    budgets: budgets?.map(({ amount, per }) => ({ amount, per })),
  });

const statusOf = (record: KeyRecord, now: number): "active" | "pending" | "expired" | "revoked" => {
  if (record.revokedAt !== undefined && record.revokedAt <= now) return "revoked";
  if (record.expiresAt !== undefined && record.expiresAt <= now) return "expired";
  return record.notBefore !== undefined && record.notBefore > now ? "pending" : "active";
};

export const keyObject = (record: KeyRecord, now: number): JsonObject => ({
  id: record.id,
  object: "api_key",
  name: record.name,
  status: statusOf(record, now),
  tenant: record.tenant,
  owner: record.owner,
  user: record.user ?? record.owner,
  roles: [...record.roles],
  everywhere: record.everywhere === true,
  scopes: record.scopes === undefined ? null : scopesObject(record.scopes),
  limits: record.limits === undefined ? null : limitsObject(record.limits),
  self_proving: record.selfProving === true,
  created_at: record.createdAt,
  created_by: record.createdBy,
  not_before: record.notBefore ?? null,
  expires_at: record.expiresAt ?? null,
  revoked_at: record.revokedAt ?? null,
  replaced_by: record.replacedBy ?? null,
  rotated_from: record.rotatedFrom ?? null,
  last_used_at: record.lastUsedAt ?? null,
});

const textList = (fields: Fields, name: string, min = 0): string[] | undefined =>
  fields.list(name, { min, max: 100 })?.map(({ value, path }) => {
    if (typeof value !== "string" || value === "" || value.length > 256)
      throw invalid(path, "expected a string of 1 to 256 characters");
    return value;
  });

const ownersOf = (fields: Fields): Scopes["owners"] =>
  fields.given("owners") === "*" ? "*" : textList(fields, "owners");

const scopesOf = (fields: Fields): Scopes | undefined => {
  const scopes = fields.object("scopes", ["actions", "models", "owners"]);
  return scopes === undefined
    ? undefined
    : compact<Scopes>({
        actions: textList(scopes, "actions"),
        models: textList(scopes, "models"),
        owners: ownersOf(scopes),
      });
};

const most = 1_000_000_000;

const budgetsOf = (fields: Fields): OwnLimits["budgets"] =>
  fields.list("budgets", { max: 10 })?.map(({ value, path }) => {
    const budget = fieldsOf(value, path, ["amount", "per"]);
    const amount = budget.number("amount", 0, most);
    if (amount === undefined) throw invalid(budget.at("amount"), "expected dollars");
    const per = budget.oneOf("per", ["day", "month", "total"]);
    if (per === undefined) throw invalid(budget.at("per"), "expected one of day, month, total");
    return { amount, per };
  });

const limitsOf = (fields: Fields): OwnLimits | undefined => {
  const limits = fields.object("limits", ["requests_per_minute", "tokens_per_minute", "concurrent", "budgets"]);
  return limits === undefined
    ? undefined
    : compact<OwnLimits>({
        requestsPerMinute: limits.number("requests_per_minute", 0.001, most),
        tokensPerMinute: limits.number("tokens_per_minute", 0.001, most),
        concurrent: limits.whole("concurrent", 1, most),
        budgets: budgetsOf(limits),
      });
};

/** The last time that has a date. */
const latest = 8_640_000_000_000_000;

const expiryOf = (fields: Fields, now: number): number | undefined => {
  const at = fields.whole("expires_at", 1, latest);
  const seconds = fields.whole("expires_in_seconds", 1, 315_000_000_000);
  if (at !== undefined && seconds !== undefined)
    throw invalid(fields.at("expires_in_seconds"), "expected expires_at or expires_in_seconds, not both");
  if (at !== undefined && at <= now) throw invalid(fields.at("expires_at"), "expected a time to come");
  return seconds === undefined ? at : now + seconds * 1_000;
};

export const newKeyFields = [
  "name",
  "tenant",
  "owner",
  "user",
  "roles",
  "everywhere",
  "scopes",
  "limits",
  "self_proving",
  "not_before",
  "expires_at",
  "expires_in_seconds",
] as const;

const nameLimits = { min: 1, max: 128 };

/** Throws a 400 that names the field. Whether the creator may give so much is the store's to say. */
export const decodeNewKey = (fields: Fields, now: number): NewKey =>
  compact<NewKey>({
    name: fields.needText("name", nameLimits),
    tenant: fields.text("tenant", nameLimits),
    owner: fields.text("owner", nameLimits),
    user: fields.text("user", nameLimits),
    roles: textList(fields, "roles", 1),
    everywhere: fields.flag("everywhere") === true ? true : undefined,
    scopes: scopesOf(fields),
    limits: limitsOf(fields),
    selfProving: fields.flag("self_proving") === true ? true : undefined,
    notBefore: fields.whole("not_before", 1, latest),
    expiresAt: expiryOf(fields, now),
  });

export const keyChangeFields = ["name", "roles", "scopes", "limits", "expires_at", "expires_in_seconds"] as const;

/** null takes away scopes, limits or the expiry. */
export const decodeKeyChange = (fields: Fields, now: number): KeyChange => {
  const nulled = (name: string): boolean => fields.given(name) === null;
  if (nulled("expires_at") && fields.given("expires_in_seconds") !== undefined)
    throw invalid(fields.at("expires_in_seconds"), "expected expires_at or expires_in_seconds, not both");
  return compact<KeyChange>({
    name: fields.text("name", nameLimits),
    roles: textList(fields, "roles", 1),
    scopes: nulled("scopes") ? null : scopesOf(fields),
    limits: nulled("limits") ? null : limitsOf(fields),
    expiresAt: nulled("expires_at") ? null : expiryOf(fields, now),
  });
};
