// A key's item in the table, and the caller it stands for.
import type { GatewayError } from "../../model/error.ts";
import { asString, compact, type JsonObject } from "../../model/json.ts";
import type { Item, Key, NewItem } from "../../stores/table.ts";
import type { Caller } from "../caller.ts";
import { refused } from "../refused.ts";
import type { SelfProvingRecord } from "./claims.ts";
import type { KeyRecord } from "./types.ts";

const safe = (text: string): string => encodeURIComponent(text.toWellFormed()).replaceAll("~", "%7E");

/** A key is looked up before its tenant is known: its partition spans tenants, and the record says whose it is. */
export const keyItem = (id: string): Key => ({ pk: `~key/${safe(id)}`, sk: "key" });
/** A tenant's keys, by the time they were made. */
export const keyIndex = (tenant: string): string => `${safe(tenant)}/keys`;

/** `hash`: by which the whole key is known. */
export const itemOfRecord = (record: KeyRecord, hash: string): NewItem => ({
  ...keyItem(record.id),
  data: { ...record, hash } as unknown as JsonObject,
  ipk: keyIndex(record.tenant),
  isk: `${String(record.createdAt).padStart(15, "0")}:${record.id}`,
});

export const recordOfItem = ({ data }: Item): { record: KeyRecord; hash: string } => {
  const { hash, ...record } = data;
  return { record: record as unknown as KeyRecord, hash: asString(hash) ?? "" };
};

export const callerOfRecord = (record: SelfProvingRecord & Pick<KeyRecord, "everywhere" | "limits">): Caller => {
  const { id, name, tenant, owner, user = owner, roles, everywhere, scopes, limits, selfProving } = record;
  return compact<Caller>({
    name,
    open: false,
    tenant,
    owner,
    user,
    key: id,
    roles,
    everywhere,
    scopes,
    limits,
    selfProving,
  });
};

export const revokedKey = (): GatewayError => refused("The API key has been revoked.");

/** Throws `authentication`, and says why: for keys that were known by their whole text. */
export const checkTimes = (
  { notBefore, revokedAt, expiresAt }: Pick<KeyRecord, "notBefore" | "revokedAt" | "expiresAt">,
  now: number,
): void => {
  if (revokedAt !== undefined && revokedAt <= now) throw revokedKey();
  if (expiresAt !== undefined && expiresAt <= now) throw refused("The API key has expired.");
  if (notBefore !== undefined && notBefore > now) throw refused("The API key is not valid yet.");
};
