// A ConverseStream read: binary frames to events. Only calls announce their block; text and reasoning begin with their first delta.
import type { StreamEvent } from "../../model/event.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import { GatewayError, toGatewayError } from "../../model/error.ts";
import { createEventStreamSplitter, type EventStreamFrame } from "../../http/eventstream.ts";
import { asNumber, asObject, asString, compact, isObject, parseJson, unknownFields } from "../../model/json.ts";
import type { EventDecoder, Target } from "../wire.ts";
import { isServerCall } from "./content.ts";
import { createBlock, openBlock, type Block } from "./blocks.ts";
import { toError, type Failure } from "./errors.ts";
import { asExtra, wireId } from "./names.ts";
import { decodeReason, decodeUsage, stopSequenceOf } from "./response.ts";

const padding = new Set(["p"]);
const knownOfMetadata = new Set(["usage", "p"]);

type Ending = { native: string | undefined; fields: Json | undefined };

/** `push` and `end` never throw: what can't be read is an `error` event, and nothing follows it. */
export const decodeEvents = (target: Target): EventDecoder => {
  const splitter = createEventStreamSplitter();
  const blocks = new Map<number, Block>();
  let next = 0;
  let started = false;
  let done = false;
  let called = false;
  let ending: Ending | undefined;
  let metadata: JsonObject | undefined;

  const start = (out: StreamEvent[]): void => {
    if (started) return;
    started = true;
    out.push({ type: "response-start", id: "", model: target.model });
  };

  const open = (at: number, block: Block, out: StreamEvent[]): Block => {
    blocks.set(at, block);
    if (block.part !== undefined) out.push({ type: "part-start", index: block.index, part: block.part });
    return block;
  };

  const close = (at: number, out: StreamEvent[]): void => {
    const block = blocks.get(at);
    if (block === undefined) return;
    blocks.delete(at);
    out.push(...block.end());
  };

  const onStart = (value: JsonObject, out: StreamEvent[]): void => {
    const at = asNumber(value["contentBlockIndex"]) ?? 0;
    close(at, out);
    const begun = asObject(value["start"]) ?? {};
    const call = asObject(begun["toolUse"]);
    if (call !== undefined && !isServerCall(call)) called = true;
    open(at, createBlock(next, begun, target.maker), out);
    next += 1;
  };

  const onDelta = (value: JsonObject, out: StreamEvent[]): void => {
    const at = asNumber(value["contentBlockIndex"]) ?? 0;
    const delta = asObject(value["delta"]);
    if (delta === undefined) return;
    let block = blocks.get(at);
    if (block === undefined) {
      const made = openBlock(next, delta, target.maker);
      // An empty first text says nothing: some models send one before they reason.
      if (made === undefined) return;
      if (made === "unknown") {
        out.push({ type: "opaque", wire: wireId, name: "contentBlockDelta", value });
        return;
      }
      next += 1;
      block = open(at, made, out);
    }
    out.push(...block.delta(delta));
  };

  /** The end is told when both the reason and the counts are there, in whichever order, or when the stream is over. */
  const finish = (out: StreamEvent[]): void => {
    if (ending === undefined) return;
    done = true;
    for (const at of blocks.keys()) close(at, out);
    const extra: JsonObject = { ...(metadata === undefined ? {} : unknownFields(metadata, knownOfMetadata)) };
    if (ending.fields !== undefined) extra["additionalModelResponseFields"] = ending.fields;
    const usage = decodeUsage(metadata?.["usage"]);
    out.push(
      compact<StreamEvent>({
        type: "response-end",
        reason: decodeReason(ending.native, called),
        native: ending.native,
        stopSequence: stopSequenceOf(ending.fields),
        usage,
        extra: asExtra(extra),
      }),
    );
  };

  const fail = (error: GatewayError, out: StreamEvent[]): void => {
    done = true;
    out.push({ type: "error", error });
  };

  const onEvent = (name: string, value: JsonObject, out: StreamEvent[]): void => {
    switch (name) {
      case "messageStart":
        start(out);
        return;
      case "contentBlockStart":
        onStart(value, out);
        return;
      case "contentBlockDelta":
        onDelta(value, out);
        return;
      case "contentBlockStop":
        close(asNumber(value["contentBlockIndex"]) ?? 0, out);
        return;
      case "messageStop":
        ending = { native: asString(value["stopReason"]), fields: value["additionalModelResponseFields"] };
        if (metadata !== undefined) finish(out);
        return;
      case "metadata":
        metadata = value;
        if (ending !== undefined) finish(out);
        return;
      default:
        out.push({ type: "opaque", wire: wireId, name, value: unknownFields(value, padding) ?? {} });
    }
  };

  const onFrame = (frame: EventStreamFrame, out: StreamEvent[]): void => {
    const { headers } = frame;
    const kind = headers[":message-type"];
    const text = Buffer.from(frame.payload.buffer, frame.payload.byteOffset, frame.payload.length).toString("utf8");
    const value = parseJson(text);
    if (kind === "exception" || kind === "error") {
      const failure = compact<Failure>({
        name: headers[":exception-type"] ?? headers[":error-code"],
        message: headers[":error-message"],
        body: isObject(value) ? value : undefined,
        status: undefined,
        headers: undefined,
      });
      fail(toError(failure, target), out);
      return;
    }
    const name = headers[":event-type"];
    if (name === undefined) return;
    if (!isObject(value)) {
      fail(
        new GatewayError("upstream_error", "The provider sent an event that is not JSON.", {
          provider: target.provider,
        }),
        out,
      );
      return;
    }
    // Some hosts name no role first; every exception comes under a name of its own too.
    if (name.endsWith("Exception")) fail(toError({ name, body: value }, target), out);
    else {
      start(out);
      onEvent(name, value, out);
    }
  };

  return {
    push: (chunk) => {
      const out: StreamEvent[] = [];
      if (done) return out;
      try {
        for (const frame of splitter.push(chunk)) {
          if (done) break;
          onFrame(frame, out);
        }
      } catch (thrown) {
        fail(toGatewayError(thrown), out);
      }
      return out;
    },
    end: () => {
      const out: StreamEvent[] = [];
      if (done) return out;
      if (splitter.held() === 0) finish(out);
      if (!done)
        fail(
          new GatewayError("upstream_error", "The provider's stream ended before it was finished.", {
            provider: target.provider,
          }),
          out,
        );
      return out;
    },
  };
};
