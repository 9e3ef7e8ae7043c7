// Reading a run's events from any process: what is stored is replayed, what comes is awaited, and the end ends it (F50).
import { GatewayError } from "../model/error.ts";
import { asString } from "../model/json.ts";
import { blockAt, blocksFrom, decodeBlock, type EventBlock, type EventPlace } from "./event-items.ts";
import type { LiveRun, NumberedEvent } from "./hub.ts";
import { decodeRun, hasEnded, runAt, type Run } from "./run-items.ts";
import type { ThreadStore } from "./store.ts";

export type ReadOptions = {
  /** The number of the last event the reader has; 0 from the start. */
  after?: number;
  signal?: AbortSignal;
  /** Milliseconds between two looks at the table while nothing comes: from `minMs`, growing to `maxMs`. */
  minMs?: number;
  maxMs?: number;
  /** Called when a run in progress has been silent for `staleMs`: its holder may be dead (a sweep of the thread tells). */
  whenStale?: () => Promise<void>;
  staleMs?: number;
};

const neverAborted = new AbortController().signal;

const findRun = async (store: ThreadStore, place: EventPlace): Promise<Run> => {
  const item = await store.table.get(runAt(place.space, place.thread, place.run));
  if (item === undefined) throw new GatewayError("not_found", "No such run.", { param: "run_id" });
  return decodeRun(item);
};

/**
 * Events after `after`, in order, each once. Ends after the event that ends the run, or the step where the run waits for tools.
 * A reader that saw events which were never stored (its process died within their last second) gets the error that ended the run.
 */
export async function* readEvents(
  store: ThreadStore,
  place: EventPlace,
  options: ReadOptions = {},
): AsyncGenerator<NumberedEvent> {
  const { signal = neverAborted, minMs = 50, maxMs = 1000, staleMs = 5000 } = options;
  let next = (options.after ?? 0) + 1;
  let live: LiveRun | undefined;
  let pause = minMs;
  let silentSince = store.clock.now();
  let aligned = next === 1;
  let asked = false;

  while (!signal.aborted) {
    live = store.hub.live(place.run) ?? (live?.end() === "lost" ? undefined : live);
    // Beside the writer: straight from its hands, with no look at the table.
    for (let event = live?.at(next); event !== undefined; event = live?.at(next)) {
      yield event;
      next += 1;
      aligned = false;
      pause = minMs;
      silentSince = store.clock.now();
      if (signal.aborted) return;
    }
    if (live !== undefined && next > live.last()) {
      const end = live.end();
      if (end === undefined) {
        await store.hub.changed(place.run, signal);
        continue;
      }
      if (end !== "lost") {
        if (next === live.last() + 1) return;
        live = undefined;
      }
    }

    const before = next;
    const read = await readStored(store, place, next, aligned);
    for (const block of read.blocks)
      for (const event of block.events)
        if (event.n >= next) {
          yield event;
          next = event.n + 1;
        }
    // A reader ahead of what is stored will find its place within a block, too.
    const latest = read.blocks.at(-1);
    aligned = latest !== undefined && latest.first + latest.events.length === next;
    if (next > before) {
      pause = minMs;
      silentSince = store.clock.now();
      if (read.more) continue;
      const end = read.blocks.at(-1)?.end;
      if (end === undefined) continue;
      if (end !== "requires_action") return;
      asked = false;
    }

    // The end comes with the events; the run itself is asked at first, where it waits for tools, and where nothing comes for long.
    if (!asked || pause >= maxMs / 2) {
      asked = true;
      const run = await findRun(store, place);
      if (run.state !== "in_progress" && run.state !== "queued") {
        // What was stored between the two looks is not missed.
        const last = await lastBlock(store, place);
        const lastNumber = last?.events.at(-1)?.n ?? 0;
        if (lastNumber >= next) continue;
        if (last === undefined && hasEnded(run.state) && next === 1)
          throw new GatewayError("not_found", "The events of this run are no longer kept.", { param: "run_id" });
        const final = last?.events.at(-1)?.event;
        if (lastNumber < next - 1 && final?.type === "error") yield { n: next, event: final };
        return;
      }
    }
    if (options.whenStale !== undefined && store.clock.now() - silentSince >= staleMs) {
      await options.whenStale();
      silentSince = store.clock.now();
    }
    await nap(store, place.run, pause, signal);
    pause = Math.min(maxMs, pause * 1.5);
  }
}

/** Sleeps, unless something happens to the run in this very process. */
const nap = async (store: ThreadStore, run: string, ms: number, signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return;
  const awake = new AbortController();
  const wake = (): void => awake.abort();
  signal.addEventListener("abort", wake, { once: true });
  try {
    await Promise.race([store.clock.sleep(ms, awake.signal), store.hub.changed(run, awake.signal)]);
  } finally {
    wake();
    signal.removeEventListener("abort", wake);
  }
};

const readStored = async (
  store: ThreadStore,
  place: EventPlace,
  next: number,
  aligned: boolean,
): Promise<{ blocks: EventBlock[]; more: boolean }> => {
  // A cursor from outside may stand within a block; from then on `next` is always the start of one.
  let from = next;
  if (!aligned) {
    const item = await blockAt(store, place, next);
    const first = item?.data["first"];
    if (typeof first === "number") from = first;
  }
  const page = await blocksFrom(store, place, from);
  const blocks: EventBlock[] = [];
  for (const item of page.items) blocks.push(await decodeBlock(store, place, item));
  return { blocks, more: page.next !== undefined };
};

const lastBlock = async (store: ThreadStore, place: EventPlace): Promise<EventBlock | undefined> => {
  const item = await blockAt(store, place, Number.MAX_SAFE_INTEGER - 1);
  return item === undefined || asString(item.data["end"]) === undefined ? undefined : decodeBlock(store, place, item);
};
