// Tokens of configured issuers: who gets in, and every known way of getting in that must not work.
import { CompactEncrypt, exportSPKI, SignJWT } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { createTokenVerifier, type FetchDocument } from "../../../lib/auth/tokens/index.ts";
import type { IssuerConfig } from "../../../lib/config-types.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import { audience, signed, signingKey, type SigningKey } from "../../support/issuer.ts";

const iss = "https://issuer.example";
const start = Date.parse("2026-06-01T12:00:00Z");
const seconds = start / 1_000;

let ec: SigningKey;
let rsa: SigningKey;
let ed: SigningKey;
let stranger: SigningKey;
beforeAll(async () => {
  [ec, rsa, ed, stranger] = await Promise.all([
    signingKey("ec"),
    signingKey("rsa", "RS256"),
    signingKey("ed", "EdDSA"),
    signingKey("ec"),
  ]);
});

const entry = (change: Partial<IssuerConfig> = {}): IssuerConfig => ({
  issuer: iss,
  audience: [audience],
  audienceClaim: "aud",
  algorithms: ["RS256", "ES256", "EdDSA"],
  requiredClaims: {},
  clockSkewSeconds: 60,
  claims: {},
  roles: { "Heddle.Admin": ["admin"], writer: ["member", "viewer"] },
  defaultRoles: [],
  ...change,
});

const setup = (change: Partial<IssuerConfig> = {}) => {
  const world = {
    now: start,
    published: (): unknown => ({ keys: [ec.jwk, rsa.jwk, ed.jwk] }),
    status: 200,
    /** Every URL that was asked. */
    asked: [] as string[],
    discovered: { issuer: iss, jwks_uri: `${iss}/keys` } as unknown,
  };
  const fetch: FetchDocument = (url) => {
    world.asked.push(url);
    const body = url.endsWith("/.well-known/openid-configuration") ? world.discovered : world.published();
    return Promise.resolve({ status: world.status, text: JSON.stringify(body) });
  };
  const verify = createTokenVerifier([entry(change)], { fetch, now: () => world.now });
  return { world, verify };
};

const claims = (change: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss,
  aud: audience,
  sub: "ada",
  iat: seconds - 10,
  exp: seconds + 600,
  roles: ["writer"],
  ...change,
});

