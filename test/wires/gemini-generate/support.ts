// What the tests of this wire share.
import { array, constantFrom, dictionary, letrec, oneof } from "fast-check";
import type { ChatResponse, StreamEvent } from "../../../lib/model/event.ts";
import type { Json, JsonObject } from "../../../lib/model/json.ts";
import type { ChatRequest } from "../../../lib/model/request.ts";
import type { ReplyContext, Target } from "../../../lib/wires/wire.ts";
import { geminiGenerate } from "../../../lib/wires/gemini-generate/index.ts";
import { fold } from "../../../lib/wires/shared/fold.ts";

export const target = (model = "gemini-2.5-flash", dialect: Target["dialect"] = {}): Target => ({
  provider: "gemini",
  maker: "google",
  model,
  dialect,
});

export const request = (over: Partial<ChatRequest> = {}): ChatRequest => ({
  model: "gemini-2.5-flash",
  stream: false,
  system: [],
  messages: [{ role: "user", parts: [{ type: "text", text: "Hi" }] }],
  tools: [],
  sampling: {},
  ...over,
});

export const context: ReplyContext = {
  request: request(),
  now: 1_750_000_000_000,
  newId: () => "abcdefghijklmnopqrstuvwx",
};

export const user = (...parts: JsonObject[]): JsonObject => ({ role: "user", parts });
export const model = (...parts: JsonObject[]): JsonObject => ({ role: "model", parts });

export const decode = (body: JsonObject, name = "gemini-2.5-flash", stream = false): ChatRequest =>
  geminiGenerate.decodeRequest(body, { model: name, stream });

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export const read = (pieces: Iterable<Uint8Array>, to = target()): StreamEvent[] => {
  const decoder = geminiGenerate.decodeEvents(to);
  const events: StreamEvent[] = [];
  for (const piece of pieces) events.push(...decoder.push(piece));
  events.push(...decoder.end());
  return events;
};

export const sse = (...chunks: Json[]): string =>
  chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`).join("");

export const readChunks = (...chunks: Json[]): StreamEvent[] => read([bytes(sse(...chunks))]);
export const foldChunks = (...chunks: Json[]): ChatResponse => fold(readChunks(...chunks));

/** Events as a client reads them, one batch an event, as in a slow stream. */
export const write = (events: readonly StreamEvent[], batch = 1): string => {
  const encoder = geminiGenerate.encodeEvents(context);
  let text = "";
  for (let at = 0; at < events.length; at += batch) text += encoder.push(events.slice(at, at + batch));
  return text + encoder.end();
};

/** The chunks of an encoded stream. */
export const chunksOf = (text: string): JsonObject[] =>
  text
    .split("\r\n\r\n")
    .filter((block) => block !== "")
    .map((block) => JSON.parse(block.replace(/^data: /, "")) as JsonObject);

/** An answer of one candidate. */
export const answer = (parts: JsonObject[], finishReason?: string, over: JsonObject = {}): JsonObject => ({
  candidates: [
    { content: { role: "model", parts }, index: 0, ...(finishReason === undefined ? {} : { finishReason }) },
  ],
  modelVersion: "gemini-2.5-flash",
  responseId: "r1",
  ...over,
});

const anyValue = constantFrom<unknown>(null, true, 1, -1, "", "user", "model", "ANY", "STOP", "$.a[0]", "x");

/** Names of the wire, for values that are nearly right. */
export const anyKey = constantFrom(
  ..."contents parts text thought functionCall functionResponse inlineData fileData role name args response id tools".split(
    " ",
  ),
  ..."functionDeclarations parameters type properties generationConfig thinkingConfig thinkingBudget responseSchema".split(
    " ",
  ),
  ..."toolConfig functionCallingConfig mode systemInstruction partialArgs jsonPath willContinue thoughtSignature".split(
    " ",
  ),
  ..."candidates content index finishReason promptFeedback usageMetadata groundingMetadata groundingSupports".split(
    " ",
  ),
  ..."groundingChunks segment groundingChunkIndices error code x_y".split(" "),
);

export const { anyJson } = letrec<{ anyJson: unknown }>((tie) => ({
  anyJson: oneof(
    { maxDepth: 6 },
    anyValue,
    array(tie("anyJson"), { maxLength: 3 }),
    dictionary(anyKey, tie("anyJson"), { maxKeys: 4 }),
  ),
}));
