// Events as they are stored: blocks of numbered events, each block under the number of its first.
import { errorCodes, GatewayError, type ErrorCode } from "../model/error.ts";
import type { StreamEvent } from "../model/event.ts";
import { asArray, asNumber, asObject, asString, compact, isObject, type Json, type JsonObject } from "../model/json.ts";
import type { Item, NewItem, Page } from "../stores/table.ts";
import { loadBody, storeBody, transactionBytes } from "./bodies.ts";
import type { NumberedEvent } from "./hub.ts";
import { eventKey, eventPrefix, threadPartition } from "./keys.ts";
import type { ThreadStore } from "./store.ts";

/** Where a run's events lie. */
export type EventPlace = { space: string; thread: string; run: string };

/** Who answered: told in the first block that knows it. */
export type Answerer = { provider: string; model: string; maker: string };

export type EventBlock = {
  /** Where it stands: the number of its first event, unless that has one of its own. */
  first: number;
  events: NumberedEvent[];
  /** Whose write it was. */
  fence: number;
  /** The run's state after this block, where the block is the last of a step. */
  end?: string;
  answerer?: Answerer;
};

/** An error without its cause: causes are this process's own. */
export const encodeError = (error: GatewayError): JsonObject => {
  const { cause: _cause, ...details } = error.details;
  return { code: error.code, message: error.message, details: details };
};

export const decodeError = (value: Json | undefined): GatewayError => {
  const data = asObject(value);
  const code = asString(data?.["code"]);
  return new GatewayError(
    code !== undefined && code in errorCodes ? (code as ErrorCode) : "internal",
    asString(data?.["message"]) ?? "The run failed.",
    asObject(data?.["details"]) ?? {},
  );
};

export const encodeEvent = (event: StreamEvent): string =>
  JSON.stringify(event.type === "error" ? { type: "error", error: encodeError(event.error) } : event);

const decodeEvent = (value: Json): StreamEvent =>
  isObject(value) && value["type"] === "error"
    ? { type: "error", error: decodeError(value["error"]) }
    : (value as unknown as StreamEvent);

/** The item of a block; its body, where large, is in the blobs when this returns. */
export const blockItem = async (
  store: ThreadStore,
  place: EventPlace,
  block: {
    first: number;
    /** The number of its first event, where that is not `first`. */
    number?: number;
    texts: readonly string[];
    fence: number;
    end?: string;
    answerer?: Answerer;
  },
  room = transactionBytes,
): Promise<NewItem> => {
  const body = await storeBody(store, place.space, place.thread, `[${block.texts.join(",")}]`, room);
  const data = compact<JsonObject>({
    first: block.first,
    number: block.number,
    count: block.texts.length,
    fence: block.fence,
    end: block.end,
    answerer: block.answerer,
    ...body,
  });
  return {
    pk: threadPartition(place.space, place.thread),
    sk: eventKey(place.run, block.first),
    data,
    expiresAt: Math.floor(store.clock.now() / 1000) + store.limits.eventsTtlSeconds,
  };
};

export const decodeBlock = async (store: ThreadStore, place: EventPlace, item: Item): Promise<EventBlock> => {
  const first = asNumber(item.data["first"]) ?? 1;
  const number = asNumber(item.data["number"]) ?? first;
  const values = asArray(JSON.parse(await loadBody(store, place.space, place.thread, item.data))) ?? [];
  const block: EventBlock = {
    first,
    events: values.map((value, at) => ({ n: number + at, event: decodeEvent(value) })),
    fence: asNumber(item.data["fence"]) ?? 0,
  };
  const end = asString(item.data["end"]);
  if (end !== undefined) block.end = end;
  const answerer = asObject(item.data["answerer"]);
  if (answerer !== undefined) block.answerer = answerer as Answerer;
  return block;
};

/** Blocks that begin at `from` or later, in order, one page. */
export const blocksFrom = (store: ThreadStore, place: EventPlace, from: number, limit = 100): Promise<Page> =>
  store.table.query({
    pk: threadPartition(place.space, place.thread),
    prefix: eventPrefix(place.run),
    ...(from > 1 ? { after: eventKey(place.run, from - 1) } : {}),
    limit,
  });

/** The latest block that begins at `n` or before. */
export const blockAt = async (store: ThreadStore, place: EventPlace, n: number): Promise<Item | undefined> =>
  (
    await store.table.query({
      pk: threadPartition(place.space, place.thread),
      prefix: eventPrefix(place.run),
      before: eventKey(place.run, n + 1),
      descending: true,
      limit: 1,
    })
  ).items[0];

/** Every stored event of a run from number `from` (the start of a block) on. */
export const readBlocks = async (store: ThreadStore, place: EventPlace, from: number): Promise<EventBlock[]> => {
  const blocks: EventBlock[] = [];
  let next = from;
  for (;;) {
    const { items } = await blocksFrom(store, place, next);
    for (const item of items) blocks.push(await decodeBlock(store, place, item));
    const last = blocks.at(-1);
    if (items.length === 0 || last === undefined) return blocks;
    next = last.first + Math.max(1, last.events.length);
  }
};
