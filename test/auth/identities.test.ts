// Callers that a platform has proven: which entry is theirs, and that no client can say so of itself.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createIdentityMapper } from "../../lib/auth/identities.ts";
import type { PlatformIdentity } from "../../lib/model/call.ts";
import { load, refusal } from "../config/support.ts";
import { openCounted, type Counted } from "../security/counted.ts";
import { type DataFolder, dataFolder } from "../support/data.ts";
import { startGateway } from "../support/gateway.ts";

const account = "123456789012";
const iam = (arn: string, of = account): PlatformIdentity => ({ kind: "aws-iam", arn, account: of });
const assumed = (role: string, session = "i-0abc", of = account): PlatformIdentity =>
  iam(`arn:aws:sts::${of}:assumed-role/${role}/${session}`, of);
const entry = (arn: string) => ({ arn, tenant: "acme", roles: ["member"] });
const objectId = "0f0f0f0f-1111-2222-3333-abcdefabcdef";

describe("AWS", () => {
  test.each([
    [`arn:aws:iam::${account}:role/app`, assumed("app"), true],
    [`arn:aws:iam::${account}:role/app`, iam(`arn:aws:iam::${account}:role/app`), true],
    [`arn:aws:iam::${account}:role/team/red/app`, assumed("app"), true],
    [`arn:aws:iam::${account}:role/app-*`, assumed("app-reader"), true],
    [`arn:aws:iam::${account}:role/sso/Red_*`, assumed("Red_0123", "ada@acme.example"), true],
    [`arn:aws:iam::${account}:role/*`, assumed("anything"), true],
    [`arn:aws:iam::${account}:user/ada`, iam(`arn:aws:iam::${account}:user/ada`), true],
    [`arn:aws:sts::${account}:assumed-role/app/i-*`, assumed("app"), true],
    [`arn:aws-cn:iam::${account}:role/app`, iam(`arn:aws-cn:sts::${account}:assumed-role/app/s`), true],
    [`arn:aws:iam::${account}:role/app`, assumed("app2"), false],
    [`arn:aws:iam::${account}:role/app`, assumed("ap"), false],
    [`arn:aws:iam::${account}:role/app`, assumed("other", "app"), false],
    [`arn:aws:iam::${account}:role/app-*`, assumed("other", "app-x"), false],
    [`arn:aws:iam::${account}:role/app`, assumed("app", "s", "999999999999"), false],
    [`arn:aws:iam::${account}:role/app`, iam(`arn:aws:sts::${account}:assumed-role/app/s`, "999999999999"), false],
    [`arn:aws:iam::${account}:role/app`, iam(`arn:aws-cn:sts::${account}:assumed-role/app/s`), false],
    [`arn:aws:iam::${account}:role/ada`, iam(`arn:aws:iam::${account}:user/ada`), false],
    [`arn:aws:iam::${account}:user/*`, assumed("app"), false],
    [`arn:aws:sts::${account}:assumed-role/app/i-*`, assumed("app", "j-1"), false],
    [`arn:aws:iam::${account}:role/app`, iam("app"), false],
  ])("%s for %j: %s", (arn, identity, isMeant) => {
    expect(createIdentityMapper([entry(arn)])(identity) !== undefined).toBe(isMeant);
  });

  test("sessions of a role are one caller; the first entry that matches counts", () => {
    const map = createIdentityMapper([
      {
        ...entry(`arn:aws:iam::${account}:role/app-admin`),
        owner: "ops",
        roles: ["admin"],
        scopes: { models: ["a/*"] },
      },
      entry(`arn:aws:iam::${account}:role/app-*`),
    ]);
    expect(map(assumed("app-x", "one"))).toEqual(map(assumed("app-x", "two")));
    expect(map(assumed("app-x"))).toEqual({
      name: "role/app-x",
      open: false,
      tenant: "acme",
      owner: "role/app-x",
      user: "role/app-x",
      key: `iam:aws:${account}:role/app-x`,
      roles: ["member"],
    });
    expect(map(assumed("app-admin"))).toMatchObject({
      owner: "ops",
      user: "ops",
      roles: ["admin"],
      scopes: { models: ["a/*"] },
    });
  });
});

