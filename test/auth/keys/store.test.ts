// Keys made, listed, changed, revoked and rotated: by whom, and what of it reaches which instance when.
import { describe, expect, test } from "vitest";
import type { Caller } from "../../../lib/auth/caller.ts";
import { admin, caller, failure, otherPepper, pepper, world } from "../../support/keys.ts";

const hour = 3_600_000;
const day = 24 * hour;
const unknown = "authentication: The API key is not valid here.";
const revoked = "authentication: The API key has been revoked.";
const expired = "authentication: The API key has expired.";

describe("making keys", () => {
  test("a key is told once, and stands for what it was made for", async () => {
    const { instance, clock } = world();
    const { keys, who, tapped } = instance();
    const limits = { requestsPerMinute: 5, budgets: [{ amount: 1, per: "day" as const }] };
    const { key, record } = await keys.create(admin, {
      name: "Reports",
      tenant: "acme",
      owner: "ada",
      user: "sales",
      roles: ["viewer"],
      scopes: { models: ["echo/*"] },
      limits,
    });
    expect(key).toMatch(/^hdl_live_[A-Za-z0-9]{16}_[A-Za-z0-9]{44}$/);
    expect(record).toEqual({
      id: key.split("_")[2],
      name: "Reports",
      tenant: "acme",
      owner: "ada",
      user: "sales",
      roles: ["viewer"],
      scopes: { models: ["echo/*"] },
      limits,
      createdAt: clock.time,
      createdBy: "open",
    });
    expect(await who(key)).toEqual({
      name: "Reports",
      open: false,
      tenant: "acme",
      owner: "ada",
      user: "sales",
      key: record.id,
      roles: ["viewer"],
      scopes: { models: ["echo/*"] },
      limits,
    });
    const item = await tapped.table.get({ pk: `~key/${record.id}`, sk: "key" });
    expect(JSON.stringify(item)).not.toContain(key.slice(-44, -12));
    expect(JSON.stringify(await keys.get(admin, record.id))).not.toContain("hash");
  });

  test("without further words: a member of the creator's tenant, that owns what it makes", async () => {
    const { instance } = world();
    const { record } = await instance().keys.create(caller(), { name: "n" });
    expect(record).toMatchObject({ tenant: "acme", owner: "n", roles: ["member"], createdBy: "config:ada" });
  });

  test.each([
    ["name", { name: "" }],
    ["name", { name: "a\nb" }],
    ["tenant", { name: "n", tenant: "t".repeat(129) }],
    ["owner", { name: "n", owner: "\ud800" }],
    ["roles", { name: "n", roles: [] }],
    ["roles[1]", { name: "n", roles: ["member", "emperor"] }],
    ["scopes.actions[0]", { name: "n", scopes: { actions: ["models:fly"] } }],
    ["scopes.models[0]", { name: "n", scopes: { models: [""] } }],
    ["limits.concurrent", { name: "n", limits: { concurrent: 1.5 } }],
    ["limits.requestsPerMinute", { name: "n", limits: { requestsPerMinute: Number.NaN } }],
    ["limits.budgets[0].amount", { name: "n", limits: { budgets: [{ amount: -1, per: "day" as const }] } }],
    ["expiresAt", { name: "n", expiresAt: 1 }],
    ["limits", { name: "n", selfProving: true, limits: { concurrent: 1 } }],
    ["everywhere", { name: "n", selfProving: true, everywhere: true }],
    ["expiresAt", { name: "n", selfProving: true, expiresAt: Date.parse("2029-01-01") }],
    ["selfProving", { name: "n", selfProving: true, scopes: { models: ["m".repeat(200), "n".repeat(200)] } }],
  ])("%s can't be so: nothing is written", async (param, wanted) => {
    const { keys, tapped } = world().instance();
    await expect(keys.create(admin, wanted)).rejects.toMatchObject({ code: "invalid_request", details: { param } });
    expect(tapped.writes).toEqual([]);
  });

  test("without a pepper no key is made", async () => {
    const { instance, secret } = world();
    secret.value = undefined;
    expect(await failure(() => instance().keys.create(admin, { name: "n" }))).toMatch(/^not_implemented: .*pepper/);
    secret.value = "short";
    expect(await failure(() => instance().keys.create(admin, { name: "n" }))).toMatch(/^storage: .*32 characters/);
  });
});