/** What it is refused with; fails where it is let in. */
const refusal = async (verify: ReturnType<typeof setup>["verify"], token: string): Promise<GatewayError> => {
  try {
    await verify(token);
  } catch (error) {
    if (error instanceof GatewayError) {
      expect(error.message).not.toContain(token.slice(0, 12));
      return error;
    }
    throw error;
  }
  throw new Error("it was let in");
};

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("who gets in", () => {
  test("RSA, elliptic curves and Edwards curves, each with a key of its own kind", async () => {
    const { verify } = setup();
    for (const key of [ec, rsa, ed])
      expect(await verify(await signed(key, claims()))).toMatchObject({
        name: "ada",
        open: false,
        tenant: "default",
        owner: "ada",
        user: "ada",
        key: expect.stringMatching(/^jwt:[0-9a-f]{12}:ada$/) as string,
        roles: ["member", "viewer"],
      });
  });

  test("claims say tenant, user, owner, roles and name: by exact names that hold dots, or by paths", async () => {
    const { verify } = setup({
      claims: {
        tenant: "https://example.com/tenant",
        user: "user.id",
        owner: "team",
        roles: "realm.roles",
        name: "email",
      },
      scopes: { models: ["echo/*"] },
      limits: { requestsPerMinute: 5 },
    });
    const token = await signed(
      ec,
      claims({
        "https://example.com/tenant": "acme",
        user: { id: 42 },
        team: "red",
        realm: { roles: ["Heddle.Admin", "unheard-of"] },
        email: "ada@acme.example",
      }),
    );
    expect(await verify(token)).toMatchObject({
      tenant: "acme",
      user: "42",
      owner: "red",
      name: "ada@acme.example",
      roles: ["admin"],
      scopes: { models: ["echo/*"] },
      limits: { requestsPerMinute: 5 },
    });
  });

  test("an object id comes before the subject, groups and scopes stand for roles", async () => {
    const { verify } = setup();
    expect(await verify(await signed(ec, claims({ oid: "object-1" })))).toMatchObject({ user: "object-1" });
    const groups = claims({ roles: undefined, "cognito:groups": ["Heddle.Admin"] });
    expect(await verify(await signed(ec, groups))).toMatchObject({ roles: ["admin"] });
    expect(await verify(await signed(ec, claims({ roles: undefined, scp: "openid writer" })))).toMatchObject({
      roles: ["member", "viewer"],
    });
  });

  test("a role that only the token knows is none; defaults are for those without one", async () => {
    const token = await signed(ec, claims({ roles: ["admin", "operator", "__proto__", "constructor"] }));
    expect(await setup().verify(token)).toMatchObject({ roles: [] });
    expect(await setup({ defaultRoles: ["viewer"] }).verify(token)).toMatchObject({ roles: ["viewer"] });
  });

  test("an audience among several, on both sides, and in a claim of another name", async () => {
    const { verify } = setup({ audience: ["other", audience] });
    expect(await verify(await signed(ec, claims({ aud: ["x", audience] })))).toMatchObject({ user: "ada" });
    const cognito = setup({
      audience: ["client-1"],
      audienceClaim: "client_id",
      requiredClaims: { token_use: "access" },
    });
    const access = claims({ aud: undefined, client_id: "client-1", token_use: "access" });
    expect(await cognito.verify(await signed(ec, access))).toMatchObject({ user: "ada" });
    expect((await refusal(cognito.verify, await signed(ec, { ...access, token_use: "id" }))).message).toContain(
      "'token_use'",
    );
    expect((await refusal(cognito.verify, await signed(ec, { ...access, client_id: "client-2" }))).message).toContain(
      "audience",
    );
  });

  test("what is no token is left to others", () => {
    const { verify, world } = setup();
    for (const other of ["sk-canary", "hdl_live_abc", "eyJ-without-dots", "a.b.c", ""])
      expect(verify(other)).toBeUndefined();
    expect(createTokenVerifier([], { fetch: () => Promise.reject(new Error("no")), now: () => 0 })("eyJ.a.b")).toBe(
      undefined,
    );
    expect(world.asked).toEqual([]);
  });
});