test("Entra: by object id, in its directory where one is named", () => {
  const map = createIdentityMapper([{ objectId, directory: "dir-1", roles: ["viewer"] }]);
  const of = (change: object): PlatformIdentity => ({ kind: "entra", objectId, tenantId: "dir-1", ...change });
  expect(map(of({ objectId: objectId.toUpperCase(), name: "app" }))).toMatchObject({
    name: "app",
    tenant: "default",
    owner: objectId,
    key: `entra:${objectId}`,
    roles: ["viewer"],
  });
  expect(map(of({ tenantId: "dir-2" }))).toBeUndefined();
  expect(map({ kind: "entra", objectId })).toBeUndefined();
  expect(map(of({ objectId: objectId.replace("0f", "1f") }))).toBeUndefined();
});

describe("in the gateway", () => {
  let folder: DataFolder;
  let gateway: Counted;
  beforeAll(async () => {
    folder = dataFolder();
    gateway = await openCounted(
      `
auth:
  keys: [{ name: k, key: canary-key-of-a-program }]
  identities: [{ arn: "arn:aws:iam::${account}:role/app-*", tenant: acme, roles: [viewer] }]
`,
      folder.path,
    );
  });
  afterAll(async () => {
    await gateway.close();
    folder.remove();
  });
  const models = { method: "GET", path: "/v1/models" };

  test("who was proven needs no key; who matches no entry needs one as anyone does", async () => {
    expect((await gateway.send({ ...models, identity: assumed("app-1") })).status).toBe(200);
    expect((await gateway.send({ ...models, identity: assumed("other") })).status).toBe(401);
    const headers = { authorization: "Bearer canary-key-of-a-program" };
    expect((await gateway.send({ ...models, identity: assumed("other"), headers })).status).toBe(200);
    expect((await gateway.send({ method: "GET", path: "/metrics", identity: assumed("app-1") })).status).toBe(403);
  });

  test("no header makes an identity, neither a platform's own nor one of ours", async () => {
    const server = await startGateway(`
auth:
  identities:
    - { arn: "arn:aws:iam::${account}:role/*", roles: [admin] }
    - { objectId: ${objectId}, roles: [admin] }
`);
    try {
      const principal = Buffer.from(
        JSON.stringify({ auth_typ: "aad", claims: [{ typ: "oid", val: objectId }] }),
      ).toString("base64");
      const arn = `arn:aws:iam::${account}:role/app`;
      const tries: Record<string, string>[] = [
        {
          "x-ms-client-principal": principal,
          "x-ms-client-principal-id": objectId,
          "x-ms-client-principal-idp": "aad",
        },
        {
          "x-amzn-iam-arn": arn,
          "x-amz-user-arn": arn,
          "x-apigateway-event": JSON.stringify({ requestContext: { authorizer: { iam: { userArn: arn } } } }),
        },
        {
          identity: arn,
          "heddle-identity": arn,
          "heddle-user": "admin",
          "x-forwarded-user": "admin",
          "x-heddle-caller": "{}",
        },
        { authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260601/eu-west-1/lambda/aws4_request` },
      ];
      for (const headers of tries) {
        const response = await fetch(`${server.url}/v1/models`, { headers });
        expect(response.status).toBe(401);
        expect(await response.text()).not.toContain(account);
      }
    } finally {
      await server.stop();
    }
  });
});

test.each([
  [{ roles: ["member"] }, "expected either arn or objectId"],
  [{ roles: ["member"], objectId, arn: `arn:aws:iam::${account}:role/a` }, "expected either arn or objectId"],
  [{ roles: ["membr"], objectId }, "there is no role 'membr'"],
  [{ roles: [], objectId }, "auth.identities[0].roles"],
  [{ roles: ["member"], objectId: "me" }, "auth.identities[0].objectId"],
  [{ roles: ["member"], arn: `arn:aws:iam::*:role/a` }, "auth.identities[0].arn"],
  [{ roles: ["member"], arn: `arn:aws:iam::${account}:*` }, "auth.identities[0].arn"],
  [{ roles: ["member"], arn: `arn:aws:iam::${account}:role/*-app` }, "auth.identities[0].arn"],
  [{ roles: ["member"], arn: `arn:aws:iam::${account}:root` }, "auth.identities[0].arn"],
  [{ roles: ["member"], arn: `arn:aws:iam::${account}:role/team/*` }, "not its path alone"],
])("%j is refused", async (identity, words) => {
  expect((await refusal(JSON.stringify({ auth: { identities: [identity] } }))).join("\n")).toContain(words);
});

test("identities alone ask for credentials", async () => {
  const text = JSON.stringify({ auth: { identities: [{ objectId, roles: ["member"] }] } });
  expect((await load(text)).auth.mode).toBe("keys");
});
