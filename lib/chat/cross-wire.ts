// Translation: the client's wire is decoded, adapted to the target, encoded on the provider's wire, and the answer comes back the same way.
import { readAll, type TransportResponse } from "../http/transport.ts";
import { inlineMedia } from "../http/media.ts";
import type { MediaFetcher } from "../http/media-fetch.ts";
import { GatewayError } from "../model/error.ts";
import { parseJson } from "../model/json.ts";
import type { Headers, Reply } from "../model/call.ts";
import type { ChatResponse, StreamEvent } from "../model/event.ts";
import { isTold, type Usage } from "../model/usage.ts";
import { adapt, strictDrops, type Restorer } from "../wires/shared/adapt.ts";
import { unfold } from "../wires/shared/fold.ts";
import type { EventDecoder, EventEncoder } from "../wires/wire.ts";
import type { Attempt, Meter, ReadCall } from "./call.ts";
import { estimateCallTokens, estimateUsage } from "./estimate.ts";
import { type Flow, pump } from "./pump.ts";
import {
  clientEncoder,
  eventStreamHeaders,
  heartbeatOf,
  isEventStream,
  passedHeaders,
  replyContext,
  streamType,
  upstreamError,
} from "./answer.ts";

export const translate = async (
  read: ReadCall,
  attempt: Attempt,
  meter: Meter,
  fetchMedia: MediaFetcher,
): Promise<Reply> => {
  const { target, upstream, signal } = attempt;
  const request = await inlineMedia(read.request(), { wire: upstream.id, target, fetch: fetchMedia }, signal);
  const adapted = adapt({ ...request, model: target.model }, upstream.id, target);
  const encoded = upstream.encodeRequest(adapted.request, target);
  const lost = adapted.dropped.concat(encoded.dropped);
  const dropped = lost.length > 1 ? [...new Set(lost)] : lost;
  if (dropped.length > 0) {
    if (read.call.strict) throw strictDrops(dropped);
    meter.dropped(dropped);
  }
  const response = await attempt.provider.send(
    {
      wire: upstream.id,
      operation: "generate",
      model: target.model,
      stream: read.stream,
      headers: encoded.headers === undefined ? attempt.headers : { ...attempt.headers, ...encoded.headers },
      body: JSON.stringify(encoded.body),
    },
    signal,
  );
  if (response.status >= 400) throw await upstreamError(response, attempt);
  const more: Headers = upstream.id === read.call.wire.id ? passedHeaders(response.headers) : {};
  if (dropped.length > 0) more["heddle-dropped"] = headerList(dropped);
  if (read.stream && isEventStream(response)) {
    const reply = await translateStream(read, attempt, meter, response, adapted.restore);
    Object.assign(reply.headers, more);
    return reply;
  }
  const body = await readAll(response.body, 256 * 1024 * 1024);
  meter.first();
  const reply = answerWhole(read, attempt, meter, body, response, adapted.restore);
  Object.assign(reply.headers, more);
  return reply;
};

/** Field paths as a header value: visible ASCII only, and bounded. */
const headerList = (fields: readonly string[]): string =>
  fields
    .join(", ")
    .replaceAll(/[^\x20-\x7e]/g, "?")
    .slice(0, 1_000);

const answerWhole = (
  read: ReadCall,
  attempt: Attempt,
  meter: Meter,
  body: Uint8Array,
  response: Pick<TransportResponse, "status" | "headers">,
  restore: Restorer | undefined,
): Reply => {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString("utf8");
  const value = parseJson(text);
  if (value === undefined)
    throw new GatewayError("upstream_error", "The provider's answer is not valid JSON.", {
      provider: attempt.provider.id,
    });
  if (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    (value["error"] ?? null) !== null &&
    attempt.upstream.id !== "openai-responses"
  )
    throw attempt.upstream.decodeError(502, response.headers, text, attempt.target);
  const decoded = attempt.upstream.decodeResponse(value, attempt.target);
  return encodeWhole(read, meter, restore === undefined ? decoded : restore.response(decoded));
};

const encodeWhole = (read: ReadCall, meter: Meter, response: ChatResponse): Reply => {
  const { usage } = response;
  const cost = isTold(usage) ? meter.usage(usage) : meter.usage(estimateUsage(read, response), true);
  const costHeader: Record<string, string> = cost === undefined ? {} : { "heddle-cost": String(cost) };
  if (read.stream) {
    const encoder = clientEncoder(read);
    const body = encoder.push(unfold(response)) + encoder.end();
    meter.finish(200);
    return { status: 200, headers: { ...eventStreamHeaders(streamType(read)), ...costHeader }, body };
  }
  const body = JSON.stringify(read.call.wire.encodeResponse(response, replyContext(read)));
  meter.finish(200);
  return { status: 200, headers: { "content-type": "application/json", ...costHeader }, body };
};