describe("nobody gives more than it has", () => {
  const cases: [string, Partial<Caller>, Record<string, unknown>, string | undefined][] = [
    ["another tenant", {}, { tenant: "other" }, "tenant"],
    ["its own tenant", {}, { tenant: "acme" }, undefined],
    ["every tenant", {}, { everywhere: true }, "everywhere"],
    ["every tenant, having it", { everywhere: true }, { everywhere: true, tenant: "other" }, undefined],
    ["admin", {}, { roles: ["admin"] }, undefined],
    ["admin, being a keymaker", { roles: ["keymaker"] }, { roles: ["admin"] }, "roles"],
    ["member, whose threads it lacks", { roles: ["keymaker"] }, { roles: ["member"] }, "roles"],
    [
      "member, down to what it has",
      { roles: ["keymaker"] },
      { roles: ["member"], scopes: { actions: ["models:*"] } },
      undefined,
    ],
    ["what its scope lacks", { scopes: { actions: ["keys:*", "models:*"] } }, { roles: ["member"] }, "roles"],
    ["all models", { scopes: { models: ["echo/*", "fast"] } }, {}, "scopes.models"],
    [
      "a model beside its own",
      { scopes: { models: ["echo/*", "fast"] } },
      { scopes: { models: ["fast", "faster"] } },
      "scopes.models",
    ],
    ["more of a name", { scopes: { models: ["echo/*"] } }, { scopes: { models: ["e*"] } }, "scopes.models"],
    [
      "its models",
      { scopes: { models: ["echo/*", "fast"] } },
      { scopes: { models: ["echo/a*", "echo/*", "fast"] } },
      undefined,
    ],
    ["another owner, as manager", {}, { owner: "bob", scopes: { owners: "*" } }, undefined],
    ["another owner", { roles: ["keymaker"] }, { owner: "bob", roles: ["keymaker"] }, "owner"],
    ["itself", { roles: ["keymaker"] }, { roles: ["keymaker"] }, undefined],
    ["another user", { roles: ["keymaker"] }, { user: "bob", roles: ["keymaker"] }, "user"],
    [
      "an owner of its scope",
      { roles: ["keymaker"], scopes: { owners: ["bob"] } },
      { owner: "bob", roles: ["keymaker"] },
      undefined,
    ],
    [
      "owners beyond its scope",
      { roles: ["keymaker"], scopes: { owners: ["bob"] } },
      { roles: ["keymaker"], scopes: { owners: ["eve"] } },
      "scopes.owners",
    ],
    [
      "any owner",
      { roles: ["keymaker"], scopes: { owners: ["bob"] } },
      { roles: ["keymaker"], scopes: { owners: "*" } },
      "scopes.owners",
    ],
    ["no limit", { roles: ["keymaker"], limits: { concurrent: 2 } }, { roles: ["keymaker"] }, "limits"],
    [
      "a wider limit",
      { roles: ["keymaker"], limits: { concurrent: 2 } },
      { roles: ["keymaker"], limits: { concurrent: 3 } },
      "limits",
    ],
    [
      "a tighter limit",
      { roles: ["keymaker"], limits: { concurrent: 2 } },
      { roles: ["keymaker"], limits: { concurrent: 1 } },
      undefined,
    ],
    [
      "a budget of another time",
      { roles: ["keymaker"], limits: { budgets: [{ amount: 1, per: "day" }] } },
      { roles: ["keymaker"], limits: { budgets: [{ amount: 1, per: "total" }] } },
      "limits",
    ],
    ["no limit, as who sets limits", { limits: { concurrent: 2 } }, {}, undefined],
    [
      "freedom from its limits",
      { roles: ["keymaker"], limits: { concurrent: 2 } },
      { roles: ["keymaker"], selfProving: true },
      "limits",
    ],
  ];
  test.each(cases)("%s", async (_name, by, wanted, param) => {
    const { keys, tapped } = world().instance();
    const creating = keys.create(caller(by), { name: "n", ...wanted });
    if (param === undefined) return expect(await creating).toMatchObject({ record: wanted });
    await expect(creating).rejects.toMatchObject({ code: "permission", details: { param } });
    expect(tapped.writes).toEqual([]);
  });

  test("nor by changing or rotating a key that has more, nor by its own key", async () => {
    const { keys } = world().instance();
    const maker = caller({ roles: ["keymaker"], key: "k" });
    const { record: strong } = await keys.create(caller(), { name: "strong", roles: ["admin"] });
    const { record: weak } = await keys.create(caller(), { name: "weak", owner: "ada", roles: ["keymaker"] });
    for (const run of [
      () => keys.update(maker, strong.id, { name: "mine" }),
      () => keys.update(maker, strong.id, { roles: ["keymaker"] }),
      () => keys.update(maker, weak.id, { roles: ["admin"] }),
      () => keys.rotate(maker, strong.id),
    ])
      expect(await failure(run)).toMatch(/^permission: /);
    expect(await keys.update(maker, weak.id, { name: "mine" })).toMatchObject({ name: "mine" });
    expect((await keys.get(caller(), strong.id)).replacedBy).toBeUndefined();
  });

  test("another tenant's key is as if it weren't there, and so is one that administers every tenant", async () => {
    const { keys } = world().instance();
    const { record: theirs } = await keys.create(admin, { name: "n", tenant: "other" });
    const { record: above } = await keys.create(admin, {
      name: "root",
      tenant: "acme",
      roles: ["admin"],
      everywhere: true,
    });
    const ada = caller();
    for (const { id } of [theirs, above, { id: "a".repeat(16) }, { id: "../x" }])
      for (const run of [
        () => keys.get(ada, id),
        () => keys.update(ada, id, { name: "m" }),
        () => keys.revoke(ada, id),
        () => keys.rotate(ada, id),
      ])
        expect(await failure(run)).toBe("not_found: No such key.");
    expect((await keys.list(ada)).keys).toEqual([]);
    expect(await failure(() => keys.list(ada, { tenant: "other" }))).toMatch(/^not_found/);
    expect((await keys.list(admin, { tenant: "other" })).keys).toEqual([theirs]);
  });
});

