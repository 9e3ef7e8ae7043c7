// Names that every file of this wire shares, and how what has no neutral form is kept under them.
//
// Kept in `extra["openai-responses"]`:
//   a request:  its fields that only this wire knows (`include`, `store`, `truncation`, …); `text` holds the rest of `text`
//   a response: `response`, the provider's whole Response object but for what the neutral model carries
//   a part:     `item`, the rest of its item's fields; `content`, the rest of its content part's fields; `logprobs`;
//               `continues` where it goes on in the message item of the part before it; `whole` where an opaque part is a content part
import type { Json, JsonObject } from "../../model/json.ts";
import { isObject } from "../../model/json.ts";
import type { Extra } from "../../model/wire-id.ts";

export const wireId = "openai-responses";

/** Who makes the opaque state that a client of this wire sends unsealed. */
export const nativeOrigin = "openai";

export const own = (value: { extra?: Extra }): JsonObject | undefined => value.extra?.[wireId];

export const ownItem = (value: { extra?: Extra }): JsonObject => {
  const item = own(value)?.["item"];
  return isObject(item) ? item : {};
};

export const extraOf = (fields: JsonObject): Extra => ({ [wireId]: fields });

/** The fields of an item or content part that are not in `known`, without the absent and the null ones. */
export const rest = (value: JsonObject, known: ReadonlySet<string>): JsonObject => {
  const left: JsonObject = {};
  for (const key in value) {
    const field = value[key];
    if (!known.has(key) && field !== undefined && field !== null) left[key] = field;
  }
  return left;
};

export const isEmpty = (value: JsonObject): boolean => {
  for (const _key in value) return false;
  return true;
};

/** `value` as JSON: SDK types have no index signature, though they are nothing else. */
export const json = (value: object): JsonObject => value as JsonObject;

/** The objects of an array; anything else in it is left out. */
export const objects = (value: Json | undefined): JsonObject[] =>
  Array.isArray(value) ? value.filter((entry): entry is JsonObject => isObject(entry)) : [];
