// auth.issuers: what is filled in, and what is refused before a token is ever seen.
import { expect, test } from "vitest";
import { builtInRoles } from "../../lib/auth/policy.ts";
import { load, refusal } from "./support.ts";

const base = { issuer: "https://issuer.example/", audience: "api://x", defaultRoles: ["member"] };
const yaml = (...issuers: object[]): string => JSON.stringify({ auth: { issuers } });

test("issuers alone ask for credentials; short forms are written out", async () => {
  const { auth } = await load(yaml({ ...base, roles: { a: "viewer", b: ["member", "admin"] } }));
  expect(auth.mode).toBe("keys");
  expect(auth.issuers?.[0]).toEqual({
    ...base,
    audience: ["api://x"],
    audienceClaim: "aud",
    algorithms: ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"],
    requiredClaims: {},
    clockSkewSeconds: 60,
    claims: {},
    roles: { a: ["viewer"], b: ["member", "admin"] },
  });
  expect((await load("{}")).auth.mode).toBe("open");
});

test("every built-in role may be named, and custom ones", async () => {
  const roles = [...Object.keys(builtInRoles), "own"];
  const text = JSON.stringify({
    auth: { roles: { own: ["models:list"] }, issuers: [{ ...base, defaultRoles: roles }] },
  });
  expect((await load(text)).auth.issuers?.[0]?.defaultRoles).toEqual(roles);
});

test.each([
  [{ algorithms: ["HS256"] }, "auth.issuers[0].algorithms"],
  [{ algorithms: ["none"] }, "auth.issuers[0].algorithms"],
  [{ algorithms: [] }, "auth.issuers[0].algorithms"],
  [{ issuer: "http://issuer.example" }, "expected https off loopback"],
  [{ issuer: "http://127.0.0.1.evil.example" }, "expected https off loopback"],
  [{ issuer: "issuer.example" }, "auth.issuers[0].issuer"],
  [{ jwksUri: "http://issuer.example/keys" }, "expected https off loopback"],
  [{ audience: [] }, "auth.issuers[0].audience"],
  [{ clockSkewSeconds: 301 }, "auth.issuers[0].clockSkewSeconds"],
  [{ tenant: "a", claims: { tenant: "b" } }, "expected tenant or claims.tenant, not both"],
  [{ defaultRoles: [] }, "no token could do anything"],
  [{ defaultRoles: ["membr"] }, "there is no role 'membr'; did you mean member?"],
  [{ roles: { x: "nobody" } }, "auth.issuers[0].roles.x"],
  [{ everywhere: true }, "everywhere"],
])("%j is refused", async (change, words) => {
  expect((await refusal(yaml({ ...base, ...change }))).join("\n")).toContain(words);
});

test("two entries of one issuer can't be told apart", async () => {
  expect((await refusal(yaml(base, base))).join("\n")).toContain("the issuer is that of auth.issuers[0] too");
});

test("an issuer on loopback may speak http", async () => {
  for (const issuer of ["http://127.0.0.1:9000", "http://localhost:9000/realms/x", "http://[::1]:9000"])
    expect((await load(yaml({ ...base, issuer }))).auth.issuers).toHaveLength(1);
});
