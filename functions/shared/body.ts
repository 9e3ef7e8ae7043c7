// A reply's body as a stream that always ends well: nothing that is thrown in the middle, or hangs, reaches the platform (F55).
import { PassThrough } from "node:stream";
import { writeBody } from "../../lib/http/write.ts";
import type { Reply } from "../../lib/model/call.ts";
import { untilEnd } from "./first.ts";

export type BodyOptions = {
  heartbeatMs: number;
  /** Resolves when the stream must end, whatever its body does. */
  cut: Promise<void>;
  /** The body failed, or was cut: what is still to be said, as far as its form is known. `thrown` is undefined at the cut. */
  broken: (thrown: unknown) => string;
};

type Streamed = Exclude<Reply["body"], string | Uint8Array>;

/** The same body, which ends as a whole one does, once, however it ends. */
const unbroken = (body: Streamed, { cut, broken }: BodyOptions): Streamed => {
  const source = body[Symbol.asyncIterator]();
  const done = { done: true, value: undefined } as const;
  let over = false;
  const letGo = async (): Promise<void> => {
    try {
      await source.return?.();
    } catch {
      // Nobody reads it any more.
    }
  };
  const last = (thrown: unknown): string => {
    over = true;
    void letGo();
    return broken(thrown);
  };
  const inTime = untilEnd(cut.then(() => undefined));
  const iterator: AsyncIterator<Uint8Array | string> = {
    next: async () => {
      if (over) return done;
      try {
        const result = await inTime(source.next());
        if (result !== undefined) return result;
        return { done: false, value: last(undefined) };
      } catch (thrown) {
        return { done: false, value: last(thrown) };
      }
    },
    return: async () => {
      over = true;
      await letGo();
      return done;
    },
  };
  return {
    [Symbol.asyncIterator]: () => iterator,
    flowTo: (sink) => {
      const end = (): void => {
        if (over) return;
        over = true;
        sink.end();
      };
      const resume = body.flowTo?.({ write: (piece) => over || sink.write(piece), end });
      const endAtCut = async (): Promise<void> => {
        await cut;
        if (over) return;
        sink.write(last(undefined));
        sink.end();
      };
      if (resume !== undefined) void endAtCut();
      return resume;
    },
  };
};

/** The bytes, with heartbeats in silences. Destroying it lets the body go. */
export const streamOf = ({ body, heartbeat }: Pick<Reply, "body" | "heartbeat">, options: BodyOptions): PassThrough => {
  const through = new PassThrough();
  if (typeof body === "string" || body instanceof Uint8Array) {
    through.end(body);
    return through;
  }
  // It never throws: what is written was made unbreakable.
  void writeBody(unbroken(body, options), through, {
    heartbeat: heartbeat ?? "",
    heartbeatMs: options.heartbeatMs,
  });
  return through;
};
