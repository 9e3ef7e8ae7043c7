// API keys over the admin API: what is told of them, who may do what, and what the audit log keeps.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminOf, at, dataOf, expectProblem, type Place, startAdmin, textAt } from "./client.ts";

let place: Place;
beforeAll(async () => {
  place = await startAdmin();
});
afterAll(() => place.stop());

const created = async (body: Record<string, unknown>, as: "admin" | "root" | "rival" = "admin") => {
  const answer = await place.as(as).post("/keys", body);
  expect(answer.status, answer.text).toBe(201);
  return { answer, id: textAt(answer, "id"), key: textAt(answer, "key") };
};

describe("making a key", () => {
  test("tells it once, and everything about it later but the key", async () => {
    const { answer, id, key } = await created({
      name: "ci",
      roles: ["member"],
      user: "robot",
      scopes: { models: ["echo/*"], actions: ["models:*"] },
      limits: { requests_per_minute: 60, budgets: [{ amount: 5, per: "day" }] },
      expires_in_seconds: 3600,
    });
    expect(key).toMatch(/^hdl_dev_/);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const { key: _key, ...told } = answer.body;
    expect(told).toMatchObject({
      object: "api_key",
      status: "active",
      tenant: "acme",
      owner: "ci",
      user: "robot",
      scopes: { models: ["echo/*"], actions: ["models:*"] },
      limits: { requests_per_minute: 60, budgets: [{ amount: 5, per: "day" }] },
      created_by: "config:admin",
      expires_at: expect.any(Number),
    });
    const later = await place.as("admin").get(`/keys/${id}`);
    expect(later.body).toEqual(told);
    const list = await place.as("operator").get("/keys");
    expect(dataOf(list)).toContainEqual(told);
    expect(later.text + list.text).not.toContain(key.slice(-40));

    const who = await adminOf(place.gateway, key).get("/whoami");
    expect(who.body).toMatchObject({ key: id, owner: "ci", user: "robot", actions: ["models:list", "models:call"] });
  });

  test("is never kept under an Idempotency-Key", async () => {
    const refused = await place.as("admin").post("/keys", { name: "again" }, { "idempotency-key": "one" });
    expectProblem(refused, 400, "invalid_request", "idempotency-key");
    expect(dataOf(await place.as("admin").get("/keys")).map(({ name }) => name)).not.toContain("again");
  });

  test.each([
    [{}, "name"],
    [{ name: "k", roles: "admin" }, "roles"],
    [{ name: "k", rolls: [] }, "rolls"],
    [{ name: "k", expires_at: 5 }, "expires_at"],
    [{ name: "k", expires_at: 99_999_999_999_999, expires_in_seconds: 5 }, "expires_in_seconds"],
    [{ name: "k", limits: { budgets: [{ amount: 1, per: "week" }] } }, "limits.budgets[0].per"],
    [{ name: "k", scopes: { owners: [5] } }, "scopes.owners[0]"],
    [{ name: "k", self_proving: true, limits: { concurrent: 1 } }, "limits"],
    [{ name: "k", self_proving: true, expires_in_seconds: 900 * 86_400 }, "expires_at"],
  ])("names the field at fault: %j", async (body, param) => {
    expectProblem(await place.as("admin").post("/keys", body), 400, "invalid_request", param);
  });
});

describe("rights", () => {
  test("lesser roles make no keys, and it is written down", async () => {
    for (const role of ["viewer", "member", "operator"] as const)
      expectProblem(await place.as(role).post("/keys", { name: "mine", roles: ["admin"] }), 403, "permission");
    const refused = dataOf(await place.as("admin").get("/audit?action=keys.create&actor=config:operator"));
    expect(refused).toMatchObject([{ outcome: "refused", actor: { key: "config:operator", tenant: "acme" } }]);
  });

  test("nobody gives more than it has, nor to another tenant", async () => {
    expectProblem(
      await place.as("admin").post("/keys", { name: "x", everywhere: true, roles: ["admin"] }),
      403,
      "permission",
      "everywhere",
    );
    expectProblem(await place.as("admin").post("/keys", { name: "x", tenant: "rival" }), 403, "permission", "tenant");
    const { key } = await created({ name: "narrow", roles: ["admin"], scopes: { actions: ["keys:*"] } });
    expectProblem(
      await adminOf(place.gateway, key).post("/keys", { name: "wide", roles: ["admin"] }),
      403,
      "permission",
      "roles",
    );
    const [entry] = dataOf(await place.as("admin").get("/audit?actor=narrow"));
    expect(entry).toMatchObject({ action: "keys.create", outcome: "refused" });
  });

  test("another tenant's keys are not there", async () => {
    const { id } = await created({ name: "theirs" }, "rival");
    expectProblem(await place.as("admin").get(`/keys/${id}`), 404, "not_found");
    expectProblem(await place.as("admin").call("PATCH", `/keys/${id}`, { name: "mine" }), 404, "not_found");
    expectProblem(await place.as("admin").post(`/keys/${id}/revoke`), 404, "not_found");
    expectProblem(await place.as("admin").post(`/keys/${id}/rotate`, {}), 404, "not_found");
    expectProblem(await place.as("admin").get("/keys?tenant=rival"), 403, "permission", "tenant");
    expect(dataOf(await place.as("root").get("/keys?tenant=rival"))).toMatchObject([{ id }]);
  });
});

