// What a process, or a call, does behind its answers: each piece of work until it is over.

export type Background = {
  /** What is under way. */
  works: ReadonlySet<Promise<unknown>>;
  /** Whoever hands it over answers for its failures. */
  track: (work: Promise<unknown>) => void;
};

export const createBackground = (): Background => {
  const works = new Set<Promise<unknown>>();
  return {
    works,
    track: (work) => {
      const over = (): void => void works.delete(work);
      works.add(work);
      work.then(over, over);
    },
  };
};
