// Neutral events as a Responses stream. There is no [DONE]: the last event says it.
import { GatewayError } from "../../model/error.ts";
import type { StreamEvent } from "../../model/event.ts";
import type { ChatResponse } from "../../model/event.ts";
import type { JsonObject } from "../../model/json.ts";
import { sseFrame } from "../../http/sse.ts";
import { unfold } from "../shared/fold.ts";
import { createSequencer } from "../shared/sequential.ts";
import type { EventEncoder, ReplyContext } from "../wire.ts";
import { createResponseWriter } from "./response-writer.ts";

/** The first candidate alone: this wire knows no others. */
const firstChoice = (): ((events: readonly StreamEvent[]) => StreamEvent[]) => {
  const others = new Set<number>();
  return (events) =>
    events.filter((event) => {
      if (event.type === "part-start" && event.choice !== undefined && event.choice > 0) others.add(event.index);
      return !("index" in event && others.has(event.index));
    });
};

export const encodeEvents = (context: ReplyContext): EventEncoder => {
  let frames = "";
  let number = 0;
  const writer = createResponseWriter(context, (type, fields) => {
    frames += sseFrame(JSON.stringify({ type, sequence_number: number, ...fields }), type === "" ? undefined : type);
    number += 1;
  });
  const sequence = createSequencer();
  const choose = firstChoice();
  let begun = false;

  const push = (events: readonly StreamEvent[]): string => {
    frames = "";
    if (events.length > 0) begun = true;
    // An error ends all at once: what is open or held back isn't closed first, as if it were whole.
    const failure = events.find((event) => event.type === "error");
    const before = failure === undefined ? events : events.slice(0, events.indexOf(failure));
    for (const event of sequence(choose(before))) writer.push(event);
    if (failure !== undefined) writer.push(failure);
    return frames;
  };

  return {
    push,
    end: () =>
      begun && !writer.over()
        ? push([
            {
              type: "error",
              error: new GatewayError("upstream_error", "The provider's stream ended before it was finished."),
            },
          ])
        : "",
  };
};

export const encodeResponse = (response: ChatResponse, context: ReplyContext): JsonObject => {
  const writer = createResponseWriter(context, () => {});
  for (const event of unfold({ ...response, alternatives: [] })) writer.push(event);
  return writer.response();
};
