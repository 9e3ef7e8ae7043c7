// What these tests share: a target, a context, streams as bytes and back, and equality in meaning.
import type { StreamEvent } from "../../../lib/model/event.ts";
import type { Json, JsonObject } from "../../../lib/model/json.ts";
import { isObject } from "../../../lib/model/json.ts";
import type { ChatRequest } from "../../../lib/model/request.ts";
import { anthropicMessages as wire } from "../../../lib/wires/anthropic-messages/index.ts";
import type { ReplyContext, Target } from "../../../lib/wires/wire.ts";

export const target = (model = "claude-sonnet-4-5", more: Partial<Target> = {}): Target => ({
  provider: "anthropic",
  maker: "anthropic",
  model,
  dialect: {},
  ...more,
});

export const request = (more: Partial<ChatRequest> = {}): ChatRequest => ({
  model: "claude-sonnet-4-5",
  stream: false,
  system: [],
  messages: [{ role: "user", parts: [{ type: "text", text: "Hi" }] }],
  tools: [],
  sampling: {},
  ...more,
});

export const context = (more: Partial<ChatRequest> = {}): ReplyContext => ({
  request: request(more),
  now: 0,
  newId: () => "AAAAAAAAAAAAAAAAAAAAAAAA",
});

/** Frames as a provider sends them. */
export const sse = (...values: JsonObject[]): Uint8Array =>
  new TextEncoder().encode(
    values.map((value) => `event: ${value["type"] as string}\ndata: ${JSON.stringify(value)}\n\n`).join(""),
  );

export const decode = (chunks: readonly Uint8Array[], at: Target = target()): StreamEvent[] => {
  const decoder = wire.decodeEvents(at);
  return [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()];
};

export const encode = (events: readonly StreamEvent[]): string => {
  const encoder = wire.encodeEvents(context());
  return events.map((event) => encoder.push([event])).join("") + encoder.end();
};

/** The data of every frame of an encoded stream, in order. */
export const frames = (text: string): JsonObject[] =>
  text
    .split("\n\n")
    .filter((frame) => frame !== "")
    .map((frame) => {
      const [event, data] = frame.split("\n");
      const value = JSON.parse(data!.replace(/^data: /, "")) as JsonObject;
      if (event !== `event: ${value["type"] as string}`) throw new Error(`event line differs: ${event}`);
      return value;
    });

/** Adjacent text deltas joined, so that two ways to cut a text are equal. */
export const joined = (events: readonly StreamEvent[]): StreamEvent[] => {
  const out: StreamEvent[] = [];
  for (const event of events) {
    const last = out.at(-1);
    if (
      event.type === "part-delta" &&
      last?.type === "part-delta" &&
      last.index === event.index &&
      ((event.delta.type === "text" && last.delta.type === "text") ||
        (event.delta.type === "arguments" && last.delta.type === "arguments"))
    )
      out[out.length - 1] = { ...last, delta: { ...last.delta, text: last.delta.text + event.delta.text } };
    else out.push(event);
  }
  return out;
};

/** Without what says nothing: nulls, empty lists, counts of zero, empty objects. */
export const meaning = (value: Json | undefined): Json | undefined => {
  if (Array.isArray(value)) return value.map((item) => meaning(item) ?? null);
  if (!isObject(value)) return value;
  const out: JsonObject = {};
  for (const [name, field] of Object.entries(value)) {
    const kept = meaning(field);
    if (kept === null || kept === undefined || (Array.isArray(kept) && kept.length === 0)) continue;
    if (kept === 0 && /_tokens$|_requests$|^cachedInput$|^cacheWrite$/.test(name)) continue;
    if (isObject(kept) && Object.keys(kept).length === 0 && name !== "input") continue;
    out[name] = kept;
  }
  return out;
};
