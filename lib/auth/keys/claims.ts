// What a key that proves itself says of its caller, in few bytes: it is part of the key.
import type { Scopes } from "../caller.ts";
import { compact } from "../../model/json.ts";
import { decodeBase62 } from "./base62.ts";
import type { ParsedKey } from "./format.ts";
import type { KeyRecord } from "./types.ts";

export type SelfProvingRecord = Pick<
  KeyRecord,
  "id" | "name" | "tenant" | "owner" | "user" | "roles" | "scopes" | "selfProving" | "notBefore" | "expiresAt"
>;

const version = 1;
type ScopeClaims = [actions: readonly string[] | 0, models: readonly string[] | 0, owners: "*" | readonly string[] | 0];
/** Times are whole seconds; 0 stands for what is absent. */
type Claims = [
  version: typeof version,
  name: string,
  tenant: string,
  owner: string,
  user: string | 0,
  roles: readonly string[],
  expires: number,
  notBefore: number,
  scopes: ScopeClaims | 0,
];

export const encodeClaims = (record: Omit<SelfProvingRecord, "id" | "selfProving">): Uint8Array => {
  const { name, tenant, owner, user = 0, roles, scopes, notBefore = 0, expiresAt = 0 } = record;
  const scope: ScopeClaims | 0 =
    scopes === undefined ? 0 : [scopes.actions ?? 0, scopes.models ?? 0, scopes.owners ?? 0];
  const claims: Claims = [
    version,
    name,
    tenant,
    owner,
    user,
    roles,
    Math.ceil(expiresAt / 1_000),
    Math.ceil(notBefore / 1_000),
    scope,
  ];
  return Buffer.from(JSON.stringify(claims));
};

const scopesOf = ([actions, models, owners]: ScopeClaims): Scopes =>
  compact<Scopes>({
    actions: actions === 0 ? undefined : actions,
    models: models === 0 ? undefined : models,
    owners: owners === 0 ? undefined : owners,
  });

/** Only for keys whose proof holds: then nobody but this deployment wrote it. Undefined where it is of a version not known here. */
export const readClaims = ({ id, claims: text = "" }: ParsedKey): SelfProvingRecord | undefined => {
  const bytes = decodeBase62(text);
  if (bytes === undefined) return undefined;
  let claims: Claims;
  try {
    claims = JSON.parse(Buffer.from(bytes).toString()) as Claims;
  } catch {
    return undefined;
  }
  if (claims[0] !== version) return undefined;
  const [, name, tenant, owner, user, roles, expires, notBefore, scopes] = claims;
  return compact<SelfProvingRecord>({
    id,
    name,
    tenant,
    owner,
    user: user === 0 ? undefined : user,
    roles,
    selfProving: true,
    expiresAt: expires === 0 ? undefined : expires * 1_000,
    notBefore: notBefore === 0 ? undefined : notBefore * 1_000,
    scopes: scopes === 0 ? undefined : scopesOf(scopes),
  });
};
