// Events to a client's stream, in this wire's exact grammar: one block after another, cumulative usage at the end (PROTOCOLS 2.1).
import { sseFrame } from "../../http/sse.ts";
import { GatewayError } from "../../model/error.ts";
import type { PartDelta, StreamEvent } from "../../model/event.ts";
import { isObject } from "../../model/json.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Citation, Opaque, Part } from "../../model/message.ts";
import type { Usage } from "../../model/usage.ts";
import { createSequencer } from "../shared/sequential.ts";
import type { EventEncoder, ReplyContext } from "../wire.ts";
import {
  opaqueBlockOf,
  redactedBlock,
  sealed,
  strayBlock,
  textBlock,
  thinkingBlock,
  toolUseBlock,
} from "./answer-blocks.ts";
import { boundBlock } from "./bound.ts";
import { encodeCitation } from "./citations.ts";
import { nativeExtra, wire } from "./common.ts";
import { errorObject } from "./errors.ts";
import { encodeEnding } from "./response.ts";
import {
  blockDeltaFrame,
  completing,
  emptied,
  frame,
  heldInput,
  messageEnd,
  messageStart,
  partLate,
  startFrame,
  stopFrame,
  textDeltaFrame,
  thinkingDeltaFrame,
} from "./stream-frames.ts";

/** The part being written. */
type Open = {
  index: number;
  part: Part;
  /** The block to start with; absent once it was started, or where the part has no block. */
  start?: JsonObject;
  started: boolean;
  opaque?: Opaque;
  /** The last paragraph of a summary. */
  summary?: number;
  /** A call's input, held while it may still be an empty one. */
  held?: string;
  cited?: boolean;
  /** Whether the block's own deltas were passed on. */
  native?: boolean;
};

