// Looking keys up: what is read when, what is not read at all, and what holds while the store is down.
import { describe, expect, test } from "vitest";
import { makeKey } from "../../../lib/auth/keys/format.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import { admin, failure, otherPepper, pepper, world } from "../../support/keys.ts";

const minute = 60_000;
const hour = 60 * minute;
const unknown = "authentication: The API key is not valid here.";
const revoked = "authentication: The API key has been revoked.";
const down = "storage: The store is down.";

describe("what is no key reads nothing", () => {
  test("a wrong checksum, another pepper's, another environment's", async () => {
    const { instance } = world();
    const { keys, who, tapped, whoNow } = instance();
    const { key } = await keys.create(admin, { name: "n" });
    tapped.reads.length = 0;
    const { key: foreign } = makeKey(Buffer.from(otherPepper), "live");
    const { key: staging } = makeKey(Buffer.from(pepper), "stg");
    const last = key.endsWith("A") ? "B" : "A";
    const wrong = [`${key.slice(0, -1)}${last}`, foreign, staging, "hdl_", `hdl_live_${"a".repeat(1_000_000)}`];
    for (const each of wrong) expect(await failure(() => who(each))).toBe(unknown);
    // Nor does any of them wait, once the pepper is known.
    for (const each of wrong) expect(await failure(() => void whoNow(each))).toBe(unknown);
    expect(tapped.reads).toEqual([]);
  });

  test("a key that this deployment made and that is gone is looked up once in five seconds", async () => {
    const { instance, clock } = world();
    const { keys, who, tapped } = instance();
    const { key, record } = await keys.create(admin, { name: "n" });
    await tapped.table.delete({ pk: `~key/${record.id}`, sk: "key" });
    tapped.reads.length = 0;
    for (let at = 0; at < 5; at += 1) expect(await failure(() => who(key))).toBe(unknown);
    expect(tapped.reads).toHaveLength(1);
    clock.time += 5_000;
    expect(await failure(() => who(key))).toBe(unknown);
    expect(tapped.reads).toHaveLength(2);
  });

  test("a key whose id is right and whose secret is another's", async () => {
    const { instance } = world();
    const { keys, who, tapped } = instance();
    const { record } = await keys.create(admin, { name: "n" });
    const { key: other, id } = makeKey(Buffer.from(pepper), "live");
    const item = await tapped.table.get({ pk: `~key/${record.id}`, sk: "key" });
    await tapped.table.put({ pk: `~key/${id}`, sk: "key", data: item?.data ?? {} });
    expect(await failure(() => who(other))).toBe(unknown);
  });
});

describe("what is known is not read again", () => {
  test("a burst of a new key is one read, and what follows is none: at once, without a promise", async () => {
    const { instance, clock } = world();
    const { keys, who, whoNow, tapped } = instance();
    const { key } = await keys.create(admin, { name: "n" });
    tapped.reads.length = 0;
    await Promise.all(Array.from({ length: 20 }, () => who(key)));
    clock.time += 4_000;
    const first = whoNow(key);
    expect(first).not.toBeInstanceOf(Promise);
    expect(whoNow(key)).toBe(first);
    expect(tapped.reads).toHaveLength(1);
  });

  test("the pepper is asked for once, and again behind calls", async () => {
    const { instance, clock, secret } = world();
    const { keys, who } = instance();
    const { key } = await keys.create(admin, { name: "n" });
    for (let at = 0; at < 10; at += 1) await who(key);
    expect(secret.asked).toBe(1);
    clock.time += minute;
    await who(key);
    await who(key);
    expect(secret.asked).toBe(2);
  });

  test("the last use is written once an hour, behind the call", async () => {
    const { instance, clock } = world();
    const { keys, who, tapped } = instance();
    const { key, record } = await keys.create(admin, { name: "n" });
    tapped.writes.length = 0;
    for (let at = 0; at < 30; at += 1) {
      await who(key);
      clock.time += minute;
    }
    expect(tapped.writes).toEqual([`~key/${record.id}`]);
    expect((await keys.get(admin, record.id)).lastUsedAt).toBe(Date.parse("2026-03-01T12:00:00Z"));
    clock.time += hour;
    // Another instance has not used it yet, and one of the same hour writes nothing.
    const other = instance();
    await other.who(key);
    await who(key);
    expect([...tapped.writes, ...other.tapped.writes]).toHaveLength(2);
    expect((await keys.get(admin, record.id)).lastUsedAt).toBe(Date.parse("2026-03-01T13:00:00Z"));
  });

  test("a last use that can't be written costs nobody anything", async () => {
    const { instance, clock } = world();
    const { keys, who, tapped } = instance();
    const { key } = await keys.create(admin, { name: "n" });
    await who(key);
    clock.time += hour;
    tapped.table.update = () => Promise.reject(new GatewayError("storage", "No."));
    expect(await who(key)).toMatchObject({ name: "n" });
  });
});

