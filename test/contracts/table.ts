// What every store promises, as one suite: run by test/stores/*.test.ts against each of them.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Condition, FieldTest, Item, NewItem, Query, Table } from "../../lib/stores/table.ts";
import { agreesWithSqlite } from "./agreement.ts";

const past = 1_000_000_000;
const future = 4_000_000_000;

/** A partition of its own for each test, so that all may share one table. */
const partition = (): string => `tenant/${randomUUID()}`;

/** Every page, one after another. */
const all = async (table: Table, query: Query): Promise<Item[]> => {
  const items: Item[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 500; pages += 1) {
    const page = await table.query({ ...query, ...(cursor === undefined ? {} : { cursor }) });
    if (query.limit !== undefined) expect(page.items.length).toBeLessThanOrEqual(query.limit);
    items.push(...page.items);
    if (page.next === undefined) return items;
    cursor = page.next;
  }
  throw new Error("A query that never ends.");
};

const keys = (items: readonly Item[]): string[] => items.map((item) => item.sk);

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** The index may lag: asks until `ready`, for some seconds. */
const eventually = async (read: () => Promise<Item[]>, ready: (items: Item[]) => boolean): Promise<Item[]> => {
  let items = await read();
  for (let tries = 0; tries < 50 && !ready(items); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    items = await read();
  }
  return items;
};