describe("who does not", () => {
  const claimsOf: Record<string, [Record<string, unknown>, string]> = {
    "of another issuer": [{ iss: "https://evil.example" }, "an issuer that is not known"],
    "of an issuer that only begins the same": [{ iss: `${iss}/` }, "an issuer that is not known"],
    "without an issuer": [{ iss: undefined }, "an issuer that is not known"],
    "for another audience": [{ aud: "api://other" }, "another audience"],
    "for no audience": [{ aud: undefined }, "another audience"],
    "for an audience that only begins the same": [{ aud: `${audience}x` }, "another audience"],
    expired: [{ exp: seconds - 61 }, "has expired"],
    "without expiry": [{ exp: undefined }, "time of expiry"],
    "with expiry in words": [{ exp: "tomorrow" }, "time of expiry"],
    "not valid yet": [{ nbf: seconds + 61 }, "not valid yet"],
    "issued in the future": [{ iat: seconds + 61 }, "in the future"],
    "without a subject": [{ sub: undefined }, "'sub'"],
    "with an empty subject": [{ sub: " " }, "'sub'"],
    "with a subject that would break a line": [{ sub: "ada\nadmin" }, "'sub'"],
    "with a huge subject": [{ sub: "a".repeat(300) }, "'sub'"],
  };
  test.each(Object.entries(claimsOf))("one that is %s", async (_name, [change, words]) => {
    const { verify } = setup();
    const error = await refusal(verify, await signed(ec, claims(change)));
    expect(error).toMatchObject({ code: "authentication", status: 401 });
    expect(error.details.headers).toEqual({ "www-authenticate": 'Bearer error="invalid_token"' });
    expect(error.message).toContain(words);
    expect(error.message).not.toContain("evil");
  });

  test("within the skew all of these are let in", async () => {
    const { verify } = setup();
    for (const change of [{ exp: seconds - 59 }, { nbf: seconds + 59 }, { iat: seconds + 59 }])
      expect(await verify(await signed(ec, claims(change)))).toMatchObject({ user: "ada" });
  });

  test("one that is too old, or does not say how old it is", async () => {
    const { verify } = setup({ maxTokenAgeSeconds: 300 });
    expect(await verify(await signed(ec, claims({ iat: seconds - 300 })))).toMatchObject({ user: "ada" });
    expect((await refusal(verify, await signed(ec, claims({ iat: seconds - 400 })))).message).toContain("too old");
    expect((await refusal(verify, await signed(ec, claims({ iat: undefined })))).message).toContain("time of issue");
  });

  test("one whose mapped claim is missing: never another tenant instead", async () => {
    const { verify } = setup({ claims: { tenant: "org.id", user: "uid", owner: "team" } });
    const whole = { org: { id: "acme" }, uid: "u", team: "red" };
    expect(await verify(await signed(ec, claims(whole)))).toMatchObject({ tenant: "acme" });
    for (const [change, path] of [
      [{ org: undefined }, "org.id"],
      [{ org: { id: "" } }, "org.id"],
      [{ org: { id: ["acme"] } }, "org.id"],
      [{ org: "acme" }, "org.id"],
      [{ uid: null }, "uid"],
      [{ team: {} }, "team"],
    ] as const)
      expect((await refusal(verify, await signed(ec, claims({ ...whole, ...change })))).message).toContain(`'${path}'`);
  });

  test("one without the claims that are asked for", async () => {
    const { verify } = setup({ requiredClaims: { hd: ["a.example", "b.example"], email_verified: true, jti: "*" } });
    const whole = { hd: "b.example", email_verified: true, jti: "1" };
    expect(await verify(await signed(ec, claims(whole)))).toMatchObject({ user: "ada" });
    for (const [name, value] of [
      ["hd", "c.example"],
      ["hd", undefined],
      ["email_verified", "true"],
      ["email_verified", false],
      ["jti", undefined],
      ["jti", ""],
    ] as const)
      expect((await refusal(verify, await signed(ec, claims({ ...whole, [name]: value })))).message).toContain(
        `'${name}'`,
      );
  });

  test("an unsigned one, in any spelling of none", async () => {
    const { verify } = setup();
    for (const alg of ["none", "None", "NONE", "nOnE", ""])
      for (const signature of ["", "x"]) {
        const token = `${encoded({ alg, typ: "JWT", kid: "ec" })}.${encoded(claims())}.${signature}`;
        expect((await refusal(verify, token)).message).toContain("algorithm");
      }
    expect((await refusal(verify, `${encoded({ typ: "JWT" })}.${encoded(claims())}.`)).status).toBe(401);
  });

  test("one signed with the public key as a shared secret (HS256), even where an operator's file would allow it", async () => {
    const pem = await exportSPKI(rsa.pair.publicKey);
    const forms = [pem, pem.trim(), JSON.stringify(rsa.jwk), String(rsa.jwk["n"])];
    for (const algorithms of [
      ["RS256", "ES256"],
      ["HS256", "RS256"],
    ]) {
      const { verify, world } = setup({ algorithms });
      // Not even a secret that the issuer publishes by mistake is one.
      const oct = {
        kty: "oct",
        kid: "shared",
        k: Buffer.from("canary-shared-secret-of-the-issuer").toString("base64url"),
      };
      world.published = () => ({ keys: [rsa.jwk, oct] });
      for (const secret of forms)
        for (const kid of ["rsa", undefined]) {
          const token = await new SignJWT(claims())
            .setProtectedHeader({ alg: "HS256", ...(kid === undefined ? {} : { kid }) })
            .sign(Buffer.from(secret.padEnd(32, "x")));
          expect((await refusal(verify, token)).status).toBe(401);
        }
      const shared = await new SignJWT(claims())
        .setProtectedHeader({ alg: "HS256", kid: "shared" })
        .sign(Buffer.from("canary-shared-secret-of-the-issuer"));
      expect((await refusal(verify, shared)).status).toBe(401);
    }
  });

  test("one whose algorithm is not its key's", async () => {
    const { verify, world } = setup({ algorithms: ["RS256", "PS256", "ES256"] });
    for (const header of [
      { alg: "ES256", kid: "rsa" },
      { alg: "RS256", kid: "ec" },
      { alg: "PS256", kid: "rsa" },
    ])
      expect((await refusal(verify, `${encoded(header)}.${encoded(claims())}.AAAA`)).message).toContain("known key");
    // A key that says no algorithm still is of one kind.
    const { alg: _alg, ...plain } = rsa.jwk;
    world.published = () => ({ keys: [plain] });
    world.now += 60_000;
    const token = `${encoded({ alg: "ES256", kid: "rsa" })}.${encoded(claims())}.AAAA`;
    expect((await refusal(verify, token)).message).toContain("known key");
  });

  test("one with an algorithm that the issuer does not use here", async () => {
    const { verify } = setup({ algorithms: ["ES256"] });
    expect((await refusal(verify, await signed(rsa, claims()))).message).toContain("algorithm");
  });

  test("one signed by a stranger, or changed after signing", async () => {
    const { verify } = setup();
    expect((await refusal(verify, await signed(stranger, claims()))).message).toContain("signature");
    const [header = "", , signature = ""] = (await signed(ec, claims())).split(".");
    const changed = `${header}.${encoded(claims({ roles: ["Heddle.Admin"] }))}.${signature}`;
    expect((await refusal(verify, changed)).message).toContain("signature");
    expect((await refusal(verify, `${header}.${encoded(claims())}.`)).message).toContain("signature");
  });

  test("one that brings its own key (jwk, jku, x5c)", async () => {
    const { verify, world } = setup();
    const token = await new SignJWT(claims())
      .setProtectedHeader({
        alg: "ES256",
        kid: "mine",
        jwk: stranger.jwk,
        jku: "https://evil.example/keys",
        x5u: "https://evil.example/cert",
      })
      .sign(stranger.pair.privateKey);
    expect((await refusal(verify, token)).message).toContain("known key");
    expect(world.asked.join()).not.toContain("evil");
  });

  test("one of another type: logout tokens, and what is not the type that is configured", async () => {
    const { verify } = setup();
    for (const typ of ["logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE"])
      expect((await refusal(verify, await signed(ec, claims(), { typ }))).message).toContain("type");
    for (const typ of ["at+jwt", "application/at+jwt", "jwt"])
      expect(await verify(await signed(ec, claims(), { typ }))).toMatchObject({ user: "ada" });
    const strict = setup({ type: "at+jwt" });
    expect(await strict.verify(await signed(ec, claims(), { typ: "AT+JWT" }))).toMatchObject({ user: "ada" });
    expect((await refusal(strict.verify, await signed(ec, claims()))).message).toContain("type");
  });

  test("one that needs an extension", async () => {
    const { verify } = setup();
    for (const crit of [["exp"], ["b64"], [], "b64"]) {
      const [, payload = "", signature = ""] = (await signed(ec, claims())).split(".");
      const token = `${encoded({ alg: "ES256", kid: "ec", crit, b64: false })}.${payload}.${signature}`;
      expect((await refusal(verify, token)).message).toContain("crit");
    }
  });

  test("an encrypted one, a huge one, and what only looks like one: before any key is asked for", async () => {
    const { verify, world } = setup();
    const jwe = await new CompactEncrypt(Buffer.from("{}"))
      .setProtectedHeader({ alg: "RSA-OAEP-256", enc: "A256GCM" })
      .encrypt((await signingKey("enc", "RSA-OAEP-256")).pair.publicKey);
    expect((await refusal(verify, jwe)).message).toContain("encrypted");
    const huge = await signed(ec, claims({ pad: "x".repeat(16_384) }));
    expect((await refusal(verify, huge)).message).toContain("longer than 16384");
    for (const broken of [
      "eyJ.",
      "eyJ..",
      "eyJ.a.b",
      "eyJhbGciOiJFUzI1NiJ9.e30",
      "eyJhbGciOiJFUzI1NiJ9.W10.x",
      "eyJ.a.b.c",
    ])
      expect((await refusal(verify, broken)).status).toBe(401);
    expect(world.asked).toEqual([]);
  });
});

