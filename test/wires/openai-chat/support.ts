// What the tests of this wire share: a target, a reply's context, chunks as bytes, and the official SDK as the reader of a stream.
import OpenAI from "openai";
import type { ChatCompletion } from "openai/resources/chat/completions";
import type { StreamEvent } from "../../../lib/model/event.ts";
import type { Json, JsonObject } from "../../../lib/model/json.ts";
import type { ChatRequest } from "../../../lib/model/request.ts";
import { openaiChat } from "../../../lib/wires/openai-chat/index.ts";
import type { Dialect, ReplyContext, Target } from "../../../lib/wires/wire.ts";

export const targetOf = (dialect: Dialect = {}, maker = "openai"): Target => ({
  provider: maker,
  maker,
  model: "up",
  dialect,
});

export const decodeRequest = (body: JsonObject): ChatRequest =>
  openaiChat.decodeRequest({ model: "gpt", messages: [{ role: "user", content: "hi" }], ...body }, {});

/** A request as another wire would have decoded it. */
export const foreign = (request: Partial<ChatRequest>): ChatRequest => ({
  model: "m",
  stream: false,
  system: [],
  messages: [{ role: "user", parts: [{ type: "text", text: "hi" }] }],
  tools: [],
  sampling: {},
  ...request,
});

export const contextOf = (request: Partial<ChatRequest> = {}): ReplyContext => ({
  request: foreign({ includeUsage: true, ...request }),
  now: 1_700_000_000_000,
  newId: () => "abcdefghijklmnopqrstuvwx",
});

export const frames = (...chunks: (JsonObject | string)[]): Uint8Array =>
  new TextEncoder().encode(
    chunks.map((chunk) => `data: ${typeof chunk === "string" ? chunk : JSON.stringify(chunk)}\n\n`).join(""),
  );

export const chunk = (
  delta: JsonObject | undefined,
  finish: string | null = null,
  more: JsonObject = {},
): JsonObject => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "up",
  choices: [delta === undefined ? { index: 0, finish_reason: finish } : { index: 0, delta, finish_reason: finish }],
  ...more,
});

export const decode = (
  bytes: Uint8Array | string,
  target = targetOf(),
  size = Number.POSITIVE_INFINITY,
): StreamEvent[] => {
  const decoder = openaiChat.decodeEvents(target);
  const all = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  const events: StreamEvent[] = [];
  for (let at = 0; at < all.length; at += size) events.push(...decoder.push(all.subarray(at, at + size)));
  events.push(...decoder.end());
  return events;
};

export const encode = (events: readonly StreamEvent[], context = contextOf()): string => {
  const encoder = openaiChat.encodeEvents(context);
  return encoder.push(events) + encoder.end();
};

/** The parsed chunks of an encoded stream; `[DONE]` as a string. */
export const chunksOf = (text: string): Json[] =>
  text
    .split("\n\n")
    .filter((frame) => frame.startsWith("data: "))
    .map((frame) => (frame === "data: [DONE]" ? "[DONE]" : (JSON.parse(frame.slice(6)) as Json)));

const client = (answer: () => Response): OpenAI =>
  new OpenAI({
    apiKey: "none",
    baseURL: "http://upstream.invalid/v1",
    maxRetries: 0,
    fetch: () => Promise.resolve(answer()),
  });

/** What the SDK's stream helper makes of the text. */
export const readBySdk = (text: string, request: { n?: number } = {}): Promise<ChatCompletion> =>
  client(() => new Response(text, { headers: { "content-type": "text/event-stream" } }))
    .chat.completions.stream({ model: "m", messages: [{ role: "user", content: "hi" }], ...request })
    .finalChatCompletion();

/** What the SDK throws for an error answer. */
export const errorBySdk = async (status: number, headers: Record<string, string>, body: string): Promise<unknown> => {
  try {
    await client(
      () => new Response(body, { status, headers: { "content-type": "application/json", ...headers } }),
    ).chat.completions.create({ model: "m", messages: [] });
  } catch (thrown) {
    return thrown;
  }
  throw new Error("the SDK took it for an answer");
};
