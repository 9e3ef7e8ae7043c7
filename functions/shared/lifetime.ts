// One call's time on a platform that bounds it: when its answer must end, when what outlives the answer must, and what is waited for before the
// process may sleep.
import { timeIsOver } from "../../lib/model/deadline.ts";
import { createBackground } from "./background.ts";

export type Lifetime = {
  /** Milliseconds since 1970 by which an answer must be whole. */
  deadline: number;
  /** Fires then. */
  signal: AbortSignal;
  /** Fires some seconds later: runs end by themselves. */
  over: AbortSignal;
  /** Resolves a moment before the call is stopped: whatever still goes on is left. */
  cut: Promise<void>;
  waitUntil: (work: Promise<unknown>) => void;
  /** The caller has gone. */
  leave: () => void;
  /** The process ends: as if the time were over now, and the cut soon. */
  end: () => void;
  /** Nothing is to fire any more. */
  clear: () => void;
  /** Resolves when all that was handed over has ended, and then `last` has, or at the cut. Afterwards no timer is left (F56). */
  finish: (last: () => Promise<void>) => Promise<void>;
};

export type Bounds = {
  /** Milliseconds from now. */
  answerMs: number;
  overMs: number;
  cutMs: number;
};

/** From the process's word that it ends to the cut: it has five seconds in all. */
const endMs = 2_000;
/** Before the end of an invocation: so long for the answer's end to reach the client, for runs to be stored, and for the runtime. */
const leadMs = 10_000;

/** Of an invocation that is stopped in so many milliseconds. Short times keep two thirds of theirs for answers. */
export const boundsOf = (remainingMs: number): Bounds => {
  const lead = Math.min(leadMs, remainingMs / 3);
  return { answerMs: remainingMs - lead, overMs: remainingMs - lead * 0.6, cutMs: remainingMs - lead * 0.2 };
};

export const openLifetime = ({ answerMs, overMs, cutMs }: Bounds, now: () => number): Lifetime => {
  const answer = new AbortController();
  const all = new AbortController();
  const pending = createBackground();
  const stop = (): void => answer.abort(timeIsOver());
  const timers = [setTimeout(stop, answerMs), setTimeout(() => all.abort(timeIsOver()), overMs)];
  let cutNow: () => void = () => undefined;
  const cut = new Promise<void>((resolve) => {
    cutNow = resolve;
    timers.push(setTimeout(resolve, cutMs));
  });
  const clear = (): void => {
    for (const timer of timers) clearTimeout(timer);
  };
  return {
    deadline: now() + answerMs,
    signal: answer.signal,
    over: all.signal,
    cut,
    waitUntil: pending.track,
    leave: () => answer.abort(),
    end: () => {
      stop();
      all.abort(timeIsOver());
      timers.push(setTimeout(cutNow, endMs));
    },
    clear,
    finish: async (last) => {
      const late = cut.then(() => "late" as const);
      while (pending.works.size > 0)
        if ((await Promise.race([Promise.allSettled(pending.works), late])) === "late") break;
      await Promise.race([last(), late]);
      clear();
    },
  };
};
