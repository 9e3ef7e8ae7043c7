// Rates and budgets that are set at run time, beside those of the configuration.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dataOf, expectProblem, type Place, startAdmin } from "./client.ts";

const configured = `
limits:
  rates: [{ name: everyone, by: key, requestsPerMinute: 600 }]
  budgets:
    - { name: house, by: tenant, amount: 1000, per: month }
    - { name: theirs, by: tenant, amount: 5, per: day, match: { tenants: [rival] } }
`;

let place: Place;
beforeAll(async () => {
  place = await startAdmin(configured);
});
afterAll(() => place.stop());
beforeEach(async () => {
  for (const kind of ["rates", "budgets"])
    for (const { name, source, rule } of dataOf(await place.as("root").get(`/limits/${kind}`)))
      if (source === "runtime") {
        const [tenant] = (rule as { match?: { tenants?: string[] } }).match?.tenants ?? [];
        const query = tenant === undefined ? "" : `?tenant=${tenant}`;
        await place.as("root").call("DELETE", `/limits/${kind}/${String(name)}${query}`);
      }
});

const names = async (as: Parameters<Place["as"]>[0], path: string) =>
  dataOf(await place.as(as).get(path)).map(({ name, source }) => `${String(source)}:${String(name)}`);

describe("a tenant's administrator", () => {
  test("makes, reads, replaces and deletes rules for its own tenant, in the configuration's words", async () => {
    const made = await place.as("admin").post("/limits/budgets", { name: "team", by: "user", amount: 20, per: "day" });
    expect(made.status, made.text).toBe(201);
    const rule = { name: "team", by: "user", amount: 20, per: "day", alerts: [0.8, 1], onStoreFailure: "closed" };
    const whole = { object: "limits.budget", name: "team", source: "runtime" };
    expect(made.body).toEqual({ ...whole, rule: { ...rule, match: { tenants: ["acme"] } } });
    expect((await place.as("operator").get("/limits/budgets/team")).body).toEqual(made.body);

    const put = await place.as("admin").call("PUT", "/limits/budgets/team", { by: "user", amount: 30, per: "day" });
    expect(put.status).toBe(200);
    expect(put.body).toMatchObject({ rule: { amount: 30, match: { tenants: ["acme"] } } });
    expect(await names("admin", "/limits/budgets")).toEqual(["configuration:house", "runtime:team"]);

    const gone = await place.as("admin").call("DELETE", "/limits/budgets/team");
    expect(gone.body).toEqual({ name: "team", object: "limits.budget.deleted", deleted: true });
    expectProblem(await place.as("admin").get("/limits/budgets/team"), 404, "not_found", "name");
    expect(dataOf(await place.as("admin").get("/audit?action=limits.budgets.*")).slice(0, 3)).toMatchObject([
      { action: "limits.budgets.delete", target: "team", tenant: "acme" },
      { action: "limits.budgets.update", target: "team", changes: { amount: 30 } },
      { action: "limits.budgets.create", target: "team", changes: { amount: 20, by: "user" }, outcome: "done" },
    ]);
  });

  test("makes none for others", async () => {
    const rule = { name: "r", by: "key", requestsPerMinute: 1 };
    for (const match of [{ tenants: ["rival"] }, { tenants: ["*"] }, { tenants: ["acme", "rival"] }])
      expectProblem(
        await place.as("admin").post("/limits/rates", { ...rule, match }),
        403,
        "permission",
        "match.tenants",
      );
    expect((await place.as("admin").post("/limits/rates", { ...rule, match: { tenants: ["acme"] } })).status).toBe(201);
  });

  test("sees what may concern it, and nothing of others", async () => {
    await place.as("rival").post("/limits/budgets", { name: "secret-plan", by: "key", amount: 1, per: "day" });
    await place.as("root").post("/limits/budgets", { name: "all", by: "tenant", amount: 1, per: "total" });
    expect(await names("admin", "/limits/budgets")).toEqual(["configuration:house", "runtime:all"]);
    expectProblem(await place.as("admin").get("/limits/budgets/secret-plan"), 404, "not_found", "name");
    expectProblem(await place.as("admin").get("/limits/budgets/theirs"), 404, "not_found", "name");
    expectProblem(await place.as("admin").call("DELETE", "/limits/budgets/all"), 403, "permission", "name");
    expectProblem(
      await place.as("admin").call("PUT", "/limits/budgets/all", { by: "tenant", amount: 9, per: "total" }),
      403,
      "permission",
      "name",
    );
    expect(await names("root", "/limits/budgets?tenant=rival")).toEqual([
      "configuration:house",
      "configuration:theirs",
      "runtime:secret-plan",
      "runtime:all",
    ]);
  });

  test("may use a name that another tenant uses; who sees both says which", async () => {
    for (const as of ["admin", "rival"] as const)
      expect((await place.as(as).post("/limits/rates", { name: "mine", by: "key", concurrent: 3 })).status).toBe(201);
    expectProblem(await place.as("root").get("/limits/rates/mine"), 409, "conflict", "tenant");
    expect((await place.as("root").call("DELETE", "/limits/rates/mine?tenant=rival")).status).toBe(200);
    expect(await names("admin", "/limits/rates")).toEqual(["configuration:everyone", "runtime:mine"]);
    expect(await names("rival", "/limits/rates")).toEqual(["configuration:everyone"]);
  });
});