/** A whole answer for a caller that asked for a stream, from a host that ignored the wish. */
export const unfoldWhole = (read: ReadCall, attempt: Attempt, meter: Meter, body: Uint8Array): Reply =>
  answerWhole(read, attempt, meter, body, { status: 200, headers: {} }, undefined);

/** Tokens of an answer whose provider never told: four characters each. */
export const estimator = (): {
  see: (events: readonly StreamEvent[]) => void;
  usage: () => Usage | undefined;
  output: () => number;
  finished: () => boolean;
} => {
  let characters = 0;
  let usage: Usage | undefined;
  let finished = false;
  return {
    see: (events) => {
      for (const event of events) {
        if (event.type === "part-delta") {
          if (event.delta.type === "text" || event.delta.type === "arguments") characters += event.delta.text.length;
        } else if (event.type === "usage" || event.type === "response-end" || event.type === "response-start") {
          if (event.usage !== undefined) usage = event.usage;
          if (event.type === "response-end") finished = true;
        }
      }
    },
    usage: () => (isTold(usage) ? usage : undefined),
    output: () => Math.ceil(characters / 4),
    finished: () => finished,
  };
};

const isReal = (event: StreamEvent): boolean => event.type !== "opaque" && event.type !== "usage";

const translateStream = async (
  read: ReadCall,
  attempt: Attempt,
  meter: Meter,
  response: TransportResponse,
  restore: Restorer | undefined,
): Promise<Reply> => {
  const iterator = response.body[Symbol.asyncIterator]();
  const decoder = attempt.upstream.decodeEvents(attempt.target);
  const restored =
    restore === undefined ? (events: StreamEvent[]) => events : (events: StreamEvent[]) => restore.events(events);
  const begun = await firstEvents(iterator, decoder, restored);
  meter.first();
  const flow = translation({
    decoder,
    restored,
    encoder: clientEncoder(read),
    meter,
    provider: attempt.provider.id,
    estimatedInput: estimateCallTokens(read),
  });
  return {
    status: 200,
    headers: eventStreamHeaders(streamType(read)),
    heartbeat: heartbeatOf(read),
    body: pump(iterator, flow.write(begun.events, begun.ended), flow),
  };
};

/** What a translated stream needs while it runs. */
type Translating = {
  decoder: EventDecoder;
  restored: (events: StreamEvent[]) => StreamEvent[];
  encoder: EventEncoder;
  meter: Meter;
  provider: string;
  estimatedInput: number;
};

const translation = (
  translating: Translating,
): Flow & { write: (events: readonly StreamEvent[], ended: boolean) => string } => {
  const { decoder, restored, encoder, meter, provider, estimatedInput } = translating;
  const seen = estimator();
  let failure: GatewayError | undefined;
  let over = false;

  const settle = (error: GatewayError | undefined): void => {
    const told = seen.usage();
    const estimated = told === undefined || !seen.finished();
    const usage = told ?? { input: estimatedInput, output: 0 };
    meter.usage(estimated ? { ...usage, output: Math.max(usage.output, seen.output()) } : usage, estimated);
    meter.finish(200, error);
  };
  /** The provider's own error ends the stream, whatever follows it. */
  const write = (events: readonly StreamEvent[], ended: boolean): string => {
    if (ended) over = true;
    if (events.length === 0) return "";
    for (const event of events)
      if (event.type === "error") {
        failure ??= event.error;
        over = true;
      }
    seen.see(events);
    return encoder.push(events);
  };

  return {
    write,
    read: (bytes) => write(restored(decoder.push(bytes)), false),
    over: () => over,
    end: (broken) => {
      let text = "";
      failure ??= broken;
      if (broken === undefined && !over) text = write(restored(decoder.end()), true);
      if (failure === undefined && !seen.finished())
        broken = failure = new GatewayError("upstream_error", "The provider's stream ended before it was finished.", {
          provider,
        });
      settle(failure);
      if (failure?.code === "cancelled") return "";
      if (broken !== undefined) text += encoder.push([{ type: "error", error: broken }]);
      return text + encoder.end();
    },
    leave: () => settle(new GatewayError("cancelled", "The caller has gone.")),
  };
};

/** Reads until there is a real event (F25). An error before any part is a failure like any other (F27). */
export const firstEvents = async (
  iterator: AsyncIterator<Uint8Array>,
  decoder: EventDecoder,
  map: (events: StreamEvent[]) => StreamEvent[],
): Promise<{ events: StreamEvent[]; ended: boolean }> => {
  const events: StreamEvent[] = [];
  for (;;) {
    const { done, value } = await iterator.next();
    events.push(...map(done === true ? decoder.end() : decoder.push(value)));
    const at = events.findIndex((event) => event.type === "error");
    const error = events[at];
    if (error?.type === "error" && !events.slice(0, at).some((event) => event.type === "part-start")) {
      await iterator.return?.();
      throw error.error;
    }
    if (done === true || events.some(isReal)) return { events, ended: done === true };
  }
};
