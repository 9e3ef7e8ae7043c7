// Who one is, which tenants there are, and the first key.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../../lib/config.ts";
import { startGateway } from "../../support/gateway.ts";
import { adminKey, adminOf, dataOf, expectProblem, keyOf, type Place, startAdmin } from "./client.ts";

let place: Place;
beforeAll(async () => {
  place = await startAdmin();
});
afterAll(() => place.stop());

describe("whoami", () => {
  test("tells what a credential came down to, and what it may do", async () => {
    const viewer = await place.as("viewer").get("/whoami");
    expect(viewer.body).toMatchObject({
      object: "caller",
      name: "viewer",
      key: "config:viewer",
      tenant: "acme",
      owner: "viewer",
      user: "viewer",
      roles: ["viewer"],
      everywhere: false,
      actions: ["models:list", "threads:read", "files:read", "usage:read"],
    });
    expect(viewer.text).not.toContain(keyOf("viewer"));
  });

  test("needs a key where keys are asked for, and no store", async () => {
    expect((await adminOf(place.gateway, "wrong").get("/whoami")).status).toBe(401);
    const bare = await startGateway("");
    expect((await adminOf(bare, "").get("/whoami")).body).toMatchObject({ open: true, everywhere: true, key: null });
    await bare.stop();
  });
});

describe("the first key", () => {
  test("administers every tenant under the id bootstrap", async () => {
    const root = await place.as("root").get("/whoami");
    expect(root.body).toMatchObject({ name: "bootstrap", key: "bootstrap", roles: ["admin"], everywhere: true });
  });

  test("turns keys on by itself", async () => {
    const config = await loadConfig({ env: { HEDDLE_ADMIN_KEY: adminKey }, readFile: () => undefined });
    expect(config.auth).toMatchObject({ mode: "keys", keys: [{ id: "bootstrap", everywhere: true }] });
  });

  test.each([
    ["the file", {}, "{ auth: { mode: open } }"],
    ["the environment", { HEDDLE_AUTH: "open" }, "{}"],
  ])("leaves access open where %s says so", async (_where, env, yaml) => {
    const { auth } = await loadConfig({
      env: { HEDDLE_ADMIN_KEY: adminKey, HEDDLE_CONFIG: "heddle.yaml", ...env },
      readFile: (path) => (path.endsWith("heddle.yaml") ? yaml : undefined),
    });
    expect(auth).toMatchObject({ mode: "open", keys: [{ id: "bootstrap" }] });
  });

  test.each(["too-short-canary", "canary with spaces in it that is long enough"])(
    "is refused at the start where it can't be one, without being told: %s",
    async (secret) => {
      const refused = loadConfig({ env: { HEDDLE_ADMIN_KEY: secret }, readFile: () => undefined });
      await expect(refused).rejects.toThrow(/environment: HEDDLE_ADMIN_KEY: expected/);
      await expect(refused).rejects.not.toThrow(/canary/);
    },
  );
});

describe("tenants", () => {
  test("are told to those who administer all of them", async () => {
    const ids = dataOf(await place.as("root").get("/tenants")).map(({ id }) => id);
    expect(ids).toEqual(["acme", "default", "rival"]);
    expectProblem(await place.as("admin").get("/tenants"), 403, "permission");
  });
});
