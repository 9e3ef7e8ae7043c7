// What a queue is sent about a run: where it waits, and nothing else (F52).

/** The name by which the queue knows a thread with runs that wait. */
export const threadRef = (tenant: string, thread: string): string =>
  `thread/${encodeURIComponent(tenant)}/${encodeURIComponent(thread)}`;

export const parseThreadRef = (ref: string): { tenant: string; thread: string } | undefined => {
  const [, tenant, thread] = /^thread\/([^/]+)\/([^/]+)$/.exec(ref) ?? [];
  return tenant === undefined || thread === undefined
    ? undefined
    : { tenant: decodeURIComponent(tenant), thread: decodeURIComponent(thread) };
};
