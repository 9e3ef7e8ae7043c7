// Any store against SQLite in memory: the same random operations, the same answers. Found differences shrink to the shortest.
import { randomUUID } from "node:crypto";
import {
  array,
  asyncProperty,
  assert,
  boolean,
  constant,
  constantFrom,
  oneof,
  option,
  record,
  uniqueArray,
  type Arbitrary,
} from "fast-check";
import { expect } from "vitest";
import type { Json, JsonObject } from "../../lib/model/json.ts";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import type { Change, Condition, FieldTest, Key, Operation, Query, Table, Written } from "../../lib/stores/table.ts";

const past = 1_000_000_000;
const future = 4_000_000_000;

const field = constantFrom("a", "b", "c-d");
const scalar = constantFrom<string | number | boolean>(0, 1, 2, -1.5, 1e30, "", "0", "x", "y\ud83e", "ü", true, false);
const value: Arbitrary<Json> = oneof(scalar, constantFrom<Json>(null, [], [1], {}, { json: "1" }, { deep: ["x"] }));
const sk = constantFrom("k1", "k2", "k3");
const index = constantFrom({ ipk: "i", isk: "1" }, { ipk: "i", isk: "2" });

const optional = <T>(of: Arbitrary<T>): Arbitrary<T | undefined> => option(of, { nil: undefined });

/** Without the fields that are undefined: an optional field is there or not. */
const given = <T extends object>(of: { [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(of).filter(([, each]) => each !== undefined)) as T;

const fieldTest: Arbitrary<FieldTest> = record({
  field,
  is: constantFrom("=", "!=", "<", "<=", ">", ">=", "absent"),
  value: scalar.filter((each) => each !== 1e30),
  orAbsent: boolean(),
});

const condition: Arbitrary<Condition | undefined> = optional(
  record({
    item: optional(constantFrom("absent" as const, "present" as const)),
    version: optional(constantFrom(1, 2, 3)),
    fields: optional(array(fieldTest, { maxLength: 2 })),
  }).map((each) => given<Condition>(each)),
);

const data = uniqueArray(record({ field, value }), { selector: (each) => each.field }).map((fields) =>
  Object.fromEntries(fields.map((each) => [each.field, each.value])),
);

const changeWith = (sums: readonly Record<string, number>[]): Arbitrary<Change> =>
  record({
    set: data,
    remove: uniqueArray(field),
    add: constantFrom(...sums),
    expiresAt: constantFrom(undefined, undefined, null, past, future),
    index: oneof(constant(undefined), constant(null), index),
  }).map(({ set, remove, add, ...rest }) =>
    given<Change>({
      add,
      set: Object.fromEntries(Object.entries(set).filter(([name]) => !(name in add))),
      remove: remove.filter((name) => !(name in add) && !(name in set)),
      ...rest,
    }),
  );

type Step = {
  kind: "put" | "update" | "delete" | "check";
  sk: string;
  data: JsonObject;
  change: Change;
  condition: Condition | undefined;
  expiresAt: number | undefined;
  index: { ipk: string; isk: string } | undefined;
};

const stepWith = (change: Arbitrary<Change>): Arbitrary<Step> =>
  record({
    kind: constantFrom("put", "update", "update", "delete", "check"),
    sk,
    data,
    change,
    condition,
    expiresAt: constantFrom(undefined, undefined, past, future),
    index: optional(index),
  });

const operationOf = (pk: string, each: Step): Operation => {
  const key: Key = { pk, sk: each.sk };
  const on = each.condition === undefined ? {} : { condition: each.condition };
  const place = each.index === undefined ? {} : { ipk: `${pk}/${each.index.ipk}`, isk: each.index.isk };
  if (each.kind === "put")
    return {
      put: {
        ...key,
        data: each.data,
        ...(each.expiresAt === undefined ? {} : { expiresAt: each.expiresAt }),
        ...place,
      },
      ...on,
    };
  if (each.kind === "delete") return { delete: key, ...on };
  if (each.kind === "check") return { check: key, condition: each.condition ?? {} };
  const moved = each.change.index;
  return {
    update: key,
    change:
      moved === undefined || moved === null
        ? each.change
        : { ...each.change, index: { ...moved, ipk: `${pk}/${moved.ipk}` } },
    ...on,
  };
};

const alone = (table: Table, operation: Operation): Promise<Written> =>
  "put" in operation
    ? table.put(operation.put, operation.condition)
    : "update" in operation
      ? table.update(operation.update, operation.change, operation.condition)
      : "delete" in operation
        ? table.delete(operation.delete, operation.condition)
        : table.transact(operation.check.pk, [operation]);

/** What a call came to, errors included, with the partition's own name taken out. */
const outcome = async (pk: string, call: () => Promise<unknown>): Promise<unknown> => {
  try {
    return JSON.parse(JSON.stringify(await call()).replaceAll(pk, "PK")) as unknown;
  } catch (error) {
    return { error: error instanceof Error && "code" in error ? error.code : String(error) };
  }
};

/** Throws with the shortest history on which `table` and SQLite disagree. */
export const agreesWithSqlite = async (table: Table, runs: number): Promise<void> => {
  const model = await openSqlite({ file: ":memory:" });
  const step = stepWith(changeWith([{}, { n: 1 }, { a: 1 }, { a: -1, b: 2 }]));
  // A sum on what is no number is an error, and so may a lost condition beside it be, or not: none of these in transactions.
  const joined = stepWith(changeWith([{}, { n: 1 }]));
  const history = array(
    oneof(
      step.map((each) => [each]),
      uniqueArray(joined, { selector: (each) => each.sk, minLength: 1 }),
    ),
    {
      maxLength: 8,
    },
  );
  await assert(
    asyncProperty(history, async (calls) => {
      const pk = `agree/${randomUUID()}`;
      for (const steps of calls) {
        const operations = steps.map((each) => operationOf(pk, each));
        const [first] = operations;
        const run = (on: Table): Promise<unknown> =>
          outcome(pk, () =>
            operations.length === 1 && first !== undefined ? alone(on, first) : on.transact(pk, operations),
          );
        expect(await run(table)).toEqual(await run(model));
      }
      const query: Query = { pk, limit: 2 };
      const read = (on: Table): Promise<unknown> => outcome(pk, async () => (await on.query(query)).items);
      expect(await read(table)).toEqual(await read(model));
      const keys = ["k1", "k2", "k3"];
      const got = (on: Table): Promise<unknown> =>
        outcome(pk, () => Promise.all(keys.map(async (each) => (await on.get({ pk, sk: each })) ?? null)));
      expect(await got(table)).toEqual(await got(model));
    }),
    { numRuns: runs },
  );
  await model.close();
};
