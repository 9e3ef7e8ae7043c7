// A push source (a socket's callbacks) read as a pulled stream: no WHATWG or Node stream between, one promise a wait.

/** What is steered by how much waits; `abandon` is called when the reader leaves before the end. */
export type ByteSource = { pause: () => void; resume: () => void; abandon: () => void };

/** Takes what comes, at once and in order; then one of `end` and `fail`, once. */
export type ByteListener = { chunk: (bytes: Uint8Array) => void; end: () => void; fail: (error: unknown) => void };

/** Bytes that may wait before the source is asked to pause. */
const highWater = 64 * 1024;

const finished: IteratorResult<Uint8Array> = { done: true, value: undefined };

/** A class, as thousands of these are alive at once: methods are shared, where closures would be made for each. */
export class ByteQueue implements AsyncIterator<Uint8Array>, AsyncIterable<Uint8Array> {
  readonly #source: ByteSource;
  #waiting: Uint8Array[] | undefined;
  #size = 0;
  #paused = false;
  #done = false;
  #failure: { error: unknown } | undefined;
  #listener: ByteListener | undefined;
  #resolve: ((result: IteratorResult<Uint8Array>) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  push(chunk: Uint8Array): void {
    if (this.#done) return;
    if (this.#listener !== undefined) {
      this.#listener.chunk(chunk);
      return;
    }
    if (this.#resolve !== undefined) {
      this.#settle({ done: false, value: chunk });
      return;
    }
    (this.#waiting ??= []).push(chunk);
    this.#size += chunk.length;
    if (this.#size > highWater && !this.#paused) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  end(): void {
    if (this.#done) return;
    this.#done = true;
    if (this.#listener !== undefined) this.#listener.end();
    else this.#settle(finished);
  }

  fail(error: unknown): void {
    if (this.#done) return;
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    if (this.#listener !== undefined) {
      this.#listener.fail(error);
      return;
    }
    const reject = this.#reject;
    this.#resolve = undefined;
    this.#reject = undefined;
    reject?.(error);
  }

  /** From here on pushed, not pulled: no promise a read. The listener steers by `pause` and `resume`. */
  flowTo(listener: ByteListener): void {
    this.#listener = listener;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#size = 0;
    for (const chunk of waiting) listener.chunk(chunk);
    this.resume();
    if (this.#failure !== undefined) listener.fail(this.#failure.error);
    else if (this.#done) listener.end();
  }

  pause(): void {
    if (this.#paused || this.#done) return;
    this.#paused = true;
    this.#source.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#source.resume();
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const chunk = this.#waiting?.shift();
    if (chunk !== undefined) {
      this.#size -= chunk.length;
      if (this.#paused && this.#size < highWater / 2) {
        this.#paused = false;
        this.#source.resume();
      }
      return Promise.resolve({ done: false, value: chunk });
    }
    // The failure is the reader's to handle, whatever class it has.
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.#done) return Promise.resolve(finished);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.#listener = undefined;
    if (!this.#done && this.#failure === undefined) {
      this.#done = true;
      this.#source.abandon();
    }
    this.#settle(finished);
    this.#waiting = undefined;
    return Promise.resolve(finished);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this;
  }

  #settle(result: IteratorResult<Uint8Array>): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#reject = undefined;
    resolve?.(result);
  }
}
