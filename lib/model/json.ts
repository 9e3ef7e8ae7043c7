// JSON values, and the small readers every wire needs to look into values that came from outside.

export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json | undefined };

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const asObject = (value: unknown): JsonObject | undefined => (isObject(value) ? value : undefined);
export const asString = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
export const asNumber = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;
export const asBoolean = (value: unknown): boolean | undefined => (typeof value === "boolean" ? value : undefined);
export const asArray = (value: unknown): Json[] | undefined => (Array.isArray(value) ? (value as Json[]) : undefined);

/** Parsed JSON, or undefined where the text is not JSON. */
export const parseJson = (text: string): Json | undefined => {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
};

/** The fields of `value` that are not in `known`: what a lens carries in `extra` so that nothing is lost. */
export const unknownFields = (value: JsonObject, known: ReadonlySet<string>): JsonObject | undefined => {
  let rest: JsonObject | undefined;
  for (const key in value) {
    if (known.has(key) || value[key] === undefined) continue;
    rest ??= {};
    rest[key] = value[key];
  }
  return rest;
};

/** A copy without the fields whose value is undefined, so that optional fields stay absent under `exactOptionalPropertyTypes`. */
export const compact = <T extends object>(value: { [K in keyof T]: T[K] | undefined }): T => {
  const result: Partial<T> = {};
  for (const key in value) if (value[key] !== undefined) result[key] = value[key];
  return result as T;
};
