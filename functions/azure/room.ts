// Memory for the bodies of requests: an instance has little, many calls share it, and anyone may send as much as one body may have.
import { totalmem } from "node:os";
import process from "node:process";

/** One call's part of it. */
export type Held = {
  /** False where there is no room for so many bytes more. */
  take: (bytes: number) => boolean;
  release: () => void;
};

/** A body is copied once and parsed, and the rest of the process wants memory, too. */
const share = 1 / 4;

export const roomForBodies = (): number => {
  const constrained = process.constrainedMemory();
  // Without a bound some systems tell one beyond all that there is.
  return Math.floor((constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()) * share);
};

export const createRoom = (bytes: number): (() => Held) => {
  let taken = 0;
  return () => {
    let mine = 0;
    return {
      take: (more) => {
        if (taken + more > bytes) return false;
        taken += more;
        mine += more;
        return true;
      },
      release: () => {
        taken -= mine;
        mine = 0;
      },
    };
  };
};
