// An item as DynamoDB holds it: attributes beside one map `data`, so that a put replaces all of it in one write without a read.
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { Json, JsonObject } from "../../model/json.ts";
import { pack, unpack, type Packed } from "../shared/pack.ts";
import type { Item } from "../table.ts";

export type Attributes = Record<string, AttributeValue>;

/** `token` is new with every write: it tells a write's own earlier success from another's, and one expired item from the next. */
export const attribute = {
  pk: "pk",
  sk: "sk",
  version: "version",
  data: "data",
  expiresAt: "expiresAt",
  ipk: "ipk",
  isk: "isk",
  token: "token",
} as const;

export const text = (value: string): AttributeValue => ({ S: value });
export const number = (value: number): AttributeValue => ({ N: String(value) });

const encodePacked = (value: Packed): AttributeValue =>
  value === null
    ? { NULL: true }
    : typeof value === "string"
      ? text(value)
      : typeof value === "number"
        ? number(value)
        : typeof value === "boolean"
          ? { BOOL: value }
          : { M: { json: text(value.json) } };

export const encodeValue = (value: Json): AttributeValue => encodePacked(pack(value));

const decodeValue = (value: AttributeValue): Json => {
  if (value.S !== undefined) return value.S;
  if (value.N !== undefined) return Number(value.N);
  if (value.BOOL !== undefined) return value.BOOL;
  return value.M?.["json"]?.S === undefined ? null : unpack({ json: value.M["json"].S });
};

export const encodeData = (data: JsonObject): AttributeValue => {
  const fields: Attributes = {};
  for (const [field, value] of Object.entries(data)) if (value !== undefined) fields[field] = encodeValue(value);
  return { M: fields };
};

export const encodeKey = (key: { readonly pk: string; readonly sk: string }): Attributes => ({
  [attribute.pk]: text(key.pk),
  [attribute.sk]: text(key.sk),
});

export const encodeItem = (item: Item, token: string): Attributes => ({
  ...encodeKey(item),
  [attribute.version]: number(item.version),
  [attribute.data]: encodeData(item.data),
  [attribute.token]: text(token),
  ...(item.expiresAt === undefined ? {} : { [attribute.expiresAt]: number(item.expiresAt) }),
  ...(item.ipk === undefined || item.isk === undefined
    ? {}
    : { [attribute.ipk]: text(item.ipk), [attribute.isk]: text(item.isk) }),
});

export const decodeItem = (attributes: Attributes): Item => {
  const data: JsonObject = {};
  for (const [field, value] of Object.entries(attributes[attribute.data]?.M ?? {})) data[field] = decodeValue(value);
  const expiresAt = attributes[attribute.expiresAt]?.N;
  const ipk = attributes[attribute.ipk]?.S;
  const isk = attributes[attribute.isk]?.S;
  return {
    pk: attributes[attribute.pk]?.S ?? "",
    sk: attributes[attribute.sk]?.S ?? "",
    version: Number(attributes[attribute.version]?.N ?? 0),
    data,
    ...(expiresAt === undefined ? {} : { expiresAt: Number(expiresAt) }),
    ...(ipk === undefined || isk === undefined ? {} : { ipk, isk }),
  };
};
