// The writer of a run's events: numbers each one, shows it to readers in this process at once, stores blocks behind their backs.
import { GatewayError, toGatewayError } from "../model/error.ts";
import type { StreamEvent } from "../model/event.ts";
import { asNumber } from "../model/json.ts";
import type { Operation } from "../stores/table.ts";
import { type Answerer, blockItem, encodeEvent, type EventPlace } from "./event-items.ts";
import type { NumberedEvent } from "./hub.ts";
import { eventKey, threadPartition } from "./keys.ts";
import type { ThreadStore } from "./store.ts";

export type EventLogOptions = {
  /** A block is stored when it holds this many bytes, or when its oldest event is this old. */
  blockBytes: number;
  blockMs: number;
  /** Stored events that are still held for readers in this process. */
  heldEvents: number;
};

const defaultEventLogOptions: EventLogOptions = { blockBytes: 4096, blockMs: 1000, heldEvents: 512 };

export type EventWriter = {
  /**
   * Never waits. Gives the event's number. What ends a step (`response-end`, `error`) is kept back until the step's end is stored, so
   * that whoever sees the end can go on at once (F47); nothing may be written after it.
   */
  write: (event: StreamEvent) => number;
  answeredBy: (answerer: Answerer) => void;
  /** Fires when another holder has taken the run: nothing more is stored, and the upstream is to be let go. */
  lost: AbortSignal;
  /** The last outage of the store; what it kept from being written is tried again with the next block. */
  outage: () => GatewayError | undefined;
  /** Stores what there is. */
  flush: () => Promise<void>;
  /** The write of the last block, for the transaction that ends the step. Where no end was written, `error` becomes one. */
  closing: (end: string, error: GatewayError) => Promise<Operation>;
  /** The number of the event after the last one. */
  next: () => number;
  /** After that transaction: `end` as it was stored, or "lost". */
  closed: (end: string) => Promise<void>;
};

export const fencedError = (): GatewayError =>
  new GatewayError("conflict", "The run no longer holds its thread: another one has taken over, or it was ended.", {
    param: "run_id",
  });

const endsStep = (event: StreamEvent): boolean => event.type === "response-end" || event.type === "error";

