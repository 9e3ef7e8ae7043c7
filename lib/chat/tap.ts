// What metering reads from bytes that only pass: a search a read, and a decode of the first and last frames when all is over.
import type { StreamEvent } from "../model/event.ts";
import type { Usage } from "../model/usage.ts";
import type { Target, Wire } from "../wires/wire.ts";

export type Tap = {
  /** Whole frames, as they pass. */
  see: (frames: Uint8Array) => void;
  /** What was learnt; to be asked once, when the stream is over. `finished`: it ended as its wire ends. */
  end: () => { usage?: Usage; estimatedOutput: number; finished: boolean; failed: boolean };
};

/** Frames kept for the decode at the end: the finish reason, usage and end marker may come in frames, and reads, of their own. */
const tailLength = 4;
/** An error event of any of the wires; Responses objects have a null `error` all the time. */
const errorMark = /"error":\s*\{|event: ?error|"type":\s*"(?:error|response\.failed)"/;

/** `decoder` is the wire's own: fed with what matters, it reads usage and the end as it does across wires. */
export const createTap = (wire: Wire, target: Target): Tap => {
  let first: Uint8Array | undefined;
  let reads = 0;
  let bytes = 0;
  /** A ring: `at` is where the next goes, and the oldest stands. */
  const tail: Uint8Array[] = [];
  let at = 0;

  /**
   * What was not looked at holds as many tokens a byte as what was; and a read holds one at least, as what was looked at may be little
   * else than the beginning and the end.
   */
  const estimateOf = (events: readonly StreamEvent[], looked: number): number => {
    let tokens = 0;
    for (const event of events)
      if (event.type === "part-delta" && "text" in event.delta) tokens += Math.max(1, event.delta.text.length / 4);
    return Math.max(reads, Math.ceil(looked === 0 ? 0 : (tokens * bytes) / looked));
  };

  return {
    see: (frames) => {
      reads += 1;
      bytes += frames.length;
      if (first === undefined) {
        first = frames;
        return;
      }
      // The wires tell usage in their first or last frames, or in every one: what lies between is not looked at.
      tail[at] = frames;
      at = (at + 1) % tailLength;
    },
    end: () => {
      const decoder = wire.decodeEvents(target);
      const events: StreamEvent[] = [];
      let told = false;
      let looked = 0;
      for (const frames of [first, ...tail.slice(at), ...tail.slice(0, at)]) {
        if (frames === undefined) continue;
        looked += frames.length;
        for (const event of decoder.push(frames)) events.push(event);
        told ||= errorMark.test(Buffer.from(frames.buffer, frames.byteOffset, frames.length).toString("latin1"));
      }
      // An error event of the provider's own reached the client with the bytes; one that the decoder made of garbage did not.
      const failed = told && events.some((event) => event.type === "error");
      for (const event of decoder.end()) events.push(event);
      let usage: Usage | undefined;
      let finished = false;
      for (const event of events) {
        if (
          (event.type === "usage" || event.type === "response-end" || event.type === "response-start") &&
          event.usage !== undefined
        )
          usage = event.usage;
        if (event.type === "response-end") finished = !events.some((each) => each.type === "error");
      }
      const learnt = { estimatedOutput: estimateOf(events, looked), finished, failed };
      return usage === undefined ? learnt : { ...learnt, usage };
    },
  };
};