describe("while the store is down (F45)", () => {
  test.each(["open", "closed"] as const)(
    "%s: what was read within 15 minutes holds, without waiting for each call; and it recovers by itself",
    async (rule) => {
      const { instance, clock } = world();
      const { keys, who, whoNow, tapped } = instance(rule);
      const { key, record } = await keys.create(admin, { name: "n" });
      const { key: never } = await keys.create(admin, { name: "never seen" });
      await who(key);
      tapped.down = true;
      clock.time += 10 * minute;
      expect(await who(key)).toMatchObject({ name: "n" });
      const asked = tapped.reads.length;
      expect(whoNow(key)).not.toBeInstanceOf(Promise);
      expect(tapped.reads).toHaveLength(asked);
      expect(await failure(() => who(never))).toBe(down);
      clock.time += 6 * minute;
      expect(await failure(() => who(key))).toBe(down);
      tapped.down = false;
      expect(await who(key)).toMatchObject({ key: record.id });
      expect(await who(never)).toMatchObject({ name: "never seen" });
    },
  );

  test("a store that hangs is waited for once, and then asked behind calls", async () => {
    const { instance, clock } = world();
    const { keys, who, whoNow, settle, tapped } = instance();
    const { key } = await keys.create(admin, { name: "n" });
    const { key: proving } = await keys.create(admin, { name: "p", selfProving: true });
    for (const each of [key, proving]) await who(each);
    tapped.down = true;
    clock.time += minute;
    for (const each of [key, proving]) await who(each);
    for (let at = 0; at < 10; at += 1) {
      clock.time += 6_000;
      for (const each of [key, proving]) {
        const found = whoNow(each);
        expect(found).not.toBeInstanceOf(Promise);
        expect((await found).verified).toBeUndefined();
      }
      await settle();
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Whoever was not heard of since may know of nothing that the store has learnt meanwhile.
    clock.time += 11_000;
    expect(whoNow(key)).toBeInstanceOf(Promise);
    expect((await whoNow(proving)).verified).toBeDefined();
  });

  test("a key that expired meanwhile is refused all the same", async () => {
    const { instance, clock } = world();
    const { keys, who, tapped } = instance();
    const { key } = await keys.create(admin, { name: "n", expiresAt: clock.time + 5 * minute });
    await who(key);
    tapped.down = true;
    clock.time += 5 * minute;
    expect(await failure(() => who(key))).toBe("authentication: The API key has expired.");
  });

  test("a key that proves itself passes a cold instance by the rule alone", async () => {
    const { instance, clock } = world();
    const { key } = await instance().keys.create(admin, { name: "n", selfProving: true });
    const [closed, open] = [instance("closed"), instance("open")];
    closed.tapped.down = true;
    open.tapped.down = true;
    expect(await failure(() => closed.who(key))).toBe(down);
    expect(await open.who(key)).toMatchObject({ name: "n" });
    closed.tapped.down = false;
    clock.time += 5_000;
    expect(await closed.who(key)).toMatchObject({ name: "n" });
  });

  test("what was known of revocations holds for 15 minutes", async () => {
    const { instance, clock } = world();
    const maker = instance();
    const good = await maker.keys.create(admin, { name: "good", selfProving: true });
    const bad = await maker.keys.create(admin, { name: "bad", selfProving: true });
    await maker.keys.revoke(admin, bad.record.id);
    const { who, whoNow, tapped } = instance("closed");
    await who(good.key);
    tapped.down = true;
    clock.time += 10 * minute;
    expect(await who(good.key)).toMatchObject({ name: "good" });
    expect(await whoNow(good.key)).toEqual({ caller: expect.objectContaining({ name: "good" }) });
    expect(await failure(() => who(bad.key))).toBe(revoked);
    clock.time += 6 * minute;
    expect(await failure(() => who(good.key))).toMatch(/^storage: /);
  });
});

describe("keys that prove themselves", () => {
  test("stand for what they hold, and are read nowhere but for their revocation", async () => {
    const { instance, clock } = world();
    const wanted = {
      name: "cold",
      tenant: "acme",
      owner: "ada",
      user: "sales",
      roles: ["member"],
      scopes: { models: ["echo/*"] },
      selfProving: true,
    };
    const { key, record } = await instance().keys.create(admin, wanted);
    expect(record).toMatchObject({
      selfProving: true,
      expiresAt: Math.ceil((clock.time + 90 * 24 * hour) / 1_000) * 1_000,
    });
    const { who, tapped, whoNow } = instance();
    expect(await who(key)).toEqual({
      name: "cold",
      open: false,
      tenant: "acme",
      owner: "ada",
      user: "sales",
      key: record.id,
      roles: ["member"],
      scopes: { models: ["echo/*"] },
      selfProving: true,
    });
    expect(tapped.reads).toEqual(["~control"]);
    expect(whoNow(key)).toBe(whoNow(key));
    clock.time += 7_000;
    const later = await whoNow(key);
    expect(later.verified).toBeUndefined();
    expect(tapped.reads).toEqual(["~control", "~control"]);
    expect(tapped.writes).toEqual([]);
  });

  test("the caller is known before the store has said anything", async () => {
    const { instance } = world();
    const { key } = await instance().keys.create(admin, { name: "cold", selfProving: true });
    const { tapped, whoNow } = instance();
    let answer: () => void = () => undefined;
    tapped.table.get = () => new Promise((resolve) => void (answer = () => resolve(undefined)));
    const { caller, verified } = await whoNow(key);
    expect(caller).toMatchObject({ name: "cold", selfProving: true });
    let known = false;
    const waiting = verified?.then(() => void (known = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(known).toBe(false);
    answer();
    await waiting;
    expect(known).toBe(true);
  });

  test("a revocation reaches every instance within ten seconds, and a cold one at once", async () => {
    const { instance, clock } = world();
    const [here, there] = [instance(), instance()];
    const { key, record } = await here.keys.create(admin, { name: "n", selfProving: true });
    for (const { who } of [here, there]) await who(key);
    await here.keys.revoke(admin, record.id);
    expect(await failure(() => here.whoNow(key))).toBe(revoked);
    expect(await failure(() => instance().who(key))).toBe(revoked);
    clock.time += 10_001;
    expect(await failure(() => there.who(key))).toBe(revoked);
    expect((await here.keys.get(admin, record.id)).revokedAt).toBeDefined();
  });

  test("rotation leaves the old one its overlap; what can't be used any more is forgotten", async () => {
    const { instance, clock } = world();
    const { keys, who, control } = instance();
    const first = await keys.create(admin, { name: "n", selfProving: true, expiresAt: clock.time + 5 * hour });
    const second = await keys.rotate(admin, first.record.id, { overlapSeconds: 3_600 });
    expect(second.key).not.toBe(first.key);
    for (const { key } of [first, second]) await who(key);
    clock.time += hour;
    expect(await failure(() => who(first.key))).toBe(revoked);
    await who(second.key);
    const { key: last, record } = await keys.create(admin, { name: "n", selfProving: true });
    await keys.revoke(admin, record.id);
    expect(Object.keys((await control.state()).revoked)).toHaveLength(2);
    clock.time += 4 * hour;
    expect(await failure(() => who(first.key))).toBe("authentication: The API key has expired.");
    await control.change((state) => state);
    expect(Object.keys((await control.state()).revoked)).toEqual([record.id]);
    expect(await failure(() => who(last))).toBe(revoked);
    expect(await failure(() => keys.update(admin, record.id, { name: "m" }))).toMatch(/^conflict: .*rotate/);
  });
});
