// What every writer of an item is: parts in, the events of one item out, and the item when it is whole.
import type { PartDelta, StreamEvent } from "../../../model/event.ts";
import { asString, type JsonObject } from "../../../model/json.ts";
import type { Opaque, Part } from "../../../model/message.ts";
import { wireId } from "../names.ts";

type Final = Extract<StreamEvent, { type: "part-end" }>["final"];

export type ItemOutput = {
  /** Writes one event; the sequence number is put in. */
  emit: (type: string, fields: JsonObject) => void;
  /** `given` where it may be used (of this wire's kind, and not used before), else a fresh id. */
  id: (prefix: string, given: string | undefined) => string;
  index: number;
};

export type ItemStatus = "completed" | "incomplete";

export type ItemWriter = {
  /** Whether the item stays open after its part: more parts may go into it, or its status is told later. */
  lingers: boolean;
  /** Whether the part goes into this item as well. */
  takes: (part: Part) => boolean;
  start: (part: Part) => void;
  delta: (delta: PartDelta) => void;
  end: (final: Final) => void;
  /** The item as it stands, with its closing event. */
  close: (status: ItemStatus) => JsonObject;
  /** State bound to the last part that has no slot here: an item beside it carries it. */
  state: () => Opaque | undefined;
};

/** An event that only this wire knows goes out as it came in, at this item's place. */
export const emitNative = (out: ItemOutput, delta: PartDelta, place: JsonObject): void => {
  if (delta.type === "native" && delta.wire === wireId)
    out.emit(asString(delta.value["type"]) ?? "", { ...delta.value, ...place });
};
