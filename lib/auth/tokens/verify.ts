// Verifies one token with jose. Loaded at the first token.
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from "jose";
import type { IssuerConfig } from "../../config-types.ts";
import { GatewayError } from "../../model/error.ts";
import type { Caller } from "../caller.ts";
import { callerOfClaims, checkRequired } from "./claims.ts";
import { createIssuerKeys, type FetchDocument } from "./issuer-keys.ts";
import { refusedToken } from "./refusal.ts";

export type Verified = {
  caller: Caller;
  /** Unix milliseconds from which it has to be looked at again. */
  until: number;
};

type Header = ReturnType<typeof decodeProtectedHeader>;

/** Both are unverified: they say which issuer's keys to ask, no more. */
const opened = (token: string): { header: Header; claimed: JWTPayload } => {
  try {
    return { header: decodeProtectedHeader(token), claimed: decodeJwt(token) };
  } catch {
    throw refusedToken("is not a well-formed JWT");
  }
};

const plainType = (type: string): string => type.toLowerCase().replace(/^application\//, "");
/** Where nothing is configured, tokens made for something else (`logout+jwt`, `dpop+jwt`) are none. */
const usualTypes: ReadonlySet<string> = new Set(["jwt", "at+jwt"]);

const checkHeader = ({ alg, typ, crit }: Header, { algorithms, type }: IssuerConfig): void => {
  if (crit !== undefined) throw refusedToken("needs an extension (crit) that is not known here");
  if (typeof alg !== "string" || !algorithms.includes(alg))
    throw refusedToken("is signed with an algorithm that is not allowed here");
  const given = typeof typ === "string" ? plainType(typ) : undefined;
  const fits = type === undefined ? given === undefined || usualTypes.has(given) : given === plainType(type);
  if (!fits) throw refusedToken("is of another type than is asked for here");
};

const wrongClaims: Readonly<Record<string, string>> = {
  exp: "has no usable time of expiry",
  nbf: "is not valid yet",
  iat: "has no usable time of issue, or one in the future",
};

/** jose's own words may quote a claim. */
const inOurWords = (thrown: unknown): GatewayError => {
  if (thrown instanceof errors.JWTExpired) return refusedToken(thrown.claim === "iat" ? "is too old" : "has expired");
  if (thrown instanceof errors.JWTClaimValidationFailed)
    return refusedToken(wrongClaims[thrown.claim] ?? "has a claim that is not valid here");
  if (thrown instanceof errors.JWKSNoMatchingKey || thrown instanceof errors.JWKSMultipleMatchingKeys)
    return refusedToken("is not signed with a known key of its issuer");
  if (thrown instanceof errors.JWSSignatureVerificationFailed) return refusedToken("has a signature that is not valid");
  // Also what the platform says of a key that is broken, too weak, or can't serve the algorithm: whatever it is, nothing was verified.
  return thrown instanceof GatewayError ? thrown : refusedToken("can't be verified with its issuer's keys");
};

/** Gives who the token speaks for. Rejects `authentication`, or `overloaded` where the issuer's keys can't be had. */
export const createVerify = (
  issuers: readonly IssuerConfig[],
  deps: { fetch: FetchDocument; now: () => number },
): ((token: string) => Promise<Verified>) => {
  const { hash } = process.getBuiltinModule("node:crypto");
  const known = new Map(
    issuers.map((entry) => [
      entry.issuer,
      {
        entry,
        id: hash("sha256", entry.issuer, "hex").slice(0, 12),
        keys: createIssuerKeys(entry, deps, (published) => createLocalJWKSet(published)),
      },
    ]),
  );

  return async (token) => {
    const { header, claimed } = opened(token);
    const found = typeof claimed.iss === "string" ? known.get(claimed.iss) : undefined;
    if (found === undefined) throw refusedToken("is of an issuer that is not known here");
    const { entry, id, keys } = found;
    checkHeader(header, entry);

    const now = deps.now();
    const claimsWith = async (resolver: ReturnType<typeof createLocalJWKSet>): Promise<JWTPayload> => {
      const { payload } = await jwtVerify(token, resolver, {
        issuer: entry.issuer,
        algorithms: [...entry.algorithms],
        clockTolerance: entry.clockSkewSeconds,
        currentDate: new Date(now),
        requiredClaims: ["exp"],
        ...(entry.maxTokenAgeSeconds === undefined ? {} : { maxTokenAge: entry.maxTokenAgeSeconds }),
      });
      return payload;
    };
    const verified = async (): Promise<JWTPayload> => {
      const current = await keys.current();
      try {
        return await claimsWith(current);
      } catch (thrown) {
        const newer = thrown instanceof errors.JWKSNoMatchingKey ? await keys.newerThan(current) : undefined;
        if (newer === undefined) throw thrown;
        return claimsWith(newer);
      }
    };

    const payload = await verified().catch((thrown: unknown) => {
      throw inOurWords(thrown);
    });
    // jose looks at it only where an age is asked for.
    const { iat, exp = 0 } = payload;
    if (iat !== undefined && iat > now / 1_000 + entry.clockSkewSeconds) throw refusedToken("was issued in the future");
    checkRequired(payload, entry);
    const ends = [
      exp,
      iat !== undefined && entry.maxTokenAgeSeconds !== undefined ? iat + entry.maxTokenAgeSeconds : exp,
    ];
    return { caller: callerOfClaims(payload, entry, id), until: Math.min(...ends) * 1_000 };
  };
};