describe("a key's life", () => {
  test("it is changed, rotated with an overlap, and revoked at once", async () => {
    const { id, key } = await created({ name: "app", limits: { concurrent: 2 } });
    const changed = await place.as("admin").call("PATCH", `/keys/${id}`, { name: "app2", limits: null });
    expect(changed.body).toMatchObject({ name: "app2", limits: null });
    expect((await adminOf(place.gateway, key).get("/whoami")).body).toMatchObject({ name: "app2", limits: null });

    const rotated = await place.as("admin").post(`/keys/${id}/rotate`, { overlap_seconds: 600 });
    expect(rotated.body).toMatchObject({ name: "app2", rotated_from: id });
    expect((await adminOf(place.gateway, key).get("/whoami")).status).toBe(200);
    const next = textAt(rotated, "key");
    expect((await adminOf(place.gateway, next).get("/whoami")).status).toBe(200);
    expect((await place.as("admin").get(`/keys/${id}`)).body).toMatchObject({ replaced_by: at(rotated, "id") });

    const revoked = await place.as("admin").call("DELETE", `/keys/${textAt(rotated, "id")}`);
    expect(revoked.body).toMatchObject({ status: "revoked", revoked_at: expect.any(Number) });
    expect((await adminOf(place.gateway, next).get("/whoami")).status).toBe(401);
    expectProblem(
      await place.as("admin").call("PATCH", `/keys/${textAt(rotated, "id")}`, { name: "z" }),
      409,
      "conflict",
    );
  });

  test("self-proving keys are revoked too", async () => {
    const { id, key } = await created({ name: "fast", self_proving: true });
    expect((await adminOf(place.gateway, key).get("/whoami")).status).toBe(200);
    expectProblem(await place.as("admin").call("PATCH", `/keys/${id}`, { name: "z" }), 409, "conflict");
    expect((await place.as("admin").post(`/keys/${id}/revoke`)).status).toBe(200);
    expect((await adminOf(place.gateway, key).get("/whoami")).status).toBe(401);
  });

  test("lists go page by page", async () => {
    for (const name of ["p1", "p2", "p3"]) await created({ name }, "rival");
    const first = await place.as("rival").get("/keys?limit=2");
    expect(first.body).toMatchObject({ has_more: true, next_cursor: expect.any(String) });
    const rest = await place.as("rival").get(`/keys?cursor=${encodeURIComponent(textAt(first, "next_cursor"))}`);
    expect((await place.as("rival").get("/keys?cursor=..%2Fcanary")).status).toBe(400);
    expect([...dataOf(first), ...dataOf(rest)].map(({ name }) => name)).toEqual(["p3", "p2", "p1", "theirs"]);
  });
});

describe("the audit log of keys", () => {
  test("says who did what to which key, and holds no key, in no form (F41)", async () => {
    const { id, key } = await created({ name: "watched", roles: ["viewer"] });
    const rotated = await place.as("admin").post(`/keys/${id}/rotate`, {});
    await place.as("root").post(`/keys/${id}/revoke`);
    const audit = await place.as("admin").get(`/audit?action=keys.*&limit=100`);
    const entries = dataOf(audit).filter(({ target }) => target === id);
    expect(entries).toMatchObject([
      { action: "keys.revoke", outcome: "done", actor: { key: "bootstrap", name: "bootstrap", tenant: "default" } },
      { action: "keys.rotate", outcome: "done", actor: { key: "config:admin" } },
      { action: "keys.create", outcome: "done", tenant: "acme", changes: { name: "watched", roles: ["viewer"] } },
    ]);
    const csv = await place.as("operator").get("/audit?format=csv&limit=100");
    expect(csv.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(csv.text.split("\r\n")[0]).toBe(
      "id,at,actor_key,actor_name,actor_tenant,action,target,tenant,request_id,outcome,changes",
    );
    expect(csv.text).toContain(`keys.rotate,${id},acme`);
    const file =
      readFileSync(join(place.path, "heddle.db"), "latin1") + readFileSync(join(place.path, "heddle.db-wal"), "latin1");
    for (const secret of [key, textAt(rotated, "key")]) {
      const part = secret.split("_").at(-1)?.slice(0, 24) ?? "";
      expect(part.length).toBe(24);
      for (const text of [audit.text, csv.text, file, ...place.gateway.rawLogs]) expect(text).not.toContain(part);
    }
  });

  test("is read by tenant, by actor, by time, page by page", async () => {
    const first = await place.as("admin").get("/audit?limit=3");
    expect(dataOf(first)).toHaveLength(3);
    const second = await place.as("admin").get(`/audit?limit=3&cursor=${textAt(first, "next_cursor")}`);
    const ids = [...dataOf(first), ...dataOf(second)].map(({ id }) => id);
    expect(new Set(ids).size).toBe(6);
    expect(dataOf(await place.as("admin").get("/audit?to=2026-01-01"))).toEqual([]);
    expect(dataOf(await place.as("rival").get("/audit")).every(({ tenant }) => tenant === "rival")).toBe(true);
    expectProblem(await place.as("rival").get("/audit?tenant=acme"), 403, "permission", "tenant");
    expectProblem(await place.as("admin").get("/audit?from=yesterday"), 400, "invalid_request", "from");
    expectProblem(await place.as("admin").get("/audit?cursor=..%2F"), 400, "invalid_request", "cursor");
    expectProblem(await place.as("member").get("/audit"), 403, "permission");
  });
});
