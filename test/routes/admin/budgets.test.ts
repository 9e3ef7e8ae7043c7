// What is used of budgets, told from the counts as they lie in the store, and set back.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSqlite } from "../../../lib/stores/sqlite.ts";
import type { Table } from "../../../lib/stores/table.ts";
import { budgetField, limitsKey, periodOf } from "../../../lib/routes/admin/limits.ts";
import { spendPartition } from "../../../lib/usage/keys.ts";
import { dataOf, expectProblem, type Place, startAdmin, textAt } from "./client.ts";

const configured = `
limits:
  shards: { acme: 2 }
  budgets:
    - { name: house, by: tenant, amount: 100, per: month }
    - { name: each, by: key, amount: 10, per: day }
    - { name: people, by: user, amount: 4, per: total, match: { users: [ann] } }
    - { name: theirs, by: tenant, amount: 5, per: day, match: { tenants: [rival] } }
`;

let place: Place;
let table: Table;
const now = Date.now();
const month = periodOf("month", now);

const spend = async (shard: number, by: "tenant" | "key" | "user", subject: string, field: string, amount: number) => {
  await table.update(
    { pk: spendPartition("acme", shard), sk: limitsKey(by, subject) },
    { set: { [field]: amount * 1e9 } },
  );
};

beforeAll(async () => {
  place = await startAdmin(configured);
  // Opens the store.
  await place.as("admin").get("/budgets");
  table = await openSqlite({ file: join(place.path, "heddle.db") });
  await spend(0, "tenant", "", budgetField("house", month), 30.25);
  await spend(1, "tenant", "", budgetField("house", month), 12);
  await spend(1, "user", "ann", budgetField("people", "total"), 4.5);
});
afterAll(async () => {
  await table.close();
  await place.stop();
});

describe("budgets", () => {
  test("tell what is used over all shards, what is left, and when they begin anew", async () => {
    const [house, ...others] = dataOf(await place.as("operator").get("/budgets"));
    expect(others).toEqual([]);
    expect(house).toMatchObject({
      object: "budget",
      rule: "house",
      source: "configuration",
      by: "tenant",
      subject: "acme",
      tenant: "acme",
      per: "month",
      period: month,
      amount: 100,
      used: 42.25,
      remaining: 57.75,
    });
    const resets = new Date(Number(house?.["resets_at"]));
    expect(resets.toISOString()).toMatch(/-01T00:00:00\.000Z$/);
    expect(resets.getTime()).toBeGreaterThan(now);
  });

  test("are those of a key or a user where one is named, its own among them", async () => {
    const made = await place.as("admin").post("/keys", {
      name: "spender",
      limits: { budgets: [{ amount: 2, per: "day" }] },
    });
    const id = textAt(made, "id");
    await spend(0, "key", id, budgetField("own1", periodOf("day", now)), 0.5);
    const ofKey = dataOf(await place.as("operator").get(`/budgets?key=${id}`));
    expect(ofKey.map(({ rule, source, used }) => [rule, source, used])).toEqual([
      ["house", "configuration", 42.25],
      ["each", "configuration", 0],
      ["own1", "key", 0.5],
    ]);
    const ann = dataOf(await place.as("operator").get("/budgets?user=ann"));
    expect(ann[1]).toMatchObject({ rule: "people", used: 4.5, remaining: 0, resets_at: null, subject: "ann" });
    expect(dataOf(await place.as("operator").get("/budgets?user=bob"))).toHaveLength(1);
    expect(dataOf(await place.as("operator").get("/budgets?key=config:member"))).toHaveLength(2);

    expectProblem(await place.as("rival").get(`/budgets?key=${id}`), 404, "not_found");
    expectProblem(await place.as("root").get(`/budgets?tenant=rival&key=${id}`), 404, "not_found", "key");
    expectProblem(await place.as("rival").get("/budgets?tenant=acme"), 403, "permission", "tenant");
    expect(dataOf(await place.as("root").get("/budgets?tenant=acme"))).toMatchObject([{ used: 42.25 }]);
  });

  test("are set back, and the audit log says what was there", async () => {
    const reset = await place.as("admin").post("/budgets/reset", { rule: "people", user: "ann" });
    expect(reset.body).toMatchObject({ rule: "people", used: 0, remaining: 4 });
    expect(dataOf(await place.as("operator").get("/budgets"))).toMatchObject([{ rule: "house", used: 42.25 }]);
    expect(dataOf(await place.as("admin").get("/audit?action=budgets.reset"))).toMatchObject([
      { target: "people", outcome: "done", changes: { by: "user", subject: "ann", used_before: 4.5 } },
    ]);
    expectProblem(await place.as("operator").post("/budgets/reset", { rule: "house" }), 403, "permission");
    expectProblem(await place.as("admin").post("/budgets/reset", { rule: "theirs" }), 404, "not_found", "rule");
    expectProblem(await place.as("admin").post("/budgets/reset", { rule: "people" }), 404, "not_found", "rule");
    expectProblem(await place.as("admin").post("/budgets/reset", {}), 400, "invalid_request", "rule");
  });
});