test("lists come in pages, newest first", async () => {
  const { instance, clock } = world();
  const { keys } = instance();
  for (let at = 0; at < 5; at += 1) {
    await keys.create(caller(), { name: `key ${at}` });
    clock.time += 1_000;
  }
  const first = await keys.list(caller(), { limit: 3 });
  const second = await keys.list(caller(), { limit: 3, ...(first.next === undefined ? {} : { cursor: first.next }) });
  expect([...first.keys, ...second.keys].map(({ name }) => name)).toEqual([
    "key 4",
    "key 3",
    "key 2",
    "key 1",
    "key 0",
  ]);
  expect(await failure(() => keys.list(caller(), { limit: 1_000 }))).toMatch(/^invalid_request: limit/);
});

describe("changes, revocation, rotation", () => {
  test("a change is known here at once, elsewhere within ten seconds", async () => {
    const { instance, clock } = world();
    const [here, there] = [instance(), instance()];
    const { key, record } = await here.keys.create(admin, { name: "n", scopes: { models: ["a"] } });
    for (const { who } of [here, there]) expect(await who(key)).toMatchObject({ scopes: { models: ["a"] } });
    const later = clock.time + day;
    const changed = await here.keys.update(admin, record.id, { roles: ["viewer"], scopes: null, expiresAt: later });
    expect(changed).toMatchObject({ roles: ["viewer"], expiresAt: later });
    expect(changed.scopes).toBeUndefined();
    expect(await here.who(key)).toMatchObject({ roles: ["viewer"] });
    expect(await there.who(key)).toMatchObject({ roles: ["member"] });
    clock.time += 10_001;
    expect(await there.who(key)).toMatchObject({ roles: ["viewer"] });
    expect((await here.keys.update(admin, record.id, { expiresAt: null })).expiresAt).toBeUndefined();
  });

  test("a revocation is known here at once, elsewhere within ten seconds", async () => {
    const { instance, clock } = world();
    const [here, there] = [instance(), instance()];
    const { key, record } = await here.keys.create(admin, { name: "n" });
    for (const { who } of [here, there]) await who(key);
    await here.keys.revoke(admin, record.id);
    expect(await failure(() => here.who(key))).toBe(revoked);
    clock.time += 10_001;
    expect(await failure(() => there.who(key))).toBe(revoked);
    expect(await failure(() => here.keys.update(admin, record.id, { name: "m" }))).toMatch(/^conflict/);
    expect(await failure(() => here.keys.rotate(admin, record.id))).toMatch(/^conflict/);
  });

  test("one that is called often hears of it earlier, without ever waiting", async () => {
    const { instance, clock } = world();
    const [here, there] = [instance(), instance()];
    const { key, record } = await here.keys.create(admin, { name: "n" });
    await there.who(key);
    await here.keys.revoke(admin, record.id);
    clock.time += 5_001;
    expect(there.whoNow(key)).not.toBeInstanceOf(Promise);
    await there.settle();
    expect(await failure(() => there.whoNow(key))).toBe(revoked);
  });

  test("a revocation at a time, and the earlier of two", async () => {
    const { instance, clock } = world();
    const { keys, who } = instance();
    const { key, record } = await keys.create(admin, { name: "n" });
    await keys.revoke(admin, record.id, clock.time + 2 * hour);
    await keys.revoke(admin, record.id, clock.time + hour);
    await keys.revoke(admin, record.id, clock.time + 3 * hour);
    await who(key);
    clock.time += hour - 1;
    await who(key);
    clock.time += 1;
    expect(await failure(() => who(key))).toBe(revoked);
  });

  test("a rotated key is good for the overlap, and the new one has its rights", async () => {
    const { instance, clock } = world();
    const { keys, who } = instance();
    const first = await keys.create(admin, {
      name: "n",
      tenant: "acme",
      roles: ["viewer"],
      limits: { concurrent: 2 },
      expiresAt: clock.time + 30 * day,
    });
    clock.time += 10 * day;
    const second = await keys.rotate(admin, first.record.id);
    expect(second.record).toMatchObject({
      name: "n",
      tenant: "acme",
      roles: ["viewer"],
      limits: { concurrent: 2 },
      rotatedFrom: first.record.id,
      expiresAt: clock.time + 30 * day,
    });
    expect(await keys.get(admin, first.record.id)).toMatchObject({
      replacedBy: second.record.id,
      expiresAt: clock.time + day,
    });
    expect(await who(first.key)).toMatchObject({ key: first.record.id });
    expect(await who(second.key)).toMatchObject({ key: second.record.id });
    expect(await failure(() => keys.rotate(admin, first.record.id))).toBe("conflict: The key was rotated before.");
    clock.time += day;
    expect(await failure(() => who(first.key))).toBe(expired);
    await who(second.key);
    const third = await keys.rotate(admin, second.record.id, { overlapSeconds: 0 });
    expect(await failure(() => who(second.key))).toBe(expired);
    await who(third.key);
  });

  test("of two rotations at once one wins, and no second key stays", async () => {
    const { keys } = world().instance();
    const { record } = await keys.create(caller(), { name: "n" });
    const done = await Promise.allSettled([keys.rotate(caller(), record.id), keys.rotate(caller(), record.id)]);
    expect(done.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect((await keys.list(caller())).keys).toHaveLength(2);
  });

  test("not yet, and no more", async () => {
    const { instance, clock } = world();
    const { keys, who } = instance();
    const { key } = await keys.create(admin, {
      name: "n",
      notBefore: clock.time + hour,
      expiresAt: clock.time + 2 * hour,
    });
    expect(await failure(() => who(key))).toBe("authentication: The API key is not valid yet.");
    clock.time += hour;
    await who(key);
    clock.time += hour;
    expect(await failure(() => who(key))).toBe(expired);
  });
});

test("a pepper is renewed in two steps: keys of the one before it are good until it is gone", async () => {
  const { instance, clock, secret } = world();
  const { keys, who } = instance();
  const old = await keys.create(admin, { name: "old" });
  const oldProving = await keys.create(admin, { name: "old", selfProving: true });
  await who(old.key);
  secret.value = `${otherPepper}\n${pepper}\n`;
  clock.time += 60_000;
  await who(old.key);
  clock.time += 60_000;
  const young = await keys.create(admin, { name: "young" });
  for (const { key } of [old, oldProving, young]) await who(key);
  secret.value = otherPepper;
  clock.time += 60_000;
  await who(young.key);
  await who(young.key);
  for (const { key } of [old, oldProving]) expect(await failure(() => who(key))).toBe(unknown);
  await who(young.key);
});
