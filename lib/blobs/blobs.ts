// The port for large bodies and attachments: bytes by the hash of their content, written before the item that names them.
import { GatewayError } from "../model/error.ts";

/**
 * `scope` begins with the tenant, and may go on after a `/`: what lies in one scope is in no other. An outage throws a
 * `GatewayError` with the code `storage`; bytes that no longer match their hash are one.
 */
export interface Blobs {
  /** The SHA-256 of the bytes, in hex. Putting the same again changes nothing. The bytes last when this returns. */
  put(scope: string, bytes: Uint8Array): Promise<string>;
  /** Undefined where there is none. */
  get(scope: string, hash: string): Promise<Uint8Array | undefined>;
  /** Deleting what isn't there is no failure. */
  delete(scope: string, hash: string): Promise<void>;
}

/** A scope's parts; throws for one that could reach out of its place. */
export const partsOf = (scope: string): string[] => {
  const parts = scope.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    throw new GatewayError("internal", "A blob's scope has an empty or a relative part.");
  return parts;
};

/** A hash comes from stored data; what isn't one never becomes part of a path. */
export const checkHash = (hash: string): string => {
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new GatewayError("internal", "A blob's name is not a SHA-256 in hex.");
  return hash;
};

/** The name in a store of objects: the same characters on every service, with a part for each of the scope's. */
export const objectName = (prefix: string, scope: string, hash: string): string =>
  prefix + [...partsOf(scope).map(encodeURIComponent), checkHash(hash)].join("/");
