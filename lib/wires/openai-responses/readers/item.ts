// What every reader of an item is: its events in, the events of its parts out.
import type { PartDelta, StreamEvent } from "../../../model/event.ts";
import type { JsonObject } from "../../../model/json.ts";
import type { Part } from "../../../model/message.ts";

export type PartSink = {
  /** Opens a part and gives its index. */
  start: (part: Part) => number;
  delta: (index: number, delta: PartDelta) => void;
  end: (index: number, final?: Extract<StreamEvent, { type: "part-end" }>["final"]) => void;
};

export type ItemReader = {
  /** An event of this item; false where it says nothing that a neutral event could. */
  push: (type: string, event: JsonObject) => boolean;
  /** The item is whole: `item` is its last form, where it was told. Later calls do nothing. */
  finish: (item?: JsonObject) => void;
};

/** What `whole` has beyond `told`; "" where they differ otherwise: what was sent can't be taken back. */
export const missing = (whole: string, told: string): string =>
  whole.length > told.length && whole.startsWith(told) ? whole.slice(told.length) : "";
