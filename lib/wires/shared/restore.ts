// What an adaptation changed, undone in the answer.
import type { ChatResponse, StreamEvent } from "../../model/event.ts";
import type { Part } from "../../model/message.ts";

export type Restorer = {
  events: (events: readonly StreamEvent[]) => StreamEvent[];
  response: (response: ChatResponse) => ChatResponse;
};

/** Restorers in the order in which their adaptations were made: the last made is undone first. */
export const chain = (restorers: readonly Restorer[]): Restorer | undefined => {
  if (restorers.length === 0) return undefined;
  const order = restorers.toReversed();
  return {
    events: (events) => order.reduce<StreamEvent[]>((sum, restorer) => restorer.events(sum), [...events]),
    response: (response) => order.reduce((sum, restorer) => restorer.response(sum), response),
  };
};

/** Every part of an answer, those of its other candidates too. */
export const mapResponseParts = (response: ChatResponse, map: (part: Part) => Part): ChatResponse => {
  const mapped: ChatResponse = { ...response, parts: response.parts.map(map) };
  if (response.alternatives !== undefined)
    mapped.alternatives = response.alternatives.map((each) => ({ ...each, parts: each.parts.map(map) }));
  return mapped;
};
