// One invocation's time: when its answer must end, when what outlives the answer must, and what is waited for before the process may sleep.
import { timeIsOver } from "../../lib/model/deadline.ts";

export type Lifetime = {
  /** Milliseconds since 1970 by which an answer must be whole. */
  deadline: number;
  /** Fires then. */
  signal: AbortSignal;
  /** Fires some seconds later: runs end by themselves. */
  over: AbortSignal;
  /** Resolves a moment before the process is stopped: whatever still goes on is left. */
  cut: Promise<void>;
  waitUntil: (work: Promise<unknown>) => void;
  /** Resolves when all that was handed over has ended, and then `last` has, or at the cut. Afterwards no timer is left (F56). */
  finish: (last: () => Promise<void>) => Promise<void>;
};

/** Before the end of the time: so long for the answer's end to reach the client, for runs to be stored, and for the runtime. */
const leadMs = 10_000;

/** `remainingMs`: what the runtime says. Short times keep two thirds of theirs for answers. */
export const openLifetime = (remainingMs: number, now: () => number): Lifetime => {
  const lead = Math.min(leadMs, remainingMs / 3);
  const answer = new AbortController();
  const all = new AbortController();
  const pending = new Set<Promise<unknown>>();
  const timers = [
    setTimeout(() => answer.abort(timeIsOver()), remainingMs - lead),
    setTimeout(() => all.abort(timeIsOver()), remainingMs - lead * 0.6),
  ];
  const cut = new Promise<void>((resolve) => {
    timers.push(setTimeout(resolve, remainingMs - lead * 0.2));
  });
  return {
    deadline: now() + remainingMs - lead,
    signal: answer.signal,
    over: all.signal,
    cut,
    waitUntil: (work) => {
      const ended = (): void => void pending.delete(work);
      pending.add(work);
      // Whoever hands it over answers for its failures.
      work.then(ended, ended);
    },
    finish: async (last) => {
      const late = cut.then(() => "late" as const);
      while (pending.size > 0) if ((await Promise.race([Promise.allSettled(pending), late])) === "late") break;
      await Promise.race([last(), late]);
      for (const timer of timers) clearTimeout(timer);
    },
  };
};