test("tokens that were changed anywhere are refused as such, never by a failure of ours", async () => {
  const { verify } = setup();
  const token = await signed(ec, claims());
  const signature = token.lastIndexOf(".");
  for (let at = 3; at < token.length; at += 7) {
    if (token[at] === ".") continue;
    for (const change of ["", "A", "_", "=", "é"]) {
      const changed = token.slice(0, at) + change + token.slice(at + 1);
      // The last characters of base64url may differ and mean the same bytes.
      if (changed === token || at > token.length - 3 || at === signature - 1) continue;
      expect((await refusal(verify, changed)).status).toBe(401);
    }
  }
});

describe("the issuer's keys", () => {
  test("are found by discovery once, and kept", async () => {
    const { verify, world } = setup();
    for (let at = 0; at < 5; at += 1) await verify(await signed(ec, claims({ jti: String(at) })));
    expect(world.asked).toEqual([`${iss}/.well-known/openid-configuration`, `${iss}/keys`]);
  });

  test("many first tokens at once ask for them once", async () => {
    const { verify, world } = setup({ jwksUri: `${iss}/k` });
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, at) => signed(ec, claims({ jti: String(at) }))));
    await Promise.all(tokens.map(async (token) => verify(token)));
    expect(world.asked).toEqual([`${iss}/k`]);
  });

  test("a flood of unknown key ids asks the endpoint once per pause", async () => {
    const { verify, world } = setup({ jwksUri: `${iss}/k` });
    for (let round = 0; round < 3; round += 1) {
      const tokens = await Promise.all(
        Array.from({ length: 50 }, (_, at) => signed(stranger, claims(), { kid: `unknown-${round}-${at}` })),
      );
      await Promise.all(tokens.map((token) => refusal(verify, token)));
      world.now += 31_000;
    }
    expect(world.asked).toHaveLength(3);
  });

  test("so does a flood while the endpoint is down and nothing is known", async () => {
    const { verify, world } = setup({ jwksUri: `${iss}/k` });
    world.status = 503;
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, at) => signed(ec, claims({ jti: String(at) }))));
    for (const token of tokens)
      expect(await refusal(verify, token)).toMatchObject({
        code: "overloaded",
        status: 503,
        details: { retryAfterMs: 5_000 },
      });
    expect(world.asked).toHaveLength(1);
    world.status = 200;
    world.now += 5_000;
    expect(await verify(tokens[0] ?? "")).toMatchObject({ user: "ada" });
  });

  test("a rotated key is picked up, and the old one is no longer taken", async () => {
    const { verify, world } = setup();
    const old = await signed(ec, claims());
    await verify(old);
    const next = await signingKey("next");
    world.published = () => ({ keys: [next.jwk] });
    world.now += 31_000;
    expect(await verify(await signed(next, claims()))).toMatchObject({ user: "ada" });
    expect((await refusal(verify, await signed(ec, claims({ jti: "again" })))).message).toContain("known key");
    // What was verified before is taken at its word for a minute, no longer.
    expect(await verify(old)).toMatchObject({ user: "ada" });
    world.now += 60_000;
    expect((await refusal(verify, old)).message).toContain("known key");
  });

  test("are used on for a day while the endpoint is down, and asked for once per pause", async () => {
    const { verify, world } = setup({ jwksUri: `${iss}/k` });
    let count = 0;
    const fresh = (): Promise<string> => {
      count += 1;
      return signed(ec, claims({ jti: String(count), exp: seconds + 200_000 }));
    };
    await verify(await fresh());
    world.status = 500;
    for (const hours of [0.5, 2, 23]) {
      world.now = start + hours * 3_600_000;
      expect(await verify(await fresh())).toMatchObject({ user: "ada" });
      expect(await verify(await fresh())).toMatchObject({ user: "ada" });
    }
    expect(world.asked).toHaveLength(4);
    world.now = start + 25 * 3_600_000;
    expect((await refusal(verify, await fresh())).code).toBe("overloaded");
    world.status = 200;
    world.now += 5_000;
    expect(await verify(await fresh())).toMatchObject({ user: "ada" });
  });

  test.each([
    ["a redirect", 302, {}],
    ["an error", 404, {}],
    ["no list", 200, { keys: "none" }],
    ["no object", 200, []],
  ])("%s is no answer", async (_name, status, body) => {
    const { verify, world } = setup({ jwksUri: `${iss}/k` });
    world.status = status;
    world.published = () => body;
    expect((await refusal(verify, await signed(ec, claims()))).code).toBe("overloaded");
  });

  test("broken, weak and foreign keys among them verify nothing, and are no reason to fail", async () => {
    const token = await signed(ec, claims());
    const weak = { kty: "RSA", n: "AQAB", e: "AQAB", kid: "rsa", alg: "RS256", use: "sig" };
    const broken: unknown[] = [
      null,
      "key",
      {},
      { kty: "EC", kid: "ec", crv: "P-256", x: "AA", y: "AA", alg: "ES256" },
      { kty: "EC", kid: "ec", crv: "P-521", x: ec.jwk["x"], y: ec.jwk["y"] },
      { kty: "OKP", kid: "ec", crv: "Ed25519", x: "AA" },
      { ...ec.jwk, use: "enc" },
      { ...ec.jwk, key_ops: ["encrypt"] },
      { ...ec.jwk, alg: "ES384" },
    ];
    for (const key of broken) {
      const { verify, world } = setup({ jwksUri: `${iss}/k` });
      world.published = () => ({ keys: [key, weak] });
      expect(await refusal(verify, token)).toMatchObject({ code: "authentication", status: 401 });
      expect((await refusal(verify, await signed(rsa, claims()))).status).toBe(401);
      // The good one beside it serves on.
      const beside = setup({ jwksUri: `${iss}/k` });
      beside.world.published = () => ({ keys: [typeof key === "object" ? { ...key, kid: "other" } : key, ec.jwk] });
      expect(await beside.verify(token)).toMatchObject({ user: "ada" });
    }
  });

  test.each([
    { issuer: "https://evil.example", jwks_uri: `${iss}/keys` },
    { issuer: iss, jwks_uri: "http://issuer.example/keys" },
    { issuer: iss, jwks_uri: "file:///etc/passwd" },
    { issuer: iss, jwks_uri: "https://user:word@issuer.example/keys" },
    { issuer: iss },
  ])("discovery that answers %j is not followed", async (discovered) => {
    const { verify, world } = setup();
    world.discovered = discovered;
    expect((await refusal(verify, await signed(ec, claims()))).code).toBe("overloaded");
    expect(world.asked).toHaveLength(1);
  });
});

describe("what was verified is remembered", () => {
  test("so that the next call is answered at once, until a minute has passed or the token has expired", async () => {
    const { verify, world } = setup();
    const token = await signed(ec, claims({ exp: seconds + 90 }));
    expect(verify(token)).toBeInstanceOf(Promise);
    await verify(token);
    expect(verify(token)).toMatchObject({ user: "ada" });
    world.now += 60_000;
    expect(verify(token)).toBeInstanceOf(Promise);
    await verify(token);
    world.now += 29_000;
    expect(verify(token)).toMatchObject({ user: "ada" });
    world.now += 1_000;
    expect(verify(token)).toBeInstanceOf(Promise);
    await verify(token);
    world.now += 61_000;
    expect((await refusal(verify, token)).message).toContain("expired");
  });

  test("a refusal is not, and nobody gets another's", async () => {
    const { verify } = setup();
    const good = await signed(ec, claims());
    await verify(good);
    expect((await refusal(verify, `${good.slice(0, -4)}AAAA`)).message).toContain("signature");
    expect(await verify(await signed(ec, claims({ sub: "eve" })))).toMatchObject({ user: "eve" });
    expect(verify(good)).toMatchObject({ user: "ada" });
  });
});
