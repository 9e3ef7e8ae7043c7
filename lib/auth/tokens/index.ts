// JWTs of configured issuers as credentials. What was verified is remembered for a moment by its hash, so that a caller's next call
// costs a hash and no signature: 0.002 to 0.003 ms, where verifying takes 0.15 (EdDSA, ES256) to 0.2 ms (RS256) of CPU (tokens of
// 1.1 to 1.4 kB, two cores).
import type { IssuerConfig } from "../../config-types.ts";
import type { Caller } from "../caller.ts";
import type { FetchDocument } from "./issuer-keys.ts";
import { refusedToken } from "./refusal.ts";
import type { Verified } from "./verify.ts";

export type { FetchDocument } from "./issuer-keys.ts";

export type TokenDeps = {
  fetch: FetchDocument;
  /** Unix milliseconds. */
  now: () => number;
};

/**
 * Undefined: there is no credential, or it is no token and others may know it. Throws or rejects `authentication` (401) where it is one that is not
 * good here, `overloaded` (503) where its issuer's keys can't be had.
 */
export type TokenVerifier = (credential: string | undefined) => Caller | Promise<Caller> | undefined;

/** Characters; the tokens of a person in hundreds of groups stay below half of it. */
const maxLength = 16_384;
/** Milliseconds that a verified token is taken at its word: what its issuer withdraws meanwhile is known no earlier anyway. */
const rememberedMs = 60_000;
const rememberedCount = 1_000;

export const createTokenVerifier = (issuers: readonly IssuerConfig[], deps: TokenDeps): TokenVerifier => {
  if (issuers.length === 0) return () => undefined;
  const { hash } = process.getBuiltinModule("node:crypto");
  /** By the token's hash: a token itself is kept nowhere. */
  const remembered = new Map<string, Verified>();
  let loading: Promise<(token: string) => Promise<Verified>> | undefined;

  const verify = async (token: string, digest: string): Promise<Caller> => {
    loading ??= import("./verify.ts").then(({ createVerify }) => createVerify(issuers, deps));
    const { caller, until } = await (await loading)(token);
    remembered.delete(digest);
    remembered.set(digest, { caller, until: Math.min(until, deps.now() + rememberedMs) });
    for (const oldest of remembered.keys()) {
      if (remembered.size <= rememberedCount) break;
      remembered.delete(oldest);
    }
    return caller;
  };

  return (credential) => {
    // A header in JSON, encoded, begins so.
    if (credential?.startsWith("eyJ") !== true || !credential.includes(".")) return undefined;
    if (credential.length > maxLength) throw refusedToken(`is longer than ${maxLength} characters`);
    const parts = credential.split(".").length;
    if (parts === 5) throw refusedToken("is encrypted: only signed ones are taken");
    if (parts !== 3) throw refusedToken("is not a well-formed JWT");
    const digest = hash("sha256", credential, "base64");
    const known = remembered.get(digest);
    return known !== undefined && known.until > deps.now() ? known.caller : verify(credential, digest);
  };
};
