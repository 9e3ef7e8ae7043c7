// One wait after another, all bounded by the same end.

/**
 * Gives what resolves as `work` does, or as `end` where that comes first. `Promise.race` with an end that outlasts many waits keeps the result of
 * each until then: a stream's every piece. For one wait at a time. `end` never rejects.
 */
export const untilEnd = <E>(end: Promise<E>): (<T>(work: Promise<T>) => Promise<T | E>) => {
  let stop: ((value: E) => void) | undefined;
  let ended: { value: E } | undefined;
  void end.then((value) => {
    ended = { value };
    stop?.(value);
  });
  return (work) =>
    new Promise((resolve, reject) => {
      stop = resolve;
      if (ended !== undefined) resolve(ended.value);
      work.then(resolve, reject);
    });
};
