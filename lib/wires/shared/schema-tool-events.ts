// The stream of a call that stands for a JSON answer, as the answer's text (F22).
import type { StreamEvent } from "../../model/event.ts";
import { asObject, parseJson } from "../../model/json.ts";

/** The value under the field that a schema which is no object was put in. */
export const unwrap = (text: string): string => {
  const value = asObject(parseJson(text));
  return value === undefined ? text : JSON.stringify(value["value"] ?? null);
};

/**
 * Text before the call is held back: it is left out where the call comes, as it would spoil the JSON, and told where the model calls
 * another tool or none.
 */
export const schemaToolEvents = (
  name: string,
  isObject: boolean,
): ((events: readonly StreamEvent[]) => StreamEvent[]) => {
  /** The arguments of our calls, by their part; filled only where they must be unwrapped. */
  const ours = new Map<number, string>();
  const texts = new Set<number>();
  let held: StreamEvent[] = [];
  let others = false;
  const numbers = new Map<number, number>();

  /** Parts are counted anew, as some are left out. */
  const numbered = (event: StreamEvent): StreamEvent => {
    if (!("index" in event)) return event;
    let index = numbers.get(event.index);
    if (index === undefined) numbers.set(event.index, (index = numbers.size));
    return { ...event, index };
  };

  const release = (): StreamEvent[] => {
    const released = held;
    held = [];
    texts.clear();
    return released;
  };

  const ourEvent = (event: StreamEvent): StreamEvent[] => {
    if (event.type === "part-start" && event.part.type === "tool-call") {
      const begun = event.part.arguments;
      ours.set(event.index, begun);
      const start: StreamEvent = { ...event, part: { type: "text", text: "" } };
      return isObject && begun !== ""
        ? [start, { type: "part-delta", index: event.index, delta: { type: "text", text: begun } }]
        : [start];
    }
    if (event.type === "part-delta") {
      if (event.delta.type !== "arguments") return [];
      if (isObject) return [{ ...event, delta: { type: "text", text: event.delta.text } }];
      ours.set(event.index, (ours.get(event.index) ?? "") + event.delta.text);
      return [];
    }
    if (event.type !== "part-end") return [];
    const end: StreamEvent = { type: "part-end", index: event.index };
    return isObject
      ? [end]
      : [
          {
            type: "part-delta",
            index: event.index,
            delta: { type: "text", text: unwrap(ours.get(event.index) ?? "") },
          },
          end,
        ];
  };

  const see = (event: StreamEvent): StreamEvent[] => {
    if (event.type === "part-start" && event.part.type === "tool-call") {
      if (event.part.name === name) return ourEvent(event);
      others = true;
      return [...release(), event];
    }
    if (event.type === "part-start" && event.part.type === "text" && !others) texts.add(event.index);
    if ("index" in event) {
      if (ours.has(event.index)) return ourEvent(event);
      if (!texts.has(event.index)) return [event];
      held.push(event);
      return [];
    }
    if (event.type === "error") return [...release(), event];
    if (event.type !== "response-end") return [event];
    const answered = ours.size > 0 && !others;
    const before = answered ? [] : release();
    if (!answered || event.reason !== "tool-calls") return [...before, event];
    const { native: _native, ...end } = event;
    return [{ ...end, reason: "end" }];
  };

  return (events) => events.flatMap(see).map(numbered);
};
