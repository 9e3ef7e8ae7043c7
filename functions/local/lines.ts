// Lines to a stream, gathered for one turn of the event loop: under load many calls' records leave in one write.
import type { Writable } from "node:stream";

export type LineWriter = { write: (line: string) => void; flush: () => void };

/** `write` takes a line without its end. `flush` writes what waits; to be called before the process ends. */
export const createLineWriter = (out: Writable): LineWriter => {
  let waiting = "";
  const flush = (): void => {
    if (waiting === "") return;
    const text = waiting;
    waiting = "";
    out.write(text);
  };
  return {
    write: (line) => {
      if (waiting === "") setImmediate(flush);
      waiting += `${line}\n`;
    },
    flush,
  };
};
