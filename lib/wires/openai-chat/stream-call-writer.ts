// Tool calls in a stream for a client: a header chunk with a number of its own (F1), then its arguments.
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import { asObject, type JsonObject } from "../../model/json.ts";
import type { ToolCallPart } from "../../model/message.ts";
import { json, own } from "./names.ts";
import { extraContent } from "./reasoning.ts";
import type { Frames } from "./stream-frames.ts";

/** What has been written of one choice. */
export type Choice = {
  index: number;
  begun: boolean;
  calls: number;
  /** Characters of the message so far: citations count over all of it. */
  length: number;
  refusal: boolean;
  /** Whether any reasoning was shown: the next part is set off. */
  shown: boolean;
  annotations: JsonObject[];
};

export type Called = {
  kind: "call";
  choice: Choice;
  part: ToolCallPart;
  /** Its number in `tool_calls`. */
  at: number;
  /** Whether any arguments were written. */
  filled: boolean;
};

export type CallWriter = {
  start: (choice: Choice, part: ToolCallPart) => Called;
  argue: (call: Called, text: string) => void;
  /** The state of a call, where it came after the header. */
  sign: (call: Called) => void;
  end: (call: Called) => void;
};

/** `legacy`: the caller knows only `function_call`, of which a message has one. */
export const createCallWriter = (frames: Frames, legacy: boolean, newId: () => string): CallWriter => {
  const chunk = (choice: Choice, delta: JsonObject): void => frames.chunk(choice.index, delta);

  const argue = (call: Called, text: string): void => {
    if (text === "") return;
    call.filled = true;
    const { at: index, choice } = call;
    if (legacy) {
      if (index === 0) chunk(choice, { function_call: { arguments: text } });
    } else if (call.part.custom === true) chunk(choice, { tool_calls: [{ index, custom: { input: text } }] });
    else chunk(choice, { tool_calls: [{ index, function: { arguments: text } }] });
  };

  const head = (choice: Choice, part: ToolCallPart, index: number): void => {
    if (legacy) {
      if (index === 0) chunk(choice, { function_call: { name: part.name, arguments: "" } });
      return;
    }
    const { function: inner, ...left } = asObject(own(part)?.["call"]) ?? {};
    const id = part.callId || `call_${newId()}`;
    const header: ChatCompletionChunk.Choice.Delta.ToolCall =
      part.custom === true
        ? { index, id, type: "custom", custom: { name: part.name, input: "" } }
        : { index, id, type: "function", function: { name: part.name, arguments: "", ...asObject(inner) } };
    const state = extraContent(part.opaque);
    chunk(choice, {
      tool_calls: [{ ...json(header), ...left, ...(state === undefined ? {} : { extra_content: state }) }],
    });
  };

  return {
    argue,
    start: (choice, part) => {
      const at = choice.calls;
      choice.calls += 1;
      const call: Called = { kind: "call", choice, part: { ...part, arguments: "" }, at, filled: false };
      head(choice, part, at);
      argue(call, part.arguments);
      return call;
    },
    sign: (call) => {
      if (!legacy)
        chunk(call.choice, { tool_calls: [{ index: call.at, extra_content: extraContent(call.part.opaque) }] });
    },
    end: (call) => {
      // A call without arguments is a call with none, not with no JSON (F2).
      if (!call.filled && call.part.custom !== true) argue(call, "{}");
    },
  };
};
