// What both ways of answering share: reading an upstream's refusal, the headers of a stream, an error in the middle of one.
import { inertType } from "../http/inert-type.ts";
import { readAll, type TransportResponse } from "../http/transport.ts";
import type { GatewayError } from "../model/error.ts";
import type { Headers } from "../model/call.ts";
import type { StreamEvent } from "../model/event.ts";
import { idLetters } from "../model/id.ts";
import type { ClientWire, EventEncoder, ReplyContext } from "../wires/wire.ts";
import { arrayHeartbeat, encodeGeminiArray } from "../wires/gemini-generate/index.ts";
import type { Attempt, ReadCall } from "./call.ts";

const errorBodyLimit = 1024 * 1024;

/** The error a provider answered with. A body that can't be read leaves the status to speak. */
export const upstreamError = async (response: TransportResponse, attempt: Attempt): Promise<GatewayError> => {
  let text = "";
  try {
    text = Buffer.from(await readAll(response.body, errorBodyLimit)).toString("utf8");
  } catch (thrown) {
    if (attempt.signal.aborted) throw thrown;
  }
  return attempt.upstream.decodeError(response.status, response.headers, text, attempt.target);
};

/** Whether a streamed call was answered with a stream. Some hosts leave the type out, or call it plain text. */
export const isEventStream = (response: TransportResponse): boolean =>
  /event-?stream|stream\+json|^text\/plain|^application\/octet-stream/i.test(
    response.headers["content-type"] || "text/event-stream",
  );

export const eventStreamHeaders = (contentType?: string): Headers => ({
  "content-type": inertType(contentType, "text/event-stream; charset=utf-8"),
  "cache-control": "no-cache",
  // Reverse proxies (nginx above all) must not gather the stream.
  "x-accel-buffering": "no",
});

/** Upstream response headers that mean something to the client on its own wire. */
const passedHeader = /^(?:x-ratelimit-|anthropic-ratelimit-|retry-after$|openai-processing-ms$|openai-version$)/;

export const passedHeaders = (headers: Headers): Headers => {
  const passed: Headers = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && passedHeader.test(name)) passed[name] = value;
  }
  return passed;
};

/** 24 characters of [A-Za-z0-9]: an id's body. */
const newId = (): string => {
  let id = "";
  for (let at = 0; at < 24; at += 1) id += idLetters[Math.floor(Math.random() * idLetters.length)];
  return id;
};

export const replyContext = (read: ReadCall): ReplyContext => ({ request: read.request(), now: Date.now(), newId });

/** The client's stream encoder, in the form it asked for. */
export const clientEncoder = (read: ReadCall): EventEncoder =>
  read.call.array ? encodeGeminiArray(replyContext(read)) : read.call.wire.encodeEvents(replyContext(read));

/** Gemini's stream without `alt=sse` is one JSON array. */
export const arrayType = "application/json; charset=UTF-8";

/** The content type of a stream that is encoded here. */
export const clientEncoderType = (wire: ClientWire, array: boolean): string => (array ? arrayType : wire.streamType);

/** The same, in the form the client asked for. */
export const streamType = ({ call }: ReadCall): string => clientEncoderType(call.wire, call.array);

/** What keeps a silent stream alive, in that form (F9). */
export const heartbeatOf = (read: ReadCall): string => (read.call.array ? arrayHeartbeat : read.call.wire.heartbeat);

/** A failure after the 200, as the wire's own event and a clean end (F26). For streams whose bytes were passed: no encoder has followed them. */
export const inBandError = (wire: ClientWire, error: GatewayError): string => {
  const encoder = standaloneEncoder(wire);
  const event: StreamEvent = { type: "error", error };
  return encoder.push([event]) + encoder.end();
};

const standaloneEncoder = (wire: ClientWire): EventEncoder =>
  wire.encodeEvents({
    request: { model: "", stream: true, system: [], messages: [], tools: [], sampling: {} },
    now: Date.now(),
    newId,
  });
