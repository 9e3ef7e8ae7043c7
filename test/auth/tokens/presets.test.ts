// The configurations of docs/authentication.md, against tokens with the claims that those providers put into them.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { createTokenVerifier } from "../../../lib/auth/tokens/index.ts";
import type { IssuerConfig } from "../../../lib/config-types.ts";
import { load } from "../../config/support.ts";
import { signed, signingKey, type SigningKey } from "../../support/issuer.ts";

const page = readFileSync(new URL("../../../docs/authentication.md", import.meta.url), "utf8");
const env = { WEB_KEY: "canary-key-of-the-web-program" };
const now = Date.parse("2026-06-01T12:00:00Z");
const times = { iat: now / 1_000 - 5, exp: now / 1_000 + 3_600 };

/** The settings of the first example below a heading. */
const issuersOf = async (heading: string): Promise<readonly IssuerConfig[]> => {
  const part = page.slice(page.indexOf(`### ${heading}\n`));
  const [, yaml = ""] = /```yaml\n([\s\S]*?)```/.exec(part) ?? [];
  return (await load(yaml, env)).auth.issuers ?? [];
};

let key: SigningKey;
beforeAll(async () => {
  key = await signingKey("k", "RS256");
});

const verified = async (heading: string, claims: Record<string, unknown>, header: object = {}): Promise<unknown> => {
  const asked: string[] = [];
  const verify = createTokenVerifier(await issuersOf(heading), {
    now: () => now,
    fetch: (url) => {
      asked.push(url);
      const issuer = url.replace("/.well-known/openid-configuration", "");
      const body = url.includes(".well-known")
        ? { issuer: claims["iss"] === `${issuer}/` ? `${issuer}/` : issuer, jwks_uri: "https://keys.example/keys" }
        : { keys: [key.jwk] };
      return Promise.resolve({ status: 200, text: JSON.stringify(body) });
    },
  });
  return verify(await signed(key, { ...times, ...claims }, header));
};

describe("Microsoft Entra ID", () => {
  const tid = "11111111-2222-3333-4444-555555555555";
  const app = "66666666-7777-8888-9999-000000000000";

  test("version 2, a user with an app role", async () => {
    const claims = {
      iss: `https://login.microsoftonline.com/${tid}/v2.0`,
      aud: app,
      azp: "other-app",
      oid: "object-of-ada",
      sub: "pairwise",
      preferred_username: "ada@example.com",
      roles: ["Heddle.User"],
      scp: "access_as_user",
      tid,
      ver: "2.0",
    };
    expect(await verified("Microsoft Entra ID", claims)).toMatchObject({
      name: "ada@example.com",
      user: "object-of-ada",
      owner: "object-of-ada",
      roles: ["member"],
      tenant: "default",
    });
  });

  test("version 1, a managed identity", async () => {
    const claims = {
      iss: `https://sts.windows.net/${tid}/`,
      aud: `api://${app}`,
      appid: "identity-app",
      idtyp: "app",
      oid: "object-of-the-identity",
      sub: "object-of-the-identity",
      roles: ["Heddle.Admin"],
      tid,
      ver: "1.0",
    };
    expect(await verified("Microsoft Entra ID", claims)).toMatchObject({
      name: "object-of-the-identity",
      roles: ["admin"],
    });
  });
});

describe("Amazon Cognito", () => {
  const claims = {
    iss: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE01",
    client_id: "1example23456789client",
    token_use: "access",
    scope: "openid",
    sub: "0a1b2c3d-sub",
    username: "ada",
    "cognito:groups": ["heddle-users", "others"],
  };

  test("an access token, whose header has no typ", async () => {
    expect(await verified("Amazon Cognito", claims, { typ: undefined })).toMatchObject({
      name: "ada",
      user: "0a1b2c3d-sub",
      roles: ["member"],
    });
  });

  test("neither an ID token, nor one of another client", async () => {
    const { client_id: audience, ...rest } = claims;
    await expect(verified("Amazon Cognito", { ...rest, token_use: "id", aud: audience })).rejects.toThrow("audience");
    await expect(verified("Amazon Cognito", { ...claims, token_use: "id" })).rejects.toThrow("token_use");
    await expect(verified("Amazon Cognito", { ...claims, client_id: "another" })).rejects.toThrow("audience");
  });
});

test("Auth0: an API's access token, with an organization and permissions", async () => {
  const claims = {
    iss: "https://example.eu.auth0.com/",
    aud: ["https://heddle.example.com", "https://example.eu.auth0.com/userinfo"],
    azp: "client",
    org_id: "org_acme",
    sub: "auth0|123456",
    scope: "openid profile",
    permissions: ["heddle:call"],
  };
  expect(await verified("Auth0", claims)).toMatchObject({
    tenant: "org_acme",
    user: "auth0|123456",
    roles: ["member"],
  });
  await expect(verified("Auth0", { ...claims, org_id: undefined })).rejects.toThrow("org_id");
  expect(await verified("Auth0", { ...claims, permissions: [] })).toMatchObject({ roles: [] });
});

test("Google: the ID token of a Workspace's user, and nobody else's", async () => {
  const claims = {
    iss: "https://accounts.google.com",
    aud: "1234567890-example.apps.googleusercontent.com",
    azp: "1234567890-example.apps.googleusercontent.com",
    sub: "110169484474386276334",
    email: "ada@example.com",
    email_verified: true,
    hd: "example.com",
  };
  expect(await verified("Google", claims)).toMatchObject({
    name: "ada@example.com",
    user: "110169484474386276334",
    roles: ["member"],
  });
  await expect(verified("Google", { ...claims, hd: undefined })).rejects.toThrow("hd");
  await expect(verified("Google", { ...claims, hd: "evil.example" })).rejects.toThrow("hd");
});
