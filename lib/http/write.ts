// A reply's body into any Node Writable: with back-pressure, heartbeats between events, and an end that tells whether it was whole.
import type { Writable } from "node:stream";
import type { ReplyBody } from "../model/call.ts";

/** Streams that wait for their next heartbeat: one timer for all of them, none where there is no stream (F56). */
const beating = new Set<() => void>();
let ticker: NodeJS.Timeout | undefined;
const tickMs = 1_000;

/** `heartbeatMs`: a tick is never longer than the silence it looks for. */
const watch = (beat: () => void, heartbeatMs: number): (() => void) => {
  beating.add(beat);
  ticker ??= setInterval(
    () => {
      for (const each of beating) each();
    },
    Math.min(tickMs, heartbeatMs),
  ).unref();
  return () => {
    beating.delete(beat);
    if (beating.size === 0 && ticker !== undefined) {
      clearInterval(ticker);
      ticker = undefined;
    }
  };
};

/** Resolves true when the writable can take more, false when it is gone. */
const drained = (writable: Writable): Promise<boolean> =>
  new Promise((resolve) => {
    const done = (alive: boolean) => (): void => {
      writable.off("drain", onDrain);
      writable.off("close", onClose);
      resolve(alive);
    };
    const onDrain = done(true);
    const onClose = done(false);
    writable.once("drain", onDrain);
    writable.once("close", onClose);
  });

export type WriteOptions = {
  /** The frame of a silent stream; "" for none. */
  heartbeat?: string;
  /** Milliseconds of silence before it. */
  heartbeatMs: number;
};

/**
 * Writes the body and ends the writable. Resolves when all is handed over, or when the reader has gone: the body is then told
 * by `return`. Throws only what the body throws; the writable is then destroyed, as an answer that broke off must not look whole.
 */
export const writeBody = async (body: ReplyBody, writable: Writable, options: WriteOptions): Promise<void> => {
  if (typeof body === "string" || body instanceof Uint8Array) {
    writable.end(body);
    return;
  }
  const iterator = body[Symbol.asyncIterator]();
  let last = Date.now();
  const { heartbeat } = options;
  const stop =
    heartbeat === undefined || heartbeat === ""
      ? undefined
      : watch(() => {
          const now = Date.now();
          if (now - last < options.heartbeatMs || writable.writableNeedDrain || writable.destroyed) return;
          last = now;
          writable.write(heartbeat);
        }, options.heartbeatMs);
  const onClose = (): void => {
    // The reader has gone: what letting go fails with changes nothing for anyone, and must not end the process.
    iterator.return?.().catch(() => undefined);
  };
  writable.once("close", onClose);
  let whole = false;
  try {
    for (;;) {
      if (writable.destroyed) {
        await iterator.return?.();
        return;
      }
      const { done, value } = await iterator.next();
      if (done === true) {
        whole = true;
        break;
      }
      if (writable.destroyed) continue;
      last = Date.now();
      if (!writable.write(value) && !(await drained(writable))) {
        await iterator.return?.();
        return;
      }
    }
  } finally {
    stop?.();
    writable.off("close", onClose);
    if (whole) writable.end();
    else writable.destroy();
  }
};
