// Short ways to write a request, its messages and the frames of a stream.
import type { JsonObject } from "../../../lib/model/json.ts";
import type { Message, Part } from "../../../lib/model/message.ts";
import type { ChatRequest } from "../../../lib/model/request.ts";
import { anthropicMessages as wire } from "../../../lib/wires/anthropic-messages/index.ts";
import { request, target } from "./tools.ts";

export const minimal = { model: "claude-sonnet-4-5", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] };
export const decode = (more: JsonObject = {}): ChatRequest => wire.decodeRequest({ ...minimal, ...more }, {});
export const encode = (more: Partial<ChatRequest> = {}, model = "claude-sonnet-4-5") =>
  wire.encodeRequest(request(more), target(model));
export const roundTrip = (more: JsonObject, model = "claude-sonnet-4-5") =>
  wire.encodeRequest(decode(more), target(model));
export const user = (...parts: Message["parts"]): Message => ({ role: "user", parts });
export const assistant = (...parts: Message["parts"]): Message => ({ role: "assistant", parts });
export const thrown = (attempt: () => unknown): unknown => {
  try {
    return attempt();
  } catch (error) {
    return error;
  }
};
export const text = (said: string) => ({ type: "text", text: said }) as const;
export const call = (callId: string, args = "{}") =>
  ({ type: "tool-call", callId, name: "get_weather", arguments: args }) as const;
export const result = (callId: string, said = "sun"): Part => ({ type: "tool-result", callId, parts: [text(said)] });

export const start = (usage: JsonObject = { input_tokens: 5, output_tokens: 1 }): JsonObject => ({
  type: "message_start",
  message: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-x",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  },
});
export const block = (index: number, content_block: JsonObject): JsonObject => ({
  type: "content_block_start",
  index,
  content_block,
});
export const delta = (index: number, value: JsonObject): JsonObject => ({
  type: "content_block_delta",
  index,
  delta: value,
});
export const stop = (index: number): JsonObject => ({ type: "content_block_stop", index });
export const end = (stop_reason = "end_turn", usage: JsonObject = { output_tokens: 7 }): JsonObject[] => [
  { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage },
  { type: "message_stop" },
];
export const utf8 = (said: string): Uint8Array => new TextEncoder().encode(said);