/** `first` is the number of the next event: 1 for a new run. `fence` is that of the holder's lease. */
export const createEventWriter = (
  store: ThreadStore,
  place: EventPlace,
  fence: number,
  first: number,
  options: EventLogOptions = defaultEventLogOptions,
): EventWriter => {
  const held: NumberedEvent[] = [];
  const toolCalls = new Set<number>();
  const lost = new AbortController();
  const over = new AbortController();
  /** Encoded events that no block holds yet; the first of them has the number `stored + 1`. */
  let pending: string[] = [];
  let pendingBytes = 0;
  let stored = first - 1;
  let last = first - 1;
  let shown = first - 1;
  let final: NumberedEvent | undefined;
  let answerer: Answerer | undefined;
  let answererTold = false;
  let outage: GatewayError | undefined;
  let end: string | undefined;
  let flushing: Promise<void> | undefined;
  let again = false;
  let timer: Promise<void> | undefined;

  const at = (n: number): NumberedEvent | undefined => {
    const base = held[0]?.n;
    return base === undefined || n > shown ? undefined : held[n - base];
  };
  const leaveHub = store.hub.open(place.run, { at, last: () => shown, end: () => end });

  const teller = (): { answerer?: Answerer } => (answerer === undefined || answererTold ? {} : { answerer });

  const storeBlock = async (): Promise<void> => {
    const count = pending.length;
    const texts = pending.slice(0, count);
    const item = await blockItem(store, place, { first: stored + 1, texts, fence, ...teller() });
    const written = await store.table.put(item, { item: "absent" });
    if (!written.ok) {
      if (!(await adopt())) throw fencedError();
      return;
    }
    if (item.data["answerer"] !== undefined) answererTold = true;
    settle(count);
  };

  /** A write of our own may have been done though its answer was lost: the block that stands there then holds some of what is pending. */
  const adopt = async (): Promise<boolean> => {
    const there = await store.table.get({
      pk: threadPartition(place.space, place.thread),
      sk: eventKey(place.run, stored + 1),
    });
    if (there === undefined || asNumber(there.data["fence"]) !== fence || there.data["end"] !== undefined) return false;
    if (there.data["answerer"] !== undefined) answererTold = true;
    settle(Math.min(pending.length, asNumber(there.data["count"]) ?? 0));
    return true;
  };

  const settle = (count: number): void => {
    stored += count;
    for (const text of pending.splice(0, count)) pendingBytes -= text.length;
    // What is stored can be read from the table: only so much is held as a reader may lag behind.
    const spare = held.length - options.heldEvents;
    if (spare > 0) held.splice(0, Math.min(spare, Math.max(0, stored - (held[0]?.n ?? 0) + 1)));
  };

  const storeAll = async (): Promise<void> => {
    try {
      do {
        again = false;
        if (pending.length > 0) await storeBlock();
      } while (again || pendingBytes >= options.blockBytes);
      outage = undefined;
    } catch (thrown) {
      const error = toGatewayError(thrown);
      if (error.code === "conflict") lose(error);
      else outage = error;
    }
  };

  /** From here on the table alone knows; nobody is shown what will never be stored. */
  const lose = (error: GatewayError): void => {
    shown = Math.min(shown, stored);
    end = "lost";
    leaveHub();
    lost.abort(error);
  };

  /** Stores all that is pending, behind the block that is on its way. */
  const flush = (): Promise<void> => {
    if (lost.signal.aborted || over.signal.aborted) return Promise.resolve();
    if (flushing !== undefined) again = true;
    flushing ??= storeAll().finally(() => {
      flushing = undefined;
      arm();
    });
    return flushing;
  };

  /** Waits for the block's oldest event to be old enough; nothing runs while nothing is pending. */
  const arm = (): void => {
    if (timer !== undefined || pending.length === 0 || over.signal.aborted || lost.signal.aborted) return;
    timer = store.clock.sleep(options.blockMs, over.signal).then(() => {
      timer = undefined;
      return over.signal.aborted ? undefined : flush();
    });
  };

  const ripe = (event: StreamEvent, n: number): boolean => {
    if (event.type === "part-start" && event.part.type === "tool-call") toolCalls.add(event.index);
    return (
      n === first || pendingBytes >= options.blockBytes || (event.type === "part-end" && toolCalls.delete(event.index))
    );
  };

  return {
    write: (event) => {
      if (final !== undefined || over.signal.aborted)
        throw new GatewayError("internal", "An event was written after the end of its step.");
      last += 1;
      const numbered = { n: last, event };
      held.push(numbered);
      const text = encodeEvent(event);
      if (endsStep(event)) {
        final = numbered;
        return last;
      }
      pending.push(text);
      pendingBytes += text.length;
      if (lost.signal.aborted) return last;
      shown = last;
      store.hub.wake(place.run);
      if (ripe(event, last)) void flush();
      else arm();
      return last;
    },
    answeredBy: (who) => {
      answerer = who;
    },
    lost: lost.signal,
    outage: () => outage,
    flush,
    closing: async (state, error) => {
      over.abort();
      await flushing;
      await timer;
      if (outage !== undefined) await adopt();
      outage = undefined;
      if (final === undefined) {
        last += 1;
        final = { n: last, event: { type: "error", error } };
        held.push(final);
      }
      const texts = [...pending, encodeEvent(final.event)];
      const item = await blockItem(store, place, { first: stored + 1, texts, fence, end: state, ...teller() });
      return { put: item, condition: { item: "absent" } };
    },
    next: () => last + 1,
    closed: async (state) => {
      over.abort();
      await flushing;
      await timer;
      shown = state === "lost" ? Math.min(shown, stored) : last;
      end = state;
      leaveHub();
    },
  };
};
