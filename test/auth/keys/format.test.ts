// The form of keys: what can be told of one without any store.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBase62, encodeBase62 } from "../../../lib/auth/keys/base62.ts";
import { randomLetters } from "../../../lib/model/id.ts";
import { encodeClaims, readClaims } from "../../../lib/auth/keys/claims.ts";
import {
  hashMatches,
  hashOfKey,
  looksLikeKey,
  makeKey,
  makeSelfProvingKey,
  mostClaimBytes,
  parseKey,
  provenBy,
} from "../../../lib/auth/keys/format.ts";
import { idLetters } from "../../../lib/model/id.ts";

const pepper = Buffer.from("a-fake-pepper-of-forty-characters-000001");
const other = Buffer.from("a-fake-pepper-of-forty-characters-000002");
const letters = fc.constantFrom(...idLetters.split(""));
const someKey = fc.constantFrom("dev", "stg", "live").map((environment) => makeKey(pepper, environment));

const proven = (text: string, peppers = [pepper]): boolean => {
  const key = parseKey(text);
  return key !== undefined && provenBy(key, peppers) !== undefined;
};

describe("base62", () => {
  test("every sequence of bytes comes back, and has one text", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = encodeBase62(bytes);
        expect(text).toMatch(/^[A-Za-z0-9]*$/);
        expect(decodeBase62(text)).toEqual(new Uint8Array(bytes));
      }),
    );
  });

  test("a text that is decoded is the text of its bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: letters, maxLength: 60 }), (text) => {
        const bytes = decodeBase62(text);
        if (bytes !== undefined) expect(encodeBase62(bytes)).toBe(text);
      }),
    );
    expect(decodeBase62("AB-D")).toBeUndefined();
  });

  test("random letters are of the length that was asked for", () => {
    for (const length of [0, 1, 16, 100]) expect(randomLetters(length)).toMatch(new RegExp(`^[A-Za-z0-9]{${length}}$`));
  });
});

describe("keys", () => {
  test("what is made can be read, and is proven by its pepper alone", () => {
    fc.assert(
      fc.property(someKey, ({ key, id }) => {
        expect(looksLikeKey(key)).toBe(true);
        expect(parseKey(key)).toMatchObject({ id, text: key });
        expect(proven(key)).toBe(true);
        expect(proven(key, [other])).toBe(false);
        expect(proven(key, [other, pepper])).toBe(true);
        const stored = hashOfKey(pepper, key);
        expect(stored).not.toContain(key.slice(-20));
        expect(hashMatches(stored, pepper, key)).toBe(true);
        expect(hashMatches(stored, other, key)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  test("a key with any letter changed is not proven", () => {
    fc.assert(
      fc.property(someKey, fc.nat(), letters, ({ key }, place, letter) => {
        const at = place % key.length;
        const changed = key.slice(0, at) + letter + key.slice(at + 1);
        expect(proven(changed)).toBe(changed === key);
      }),
      { numRuns: 500 },
    );
  });

  test("what is cut, longer, or in parts of two keys is not proven", () => {
    fc.assert(
      fc.property(someKey, someKey, fc.nat(), (one, two, place) => {
        const at = 1 + (place % (one.key.length - 2));
        expect(proven(one.key.slice(0, at))).toBe(false);
        expect(proven(one.key.slice(at))).toBe(false);
        expect(proven(`${one.key}a`)).toBe(false);
        if (at > 9) expect(proven(one.key.slice(0, at) + two.key.slice(at))).toBe(one.key === two.key);
      }),
    );
  });

  test.each([
    "",
    "hdl_",
    "hdl_live__",
    `hdl_prod_${"a".repeat(16)}_${"b".repeat(44)}`,
    `hdl_live_${"a".repeat(15)}_${"b".repeat(44)}`,
    `hdl_live_${"a".repeat(17)}_${"b".repeat(44)}`,
    `hdl_live_0${"a".repeat(15)}_${"b".repeat(44)}`,
    `hdl_live_${"a".repeat(16)}_${"b".repeat(43)}`,
    `hdl_live_${"a".repeat(16)}_${"b".repeat(43)}\n`,
    `hdl_live_${"a".repeat(16)}_${"b".repeat(43)}é`,
    ` hdl_live_${"a".repeat(16)}_${"b".repeat(44)}`,
    `hdl_live_0${"a".repeat(10_000_000)}_${"b".repeat(44)}`,
  ])("%# has not the shape of a key", (text) => expect(parseKey(text)).toBeUndefined());
});

describe("keys that prove themselves", () => {
  const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
  const names = fc.array(text, { maxLength: 3 });
  const record = fc.record(
    {
      name: text,
      tenant: text,
      owner: text,
      user: text,
      roles: names,
      expiresAt: fc.integer({ min: 1, max: 4_000_000_000 }).map((seconds) => seconds * 1_000),
      notBefore: fc.integer({ min: 1, max: 4_000_000_000 }).map((seconds) => seconds * 1_000),
      scopes: fc.record(
        { actions: names, models: names, owners: fc.oneof(names, fc.constant("*" as const)) },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ["name", "tenant", "owner", "roles"] },
  );

  test("what they hold comes back, and they fit into their bounds", () => {
    fc.assert(
      fc.property(record, (claims) => {
        const bytes = encodeClaims(claims);
        fc.pre(bytes.length <= mostClaimBytes);
        const { key, id } = makeSelfProvingKey(pepper, "stg", bytes);
        const parsed = parseKey(key);
        if (parsed === undefined) throw new Error("it is no key");
        expect(provenBy(parsed, [pepper])).toBe(pepper);
        expect(provenBy(parsed, [other])).toBeUndefined();
        expect(readClaims(parsed)).toEqual({ ...claims, id, selfProving: true });
      }),
      { numRuns: 200 },
    );
  });

  test("the longest claims make a key that is read", () => {
    expect(proven(makeSelfProvingKey(pepper, "live", new Uint8Array(mostClaimBytes)).key)).toBe(true);
  });

  test("the checksum alone does not prove them: the secret is a keyed hash of the claims", () => {
    const claims = encodeClaims({ name: "n", tenant: "t", owner: "o", roles: ["admin"] });
    const { key } = makeSelfProvingKey(pepper, "live", claims);
    const parsed = parseKey(key);
    if (parsed === undefined) throw new Error("it is no key");
    // As if the checksum had been guessed for another secret.
    const { createHmac } = process.getBuiltinModule("node:crypto");
    const before = key.slice(0, -44) + "A".repeat(32);
    const digest = createHmac("sha256", pepper).update(before).digest();
    const checksum = [...digest.subarray(0, 12)].map((byte) => idLetters[byte % 62]).join("");
    const forged = parseKey(before + checksum);
    if (forged === undefined) throw new Error("it is no key");
    expect(provenBy(forged, [pepper])).toBeUndefined();
  });
});
