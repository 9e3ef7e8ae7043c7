// A push source (a socket's callbacks) read as a pulled stream: no WHATWG or Node stream between, one promise a wait.

export type ByteQueue = {
  push: (chunk: Uint8Array) => void;
  end: () => void;
  fail: (error: unknown) => void;
  body: AsyncIterable<Uint8Array>;
};

/** Bytes that may wait before the source is asked to pause. */
const highWater = 64 * 1024;

/** `pause` and `resume` steer the source by how much waits; `abandon` is called when the reader leaves before the end. */
export const createByteQueue = (source: { pause: () => void; resume: () => void; abandon: () => void }): ByteQueue => {
  const waiting: Uint8Array[] = [];
  let size = 0;
  let paused = false;
  let done = false;
  let failure: { error: unknown } | undefined;
  let reader: { resolve: (result: IteratorResult<Uint8Array>) => void; reject: (error: unknown) => void } | undefined;

  const finished: IteratorResult<Uint8Array> = { done: true, value: undefined };
  const iterator: AsyncIterator<Uint8Array> = {
    next: () => {
      const chunk = waiting.shift();
      if (chunk !== undefined) {
        size -= chunk.length;
        if (paused && size < highWater / 2) {
          paused = false;
          source.resume();
        }
        return Promise.resolve({ done: false, value: chunk });
      }
      // The failure is the reader's to handle, whatever class it has.
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors
      if (failure !== undefined) return Promise.reject(failure.error);
      if (done) return Promise.resolve(finished);
      return new Promise((resolve, reject) => {
        reader = { resolve, reject };
      });
    },
    return: () => {
      if (!done && failure === undefined) {
        done = true;
        source.abandon();
      }
      reader?.resolve(finished);
      reader = undefined;
      waiting.length = 0;
      return Promise.resolve(finished);
    },
  };

  return {
    push: (chunk) => {
      if (done) return;
      if (reader !== undefined) {
        const { resolve } = reader;
        reader = undefined;
        resolve({ done: false, value: chunk });
        return;
      }
      waiting.push(chunk);
      size += chunk.length;
      if (size > highWater && !paused) {
        paused = true;
        source.pause();
      }
    },
    end: () => {
      done = true;
      reader?.resolve(finished);
      reader = undefined;
    },
    fail: (error) => {
      if (done) return;
      failure ??= { error };
      reader?.reject(error);
      reader = undefined;
    },
    body: { [Symbol.asyncIterator]: () => iterator },
  };
};
