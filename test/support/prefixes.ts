// What a reader of a run's stream has after each of its events, by the encoder alone.
import type { StreamEvent } from "../../lib/model/event.ts";
import type { NumberedEvent } from "../../lib/threads/hub.ts";
import { contextOf, type EncodedRun, wireAnswerId } from "../../lib/turns/encode.ts";
import { encodeGeminiArray } from "../../lib/wires/gemini-generate/index.ts";

/** Element k is the text after the first k events; the first is empty. */
export const prefixes = (encoded: EncodedRun, events: readonly NumberedEvent[]): string[] => {
  const { run, spec, wire } = encoded;
  const context = contextOf(encoded);
  const encoder =
    spec.array === true && wire.id === spec.wire ? encodeGeminiArray(context) : wire.encodeEvents(context);
  const had = [""];
  for (const { event } of events) {
    const named: StreamEvent =
      event.type === "response-start"
        ? {
            ...event,
            id: wireAnswerId(wire.id, run.thread, run.id),
            createdAt: event.createdAt ?? Math.floor(run.createdAt / 1000),
          }
        : event;
    had.push((had.at(-1) ?? "") + encoder.push([named]));
  }
  return had;
};
