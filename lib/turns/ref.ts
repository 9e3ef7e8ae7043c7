// What a queue is sent about a run: where it waits, and nothing else (F52).

/** The name by which the queue knows a thread with runs that wait. */
export const threadRef = (space: string, thread: string): string =>
  `thread/${encodeURIComponent(space)}/${encodeURIComponent(thread)}`;

export const parseThreadRef = (ref: string): { space: string; thread: string } | undefined => {
  const [, space, thread] = /^thread\/([^/]+)\/([^/]+)$/.exec(ref) ?? [];
  return space === undefined || thread === undefined
    ? undefined
    : { space: decodeURIComponent(space), thread: decodeURIComponent(thread) };
};
