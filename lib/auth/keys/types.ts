// Keys that are made while the gateway runs: what is kept of one, and what can be done with them.
import type { Caller, OwnLimits, Scopes } from "../caller.ts";

/** Times are Unix milliseconds. The key itself is nowhere in it, nor its hash. */
export type KeyRecord = {
  /** 16 letters and digits. What the ledger, limits and logs know the key by: `Caller.key`. */
  id: string;
  name: string;
  tenant: string;
  owner: string;
  /** Who spends; the owner where it is absent. */
  user?: string;
  roles: readonly string[];
  everywhere?: boolean;
  scopes?: Scopes;
  limits?: OwnLimits;
  /** The key holds its own rights and is admitted without a read: it can be revoked and rotated, but not changed. */
  selfProving?: boolean;
  createdAt: number;
  /** The id of the key that made it, or the name of a caller that has none. */
  createdBy: string;
  notBefore?: number;
  expiresAt?: number;
  /** From then on it is refused; may lie ahead. */
  revokedAt?: number;
  /** The id of the key that took its place, and of the one whose place it took. */
  replacedBy?: string;
  rotatedFrom?: string;
  /** The beginning of the hour of its last use; not kept of keys that prove themselves. */
  lastUsedAt?: number;
};

export type NewKey = {
  name: string;
  /** Default: the creator's. */
  tenant?: string;
  /** Default: the key's name. */
  owner?: string;
  user?: string;
  /** Default: `member`. */
  roles?: readonly string[];
  everywhere?: boolean;
  scopes?: Scopes;
  /** Not for keys that prove themselves. */
  limits?: OwnLimits;
  selfProving?: boolean;
  notBefore?: number;
  /** Default: none; 90 days for keys that prove themselves. */
  expiresAt?: number;
};

/** null takes away what was there; absent leaves it. */
export type KeyChange = {
  name?: string;
  roles?: readonly string[];
  scopes?: Scopes | null;
  limits?: OwnLimits | null;
  expiresAt?: number | null;
};

/** `key` is told this once and kept nowhere. */
export type CreatedKey = { key: string; record: KeyRecord };

type KeyPage = {
  keys: readonly KeyRecord[];
  /** Absent at the end. */
  next?: string;
};

/** What a key that is to be given has more than who gives it; `param` is the field at fault. */
export type Excess = { param: string; message: string };

/**
 * Every method is for `by`, and reaches the keys of its tenant alone (of all tenants where it is `everywhere`): others are
 * `not_found`. Whether `by` may read or write keys at all is asked before (`keys:read`, `keys:write`). A key with more rights than
 * `by` can be neither made, nor changed, nor rotated by it: `permission`. Fields that can't be are `invalid_request`; an outage throws
 * `storage`.
 */
export interface KeyStore {
  create(by: Caller, wanted: NewKey): Promise<CreatedKey>;
  get(by: Caller, id: string): Promise<KeyRecord>;
  /** Newest first, revoked and expired ones too. `tenant`: default, one's own. `limit`: 1 to 100, default 50. */
  list(by: Caller, options?: { tenant?: string; limit?: number; cursor?: string }): Promise<KeyPage>;
  /** Refused (`conflict`) for keys that prove themselves or that are revoked. */
  update(by: Caller, id: string, change: KeyChange): Promise<KeyRecord>;
  /** At once, or at `at`. What was revoked before stays so, at the earlier time of both. */
  revoke(by: Caller, id: string, at?: number): Promise<KeyRecord>;
  /** A new key with the same rights; the old one is good for `overlapSeconds` more (default 86,400), then it expires. */
  rotate(by: Caller, id: string, options?: { overlapSeconds?: number }): Promise<CreatedKey>;
}
