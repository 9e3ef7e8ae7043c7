// A streamed answer's body: reads of the upstream in, what the client gets out. One promise a read, and no generator, as thousands are alive at once.
import { ByteQueue } from "../http/byte-queue.ts";
import type { Pushed, Sink } from "../model/call.ts";
import { type GatewayError, toGatewayError } from "../model/error.ts";

export type Piece = Uint8Array | string;

/** What becomes of the bytes. Only `read` may throw. */
export type Flow = {
  /** What goes out for what came in; "" for nothing yet. To throw is to fail as the upstream fails. */
  read: (bytes: Uint8Array) => Piece;
  /** Whether all was read though the upstream goes on. */
  over: () => boolean;
  /** What still goes out: at the upstream's end, or after its failure. Called once, unless the caller left. */
  end: (failure: GatewayError | undefined) => Piece;
  /** The caller left before the end. Called once, after the upstream was let go. */
  leave: () => void;
};

type Result = IteratorResult<Piece>;
const finished: Result = { done: true, value: undefined };

class Pump implements AsyncIterator<Piece>, AsyncIterable<Piece>, Pushed {
  readonly #upstream: AsyncIterator<Uint8Array>;
  readonly #flow: Flow;
  #first: Piece;
  #ended = false;

  constructor(upstream: AsyncIterator<Uint8Array>, first: Piece, flow: Flow) {
    this.#upstream = upstream;
    this.#first = first;
    this.#flow = flow;
  }

  next(): Promise<Result> {
    if (this.#first.length > 0) {
      const value = this.#first;
      this.#first = "";
      return Promise.resolve({ done: false, value });
    }
    if (this.#ended) return Promise.resolve(finished);
    if (this.#flow.over()) return Promise.resolve(this.#end(undefined));
    return this.#upstream.next().then(this.#onRead, this.#onFailure);
  }

  /** The same without a promise a read, where the upstream can push. */
  flowTo(sink: Sink): (() => void) | undefined {
    const queue = this.#upstream;
    if (!(queue instanceof ByteQueue)) return undefined;
    const end = (failure: GatewayError | undefined): void => {
      if (this.#ended) return;
      const { done, value } = this.#end(failure);
      if (done !== true) sink.write(value);
      sink.end();
    };
    if (this.#first.length > 0) sink.write(this.#first);
    this.#first = "";
    if (this.#flow.over()) {
      end(undefined);
      return () => undefined;
    }
    queue.flowTo({
      chunk: (bytes) => {
        if (this.#ended) return;
        let piece: Piece;
        try {
          piece = this.#flow.read(bytes);
        } catch (thrown) {
          end(toGatewayError(thrown));
          return;
        }
        if (piece.length > 0 && !sink.write(piece)) queue.pause();
        if (this.#flow.over()) end(undefined);
      },
      end: () => end(undefined),
      fail: (thrown) => end(toGatewayError(thrown)),
    });
    return () => queue.resume();
  }

  /** The upstream is let go, and what was made until then is metered in full (F30, F31). */
  async return(): Promise<Result> {
    if (this.#ended) return finished;
    this.#ended = true;
    await this.#upstream.return?.();
    this.#flow.leave();
    return finished;
  }

  [Symbol.asyncIterator](): AsyncIterator<Piece> {
    return this;
  }

  readonly #onRead = (result: IteratorResult<Uint8Array>): Result | Promise<Result> => {
    if (this.#ended) return finished;
    if (result.done === true) return this.#end(undefined);
    let value: Piece;
    try {
      value = this.#flow.read(result.value);
    } catch (thrown) {
      return this.#end(toGatewayError(thrown));
    }
    return value.length > 0 ? { done: false, value } : this.next();
  };

  readonly #onFailure = (thrown: unknown): Result => (this.#ended ? finished : this.#end(toGatewayError(thrown)));

  #end(failure: GatewayError | undefined): Result {
    this.#ended = true;
    void this.#upstream.return?.();
    const value = this.#flow.end(failure);
    return value.length > 0 ? { done: false, value } : finished;
  }
}

/** `first`: what the reads before the 200 already gave. */
export const pump = (
  upstream: AsyncIterator<Uint8Array>,
  first: Piece,
  flow: Flow,
): AsyncIterator<Piece> & AsyncIterable<Piece> & Pushed => new Pump(upstream, first, flow);