describe("rules", () => {
  test("of the configuration are changed there, and their names are taken", async () => {
    const body = { by: "tenant", amount: 1, per: "month" };
    expectProblem(await place.as("root").call("PUT", "/limits/budgets/house", body), 409, "conflict", "name");
    expectProblem(await place.as("root").call("DELETE", "/limits/budgets/house"), 409, "conflict", "name");
    expectProblem(await place.as("admin").post("/limits/budgets", { name: "house", ...body }), 409, "conflict", "name");
    // Theirs alone: it never meets this tenant's.
    expect((await place.as("admin").post("/limits/budgets", { name: "theirs", ...body })).status).toBe(201);
  });

  test.each([
    [{ by: "key", amount: 1, per: "day" }, "name"],
    [{ name: "b", by: "key", amount: -1, per: "day" }, "amount"],
    [{ name: "b", by: "model", amount: 1, per: "day" }, "by"],
    [{ name: "b", by: "key", amount: 1, per: "day", match: { tenant: "acme" } }, "match"],
    [{ name: "b", by: "key", amount: 1, per: "day", alerts: [0] }, "alerts[0]"],
    [{ name: "own1", by: "key", amount: 1, per: "day" }, "name"],
    [{ name: "a b", by: "key", amount: 1, per: "day" }, "name"],
  ])("name the field at fault: %j", async (body, param) => {
    const answer = await place.as("admin").post("/limits/budgets", body);
    expect(answer.status, answer.text).toBe(400);
    expect(String(answer.body["param"])).toMatch(new RegExp(`^${param.replaceAll(/[[\]]/g, String.raw`\$&`)}`));
  });

  test("of rates limit something", async () => {
    const idle = await place.as("admin").post("/limits/rates", { name: "idle", by: "key" });
    expectProblem(idle, 400, "invalid_request", "requestsPerMinute");
  });

  test("are lesser roles' to read at most", async () => {
    const rule = { name: "n", by: "key", concurrent: 1 };
    expectProblem(await place.as("operator").post("/limits/rates", rule), 403, "permission");
    expectProblem(await place.as("member").get("/limits/rates"), 403, "permission");
    expect((await place.as("operator").get("/limits/rates")).status).toBe(200);
  });

  test("that come at once are all kept", async () => {
    const made = await Promise.all(
      ["a", "b", "c", "d", "e"].map((name) =>
        place.as("admin").post("/limits/rates", { name, by: "key", concurrent: 1 }),
      ),
    );
    expect(made.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201]);
    expect((await names("admin", "/limits/rates")).toSorted()).toEqual([
      "configuration:everyone",
      "runtime:a",
      "runtime:b",
      "runtime:c",
      "runtime:d",
      "runtime:e",
    ]);
    const twice = await Promise.all(
      [1, 2].map(() => place.as("admin").post("/limits/rates", { name: "twice", by: "key", concurrent: 1 })),
    );
    expect(twice.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409]);
  });
});
