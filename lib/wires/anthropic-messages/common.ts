// What every part of this lens needs: the wire's id, its cache hints, its ids, and the fields it carries without knowing them.
import type { CacheHint } from "../../model/message.ts";
import { asString, isObject, unknownFields } from "../../model/json.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type { Extra } from "../../model/wire-id.ts";

export const wire = "anthropic-messages";
/** Who makes what stands natively in this wire's slots, on the client's side. */
export const nativeMaker = "anthropic";

export const nativeExtra = (extra: Extra | undefined): JsonObject | undefined => extra?.[wire];

/** Fields outside `known` as `extra`; null says nothing on this wire, and is left out. */
export const carried = (value: JsonObject, known: ReadonlySet<string>): { extra: Extra } | undefined => {
  const rest = unknownFields(value, known);
  if (rest === undefined) return undefined;
  const kept = withoutNulls(rest);
  return kept === undefined ? undefined : { extra: { [wire]: kept } };
};

export const withoutNulls = (value: JsonObject): JsonObject | undefined => {
  const entries = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
};

const lifetimes = new Set(["5m", "1h"]);

/** A cache hint with fields of its own (a scope) is carried whole beside the neutral one. */
export const decodeCache = (value: Json | undefined): { cache?: CacheHint; rest?: JsonObject } => {
  if (!isObject(value)) return {};
  const ttl = asString(value["ttl"]);
  const cache: CacheHint = ttl === undefined ? {} : { ttl };
  const plain = value["type"] === "ephemeral" && Object.keys(value).every((key) => key === "type" || key === "ttl");
  return plain ? { cache } : { cache, rest: value };
};

export const encodeCache = (cache: CacheHint | undefined): JsonObject | undefined => {
  if (cache === undefined) return undefined;
  return cache.ttl !== undefined && lifetimes.has(cache.ttl)
    ? { type: "ephemeral", ttl: cache.ttl }
    : { type: "ephemeral" };
};

const hash = (text: string): string => {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return value.toString(36);
};

/** A call's id as this wire takes it (`^[a-zA-Z0-9_-]+$`); the same for the same id, so that calls and results still meet (F6). */
export const toolId = (id: string): string => {
  if (/^[a-zA-Z0-9_-]+$/.test(id)) return id;
  return id === "" ? "toolu_unnamed" : `${id.replaceAll(/[^a-zA-Z0-9_-]/g, "_")}_${hash(id)}`;
};

export const messageId = (id: string, newId: () => string): string => {
  if (id === "") return `msg_${newId()}`;
  return id.startsWith("msg_") ? id : `msg_${id.replaceAll(/[^a-zA-Z0-9_-]/g, "_")}`;
};
