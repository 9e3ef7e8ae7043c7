// Operations of the port as DynamoDB's expressions. How an operation is written depends on what stands at its key, which is
// not known beforehand: it is first written for an item that lives, and again for an absent or expired one when that shows.
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { checkChange, holds, keyOf, outcomeOf, replaced } from "../shared/semantics.ts";
import type { Change, Condition, FieldTest, Item, Operation } from "../table.ts";
import { attribute, encodeData, encodeItem, encodeKey, encodeValue, number, text, type Attributes } from "./item.ts";

/** What is thought to stand at the key. An expired item is known by its token; its like is never written over unseen. */
export type Standing = "live" | "absent" | { readonly expired: string };

type Expression = {
  readonly ConditionExpression?: string;
  readonly ExpressionAttributeNames?: Record<string, string>;
  readonly ExpressionAttributeValues?: Attributes;
};

export type Compiled =
  | { readonly kind: "put"; readonly input: Expression & { readonly Item: Attributes }; readonly leaves: Item }
  | {
      readonly kind: "update";
      readonly input: Expression & { readonly Key: Attributes; readonly UpdateExpression: string };
      /** What is left, where that is known without asking. */
      readonly leaves?: Item;
    }
  | { readonly kind: "delete" | "check"; readonly input: Expression & { readonly Key: Attributes } };

type Words = {
  name: (of: string) => string;
  value: (of: AttributeValue) => string;
  done: () => Pick<Expression, "ExpressionAttributeNames" | "ExpressionAttributeValues">;
};

/** Placeholders for names and values, as short as can be: an expression has 4 KB. */
const createWords = (): Words => {
  const names = new Map<string, string>();
  const values: Attributes = {};
  let count = 0;
  return {
    name: (of) => {
      const known = names.get(of) ?? `#${names.size}`;
      names.set(of, known);
      return known;
    },
    value: (of) => {
      const word = `:${count}`;
      count += 1;
      values[word] = of;
      return word;
    },
    done: () => ({
      ...(names.size === 0
        ? {}
        : { ExpressionAttributeNames: Object.fromEntries([...names].map(([of, word]) => [word, of])) }),
      ...(count === 0 ? {} : { ExpressionAttributeValues: values }),
    }),
  };
};

const never = (words: Words): string => {
  const pk = words.name(attribute.pk);
  return `(attribute_exists(${pk}) AND attribute_not_exists(${pk}))`;
};

const always = (words: Words): string => {
  const pk = words.name(attribute.pk);
  return `(attribute_exists(${pk}) OR attribute_not_exists(${pk}))`;
};

const fieldTest = (test: FieldTest, words: Words): string => {
  // A name that no expression uses is an error: hence a function.
  const path = (): string => `${words.name(attribute.data)}.${words.name(test.field)}`;
  const missing = (): string => `attribute_not_exists(${path()})`;
  if (test.is === "absent") return missing();
  const value = test.value === undefined ? undefined : encodeValue(test.value);
  const ordered = value !== undefined && (value.N !== undefined || value.S !== undefined);
  const passes =
    value !== undefined && test.is === "!="
      ? `(attribute_exists(${path()}) AND ${path()} <> ${words.value(value)})`
      : value !== undefined && (ordered || test.is === "=")
        ? `${path()} ${test.is} ${words.value(value)}`
        : never(words);
  return test.orAbsent === true ? `(${missing()} OR ${passes})` : passes;
};

const tests = (condition: Condition | undefined, words: Words): string[] => [
  ...(condition?.item === "absent" ? [`attribute_not_exists(${words.name(attribute.pk)})`] : []),
  ...(condition?.item === "present" ? [`attribute_exists(${words.name(attribute.pk)})`] : []),
  ...(condition?.version === undefined
    ? []
    : [`${words.name(attribute.version)} = ${words.value(number(condition.version))}`]),
  ...(condition?.fields ?? []).map((each) => fieldTest(each, words)),
];

const notExpired = (words: Words, nowSeconds: number): string => {
  const expiresAt = words.name(attribute.expiresAt);
  return `(attribute_not_exists(${expiresAt}) OR ${expiresAt} > ${words.value(number(nowSeconds))})`;
};

/** That the key still is as it was seen. */
const stillSo = (standing: "absent" | { readonly expired: string }, words: Words): string =>
  standing === "absent"
    ? `attribute_not_exists(${words.name(attribute.pk)})`
    : `${words.name(attribute.token)} = ${words.value(text(standing.expired))}`;

/** One field or attribute after another, in one update expression. */
const updateExpression = (sets: readonly string[], removes: readonly string[]): string =>
  [
    ...(sets.length === 0 ? [] : [`SET ${sets.join(",")}`]),
    ...(removes.length === 0 ? [] : [`REMOVE ${removes.join(",")}`]),
  ].join(" ");

/** The attributes that a put writes, or takes away where the new item has none. */
const optional = (
  words: Words,
  wanted: readonly (readonly [string, AttributeValue | undefined])[],
): [string[], string[]] => {
  const sets: string[] = [];
  const removes: string[] = [];
  for (const [name, value] of wanted)
    if (value === undefined) removes.push(words.name(name));
    else sets.push(`${words.name(name)}=${words.value(value)}`);
  return [sets, removes];
};

