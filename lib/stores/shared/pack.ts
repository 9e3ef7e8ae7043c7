// How a field's value lies in a document store: a plain scalar as itself, so that conditions and sums work on it; all else as
// JSON text in `{ json }`, which comes back exactly as it went, whatever the store thinks of numbers, nesting and surrogates.
import { isObject, type Json, type JsonObject } from "../../model/json.ts";

/** Doubles that every store keeps exactly: DynamoDB's numbers end at 1e126 and begin at 1e-130. */
const isPlainNumber = (value: number): boolean => value === 0 || (Math.abs(value) < 1e125 && Math.abs(value) > 1e-129);

export type Packed = null | boolean | number | string | { readonly json: string };

export const pack = (value: Json): Packed =>
  value === null ||
  typeof value === "boolean" ||
  (typeof value === "number" && isPlainNumber(value)) ||
  (typeof value === "string" && value.isWellFormed())
    ? value
    : { json: JSON.stringify(value) };

export const unpack = (value: Json): Json =>
  isObject(value) && typeof value["json"] === "string" ? (JSON.parse(value["json"]) as Json) : value;

export const packData = (data: JsonObject): Record<string, Packed> => {
  const packed: Record<string, Packed> = {};
  for (const [field, value] of Object.entries(data)) if (value !== undefined) packed[field] = pack(value);
  return packed;
};

export const unpackData = (packed: JsonObject): JsonObject => {
  const data: JsonObject = {};
  for (const [field, value] of Object.entries(packed)) if (value !== undefined) data[field] = unpack(value);
  return data;
};
