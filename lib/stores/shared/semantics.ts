// What conditions and changes mean, as functions over values. The stores that decide for themselves (SQLite, and Cosmos DB
// between a read and a conditional write) use these; DynamoDB's expressions say the same and pass the same contract.
import { GatewayError } from "../../model/error.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Change, Condition, FieldTest, Item, Key, NewItem, Operation } from "../table.ts";
import { compareBytes } from "./range.ts";

/** The most operations that one transaction takes in every store. */
export const maxOperations = 100;

/** Past its time: such an item counts as absent, whether it has been swept or not. */
export const isExpired = (item: { readonly expiresAt?: number }, nowSeconds: number): boolean =>
  item.expiresAt !== undefined && item.expiresAt <= nowSeconds;

const passes = (test: FieldTest, data: JsonObject | undefined): boolean => {
  const actual = data?.[test.field];
  if (actual === undefined) return test.is === "absent" || test.orAbsent === true;
  const wanted = test.value;
  if (test.is === "absent" || wanted === undefined) return false;
  if (test.is === "=") return actual === wanted;
  if (test.is === "!=") return actual !== wanted;
  const order =
    typeof actual === "number" && typeof wanted === "number"
      ? actual - wanted
      : typeof actual === "string" && typeof wanted === "string"
        ? compareBytes(actual, wanted)
        : Number.NaN;
  if (test.is === "<") return order < 0;
  if (test.is === "<=") return order <= 0;
  return test.is === ">" ? order > 0 : order >= 0;
};

/** Whether `condition` holds for what stands there: `item` is undefined where nothing does, or nothing that is not expired. */
export const holds = (condition: Condition | undefined, item: Item | undefined): boolean =>
  condition === undefined ||
  ((condition.item === undefined || (condition.item === "present") === (item !== undefined)) &&
    (condition.version === undefined || condition.version === item?.version) &&
    (condition.fields ?? []).every((test) => passes(test, item?.data)));

const withoutUndefined = (data: JsonObject): JsonObject => {
  const kept: JsonObject = {};
  for (const key in data) if (data[key] !== undefined) kept[key] = data[key];
  return kept;
};

/** The item as a put leaves it; `before` is what stood there. */
export const replaced = (next: NewItem, before: Item | undefined): Item => ({
  pk: next.pk,
  sk: next.sk,
  version: (before?.version ?? 0) + 1,
  data: withoutUndefined(next.data),
  ...(next.expiresAt === undefined ? {} : { expiresAt: next.expiresAt }),
  ...(next.ipk === undefined || next.isk === undefined ? {} : { ipk: next.ipk, isk: next.isk }),
});

/** Two ways to say one thing, or a sum that is none, are mistakes of the caller: every store says so alike. */
export const notANumber = (): GatewayError =>
  new GatewayError("internal", "A change adds to a stored field that is not a number.");

export const checkChange = (change: Change): void => {
  const fields = [...Object.keys(change.set ?? {}), ...(change.remove ?? []), ...Object.keys(change.add ?? {})];
  if (new Set(fields).size !== fields.length) throw new GatewayError("internal", "A change names one field twice.");
};

/** The item as an update leaves it; `before` is what stood there. */
const changed = (key: Key, change: Change, before: Item | undefined): Item => {
  checkChange(change);
  const data = { ...before?.data, ...withoutUndefined(change.set ?? {}) };
  for (const field of change.remove ?? []) delete data[field];
  for (const [field, amount] of Object.entries(change.add ?? {})) {
    const old = data[field] === undefined ? 0 : data[field];
    if (typeof old !== "number") throw notANumber();
    data[field] = old + amount;
  }
  const expiresAt = change.expiresAt === undefined ? before?.expiresAt : (change.expiresAt ?? undefined);
  const index = change.index === undefined ? before : (change.index ?? undefined);
  return replaced(
    {
      pk: key.pk,
      sk: key.sk,
      data,
      ...(expiresAt === undefined ? {} : { expiresAt }),
      ...(index?.ipk === undefined || index.isk === undefined ? {} : { ipk: index.ipk, isk: index.isk }),
    },
    before,
  );
};

/** The key an operation is about. */
export const keyOf = (operation: Operation): Key =>
  "put" in operation
    ? operation.put
    : "update" in operation
      ? operation.update
      : "delete" in operation
        ? operation.delete
        : operation.check;

const checkLength = (name: string, value: string, most: number): void => {
  const length = Buffer.byteLength(value);
  if (length === 0 || length > most)
    throw new GatewayError("internal", `A stored item's ${name} has ${length} bytes; 1 to ${most} are allowed.`);
};

/** Throws where a key is empty or longer than every store takes, so that no store takes what another refuses. */
export const checkKeys = (operation: Operation): void => {
  const key = keyOf(operation);
  checkLength("pk", key.pk, 2048);
  checkLength("sk", key.sk, 1024);
  const index = "put" in operation ? operation.put : "update" in operation ? operation.change.index : undefined;
  if (index?.ipk === undefined || index.isk === undefined) return;
  checkLength("ipk", index.ipk, 2048);
  checkLength("isk", index.isk, 1024);
};

/** It creates its item, or fails: no need to know what is there. */
export const makesNew = (operation: Operation): boolean =>
  ("put" in operation || "update" in operation) &&
  operation.condition?.item === "absent" &&
  holds(operation.condition, undefined);

/** What an operation leaves at its key: an item, nothing, or what was there. */
export type Outcome = { readonly write: Item } | "delete" | "keep";

/** What `operation` does to `before` when its condition holds. */
export const outcomeOf = (operation: Operation, before: Item | undefined): Outcome =>
  "put" in operation
    ? { write: replaced(operation.put, before) }
    : "update" in operation
      ? { write: changed(operation.update, operation.change, before) }
      : "delete" in operation
        ? "delete"
        : "keep";

/** Throws where a transaction breaks the port's rules, in every store alike. */
export const checkTransaction = (pk: string, operations: readonly Operation[]): void => {
  operations.forEach(checkKeys);
  const keys = operations.map(keyOf);
  const wrong =
    operations.length > maxOperations
      ? `has more than ${maxOperations} operations`
      : keys.some((key) => key.pk !== pk)
        ? "reaches beyond its partition"
        : new Set(keys.map((key) => key.sk)).size !== keys.length
          ? "names one item twice"
          : undefined;
  if (wrong !== undefined) throw new GatewayError("internal", `A storage transaction ${wrong}.`);
};
