// When a thread's waiting run is to be sent to the queue once more: soon after it was found, then ever more seldom, or a queue that nobody works off
// would grow with every sweep. Kept in the process alone: another sweeper sends once more, which the run's lease makes harmless.
const firstMs = 60_000;
const longestMs = 15 * 60_000;

export type Reminders = {
  /** Of all that wait now, those that are due. What waits no longer is forgotten. */
  due: (waiting: readonly string[]) => string[];
};

export const createReminders = (now: () => number): Reminders => {
  let sent = new Map<string, { next: number; pauseMs: number }>();
  return {
    due: (waiting) => {
      const at = now();
      const kept: typeof sent = new Map();
      const due = waiting.filter((id) => {
        const before = sent.get(id);
        if (before !== undefined && before.next > at) {
          kept.set(id, before);
          return false;
        }
        const pauseMs = before === undefined ? firstMs : Math.min(longestMs, 2 * before.pauseMs);
        // A sweep that comes a moment early is this one's, not the next one's.
        kept.set(id, { next: at + pauseMs - firstMs / 2, pauseMs });
        return true;
      });
      sent = kept;
      return due;
    },
  };
};
