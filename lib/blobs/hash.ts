// The hash that names a blob, and the check of what comes back under it.
import { createHash } from "node:crypto";
import { GatewayError } from "../model/error.ts";

export const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** The bytes, if they are those that were put. */
export const intact = (bytes: Uint8Array, hash: string): Uint8Array => {
  if (hashOf(bytes) !== hash) throw new GatewayError("storage", "A stored blob is damaged.", { retryable: false });
  return bytes;
};
