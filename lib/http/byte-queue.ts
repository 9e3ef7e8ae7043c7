// A push source (a socket's callbacks) read as a pulled stream: no WHATWG or Node stream between, one promise a wait.

/** What is steered by how much waits; `abandon` is called when the reader leaves before the end. */
export type ByteSource = { pause: () => void; resume: () => void; abandon: () => void };

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
  #resolve: ((result: IteratorResult<Uint8Array>) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  push(chunk: Uint8Array): void {
    if (this.#done) return;
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
    this.#done = true;
    this.#settle(finished);
  }

  fail(error: unknown): void {
    if (this.#done) return;
    this.#failure ??= { error };
    const reject = this.#reject;
    this.#resolve = undefined;
    this.#reject = undefined;
    reject?.(error);
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
