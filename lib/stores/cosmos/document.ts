// An item as Cosmos DB holds it. Every field is always there, so that a patch can set each of them without knowing the others.
import type { JsonObject } from "../../model/json.ts";
import { packData, unpackData } from "../shared/pack.ts";
import type { Item } from "../table.ts";
import { idOf, orderOf } from "./ids.ts";

export type Document = {
  readonly id: string;
  readonly pk: string;
  readonly sk: string;
  readonly version: number;
  readonly data: JsonObject;
  /** New with every write: it tells a write's own earlier success from another's. */
  readonly token: string;
  readonly expiresAt: number | null;
  /** Seconds from the last write until the service deletes it; -1 for ever. Reads go by `expiresAt`: this is for the sweeping alone. */
  readonly ttl: number;
  readonly ipk: string | null;
  readonly isk: string | null;
  /** Sorts as `isk`, then `pk`, then `sk`: the order of the index, and its cursor. */
  readonly place: string | null;
};

/** As it comes from the service. */
export type Stored = Document & { readonly _etag: string };

export const ttlOf = (expiresAt: number | undefined | null, nowSeconds: number): number =>
  expiresAt === undefined || expiresAt === null
    ? -1
    : Math.max(1, Math.min(2_147_483_647, Math.ceil(expiresAt - nowSeconds)));

export const encodeDocument = (item: Item, token: string, nowSeconds: number): Document => ({
  id: idOf(item.sk),
  pk: item.pk,
  sk: item.sk,
  version: item.version,
  data: packData(item.data),
  token,
  expiresAt: item.expiresAt ?? null,
  ttl: ttlOf(item.expiresAt, nowSeconds),
  ipk: item.ipk ?? null,
  isk: item.isk ?? null,
  place: item.isk === undefined ? null : orderOf(item.isk, item.pk, item.sk),
});

export const decodeDocument = (document: Document): Item => ({
  pk: document.pk,
  sk: document.sk,
  version: document.version,
  data: unpackData(document.data),
  ...(document.expiresAt === null ? {} : { expiresAt: document.expiresAt }),
  ...(document.ipk === null || document.isk === null ? {} : { ipk: document.ipk, isk: document.isk }),
});

/** What is replaced by itself, to hold on to it: the service's own fields stay out, and the time to live begins anew. */
export const unchanged = (stored: Stored, nowSeconds: number): Document => {
  const { id, pk, sk, version, data, token, expiresAt, ipk, isk, place } = stored;
  return { id, pk, sk, version, data, token, expiresAt, ttl: ttlOf(expiresAt, nowSeconds), ipk, isk, place };
};
