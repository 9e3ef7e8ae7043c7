// The frames of a client's stream, each a function of its values (PROTOCOLS 2.1).
import { sseFrame } from "../../http/sse.ts";
import { isObject } from "../../model/json.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Usage } from "../../model/usage.ts";
import type { ReplyContext } from "../wire.ts";
import { messageId } from "./common.ts";
import { encodeUsage } from "./usage.ts";

export const heartbeat = 'event: ping\ndata: {"type": "ping"}\n\n';

/** A typed frame: this wire's SDK drops events without their name. */
export const frame = (value: JsonObject & { type: string }): string => sseFrame(JSON.stringify(value), value.type);

/** The first block is followed by a ping, as Anthropic does. */
export const startFrame = (index: number, block: JsonObject): string => {
  const text = frame({ type: "content_block_start", index, content_block: block });
  return index === 0 ? text + heartbeat : text;
};

export const stopFrame = (index: number): string => frame({ type: "content_block_stop", index });

export const blockDeltaFrame = (index: number, delta: JsonObject): string =>
  frame({ type: "content_block_delta", index, delta });

/** The hottest frames of all, put together by hand. */
export const textDeltaFrame = (index: number, text: string): string =>
  `event: content_block_delta\ndata: {"type":"content_block_delta","index":${index},"delta":{"type":"text_delta","text":${JSON.stringify(text)}}}\n\n`;
export const thinkingDeltaFrame = (index: number, text: string): string =>
  `event: content_block_delta\ndata: {"type":"content_block_delta","index":${index},"delta":{"type":"thinking_delta","thinking":${JSON.stringify(text)}}}\n\n`;

/** Fields of an answer that this wire tells at the end of its stream; the first two inside the delta. */
const deltaFields = new Set(["container", "stop_details"]);
const lateFields = new Set([...deltaFields, "context_management"]);

export const partLate = (extra: JsonObject | undefined): { late: JsonObject; rest: JsonObject } => {
  const late: JsonObject = {};
  const rest: JsonObject = {};
  for (const name in extra) (lateFields.has(name) ? late : rest)[name] = extra[name];
  return { late, rest };
};

export const messageStart = (
  start: { id: string; model: string; usage?: Usage },
  extra: JsonObject,
  context: ReplyContext,
): string =>
  frame({
    type: "message_start",
    message: {
      id: messageId(start.id, context.newId),
      type: "message",
      role: "assistant",
      model: start.model === "" ? context.request.model : start.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      stop_details: null,
      usage: encodeUsage(start.usage),
      ...extra,
    },
  });

export const messageEnd = (ending: JsonObject, late: JsonObject, usage: Usage | undefined): string => {
  const delta: JsonObject = { ...ending, stop_details: null };
  const beside: JsonObject = {};
  for (const name of Object.keys(late))
    if (deltaFields.has(name)) delta[name] = late[name];
    else if (name !== "stop_reason") beside[name] = late[name];
  return (
    frame({ type: "message_delta", delta, usage: encodeUsage(usage, true), ...beside }) +
    frame({ type: "message_stop" })
  );
};

const isToolUse = (block: JsonObject): boolean =>
  typeof block["type"] === "string" && block["type"].endsWith("tool_use") && "input" in block;

/** A block as its stream begins it: what its deltas will bring is empty. */
export const emptied = (block: JsonObject): JsonObject => {
  if (isToolUse(block)) return { ...block, input: {} };
  if (block["type"] !== "compaction") return block;
  return { ...block, content: null, ...("encrypted_content" in block ? { encrypted_content: null } : {}) };
};

/** The deltas that bring a whole block what its start left out. */
export const completing = (block: JsonObject): JsonObject[] => {
  if (isToolUse(block)) {
    const input = block["input"];
    const empty = isObject(input) && Object.keys(input).length === 0;
    return [{ type: "input_json_delta", partial_json: empty ? "" : JSON.stringify(input) }];
  }
  if (block["type"] !== "compaction") return [];
  const { content, encrypted_content: encrypted } = block;
  return [{ type: "compaction_delta", content, ...(encrypted === undefined ? {} : { encrypted_content: encrypted }) }];
};

/** An empty input is told as an empty text, as Anthropic does (F2). */
export const heldInput = (held: string, custom: boolean): string => {
  if (custom) return JSON.stringify({ input: held });
  return held === "{}" ? "" : held;
};
