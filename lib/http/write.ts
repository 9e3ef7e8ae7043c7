// A reply's body into any Node Writable: with back-pressure, heartbeats between events, and an end that tells whether it was whole.
import type { Writable } from "node:stream";
import type { Pushed, ReplyBody } from "../model/call.ts";

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

/** Writes the heartbeat whenever nothing was written for so long: `last` tells when that was. */
const heartbeats = (writable: Writable, options: WriteOptions, last: () => number): (() => void) | undefined => {
  const { heartbeat, heartbeatMs } = options;
  if (heartbeat === undefined || heartbeat === "") return undefined;
  let beaten = 0;
  return watch(() => {
    const now = Date.now();
    if (now - Math.max(last(), beaten) < heartbeatMs || writable.writableNeedDrain || writable.destroyed) return;
    beaten = now;
    writable.write(heartbeat);
  }, heartbeatMs);
};

/** Resolves true when the writable can take more, false when it is gone. */
export const drained = (writable: Writable): Promise<boolean> =>
  new Promise((resolve) => {
    // It may be closed already.
    if (writable.destroyed) {
      resolve(false);
      return;
    }
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

type Piece = Uint8Array | string;

const canPush = (body: AsyncIterable<Piece> & Partial<Pushed>): body is AsyncIterable<Piece> & Pushed =>
  body.flowTo !== undefined;

/** The reader has gone: what letting go fails with changes nothing for anyone, and must not end the process. */
const letGo = (body: AsyncIterable<Piece>): void => {
  body[Symbol.asyncIterator]()
    .return?.()
    .catch(() => undefined);
};

export type WriteOptions = {
  /** The frame of a silent stream; "" for none. */
  heartbeat?: string;
  /** Milliseconds of silence before it. */
  heartbeatMs: number;
};

/** Undefined where the body can only be pulled; nothing was done then. */
const push = (
  body: AsyncIterable<Piece> & Pushed,
  writable: Writable,
  options: WriteOptions,
): Promise<void> | undefined => {
  let last = Date.now();
  let over: () => void = () => undefined;
  const written = new Promise<void>((resolve) => {
    over = resolve;
  });
  let stop: (() => void) | undefined;
  let resume: (() => void) | undefined;
  const finish = (): void => {
    stop?.();
    stop = undefined;
    writable.off("close", onClose);
    if (resume !== undefined) writable.off("drain", resume);
    over();
  };
  const onClose = (): void => {
    letGo(body);
    finish();
  };
  let ended = false;
  resume = body.flowTo({
    write: (piece) => {
      last = Date.now();
      return writable.write(piece);
    },
    end: () => {
      ended = true;
      writable.end();
      finish();
    },
  });
  if (resume === undefined) return undefined;
  if (ended) return written;
  writable.on("drain", resume);
  writable.once("close", onClose);
  stop = heartbeats(writable, options, () => last);
  return written;
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
  if (canPush(body) && !writable.destroyed) {
    const pushed = push(body, writable, options);
    if (pushed !== undefined) return pushed;
  }
  const iterator = body[Symbol.asyncIterator]();
  let last = Date.now();
  const stop = heartbeats(writable, options, () => last);
  const onClose = (): void => letGo({ [Symbol.asyncIterator]: () => iterator });
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
