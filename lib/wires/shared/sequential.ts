// Parts one after another: some hosts interleave the deltas of parallel calls, and Anthropic's and Responses' grammars don't allow that (F1).
import type { StreamEvent } from "../../model/event.ts";

/** Passes the oldest open part at once and holds the others back until it has ended. Events without a part pass when nothing is held. */
export const createSequencer = (): ((events: readonly StreamEvent[]) => StreamEvent[]) => {
  let current: number | undefined;
  const held: StreamEvent[] = [];

  const pass = (event: StreamEvent, out: StreamEvent[]): boolean => {
    if (event.type === "response-end" || event.type === "error") return true;
    if (event.type === "part-start") {
      if (current !== undefined) return false;
      current = event.index;
    } else if (event.type === "part-delta" || event.type === "part-end") {
      if (event.index !== current) return false;
      if (event.type === "part-end") current = undefined;
    }
    out.push(event);
    return true;
  };

  /** Replays what was held, until nothing more can pass. */
  const drain = (out: StreamEvent[]): void => {
    for (let moved = true; moved && held.length > 0;) {
      moved = false;
      const waiting = held.splice(0);
      const blocked = new Set<number>();
      for (const event of waiting) {
        const index = "index" in event ? event.index : undefined;
        if (index !== undefined && blocked.has(index)) held.push(event);
        else if (pass(event, out)) moved = true;
        else {
          held.push(event);
          if (index !== undefined) blocked.add(index);
        }
      }
    }
  };

  return (events) => {
    const out: StreamEvent[] = [];
    for (const event of events) {
      if (event.type === "response-end" || event.type === "error") {
        // A stream that ends with parts still open closes them, so that nothing held is lost.
        while (held.length > 0 || current !== undefined) {
          if (current !== undefined) {
            const index = current;
            current = undefined;
            out.push({ type: "part-end", index });
          }
          const before = held.length;
          drain(out);
          if (current === undefined && held.length === before) break;
        }
        out.push(event);
        continue;
      }
      if (!pass(event, out)) held.push(event);
      else if (current === undefined && held.length > 0) drain(out);
    }
    return out;
  };
};