/** The whole contract. `open` opens the store once; two tables over the same data may be opened, and are. */
export const tableContract = (name: string, open: () => Promise<Table>): void => {
  describe(`table contract: ${name}`, () => {
    let table: Table;
    beforeAll(async () => {
      table = await open();
    });
    afterAll(() => table.close());

    const fill = async (pk: string, sks: readonly string[], extra: Partial<NewItem> = {}): Promise<void> => {
      for (let at = 0; at < sks.length; at += 20)
        await Promise.all(sks.slice(at, at + 20).map((sk) => table.put({ pk, sk, data: { sk }, ...extra })));
    };

    describe("items", () => {
      test("what was put is read as it was", async () => {
        const pk = partition();
        const data = {
          text: "hello",
          empty: "",
          none: null,
          yes: true,
          no: false,
          zero: 0,
          number: -12.5e-3,
          huge: 1.7976931348623157e308,
          tiny: 5e-324,
          precise: 0.1 + 0.2,
          list: [1, "two", null, [], {}],
          nested: { a: { b: { c: [{ d: 1 }] } }, json: "{}" },
          json: "[1]",
          "field with spaces, 'quotes', \"more\" and.dots/slashes~": 1,
          ключ: "значение",
        };
        const written = await table.put({ pk, sk: "a", data, expiresAt: future, ipk: `${pk}/i`, isk: "x" });
        const item = { pk, sk: "a", version: 1, data, expiresAt: future, ipk: `${pk}/i`, isk: "x" };
        expect(written).toEqual({ ok: true, item });
        expect(await table.get({ pk, sk: "a" })).toEqual(item);
      });

      test("what isn't there is undefined", async () => {
        expect(await table.get({ pk: partition(), sk: "none" })).toBeUndefined();
      });

      test("a put replaces everything, and counts the version on", async () => {
        const pk = partition();
        await table.put({ pk, sk: "a", data: { old: 1, both: 1 }, expiresAt: future, ipk: `${pk}/i`, isk: "x" });
        expect(await table.put({ pk, sk: "a", data: { both: 2 } })).toEqual({
          ok: true,
          item: { pk, sk: "a", version: 2, data: { both: 2 } },
        });
        expect(await table.get({ pk, sk: "a" })).toEqual({ pk, sk: "a", version: 2, data: { both: 2 } });
      });

      test("a field that is undefined is not there, nor taken away", async () => {
        const pk = partition();
        await table.put({ pk, sk: "a", data: { a: 1, b: undefined } });
        await table.update({ pk, sk: "a" }, { set: { a: undefined, c: 2, d: undefined } });
        expect(Object.keys((await table.get({ pk, sk: "a" }))?.data ?? {}).sort()).toEqual(["a", "c"]);
      });

      test("data may be empty", async () => {
        const pk = partition();
        await table.put({ pk, sk: "a", data: {} });
        expect((await table.get({ pk, sk: "a" }))?.data).toEqual({});
        await table.update({ pk, sk: "a" }, { add: { n: 1 } });
        expect((await table.get({ pk, sk: "a" }))?.data).toEqual({ n: 1 });
        await table.update({ pk, sk: "a" }, { remove: ["n", "never"] });
        expect(await table.get({ pk, sk: "a" })).toMatchObject({ version: 3, data: {} });
      });

      test("unicode everywhere: keys, fields, values, and halves of a surrogate pair in values", async () => {
        const pk = `${partition()}/ü/日本/🦊`;
        const sk = "a b#c/d\\e?f%g\u0001h\"i'j~k ÿ\u{10ffff} ";
        const data = {
          "": "",
          "🧵": "🧶",
          text: "e\u0301 \u0000 \u2028 \ufffd \uffff",
          half: "\ud83e",
          list: ["\udd8a"],
        };
        delete (data as Record<string, unknown>)[""];
        await table.put({ pk, sk, data, ipk: pk, isk: sk });
        await table.update({ pk, sk }, { set: { other: "\udd8a" }, add: { "№": 1 } });
        const wanted = { pk, sk, version: 2, data: { ...data, other: "\udd8a", "№": 1 }, ipk: pk, isk: sk };
        expect(await table.get({ pk, sk })).toEqual(wanted);
        expect(await all(table, { pk })).toEqual([wanted]);
        expect(
          await eventually(
            () => all(table, { pk, index: true }),
            (items) => items[0]?.version === 2,
          ),
        ).toEqual([wanted]);
      });

      test("keys that look alike stay apart", async () => {
        const pk = partition();
        const sks = [
          "a",
          "A",
          "a ",
          " a",
          "a/",
          "a\\",
          "a%2F",
          "a/b",
          "é",
          "e\u0301",
          "a.",
          "~7e",
          "!20",
          "|",
          "a#",
          "a?",
        ];
        await fill(pk, sks);
        expect(keys(await all(table, { pk })).sort()).toEqual([...sks].sort());
        for (const sk of sks) expect((await table.get({ pk, sk }))?.data).toEqual({ sk });
        expect(await table.get({ pk: pk.toUpperCase(), sk: "a" })).toBeUndefined();
      });

      test("300 KB in one item", async () => {
        const pk = partition();
        const data = {
          text: "ü".repeat(100_000),
          list: Array.from({ length: 1000 }, (_, at) => ({ at, text: "x".repeat(80) })),
        };
        await table.put({ pk, sk: "large", data });
        expect((await table.get({ pk, sk: "large" }))?.data).toEqual(data);
        expect((await table.update({ pk, sk: "large" }, { add: { n: 1 } })).item?.data).toEqual({ ...data, n: 1 });
      });
    });

    describe("updates", () => {
      test("set, remove and add touch only what they name", async () => {
        const pk = partition();
        await table.put({ pk, sk: "a", data: { keep: [1], gone: 1, count: 5, text: "x" }, expiresAt: future });
        const written = await table.update(
          { pk, sk: "a" },
          { set: { text: "y", more: { deep: true } }, remove: ["gone", "never"], add: { count: -2, fresh: 7 } },
        );
        const item = {
          pk,
          sk: "a",
          version: 2,
          data: { keep: [1], count: 3, text: "y", more: { deep: true }, fresh: 7 },
          expiresAt: future,
        };
        expect(written).toEqual({ ok: true, item });
        expect(await table.get({ pk, sk: "a" })).toEqual(item);
      });

      test("a field may change its type", async () => {
        const pk = partition();
        const values = [1, "1", [1], { one: 1 }, null, true, { json: "1" }, "x"];
        await table.put({ pk, sk: "a", data: {} });
        for (const value of values) {
          await table.update({ pk, sk: "a" }, { set: { value } });
          expect((await table.get({ pk, sk: "a" }))?.data).toEqual({ value });
        }
      });

      test("an update makes the item where there is none", async () => {
        const pk = partition();
        const written = await table.update(
          { pk, sk: "a" },
          { set: { a: "x" }, remove: ["b"], add: { n: 3 }, expiresAt: future, index: { ipk: `${pk}/i`, isk: "1" } },
        );
        const item = { pk, sk: "a", version: 1, data: { a: "x", n: 3 }, expiresAt: future, ipk: `${pk}/i`, isk: "1" };
        expect(written).toEqual({ ok: true, item });
        expect(await table.get({ pk, sk: "a" })).toEqual(item);
      });

      test("an update without a change still counts the version", async () => {
        const pk = partition();
        await table.update({ pk, sk: "a" }, {});
        expect((await table.update({ pk, sk: "a" }, {})).item).toEqual({ pk, sk: "a", version: 2, data: {} });
      });

      test("expiry and index: absent leaves them, null takes them away, a value sets them", async () => {
        const pk = partition();
        const index = { ipk: `${pk}/i`, isk: "x" };
        await table.put({ pk, sk: "a", data: {}, expiresAt: future, ...index });
        await table.update({ pk, sk: "a" }, { add: { n: 1 } });
        expect(await table.get({ pk, sk: "a" })).toMatchObject({ expiresAt: future, ...index });
        await table.update({ pk, sk: "a" }, { expiresAt: null, index: null });
        expect(await table.get({ pk, sk: "a" })).toEqual({ pk, sk: "a", version: 3, data: { n: 1 } });
        await table.update({ pk, sk: "a" }, { expiresAt: future + 1, index: { ...index, isk: "y" } });
        expect(await table.get({ pk, sk: "a" })).toMatchObject({ expiresAt: future + 1, ...index, isk: "y" });
      });

      test("many fields at once", async () => {
        const pk = partition();
        const set = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`s${at}`, at]));
        const add = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`n${at}`, at]));
        await table.put({ pk, sk: "a", data: { here: true } });
        expect((await table.update({ pk, sk: "a" }, { set, add })).item?.data).toEqual({ here: true, ...set, ...add });
      });

      test("a sum with what is no number throws, and so does a field named twice", async () => {
        const pk = partition();
        await table.put({ pk, sk: "a", data: { text: "x" } });
        await expect(table.update({ pk, sk: "a" }, { add: { text: 1 } })).rejects.toMatchObject({ code: "internal" });
        await expect(table.update({ pk, sk: "a" }, { set: { n: 1 }, add: { n: 1 } })).rejects.toMatchObject({
          code: "internal",
        });
        expect(await table.get({ pk, sk: "a" })).toMatchObject({ version: 1, data: { text: "x" } });
      });
    });

    describe("conditions", () => {
      test("absent, present and version", async () => {
        const pk = partition();
        const item: NewItem = { pk, sk: "a", data: { n: 1 } };
        expect(await table.put(item, { item: "present" })).toEqual({ ok: false, failed: 0 });
        expect(await table.put(item, { version: 1 })).toEqual({ ok: false, failed: 0 });
        expect(await table.put(item, { item: "absent" })).toMatchObject({ ok: true, item: { version: 1 } });
        const standing = { ok: false, failed: 0, item: { ...item, version: 1 } };
        expect(await table.put({ ...item, data: { n: 2 } }, { item: "absent" })).toEqual(standing);
        expect(await table.put({ ...item, data: { n: 2 } }, { version: 2 })).toEqual(standing);
        expect(await table.put({ ...item, data: { n: 2 } }, { version: 1 })).toMatchObject({
          ok: true,
          item: { version: 2 },
        });
        expect(await table.put({ ...item, data: { n: 3 } }, { item: "present" })).toMatchObject({
          item: { version: 3 },
        });
        expect(await table.get({ pk, sk: "a" })).toMatchObject({ version: 3, data: { n: 3 } });
      });

      test("an update and a delete obey the same conditions", async () => {
        const pk = partition();
        const key = { pk, sk: "a" };
        expect(await table.update(key, { add: { n: 1 } }, { item: "present" })).toEqual({ ok: false, failed: 0 });
        expect(await table.get(key)).toBeUndefined();
        expect(await table.delete(key)).toEqual({ ok: true });
        expect(await table.delete(key, { item: "present" })).toEqual({ ok: false, failed: 0 });
        expect(await table.update(key, { add: { n: 1 } }, { item: "absent" })).toMatchObject({ ok: true });
        const standing = { ok: false, failed: 0, item: { ...key, version: 1, data: { n: 1 } } };
        expect(await table.update(key, { add: { n: 1 } }, { item: "absent" })).toEqual(standing);
        expect(await table.update(key, { add: { n: 1 } }, { version: 7 })).toEqual(standing);
        expect(await table.delete(key, { version: 7 })).toEqual(standing);
        expect(await table.delete(key, { item: "absent" })).toEqual(standing);
        expect(await table.transact(pk, [{ delete: key, condition: { item: "absent" } }])).toEqual(standing);
        expect(await table.update(key, { add: { n: 1 } }, { version: 1 })).toMatchObject({ ok: true });
        expect(await table.delete(key, { version: 2, fields: [{ field: "n", is: "=", value: 2 }] })).toEqual({
          ok: true,
        });
        expect(await table.get(key)).toBeUndefined();
        expect(await table.delete(key, { item: "absent" })).toEqual({ ok: true });
      });

      test("a version counts from 1 again after a delete", async () => {
        const pk = partition();
        await table.put({ pk, sk: "a", data: {} });
        await table.put({ pk, sk: "a", data: {} });
        await table.delete({ pk, sk: "a" });
        expect((await table.put({ pk, sk: "a", data: {} })).item?.version).toBe(1);
      });

      /** Every test with whether it passes on `{ n: 5, text: "m", yes: true, none: null, list: [1] }`. */
      const cases: [FieldTest, boolean][] = [
        [{ field: "n", is: "=", value: 5 }, true],
        [{ field: "n", is: "=", value: 6 }, false],
        [{ field: "n", is: "=", value: "5" }, false],
        [{ field: "n", is: "!=", value: 6 }, true],
        [{ field: "n", is: "!=", value: 5 }, false],
        [{ field: "n", is: "!=", value: "5" }, true],
        [{ field: "n", is: "<", value: 6 }, true],
        [{ field: "n", is: "<", value: 5 }, false],
        [{ field: "n", is: "<=", value: 5 }, true],
        [{ field: "n", is: "<=", value: 4 }, false],
        [{ field: "n", is: ">", value: 4 }, true],
        [{ field: "n", is: ">", value: 5 }, false],
        [{ field: "n", is: ">=", value: 5 }, true],
        [{ field: "n", is: ">=", value: 6 }, false],
        [{ field: "n", is: "<", value: 10 }, true],
        [{ field: "n", is: "<", value: "9" }, false],
        [{ field: "n", is: ">", value: "1" }, false],
        [{ field: "text", is: "=", value: "m" }, true],
        [{ field: "text", is: "=", value: "M" }, false],
        [{ field: "text", is: "<", value: "n" }, true],
        [{ field: "text", is: ">", value: "n" }, false],
        [{ field: "text", is: ">=", value: "m" }, true],
        [{ field: "fox", is: "<", value: "\ufffd" }, false],
        [{ field: "fox", is: ">", value: "\ufffd" }, true],
        [{ field: "yes", is: "=", value: true }, true],
        [{ field: "yes", is: "=", value: false }, false],
        [{ field: "yes", is: "!=", value: false }, true],
        [{ field: "yes", is: ">", value: false }, false],
        [{ field: "none", is: "absent" }, false],
        [{ field: "none", is: "=", value: "null" }, false],
        [{ field: "none", is: "!=", value: 1 }, true],
        [{ field: "list", is: "absent" }, false],
        [{ field: "list", is: "=", value: 1 }, false],
        [{ field: "list", is: "!=", value: 1 }, true],
        [{ field: "never", is: "absent" }, true],
        [{ field: "never", is: "=", value: 1 }, false],
        [{ field: "never", is: "!=", value: 1 }, false],
        [{ field: "never", is: "<", value: 1 }, false],
        [{ field: "never", is: "=", value: 1, orAbsent: true }, true],
        [{ field: "never", is: "<", value: 1, orAbsent: true }, true],
        [{ field: "n", is: "=", value: 1, orAbsent: true }, false],
        [{ field: "n", is: "absent", orAbsent: true }, false],
        [{ field: "n", is: "<=", value: 5, orAbsent: true }, true],
      ];
      const data = { n: 5, text: "m", fox: "🦊", yes: true, none: null, list: [1] };

      test.each(cases)("field test %j is %s", async (fieldTest, passes) => {
        const pk = partition();
        await table.put({ pk, sk: "a", data });
        const condition: Condition = { fields: [fieldTest] };
        const update = await table.update({ pk, sk: "a" }, { set: { touched: true } }, condition);
        expect(update.ok).toBe(passes);
        const checked = await table.transact(pk, [{ check: { pk, sk: "a" }, condition }]);
        expect(checked.ok).toBe(passes);
        expect((await table.delete({ pk, sk: "a" }, condition)).ok).toBe(passes);
      });

      test("every test must pass, and a missing item has no fields", async () => {
        const pk = partition();
        const key = { pk, sk: "a" };
        expect((await table.update(key, { add: { n: 1 } }, { fields: [{ field: "n", is: "<", value: 2 }] })).ok).toBe(
          false,
        );
        const affordable: Condition = { fields: [{ field: "n", is: "<", value: 2, orAbsent: true }] };
        expect((await table.update(key, { add: { n: 1 } }, affordable)).ok).toBe(true);
        expect((await table.update(key, { add: { n: 1 } }, affordable)).ok).toBe(true);
        expect(await table.update(key, { add: { n: 1 } }, affordable)).toEqual({
          ok: false,
          failed: 0,
          item: { ...key, version: 2, data: { n: 2 } },
        });
        const both: Condition = {
          item: "present",
          version: 2,
          fields: [
            { field: "n", is: "=", value: 2 },
            { field: "other", is: "absent" },
          ],
        };
        expect((await table.update(key, { set: { other: 1 } }, both)).ok).toBe(true);
        expect((await table.update(key, { set: { other: 1 } }, { ...both, version: 3 })).ok).toBe(false);
        expect((await table.put({ ...key, sk: "b", data: {} }, { fields: [{ field: "n", is: "absent" }] })).ok).toBe(
          true,
        );
      });
    });

    describe("expiry", () => {
      const expired = { data: { old: true, n: 9 }, expiresAt: past };

      test("an expired item is not there: get, query, index", async () => {
        const pk = partition();
        const index = { ipk: `${pk}/i`, isk: "x" };
        await table.put({ pk, sk: "a", ...expired, ...index });
        await table.put({ pk, sk: "b", data: {}, expiresAt: future, ...index });
        await table.put({ pk, sk: "c", ...expired, ...index });
        expect(await table.get({ pk, sk: "a" })).toBeUndefined();
        expect(keys(await all(table, { pk }))).toEqual(["b"]);
        expect(keys(await all(table, { pk, limit: 1, descending: true }))).toEqual(["b"]);
        const found = await eventually(
          () => all(table, { pk: index.ipk, index: true }),
          (items) => items.length > 0,
        );
        expect(keys(found)).toEqual(["b"]);
      });

      test("a condition sees nothing where an expired item lies, and what is written there is new", async () => {
        const pk = partition();
        for (const sk of ["put", "absent", "update", "update-absent", "delete", "fields"])
          await table.put({ pk, sk, ...expired });
        expect(await table.put({ pk, sk: "put", data: {} }, { item: "present" })).toEqual({ ok: false, failed: 0 });
        expect(await table.put({ pk, sk: "put", data: {} }, { version: 1 })).toEqual({ ok: false, failed: 0 });
        expect((await table.put({ pk, sk: "put", data: { a: 1 } })).item).toEqual({
          pk,
          sk: "put",
          version: 1,
          data: { a: 1 },
        });
        const fresh = (sk: string, data: object): object => ({ ok: true, item: { pk, sk, version: 1, data } });
        expect(await table.put({ pk, sk: "absent", data: {} }, { item: "absent" })).toEqual(fresh("absent", {}));
        expect(await table.update({ pk, sk: "update" }, { add: { n: 1 } })).toEqual(fresh("update", { n: 1 }));
        expect(await table.get({ pk, sk: "update" })).toEqual({ pk, sk: "update", version: 1, data: { n: 1 } });
        expect(await table.update({ pk, sk: "update-absent" }, { set: { a: 1 } }, { item: "absent" })).toEqual(
          fresh("update-absent", { a: 1 }),
        );
        expect(
          await table.update(
            { pk, sk: "fields" },
            { add: { n: 1 } },
            { fields: [{ field: "old", is: "=", value: true }] },
          ),
        ).toEqual({
          ok: false,
          failed: 0,
        });
        expect(
          await table.update(
            { pk, sk: "fields" },
            { add: { n: 1 } },
            { fields: [{ field: "n", is: "<", value: 5, orAbsent: true }] },
          ),
        ).toEqual(fresh("fields", { n: 1 }));
        expect(await table.delete({ pk, sk: "delete" }, { item: "present" })).toEqual({ ok: false, failed: 0 });
        expect(await table.delete({ pk, sk: "delete" }, { item: "absent" })).toEqual({ ok: true });
        expect(await table.delete({ pk, sk: "delete" })).toEqual({ ok: true });
      });

      test("a transaction sees it so too", async () => {
        const pk = partition();
        for (const sk of ["a", "b", "c", "d", "e"]) await table.put({ pk, sk, ...expired });
        expect(
          await table.transact(pk, [
            { put: { pk, sk: "new", data: {} } },
            { update: { pk, sk: "a" }, change: { add: { n: 1 } }, condition: { item: "present" } },
          ]),
        ).toEqual({ ok: false, failed: 1 });
        expect(await table.get({ pk, sk: "new" })).toBeUndefined();
        expect(
          await table.transact(pk, [
            { put: { pk, sk: "a", data: { a: 1 } }, condition: { item: "absent" } },
            { update: { pk, sk: "b" }, change: { add: { n: 1 } } },
            { check: { pk, sk: "c" }, condition: { item: "absent" } },
            { put: { pk, sk: "d", data: { d: 1 } } },
            { delete: { pk, sk: "e" }, condition: { item: "absent" } },
          ]),
        ).toEqual({ ok: true });
        expect(await all(table, { pk })).toEqual([
          { pk, sk: "a", version: 1, data: { a: 1 } },
          { pk, sk: "b", version: 1, data: { n: 1 } },
          { pk, sk: "d", version: 1, data: { d: 1 } },
        ]);
      });

      test("an update may bring its item to an end", async () => {
        const pk = partition();
        await table.put({ pk, sk: "a", data: {} });
        await table.update({ pk, sk: "a" }, { expiresAt: past });
        expect(await table.get({ pk, sk: "a" })).toBeUndefined();
      });
    });

    describe("queries", () => {
      const strange = [
        "",
        "a",
        "a!",
        "a0",
        "aa",
        "ab",
        "b",
        "B",
        "a\u0000",
        "a\u0001",
        "a~",
        "a\u007f",
        "é",
        "ÿ",
        "\ud7ff",
        "\ue000",
        "\uffff",
        "🦊",
        "\u{10ffff}",
        "日本",
        "a/b",
        "a?b",
        "a#b",
        "a\\b",
        "a.b",
        "a[b",
        "a>b",
        "a]b",
        "a%b",
      ].map((each) => `k${each}`);

      test("keys are in the order of their UTF-8 bytes, both ways, at any page size", async () => {
        const pk = partition();
        await fill(pk, strange);
        await table.put({ pk: `${pk}x`, sk: "k", data: {} });
        const sorted = [...strange].sort(byBytes);
        expect(keys(await all(table, { pk }))).toEqual(sorted);
        for (const limit of [1, 2, 7, 29, 30, 500]) {
          expect(keys(await all(table, { pk, limit }))).toEqual(sorted);
          expect(keys(await all(table, { pk, limit, descending: true }))).toEqual(sorted.toReversed());
        }
      });

      test("prefix and bounds, each alone and together", async () => {
        const pk = partition();
        await fill(pk, strange);
        const sorted = [...strange].sort(byBytes);
        const prefixes = [undefined, "", "k", "ka", "ka/", "k🦊", "k\u{10ffff}", "k\ud7ff", "x"];
        const bounds = [undefined, "k", "ka", "ka\u0000", "kab", "k\ue000", "k🦊", "k\u{10ffff}", "zzz"];
        const queries = prefixes
          .flatMap((prefix) => bounds.map((after) => ({ prefix, after })))
          .flatMap((each, at) => [
            { ...each, before: bounds[at % bounds.length], descending: at % 2 === 0 },
            { ...each, before: bounds[(at * 5 + 3) % bounds.length], descending: at % 3 === 0 },
          ]);
        for (const { prefix, after, before, descending } of queries) {
          const expected = sorted.filter(
            (sk) =>
              sk.startsWith(prefix ?? "") &&
              (after === undefined || byBytes(sk, after) > 0) &&
              (before === undefined || byBytes(sk, before) < 0),
          );
          const query: Query = {
            pk,
            descending,
            limit: 9,
            ...(prefix === undefined ? {} : { prefix }),
            ...(after === undefined ? {} : { after }),
            ...(before === undefined ? {} : { before }),
          };
          expect({ query, found: keys(await all(table, query)) }).toEqual({
            query,
            found: descending ? expected.toReversed() : expected,
          });
        }
      });

      test("the first of a range in one page, though expired items lie before it", async () => {
        const pk = partition();
        await fill(pk, ["a1", "a2", "a3", "a4"], { expiresAt: past });
        await fill(pk, ["b1", "b2"]);
        expect(keys((await table.query({ pk, limit: 1 })).items)).toEqual(["b1"]);
        await fill(pk, ["c1", "c2"], { expiresAt: past });
        expect(keys((await table.query({ pk, limit: 1, descending: true })).items)).toEqual(["b2"]);
        expect(keys((await table.query({ pk, limit: 1, descending: true, before: "b2" })).items)).toEqual(["b1"]);
      });

      test("what is written behind a cursor doesn't disturb the pages after it", async () => {
        const pk = partition();
        await fill(pk, ["b", "d", "f", "h"]);
        const first = await table.query({ pk, limit: 2 });
        expect(keys(first.items)).toEqual(["b", "d"]);
        await fill(pk, ["a", "c", "e"]);
        await table.delete({ pk, sk: "d" });
        expect(keys(await all(table, { pk, limit: 2, cursor: first.next ?? "" }))).toEqual(["e", "f", "h"]);
      });

      test("a partition of 2 MB comes in pages", async () => {
        const pk = partition();
        const text = "x".repeat(100_000);
        const sks = Array.from({ length: 20 }, (_, at) => `k${String(at).padStart(2, "0")}`);
        await Promise.all(sks.map((sk) => table.put({ pk, sk, data: { text } })));
        const items = await all(table, { pk });
        expect(keys(items)).toEqual(sks);
        expect(items.every((item) => item.data["text"] === text)).toBe(true);
      });

      test("a cursor that is none is the caller's mistake", async () => {
        await expect(table.query({ pk: partition(), cursor: "nonsense" })).rejects.toMatchObject({
          code: "invalid_request",
        });
      });

      test("limits of zero and an impossible range give nothing", async () => {
        const pk = partition();
        await fill(pk, ["a", "b"]);
        expect(await table.query({ pk, after: "b", before: "a" })).toEqual({ items: [] });
        expect(await table.query({ pk, prefix: "a", after: "b" })).toEqual({ items: [] });
        expect(await table.query({ pk, before: "" })).toEqual({ items: [] });
      });
    });

    describe("the index", () => {
      test("finds items of any partition in the order of isk, then in a steady order", async () => {
        const ipk = partition();
        const places = Array.from({ length: 12 }, (_, at) => ({
          pk: `${ipk}/${at % 3}`,
          sk: `s${at}`,
          isk: `i${at % 5}`,
        }));
        for (const place of places) await table.put({ ...place, data: {}, ipk });
        await table.put({ pk: `${ipk}/0`, sk: "outside", data: {} });
        const read = (query: Partial<Query> = {}): Promise<Item[]> => all(table, { pk: ipk, index: true, ...query });
        const found = await eventually(read, (items) => items.length === places.length);
        expect(found.map((item) => item.isk)).toEqual(places.map((place) => place.isk).sort());
        const order = found.map((item) => item.sk);
        for (const limit of [1, 5, 12]) {
          expect((await read({ limit })).map((item) => item.sk)).toEqual(order);
          expect((await read({ limit, descending: true })).map((item) => item.isk)).toEqual(
            found.map((item) => item.isk).toReversed(),
          );
        }
        expect((await read({ prefix: "i3" })).map((item) => item.isk)).toEqual(["i3", "i3"]);
        expect(new Set((await read({ after: "i1", before: "i4" })).map((item) => item.isk))).toEqual(
          new Set(["i2", "i3"]),
        );
        expect((await read({ after: "i3", descending: true, limit: 1 })).map((item) => item.isk)).toEqual(["i4", "i4"]);
      });

      test("follows puts, updates and deletes", async () => {
        const pk = partition();
        const ipk = `${pk}/index`;
        const read = (): Promise<Item[]> => all(table, { pk: ipk, index: true });
        await table.put({ pk, sk: "a", data: { n: 1 }, ipk, isk: "1" });
        await table.put({ pk, sk: "b", data: { n: 1 }, ipk, isk: "2" });
        expect(keys(await eventually(read, (items) => items.length === 2))).toEqual(["a", "b"]);
        await table.update({ pk, sk: "a" }, { index: { ipk, isk: "3" }, add: { n: 1 } });
        const moved = await eventually(read, (items) => items[1]?.sk === "a");
        expect(moved.map((item) => [item.sk, item.data["n"], item.version])).toEqual([
          ["b", 1, 1],
          ["a", 2, 2],
        ]);
        await table.update({ pk, sk: "b" }, { index: null });
        expect(keys(await eventually(read, (items) => items.length === 1))).toEqual(["a"]);
        await table.delete({ pk, sk: "a" });
        expect(await eventually(read, (items) => items.length === 0)).toEqual([]);
      });

      test("order by UTF-8 bytes here too", async () => {
        const ipk = partition();
        const isks = ["a", "a!", "é", "\uffff", "🦊", "a\u0000", "B", "日本"];
        await Promise.all(isks.map((isk, at) => table.put({ pk: `${ipk}/${at}`, sk: "s", data: {}, ipk, isk })));
        const found = await eventually(
          () => all(table, { pk: ipk, index: true, limit: 3 }),
          (items) => items.length === isks.length,
        );
        expect(found.map((item) => item.isk)).toEqual([...isks].sort(byBytes));
      });
    });

    describe("transactions", () => {
      test("all operations at once", async () => {
        const pk = partition();
        await table.put({ pk, sk: "b", data: { n: 1, gone: 1 } });
        await table.put({ pk, sk: "c", data: {} });
        await table.put({ pk, sk: "d", data: { state: "open" } });
        const written = await table.transact(pk, [
          { put: { pk, sk: "a", data: { a: [1] }, ipk: `${pk}/i`, isk: "1" }, condition: { item: "absent" } },
          {
            update: { pk, sk: "b" },
            change: { add: { n: 2 }, remove: ["gone"], expiresAt: future },
            condition: { version: 1 },
          },
          { delete: { pk, sk: "c" }, condition: { item: "present" } },
          { check: { pk, sk: "d" }, condition: { fields: [{ field: "state", is: "=", value: "open" }] } },
          { update: { pk, sk: "e" }, change: { set: { fresh: true } } },
          { check: { pk, sk: "f" }, condition: { item: "absent" } },
          { delete: { pk, sk: "g" } },
          { put: { pk, sk: "h", data: {} } },
        ]);
        expect(written).toEqual({ ok: true });
        expect(await all(table, { pk })).toEqual([
          { pk, sk: "a", version: 1, data: { a: [1] }, ipk: `${pk}/i`, isk: "1" },
          { pk, sk: "b", version: 2, data: { n: 3 }, expiresAt: future },
          { pk, sk: "d", version: 1, data: { state: "open" } },
          { pk, sk: "e", version: 1, data: { fresh: true } },
          { pk, sk: "h", version: 1, data: {} },
        ]);
      });

      test("puts over items count their versions on", async () => {
        const pk = partition();
        await table.put({ pk, sk: "a", data: { old: 1 }, expiresAt: future });
        await table.transact(pk, [{ put: { pk, sk: "a", data: { new: 1 } } }, { put: { pk, sk: "b", data: {} } }]);
        await table.transact(pk, [{ put: { pk, sk: "a", data: { new: 2 } }, condition: { version: 2 } }]);
        expect(await table.get({ pk, sk: "a" })).toEqual({ pk, sk: "a", version: 3, data: { new: 2 } });
        expect((await table.get({ pk, sk: "b" }))?.version).toBe(1);
      });

      test("a check alone reads and writes nothing", async () => {
        const pk = partition();
        await table.put({ pk, sk: "a", data: { n: 1 } });
        expect(await table.transact(pk, [{ check: { pk, sk: "a" }, condition: { version: 1 } }])).toEqual({ ok: true });
        expect(await table.get({ pk, sk: "a" })).toEqual({ pk, sk: "a", version: 1, data: { n: 1 } });
        expect(await table.transact(pk, [{ check: { pk, sk: "a" }, condition: { version: 2 } }])).toEqual({
          ok: false,
          failed: 0,
          item: { pk, sk: "a", version: 1, data: { n: 1 } },
        });
      });

      test("one lost condition and nothing is written; it names the operation, and what stood there", async () => {
        const pk = partition();
        const standing = { pk, sk: "lock", version: 1, data: { owner: "other" } };
        await table.put({ pk, sk: "lock", data: { owner: "other" } });
        await table.put({ pk, sk: "old", data: { n: 1 } });
        const operations = [
          { put: { pk, sk: "new", data: {} } },
          { update: { pk, sk: "old" }, change: { add: { n: 1 } } },
          { delete: { pk, sk: "old2" } },
          { put: { pk, sk: "lock", data: { owner: "me" } }, condition: { item: "absent" } as Condition },
          { put: { pk, sk: "last", data: {} }, condition: { item: "present" } as Condition },
        ] as const;
        expect(await table.transact(pk, operations)).toEqual({ ok: false, failed: 3, item: standing });
        expect(await table.transact(pk, operations.toReversed())).toEqual({ ok: false, failed: 0 });
        expect(await all(table, { pk })).toEqual([standing, { pk, sk: "old", version: 1, data: { n: 1 } }]);
        expect(
          await table.transact(pk, [
            { put: { pk, sk: "new", data: {} } },
            { check: { pk, sk: "lock" }, condition: { fields: [{ field: "owner", is: "=", value: "me" }] } },
          ]),
        ).toEqual({ ok: false, failed: 1, item: standing });
        expect(await table.get({ pk, sk: "new" })).toBeUndefined();
      });

      test("100 operations, none, and what breaks the rules", async () => {
        const pk = partition();
        const puts = Array.from({ length: 100 }, (_, at) => ({ put: { pk, sk: `k${1000 + at}`, data: { at } } }));
        expect(await table.transact(pk, puts)).toEqual({ ok: true });
        expect(await all(table, { pk, limit: 60 })).toHaveLength(100);
        expect(await table.transact(pk, [])).toEqual({ ok: true });
        const internal = { code: "internal" };
        await expect(table.transact(pk, [...puts, { put: { pk, sk: "more", data: {} } }])).rejects.toMatchObject(
          internal,
        );
        await expect(table.transact(pk, [{ put: { pk: `${pk}x`, sk: "a", data: {} } }])).rejects.toMatchObject(
          internal,
        );
        await expect(
          table.transact(pk, [{ delete: { pk, sk: "a" } }, { put: { pk, sk: "a", data: {} } }]),
        ).rejects.toMatchObject(internal);
      });
    });

    test("random histories go as in SQLite", async () => {
      await expect(agreesWithSqlite(table, 100)).resolves.toBeUndefined();
    });

    test("keys that some store would refuse are refused by all", async () => {
      const pk = partition();
      const internal = { code: "internal" };
      for (const key of [
        { pk, sk: "" },
        { pk: "", sk: "a" },
        { pk, sk: "k".repeat(1025) },
        { pk: "p".repeat(2049), sk: "a" },
      ]) {
        await expect(table.put({ ...key, data: {} })).rejects.toMatchObject(internal);
        await expect(table.update(key, {})).rejects.toMatchObject(internal);
        await expect(table.transact(key.pk, [{ delete: key }])).rejects.toMatchObject(internal);
      }
      await expect(table.put({ pk, sk: "a", data: {}, ipk: pk, isk: "" })).rejects.toMatchObject(internal);
      expect((await table.put({ pk, sk: "k".repeat(1000), data: {}, ipk: pk, isk: "i".repeat(1000) })).ok).toBe(true);
    });

    describe("concurrency", () => {
      let other: Table;
      beforeAll(async () => {
        other = await open();
      });
      afterAll(() => other.close());
      /** Alternately through two clients of the same store. */
      const race = <T>(count: number, one: (table: Table, at: number) => Promise<T>): Promise<T[]> =>
        Promise.all(Array.from({ length: count }, (_, at) => one(at % 2 === 0 ? table : other, at)));
      const shared = async (): Promise<void> => {
        const pk = partition();
        await table.put({ pk, sk: "seen", data: {} });
        if ((await other.get({ pk, sk: "seen" })) === undefined) other = table;
      };
      beforeAll(shared);

      test("of racing puts for one place exactly one wins", async () => {
        const pk = partition();
        const written = await race(20, (each, at) => each.put({ pk, sk: "a", data: { at } }, { item: "absent" }));
        expect(written.filter((each) => each.ok)).toHaveLength(1);
        const winner = written.findIndex((each) => each.ok);
        expect(await table.get({ pk, sk: "a" })).toEqual({ pk, sk: "a", version: 1, data: { at: winner } });
      });

      test("of racing conditional adds exactly the affordable ones pass", async () => {
        const pk = partition();
        const key = { pk, sk: "budget" };
        const affordable: Condition = { fields: [{ field: "spent", is: "<=", value: 90, orAbsent: true }] };
        const written = await race(30, (each) => each.update(key, { add: { spent: 10 } }, affordable));
        expect(written.filter((each) => each.ok)).toHaveLength(10);
        expect(await table.get(key)).toEqual({ ...key, version: 10, data: { spent: 100 } });
        expect(written.map((each) => each.item?.data["spent"]).every((spent) => typeof spent === "number")).toBe(true);
      });

      test("no add without a condition is lost", async () => {
        const pk = partition();
        await race(30, (each, at) => each.update({ pk, sk: "n" }, { add: { n: 1, [`own${at}`]: 1 } }));
        const item = await table.get({ pk, sk: "n" });
        expect(item?.version).toBe(30);
        expect(item?.data["n"]).toBe(30);
        expect(Object.keys(item?.data ?? {})).toHaveLength(31);
      });

      test("of racing writers with the same version one wins each round", async () => {
        const pk = partition();
        await table.put({ pk, sk: "a", data: {} });
        for (let version = 1; version <= 3; version += 1) {
          const written = await race(8, (each, at) => each.put({ pk, sk: "a", data: { at } }, { version }));
          expect(written.filter((each) => each.ok)).toHaveLength(1);
        }
        expect((await table.get({ pk, sk: "a" }))?.version).toBe(4);
      });

      test("of racing transactions over a lock one wins, and only its items are there", async () => {
        const pk = partition();
        const written = await race(10, (each, at) =>
          each.transact(pk, [
            { put: { pk, sk: `item${at}`, data: {} } },
            { put: { pk, sk: "lock", data: { at } }, condition: { item: "absent" } },
          ]),
        );
        expect(written.filter((each) => each.ok)).toHaveLength(1);
        expect(written.every((each) => each.ok || each.failed === 1)).toBe(true);
        const winner = written.findIndex((each) => each.ok);
        expect(keys(await all(table, { pk }))).toEqual([`item${winner}`, "lock"]);
      });

      test("racing transactions without conditions all pass, one after another", async () => {
        const pk = partition();
        const written = await race(8, (each, at) =>
          each.transact(pk, [
            { update: { pk, sk: "n" }, change: { add: { n: 1 } } },
            { put: { pk, sk: `item${at}`, data: {} } },
          ]),
        );
        expect(written.every((each) => each.ok)).toBe(true);
        expect(await table.get({ pk, sk: "n" })).toMatchObject({ version: 8, data: { n: 8 } });
      });
    });
  });
};
