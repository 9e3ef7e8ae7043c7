// heddle-user: a program acts for a user of its tenant where its scope allows it, and then all that it touches is that user's.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { actingAs } from "../../lib/auth/acting.ts";
import type { Caller } from "../../lib/auth/caller.ts";
import { GatewayError } from "../../lib/model/error.ts";
import { type Counted, openCounted } from "../security/counted.ts";
import { type DataFolder, dataFolder } from "../support/data.ts";

const caller = (change: Partial<Caller> = {}): Caller => ({
  name: "program",
  open: false,
  tenant: "acme",
  owner: "program",
  user: "program",
  key: "config:program",
  roles: ["member"],
  ...change,
});
const errorOf = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

describe("who may act for whom", () => {
  test.each([
    ["*", "ada", true],
    [["*"], "ada", true],
    [["ada", "bob"], "bob", true],
    [["team-*"], "team-red", true],
    [["team-*"], "ada", false],
    [["ada"], "Ada", false],
    [["ada"], "ada2", false],
    [[], "ada", false],
    [undefined, "ada", false],
    [undefined, "program", true],
  ] as const)("owners %j, %s: %s", (owners, user, isAllowed) => {
    const given = caller(owners === undefined ? {} : { scopes: { owners } });
    const found = errorOf(() => actingAs(given, user));
    if (isAllowed) expect(found).toEqual({ ...given, owner: user, user });
    else {
      expect(found).toBeInstanceOf(GatewayError);
      expect(found).toMatchObject({ code: "permission", status: 403, details: { param: "heddle-user" } });
      expect((found as Error).message).toContain("heddle-user");
    }
  });

  test("tenant, key, roles and scopes stay the program's own", () => {
    const given = caller({ scopes: { owners: "*", models: ["echo/*"] }, limits: { concurrent: 1 } });
    expect(actingAs(given, "ada")).toEqual({ ...given, owner: "ada", user: "ada" });
    expect(actingAs(given, undefined)).toBe(given);
  });

  test("whoever has the machine to itself may be anyone", () => {
    expect(actingAs(caller({ open: true }), "ada")).toMatchObject({ owner: "ada" });
  });

  test.each(["", " ", "a b", "ada, bob", "ada,bob", "a\tb", "adä", "a\u0000", "x".repeat(201)])(
    "%j names nobody",
    (user) => {
      expect(errorOf(() => actingAs(caller({ scopes: { owners: "*" } }), user))).toMatchObject({
        code: "invalid_request",
        details: { param: "heddle-user" },
      });
    },
  );
});

describe("in the gateway", () => {
  let folder: DataFolder;
  let gateway: Counted;
  const bearer = (key: string, user?: string): Record<string, string> => ({
    authorization: `Bearer ${key}`,
    ...(user === undefined ? {} : { "heddle-user": user }),
  });
  beforeAll(async () => {
    folder = dataFolder();
    gateway = await openCounted(
      `
auth:
  keys:
    - { name: program, key: canary-key-of-the-program, tenant: acme, scopes: { owners: [ada, bob] } }
    - { name: ada, key: canary-key-of-ada-herself, tenant: acme }
    - { name: elsewhere, key: canary-key-of-elsewhere, tenant: other, owner: ada }
`,
      folder.path,
    );
  });
  afterAll(async () => {
    await gateway.close();
    folder.remove();
  });

  test("a thread made for a user is the user's, not the program's, nor another tenant's", async () => {
    const made = await gateway.send({
      method: "POST",
      path: "/v1/threads",
      headers: bearer("canary-key-of-the-program", "ada"),
      body: {},
    });
    expect(made.status).toBe(201);
    const { id } = JSON.parse(made.text) as { id: string };
    const get = async (headers: Record<string, string>): Promise<number> =>
      (await gateway.send({ method: "GET", path: `/v1/threads/${id}`, headers })).status;
    expect(await get(bearer("canary-key-of-the-program", "ada"))).toBe(200);
    expect(await get(bearer("canary-key-of-ada-herself"))).toBe(200);
    expect(await get(bearer("canary-key-of-the-program"))).toBe(404);
    expect(await get(bearer("canary-key-of-the-program", "bob"))).toBe(404);
    expect(await get(bearer("canary-key-of-elsewhere"))).toBe(404);
    expect(await get(bearer("canary-key-of-the-program", "eve"))).toBe(403);
    expect(await get(bearer("canary-key-of-ada-herself", "bob"))).toBe(403);
    expect(await get(bearer("canary-key-of-the-program", "ada, bob"))).toBe(400);
  });
});
