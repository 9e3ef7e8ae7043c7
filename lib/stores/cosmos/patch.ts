// Puts and updates as conditional patches: one request, without a read before it and without a race. What a patch can't say
// (more than ten steps, fields to remove, names or values that would need quoting) is read, changed and written back instead.
import type { PatchOperation } from "@azure/cosmos";
import type { Json } from "../../model/json.ts";
import { pack, packData } from "../shared/pack.ts";
import { checkChange } from "../shared/semantics.ts";
import type { Condition, FieldTest, NewItem, Operation } from "../table.ts";
import { ttlOf } from "./document.ts";
import { orderOf } from "./ids.ts";

export type Patch = { readonly operations: PatchOperation[]; readonly condition: string };

const mostSteps = 10;
const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Printable ASCII without quotes and backslashes: the same in every query language. */
const plainText = /^[\x20\x21\x23-\x26\x28-\x5b\x5d-\x7e]*$/;

const literal = (value: unknown): string | undefined =>
  typeof value === "number" || typeof value === "boolean" || (typeof value === "string" && plainText.test(value))
    ? JSON.stringify(value)
    : undefined;

/** A comparison of values of two types is neither true nor false there, which fails the filter: as it should, but for `!=`. */
const fieldTest = (test: FieldTest): string | undefined => {
  if (!plainName.test(test.field)) return undefined;
  const path = `c.data.${test.field}`;
  if (test.is === "absent") return `NOT IS_DEFINED(${path})`;
  const packed = test.value === undefined ? undefined : pack(test.value);
  const value = literal(packed);
  const expressible = test.is === "=" || (typeof packed === "number" && test.is !== "!=");
  if (value === undefined || !expressible) return undefined;
  const passes = `${path} ${test.is} ${value}`;
  return test.orAbsent === true ? `(NOT IS_DEFINED(${path}) OR ${passes})` : `(${passes})`;
};

/** The filter for an item that is there and not expired, and whose fields in `sums` can be added to. */
const filter = (
  pk: string,
  condition: Condition | undefined,
  sums: readonly string[],
  nowSeconds: number,
): string | undefined => {
  const partition = literal(pk);
  const tests = (condition?.fields ?? []).map(fieldTest);
  if (partition === undefined || condition?.item === "absent" || tests.includes(undefined)) return undefined;
  // The service looks at this item alone. The emulator looks across partitions, and lower-cases what begins `from c where`:
  // hence the partition, and the new line.
  return [
    `FROM c\nWHERE c.pk = ${partition}`,
    `(c.expiresAt = null OR c.expiresAt > ${nowSeconds})`,
    ...(condition?.version === undefined ? [] : [`c.version = ${condition.version}`]),
    ...tests,
    ...sums.map((field) => `(NOT IS_DEFINED(c.data.${field}) OR IS_NUMBER(c.data.${field}))`),
  ].join(" AND ");
};

const set = (path: string, value: Json): PatchOperation => ({ op: "set", path, value });

const expiry = (expiresAt: number | null, nowSeconds: number): PatchOperation[] => [
  set("/expiresAt", expiresAt),
  set("/ttl", ttlOf(expiresAt, nowSeconds)),
];

const index = (
  key: NewItem | { pk: string; sk: string },
  place: { ipk: string; isk: string } | undefined,
): PatchOperation[] => [
  set("/ipk", place?.ipk ?? null),
  set("/isk", place?.isk ?? null),
  set("/place", place === undefined ? null : orderOf(place.isk, key.pk, key.sk)),
];

const stepsOf = (operation: Operation, nowSeconds: number): PatchOperation[] | undefined => {
  if ("put" in operation) {
    const { put } = operation;
    const place = put.ipk === undefined || put.isk === undefined ? undefined : { ipk: put.ipk, isk: put.isk };
    return [set("/data", packData(put.data)), ...expiry(put.expiresAt ?? null, nowSeconds), ...index(put, place)];
  }
  if (!("update" in operation)) return undefined;
  const { update, change } = operation;
  checkChange(change);
  const sets = Object.entries(change.set ?? {}).filter(([, value]) => value !== undefined);
  const adds = Object.entries(change.add ?? {});
  if (![...sets, ...adds].every(([field]) => plainName.test(field)) || (change.remove ?? []).length > 0)
    return undefined;
  return [
    ...sets.map(([field, value]) => set(`/data/${field}`, pack(value ?? null) as Json)),
    ...adds.map(([field, value]): PatchOperation => ({ op: "incr", path: `/data/${field}`, value })),
    ...(change.expiresAt === undefined ? [] : expiry(change.expiresAt, nowSeconds)),
    ...(change.index === undefined ? [] : index(update, change.index ?? undefined)),
  ];
};

/** The fields that an operation adds to. */
export const sumsOf = (operation: Operation): string[] =>
  "update" in operation ? Object.keys(operation.change.add ?? {}) : [];

/** The patch that does `operation` to an item that lives; undefined where none can. */
export const patchOf = (operation: Operation, token: string, nowSeconds: number): Patch | undefined => {
  const steps = stepsOf(operation, nowSeconds);
  const key = "put" in operation ? operation.put : "update" in operation ? operation.update : undefined;
  const condition = key === undefined ? undefined : filter(key.pk, operation.condition, sumsOf(operation), nowSeconds);
  if (steps === undefined || condition === undefined || steps.length + 2 > mostSteps) return undefined;
  return { operations: [...steps, set("/token", token), { op: "incr", path: "/version", value: 1 }], condition };
};
