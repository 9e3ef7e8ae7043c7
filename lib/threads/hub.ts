// What happens within one process: a run's newest events for readers beside it, and a nudge for whoever waits.
import type { StreamEvent } from "../model/event.ts";

export type NumberedEvent = { n: number; event: StreamEvent };

/** A run that this process is writing. `held` are its latest events, those not yet stored among them. */
export type LiveRun = {
  /** The event `n`, where it is still held. */
  at: (n: number) => NumberedEvent | undefined;
  /** The number of the latest event that may be shown. */
  last: () => number;
  /** Once it is over: the run's state, or "lost" where this process no longer writes it and the table alone knows. */
  end: () => string | undefined;
};

export type Hub = {
  live: (run: string) => LiveRun | undefined;
  /** Gives what takes it away again. */
  open: (run: string, live: LiveRun) => () => void;
  /** Something about this run or thread has changed. */
  wake: (name: string) => void;
  /** Whether somebody in this process waits for a `wake`. */
  awaited: (name: string) => boolean;
  /** Resolves at the next `wake`, or when the signal fires. */
  changed: (name: string, signal: AbortSignal) => Promise<void>;
};

export const createHub = (): Hub => {
  const runs = new Map<string, LiveRun>();
  const waiting = new Map<string, Set<() => void>>();

  const wake = (name: string): void => {
    const all = waiting.get(name);
    if (all === undefined) return;
    waiting.delete(name);
    for (const each of all) each();
  };

  return {
    live: (run) => runs.get(run),
    open: (run, live) => {
      runs.set(run, live);
      wake(run);
      return () => {
        if (runs.get(run) === live) runs.delete(run);
        wake(run);
      };
    },
    wake,
    awaited: (name) => waiting.has(name),
    changed: (name, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve();
          return;
        }
        const all = waiting.get(name) ?? new Set();
        waiting.set(name, all);
        const done = (): void => {
          signal.removeEventListener("abort", done);
          all.delete(done);
          if (all.size === 0 && waiting.get(name) === all) waiting.delete(name);
          resolve();
        };
        all.add(done);
        signal.addEventListener("abort", done, { once: true });
      }),
  };
};
