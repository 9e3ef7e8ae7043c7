// A run's events as this API streams them: bare JSON objects, each followed by a blank line. The same events always give the same bytes.
import { outwards } from "../../chat.ts";
import { cutShort } from "../../model/deadline.ts";
import { type GatewayError, toGatewayError } from "../../model/error.ts";
import type { PartDelta, StreamEvent } from "../../model/event.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Part, ToolCallPart } from "../../model/message.ts";
import type { Run } from "../../threads/run-items.ts";
import { getRun, runEvents } from "../../threads/runs.ts";
import type { Caller, ThreadStore } from "../../threads/store.ts";
import { createSequencer } from "../../wires/shared/sequential.ts";
import type { Block, Message } from "./shapes.ts";
import { answerId, blockId, emptyAnswer, errorBlockId, resultText, toolBlock } from "./view.ts";

/** Between two events it is white space that every JSON parser passes over. */
export const heartbeat = " ";

const frame = (thread: string, type: string, timestamp: number, data: object): string =>
  `${JSON.stringify({ thread_id: thread, event_type: type, timestamp, data })}\n\n`;

type Open =
  | { kind: "plain" | "reasoning"; id?: string; summary: number }
  | { kind: "tool-call"; part: ToolCallPart }
  | { kind: "unseen" };

const openOf = (part: Part): Open => {
  switch (part.type) {
    case "text":
    case "refusal":
      return { kind: "plain", summary: 0 };
    case "reasoning":
      return { kind: "reasoning", summary: 0 };
    case "tool-call":
      return { kind: "tool-call", part: { ...part } };
    default:
      return { kind: "unseen" };
  }
};

/** The events of one answer, whose message has been told already. */
export const createEncoder = (
  thread: string,
  message: string,
  timestamp: number,
): { push: (event: StreamEvent) => string } => {
  const inOrder = createSequencer();
  const open = new Map<number, Open>();
  const blockOfCall = new Map<string, string>();
  let blocks = 0;
  let failing = false;

  const tell = (type: string, data: object): string => frame(thread, type, timestamp, data);
  const added = (block: Block): string => tell("BlockAdded", { message_id: message, block });
  const whole = (block: string): string => tell("BlockFullyAdded", { message_id: message, block_id: block });
  /** Numbered as the stored message numbers them: parts that say nothing are no blocks. */
  const newBlock = (): string => {
    blocks += 1;
    return blockId(message, blocks - 1);
  };

  const say = (part: Open, text: string, summary?: number): string => {
    if ((part.kind !== "plain" && part.kind !== "reasoning") || text === "") return "";
    let said = "";
    if (part.id === undefined) {
      part.id = newBlock();
      said = added({ id: part.id, streaming: true, type: part.kind, content: "" });
    }
    // The paragraphs of a summary are parted as they are in the whole text.
    const gap = summary === undefined || summary <= part.summary ? "" : "\n\n".repeat(summary - part.summary);
    if (summary !== undefined) part.summary = Math.max(part.summary, summary);
    return said + tell("StreamingUpdated", { block_id: part.id, content: gap + text });
  };

  const change = (part: Open, delta: PartDelta): string => {
    if (delta.type === "text") return say(part, delta.text, delta.summary);
    if (delta.type === "arguments" && part.kind === "tool-call") part.part.arguments += delta.text;
    return "";
  };

  const close = (part: Open): string => {
    if (part.kind === "unseen") return "";
    if (part.kind !== "tool-call") return part.id === undefined ? "" : whole(part.id);
    // A call that broke off is never carried out, and not kept.
    if (failing) return "";
    const id = newBlock();
    blockOfCall.set(part.part.callId, id);
    return added(toolBlock(id, part.part, true)) + whole(id);
  };

  const failed = (error: GatewayError): string => {
    const end = tell("MessageFullyAdded", { message_id: message });
    if (error.code === "cancelled") return end;
    const told = outwards(error);
    const id = errorBlockId(message);
    return (
      added({ id, streaming: false, type: "error", content: told.message }) +
      whole(id) +
      end +
      tell("Error", { error_message: told.message, error_type: told.code })
    );
  };

  const encode = (event: StreamEvent): string => {
    switch (event.type) {
      case "part-start": {
        if (event.choice !== undefined && event.choice > 0) return "";
        if (event.part.type === "tool-result") {
          const { callId, isError } = event.part;
          const response = resultText(event.part);
          const error: JsonObject = isError === true ? { error: response } : {};
          const block = blockOfCall.get(callId);
          return block === undefined
            ? ""
            : tell("ToolResponseReceived", { tool_call_id: callId, response, ...error, block_id: block });
        }
        const part = openOf(event.part);
        open.set(event.index, part);
        return "text" in event.part && event.part.text !== undefined ? say(part, event.part.text) : "";
      }
      case "part-delta": {
        const part = open.get(event.index);
        return part === undefined ? "" : change(part, event.delta);
      }
      case "part-end": {
        const part = open.get(event.index);
        open.delete(event.index);
        return part === undefined ? "" : close(part);
      }
      case "response-end":
        return tell("MessageFullyAdded", { message_id: message });
      case "error":
        return failed(event.error);
      default:
        return "";
    }
  };

  return {
    push: (event) => {
      failing = event.type === "error";
      return inOrder([event]).map(encode).join("");
    },
  };
};

export type StreamedRun = { thread: string; run: Run; asked: Message; model: string };

/** The user's message, then the answer as it comes. The run goes on whether or not this is read. */
export async function* streamRun(
  store: ThreadStore,
  caller: Caller,
  { thread, run, asked, model }: StreamedRun,
  signal: AbortSignal,
): AsyncGenerator<string> {
  yield frame(thread, "MessageAdded", asked.timestamp, asked);
  let encoder: ReturnType<typeof createEncoder> | undefined;
  const { createdAt } = run;
  /** Where its answer stands is known once it has begun. */
  const begin = ({ lastInput }: Run): string => {
    if (lastInput === undefined) return "";
    const id = answerId(lastInput + 1, run.id);
    encoder = createEncoder(thread, id, createdAt);
    return frame(thread, "MessageAdded", createdAt, emptyAnswer(id, model, createdAt));
  };
  const told = (error: GatewayError): string => {
    if (encoder !== undefined) return encoder.push({ type: "error", error });
    // It never began: it has no message.
    const { code, message } = outwards(error);
    return code === "cancelled" ? "" : frame(thread, "Error", createdAt, { error_message: message, error_type: code });
  };
  try {
    const first = begin(run);
    if (first !== "") yield first;
    for await (const { event } of runEvents(store, caller, thread, run.id, { signal })) {
      if (encoder === undefined) {
        const began = begin(await getRun(store, caller, thread, run.id));
        if (began !== "") yield began;
      }
      const text = event.type === "error" ? told(event.error) : (encoder?.push(event) ?? "");
      if (text !== "") yield text;
      if (event.type === "response-end" || event.type === "error") return;
    }
    const cut = cutShort(signal);
    if (cut !== undefined) yield told(cut);
  } catch (thrown) {
    if (signal.aborted) return;
    yield told(toGatewayError(thrown));
  }
}