const given = (value: string | undefined): AttributeValue | undefined =>
  value === undefined ? undefined : text(value);

/** A put is an update that replaces `data`: only so can the version count on without a read. */
const replacing = (item: Item, token: string, words: Words): string => {
  const version = words.name(attribute.version);
  const [sets, removes] = optional(words, [
    [attribute.data, encodeData(item.data)],
    [attribute.token, text(token)],
    [attribute.expiresAt, item.expiresAt === undefined ? undefined : number(item.expiresAt)],
    [attribute.ipk, given(item.ipk)],
    [attribute.isk, given(item.isk)],
  ]);
  sets.push(`${version}=if_not_exists(${version},${words.value(number(0))})+${words.value(number(1))}`);
  return updateExpression(sets, removes);
};

const changing = (change: Change, token: string, words: Words): string => {
  const pathOf = (field: string): string => `${words.name(attribute.data)}.${words.name(field)}`;
  const version = words.name(attribute.version);
  const zero = words.value(number(0));
  const [sets, removes] = optional(words, [
    [attribute.token, text(token)],
    ...(change.expiresAt === undefined
      ? []
      : [[attribute.expiresAt, change.expiresAt === null ? undefined : number(change.expiresAt)] as const]),
    ...(change.index === undefined
      ? []
      : ([
          [attribute.ipk, given(change.index?.ipk)],
          [attribute.isk, given(change.index?.isk)],
        ] as const)),
  ]);
  sets.push(`${version}=if_not_exists(${version},${zero})+${words.value(number(1))}`);
  for (const [field, value] of Object.entries(change.set ?? {}))
    if (value !== undefined) sets.push(`${pathOf(field)}=${words.value(encodeValue(value))}`);
  for (const field of change.remove ?? []) removes.push(pathOf(field));
  for (const [field, amount] of Object.entries(change.add ?? {})) {
    const path = pathOf(field);
    sets.push(`${path}=if_not_exists(${path},${zero})+${words.value(number(amount))}`);
  }
  return updateExpression(sets, removes);
};

const expression = (words: Words, all: readonly string[]): Expression => ({
  ...(all.length === 0 ? {} : { ConditionExpression: all.join(" AND ") }),
  ...words.done(),
});

/** For what is absent or expired: the condition was found to hold, so that it is enough that nothing has changed since. */
const compileFresh = (
  operation: Operation,
  standing: "absent" | { readonly expired: string },
  token: string,
): Compiled => {
  const words = createWords();
  const condition = expression(words, [stillSo(standing, words)]);
  const outcome = outcomeOf(operation, undefined);
  if (typeof outcome === "object")
    return { kind: "put", input: { ...condition, Item: encodeItem(outcome.write, token) }, leaves: outcome.write };
  return { kind: outcome === "delete" ? "delete" : "check", input: { ...condition, Key: encodeKey(keyOf(operation)) } };
};

/** The request for `operation`, given what is thought to stand at its key. */
export const compile = (operation: Operation, standing: Standing, token: string, nowSeconds: number): Compiled => {
  if ("update" in operation) checkChange(operation.change);
  if (standing !== "live") return compileFresh(operation, standing, token);
  const words = createWords();
  const Key = encodeKey(keyOf(operation));
  const wanted = tests(operation.condition, words);
  if ("delete" in operation || "check" in operation) {
    // Without a condition it doesn't matter what is deleted; but a check can't go without one.
    const all =
      wanted.length > 0 ? [...wanted, notExpired(words, nowSeconds)] : "check" in operation ? [always(words)] : [];
    return { kind: "delete" in operation ? "delete" : "check", input: { Key, ...expression(words, all) } };
  }
  wanted.push(notExpired(words, nowSeconds));
  if ("put" in operation) {
    const version = operation.condition?.version;
    const item = replaced(operation.put, undefined);
    const UpdateExpression = replacing(item, token, words);
    return {
      kind: "update",
      input: { Key, UpdateExpression, ...expression(words, wanted) },
      ...(version === undefined ? {} : { leaves: { ...item, version: version + 1 } }),
    };
  }
  // Without the item there is no `data` to set a field in: that shows as a failed condition, not as an error.
  wanted.push(`attribute_exists(${words.name(attribute.pk)})`);
  const UpdateExpression = changing(operation.change, token, words);
  return { kind: "update", input: { Key, UpdateExpression, ...expression(words, wanted) } };
};

/** What most likely stands at the key, by the condition alone. */
export const guess = (operation: Operation): Standing =>
  operation.condition?.item === "absent" && holds(operation.condition, undefined) ? "absent" : "live";

/**
 * Whether the request may be sent again when it isn't known whether it was done: a sum counts twice, unless the condition can't
 * hold twice.
 */
export const isRepeatable = (operation: Operation, standing: Standing): boolean =>
  !("update" in operation) ||
  Object.keys(operation.change.add ?? {}).length === 0 ||
  standing !== "live" ||
  operation.condition?.version !== undefined;
