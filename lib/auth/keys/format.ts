// What a key looks like: `hdl_<environment>_<id>_<secret><checksum>`. The checksum is a keyed hash of all that stands before it, so
// that a key tells by itself that this deployment made it; what doesn't is refused without a look at the store.
import type { HeddleConfig } from "../../config-types.ts";
import { encodeBase62, lettersOfHash } from "./base62.ts";
import { randomLetters } from "../../model/id.ts";
import type { Peppers } from "./peppers.ts";

const idLength = 16;
const secretLength = 32;
const checksumLength = 12;
/** Bytes of the claims of a key that proves itself. */
export const mostClaimBytes = 384;
/** Longer ones are not looked at. */
const mostLength = 700;
/** The first letter of the id of a key that proves itself; no other id begins with it. */
const marker = "0";

const environments = { development: "dev", staging: "stg", production: "live" } as const;
export type KeyEnvironment = (typeof environments)[HeddleConfig["environment"]];
export const keyEnvironment = (environment: HeddleConfig["environment"]): KeyEnvironment => environments[environment];

const pattern = /^hdl_(dev|stg|live)_([A-Za-z0-9]{16,560})_([A-Za-z0-9]{32})([A-Za-z0-9]{12})$/;

export type ParsedKey = {
  /** All of it. */
  text: string;
  environment: string;
  id: string;
  /** In a key that proves itself: base62. */
  claims?: string;
  secret: string;
  checksum: string;
};

export const looksLikeKey = (text: string): boolean => text.startsWith("hdl_");

/** By its shape alone; undefined where it has another. */
export const parseKey = (text: string): ParsedKey | undefined => {
  if (text.length > mostLength) return undefined;
  const [, environment = "", whole = "", secret = "", checksum = ""] = pattern.exec(text) ?? [];
  if (whole === "") return undefined;
  const id = whole.slice(0, idLength);
  const proves = whole.startsWith(marker);
  if (proves !== whole.length > idLength) return undefined;
  return { text, environment, id, secret, checksum, ...(proves ? { claims: whole.slice(idLength) } : {}) };
};

const keyed = (pepper: Buffer, text: string): Buffer =>
  process.getBuiltinModule("node:crypto").createHmac("sha256", pepper).update(text).digest();

/** In constant time for texts of one length; those of a key have one. */
const same = (a: string, b: string): boolean => {
  const [one, other] = [Buffer.from(a, "latin1"), Buffer.from(b, "latin1")];
  return one.length === other.length && process.getBuiltinModule("node:crypto").timingSafeEqual(one, other);
};

/** The other uses of the pepper begin with a word of their own, as no key does. */
const proofOf = (pepper: Buffer, environment: string, whole: string): string =>
  lettersOfHash(keyed(pepper, `proof:${environment}_${whole}`), secretLength);
const checksumOf = (pepper: Buffer, before: string): string => lettersOfHash(keyed(pepper, before), checksumLength);

/** The pepper that made it; undefined where none did. Reads nothing. */
export const provenBy = (key: ParsedKey, peppers: Peppers): Buffer | undefined => {
  const before = key.text.slice(0, -checksumLength);
  const pepper = peppers.find((each) => same(key.checksum, checksumOf(each, before)));
  if (pepper === undefined || key.claims === undefined) return pepper;
  // Here the secret is a keyed hash too: twelve letters alone must not stand for rights that nothing else is asked about.
  return same(key.secret, proofOf(pepper, key.environment, key.id + key.claims)) ? pepper : undefined;
};

/** What is stored of a key, by which its whole text is known again. */
export const hashOfKey = (pepper: Buffer, text: string): string =>
  keyed(pepper, `stored:${text}`).toString("base64url");
export const hashMatches = (stored: string, pepper: Buffer, text: string): boolean =>
  same(stored, hashOfKey(pepper, text));

const sealed = (pepper: Buffer, before: string): string => before + checksumOf(pepper, before);

export const makeKey = (pepper: Buffer, environment: KeyEnvironment): { key: string; id: string } => {
  let id = randomLetters(idLength);
  while (id.startsWith(marker)) id = randomLetters(idLength);
  return { id, key: sealed(pepper, `hdl_${environment}_${id}_${randomLetters(secretLength)}`) };
};

/** `claims`: at most `mostClaimBytes`. */
export const makeSelfProvingKey = (
  pepper: Buffer,
  environment: KeyEnvironment,
  claims: Uint8Array,
): { key: string; id: string } => {
  const id = marker + randomLetters(idLength - 1);
  const whole = id + encodeBase62(claims);
  return { id, key: sealed(pepper, `hdl_${environment}_${whole}_${proofOf(pepper, environment, whole)}`) };
};