export const createWriter = (context: ReplyContext): EventEncoder => {
  const sequence = createSequencer();
  const skipped = new Set<number>();
  let blocks = 0;
  let open: Open | undefined;
  let usage: Usage | undefined;
  let calls = false;
  let refusal = false;
  let late: JsonObject = {};
  let ended = false;

  const startBlock = (block: JsonObject): string => startFrame(blocks, block);
  const stopBlock = (): string => stopFrame(blocks++);
  const whole = (block: JsonObject): string => startBlock(block) + stopBlock();
  const deltaFrame = (delta: JsonObject): string => blockDeltaFrame(blocks, delta);
  const textFrame = (text: string): string => textDeltaFrame(blocks, text);
  const thinkingFrame = (text: string): string => thinkingDeltaFrame(blocks, text);

  /** The start of the open part's block, where it was not yet sent. */
  const begin = (entry: Open): string => {
    if (entry.started || entry.start === undefined) return "";
    entry.started = true;
    return startBlock(entry.start);
  };

  const startPart = (index: number, part: Part): string => {
    const entry: Open = { index, part, started: false };
    open = entry;
    switch (part.type) {
      case "text": {
        entry.start = textBlock({ ...part, text: "" });
        if (part.opaque !== undefined) entry.opaque = part.opaque;
        const said = part.text === "" ? "" : begin(entry) + textFrame(part.text);
        return said + writeCitations(entry, part.citations ?? []);
      }
      case "refusal":
        refusal = true;
        entry.start = { type: "text", text: "" };
        return part.text === "" ? "" : begin(entry) + textFrame(part.text);
      case "reasoning":
        if (part.opaque !== undefined) entry.opaque = part.opaque;
        if (part.redacted === true) return "";
        entry.start = thinkingBlock({ ...part, text: "" }, "");
        return part.text === "" ? "" : begin(entry) + thinkingFrame(part.text);
      case "tool-call": {
        calls = true;
        entry.start = toolUseBlock(part, context.newId, {});
        entry.held = "";
        const bound = part.opaque === undefined ? "" : whole(boundBlock(part.opaque, "next"));
        const begun = bound + begin(entry);
        return part.arguments === "" ? begun : begun + writeArguments(entry, part.arguments);
      }
      case "opaque": {
        const block = opaqueBlockOf(part);
        if (block === undefined) return "";
        if (part.wire !== wire) return whole(block);
        entry.start = emptied(block);
        return begin(entry);
      }
      default:
        return "";
    }
  };

  const writeCitations = (entry: Open, citations: readonly Citation[]): string => {
    if (entry.part.type !== "text") return "";
    let out = "";
    for (const given of citations) {
      const citation = encodeCitation(given);
      if (citation !== undefined) out += begin(entry) + deltaFrame({ type: "citations_delta", citation });
    }
    if (out !== "") entry.cited = true;
    return out;
  };

  const writeArguments = (entry: Open, text: string): string => {
    if (entry.part.type === "tool-call" && entry.part.custom === true) {
      entry.held = (entry.held ?? "") + text;
      return "";
    }
    if (entry.held === undefined) return deltaFrame({ type: "input_json_delta", partial_json: text });
    const held = entry.held + text;
    if (held === "" || held === "{" || held === "{}") {
      entry.held = held;
      return "";
    }
    delete entry.held;
    return deltaFrame({ type: "input_json_delta", partial_json: held });
  };

  const writeDelta = (entry: Open, delta: PartDelta): string => {
    switch (delta.type) {
      case "text": {
        if (delta.text === "") return "";
        if (entry.part.type !== "reasoning")
          return entry.start === undefined ? "" : begin(entry) + textFrame(delta.text);
        if (entry.start === undefined) return "";
        const paragraph = delta.summary ?? 0;
        const gap = entry.summary !== undefined && entry.summary !== paragraph ? "\n\n" : "";
        entry.summary = paragraph;
        return begin(entry) + thinkingFrame(gap + delta.text);
      }
      case "arguments":
        return entry.part.type === "tool-call" ? writeArguments(entry, delta.text) : "";
      case "opaque":
        entry.opaque =
          entry.opaque === undefined
            ? delta.opaque
            : { origin: delta.opaque.origin, data: entry.opaque.data + delta.opaque.data };
        return "";
      case "citation":
        return writeCitations(entry, [delta.citation]);
      case "native":
        if (delta.wire !== wire || entry.start === undefined) return "";
        entry.native = true;
        return begin(entry) + deltaFrame(delta.value);
      default:
        return "";
    }
  };

  const endPart = (entry: Open, event: Extract<StreamEvent, { type: "part-end" }>): string => {
    open = undefined;
    const { part } = entry;
    const opaque = event.final?.opaque ?? entry.opaque;
    switch (part.type) {
      case "text": {
        if (!entry.started) return opaque === undefined ? "" : whole(strayBlock(opaque));
        const cited = entry.cited === true ? "" : writeCitations(entry, event.final?.citations ?? []);
        return cited + stopBlock() + (opaque === undefined ? "" : whole(boundBlock(opaque, "previous")));
      }
      case "reasoning": {
        if (part.redacted === true) return opaque === undefined ? "" : whole(redactedBlock({ ...part, opaque }));
        if (opaque === undefined) return entry.started ? stopBlock() : "";
        return begin(entry) + deltaFrame({ type: "signature_delta", signature: sealed(opaque) }) + stopBlock();
      }
      case "tool-call": {
        const { held } = entry;
        const rest =
          held === undefined
            ? ""
            : deltaFrame({ type: "input_json_delta", partial_json: heldInput(held, part.custom === true) });
        const stopped = rest + stopBlock();
        // State that came with the start stands before the call already.
        return opaque === undefined || part.opaque !== undefined
          ? stopped
          : stopped + whole(boundBlock(opaque, "previous"));
      }
      case "opaque": {
        if (!entry.started) return "";
        const value = event.final?.value ?? part.value;
        const rest = entry.native === true ? "" : completing(value).map(deltaFrame).join("");
        return rest + stopBlock();
      }
      default:
        return entry.started ? stopBlock() : "";
    }
  };

  const write = (event: StreamEvent): string => {
    switch (event.type) {
      case "response-start": {
        usage = event.usage ?? usage;
        const parted = partLate(nativeExtra(event.extra));
        late = parted.late;
        return messageStart(event, parted.rest, context);
      }
      case "part-start":
        return startPart(event.index, event.part);
      case "part-delta":
        return open?.index === event.index ? writeDelta(open, event.delta) : "";
      case "part-end":
        return open?.index === event.index ? endPart(open, event) : "";
      case "usage":
        usage = event.usage;
        return "";
      case "response-end":
        return finish(event);
      case "error":
        ended = true;
        return frame({ type: "error", error: errorObject(event.error) });
      case "opaque":
        return event.wire === wire && isObject(event.value) && event.name !== undefined
          ? sseFrame(JSON.stringify(event.value), event.name)
          : "";
      default:
        return "";
    }
  };

  const finish = (event: Extract<StreamEvent, { type: "response-end" }>): string => {
    ended = true;
    late = { ...late, ...nativeExtra(event.extra) };
    return messageEnd(encodeEnding(event, { calls, refusal }, late), late, event.usage ?? usage);
  };

  return {
    push: (events) => {
      let out = "";
      for (const event of events) {
        if (ended) break;
        // A delta of the open part can't be out of turn.
        if (event.type === "part-delta" && event.index === open?.index) {
          out += writeDelta(open, event.delta);
          continue;
        }
        if (event.type === "part-start" && event.choice !== undefined && event.choice > 0) skipped.add(event.index);
        if ("index" in event && skipped.has(event.index)) continue;
        for (const next of sequence([event])) if (!ended) out += write(next);
      }
      return out;
    },
    end: () => {
      if (ended) return "";
      ended = true;
      const error = new GatewayError("upstream_error", "The answer broke off before its end.");
      return frame({ type: "error", error: errorObject(error) });
    },
  };
};
