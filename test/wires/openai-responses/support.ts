// What the tests of this wire share: a target, a context, the frames of a stream, and what "the same in meaning" is.
import OpenAI from "openai";
import { openaiResponses } from "../../../lib/wires/openai-responses/index.ts";
import type { StreamEvent } from "../../../lib/model/event.ts";
import { asObject, asString, isObject, type Json, type JsonObject } from "../../../lib/model/json.ts";
import type { ChatRequest } from "../../../lib/model/request.ts";
import type { ReplyContext, Target } from "../../../lib/wires/wire.ts";

export const wire = openaiResponses;

export const target = (over: Partial<Target> = {}): Target => ({
  provider: "openai",
  maker: "openai",
  model: "gpt-5.4",
  dialect: {},
  ...over,
});

export const emptyRequest: ChatRequest = {
  model: "gpt-5.4",
  stream: true,
  system: [],
  messages: [],
  tools: [],
  sampling: {},
};

/** Ids are counted: `000000000000000000000001`. */
export const context = (request: ChatRequest = emptyRequest): ReplyContext => {
  let count = 0;
  return { request, now: 1_790_000_000_000, newId: () => String((count += 1)).padStart(24, "0") };
};

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export const typeOf = (event: JsonObject): string => asString(event["type"]) ?? "";

export const sse = (events: readonly JsonObject[]): string =>
  events.map((event) => `event: ${typeOf(event)}\ndata: ${JSON.stringify(event)}\n\n`).join("");

export const decodeAll = (text: string | Uint8Array, at: Target = target()): StreamEvent[] => {
  const decoder = wire.decodeEvents(at);
  return [...decoder.push(typeof text === "string" ? bytes(text) : text), ...decoder.end()];
};

export const encodeAll = (events: readonly StreamEvent[], reply: ReplyContext = context()): string => {
  const encoder = wire.encodeEvents(reply);
  return encoder.push(events) + encoder.end();
};

/** The data of each frame; the event's name must say the same as its type. */
export const framesOf = (text: string): JsonObject[] =>
  text
    .split("\n\n")
    .filter((frame) => frame !== "")
    .map((frame) => {
      const [name, data] = frame.split("\n");
      const event = JSON.parse(data!.slice("data: ".length)) as JsonObject;
      if (name !== `event: ${typeOf(event)}`) throw new Error(`${name} names ${typeOf(event)}`);
      return event;
    });

/** An openai client whose every answer is `body`. */
export const sdk = (body: string | Uint8Array, contentType = "text/event-stream", status = 200): OpenAI =>
  new OpenAI({
    apiKey: "none",
    maxRetries: 0,
    fetch: async () =>
      new Response(typeof body === "string" ? body : Buffer.from(body), {
        status,
        headers: { "content-type": contentType },
      }),
  });

export const viaSdk = async (body: string | Uint8Array): Promise<JsonObject> => {
  const stream = sdk(body).responses.stream({ model: "gpt-5.4", input: "hi" });
  return JSON.parse(JSON.stringify(await stream.finalResponse())) as JsonObject;
};

const isDull = (key: string, value: Json | undefined): boolean =>
  value === null ||
  value === undefined ||
  (key === "annotations" && Array.isArray(value) && value.length === 0) ||
  (key === "logprobs" && Array.isArray(value) && value.length === 0) ||
  (key === "content" && Array.isArray(value) && value.length === 0) ||
  (key === "cache_write_tokens" && value === 0) ||
  (key === "cached_tokens" && value === 0) ||
  (key === "reasoning_tokens" && value === 0) ||
  (key === "status" && value === "completed") ||
  (key.endsWith("_details") && isObject(value) && Object.keys(value).length === 0);

/** Without what says nothing: nulls, empty annotations, a status of "completed". */
export const plain = (value: Json | undefined): Json => {
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value ?? null;
  const result: JsonObject = {};
  for (const key of Object.keys(value).sort()) {
    const inner = plain(value[key]);
    if (!isDull(key, inner)) result[key] = inner;
  }
  return result;
};

const plainItem = (item: Json): Json => {
  const value = asObject(plain(item)) ?? {};
  const role = value["role"];
  const type = asString(value["type"]) ?? "message";
  if (type === "message" && typeof value["content"] === "string")
    value["content"] = [{ type: role === "assistant" ? "output_text" : "input_text", text: value["content"] }];
  if (type === "function_call" && value["arguments"] === "") value["arguments"] = "{}";
  if (typeof value["output"] === "string" && type.endsWith("_call_output"))
    value["output"] = [{ type: "input_text", text: value["output"] }];
  return { ...value, type };
};

/** A request as it is meant: easy messages and strings in their full form. */
export const meaning = (body: JsonObject): Json => {
  const value = asObject(plain(body)) ?? {};
  const { input } = body;
  value["input"] =
    typeof input === "string"
      ? [plainItem({ role: "user", content: input })]
      : Array.isArray(input)
        ? input.map(plainItem)
        : [];
  if (value["stream"] === false) delete value["stream"];
  if (value["instructions"] === "") delete value["instructions"];
  for (const key of ["tools", "include"]) {
    const list = value[key];
    if (Array.isArray(list) && list.length === 0) delete value[key];
  }
  const text = asObject(value["text"]);
  const format = asObject(text?.["format"]);
  if (format?.["type"] === "text") delete text!["format"];
  if (text !== undefined && Object.keys(text).length === 0) delete value["text"];
  return value;
};
