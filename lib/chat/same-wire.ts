// Pass-through: the client's wire is the provider's. Bytes both ways; only the model's name and the credentials change.
import { inertType } from "../http/inert-type.ts";
import { readAll, type TransportResponse } from "../http/transport.ts";
import { memberText, type Scan, scanObject, splice } from "../http/scan.ts";
import { GatewayError, toGatewayError } from "../model/error.ts";
import { isObject, parseJson } from "../model/json.ts";
import type { Headers, Reply } from "../model/call.ts";
import type { ChatResponse } from "../model/event.ts";
import { isTold, type Usage } from "../model/usage.ts";
import type { ClientWire, Dialect } from "../wires/wire.ts";
import type { Attempt, Meter, ReadCall } from "./call.ts";
import { estimateCallTokens, estimateUsage } from "./estimate.ts";
import { arrayForm, asTheyAre, type Form } from "./array.ts";
import { mayHoldForeignState } from "./foreign-state.ts";
import { createFrameCutter, type FrameCutter } from "./frames.ts";
import { type Flow, type Piece, pump } from "./pump.ts";
import { createTap, type Tap } from "./tap.ts";
import {
  arrayType,
  eventStreamHeaders,
  heartbeatOf,
  inBandError,
  isEventStream,
  passedHeaders,
  upstreamError,
} from "./answer.ts";

/** Request fields that the host's dialect names otherwise or refuses: such a call is translated, not passed. */
const dialectTouches = (dialect: Dialect, has: (name: string) => boolean): boolean =>
  (dialect.maxTokensField === "max_tokens" && has("max_completion_tokens")) ||
  (dialect.structuredOutput !== undefined && dialect.structuredOutput !== "json_schema" && has("response_format")) ||
  (dialect.reasoningEffort !== undefined && dialect.reasoningEffort !== true && has("reasoning_effort")) ||
  (dialect.parallelToolCalls === false && has("parallel_tool_calls")) ||
  (dialect.toolChoiceRequired === false && has("tool_choice")) ||
  (dialect.streamOptions === false && has("stream_options")) ||
  (dialect.refuses?.some(has) ?? false);

/** Whether nothing but the model's name and the credentials must change. */
export const mayPass = (read: ReadCall, attempt: Attempt): boolean => {
  const { scan, call } = read;
  if (scan === undefined || attempt.upstream.id !== call.wire.id || attempt.moved) return false;
  if (attempt.target.dialect.bedrockAnthropic === true) return false;
  if (dialectTouches(attempt.target.dialect, (name) => scan.members.has(name))) return false;
  return !mayHoldForeignState(call.body, call.wire.id, attempt.target);
};

/**
 * Chat tells a stream's usage only when asked. Where the caller did not ask, or asked for the contrary, the gateway does, and keeps the
 * answer's extra frame to itself. Gives the `stream_options` for it; undefined where the body's own are to stay.
 */
const askingForUsage = (read: ReadCall, attempt: Attempt): string | undefined => {
  if (
    attempt.upstream.id !== "openai-chat" ||
    !read.stream ||
    attempt.target.dialect.streamOptions === false ||
    attempt.provider.kind === "echo" ||
    read.scan === undefined
  )
    return undefined;
  const said = memberText(read.scan, "stream_options");
  const own = said === undefined ? null : parseJson(said);
  if (own === null) return '{"include_usage":true}';
  // What is no object is the provider's to refuse.
  return !isObject(own) || own["include_usage"] === true ? undefined : JSON.stringify({ ...own, include_usage: true });
};

const passedBody = (read: ReadCall, attempt: Attempt): Uint8Array => {
  const { scan, call } = read;
  if (scan === undefined) return call.body;
  const edits: { start: number; end: number; text: string }[] = [];
  const model = scan.members.get("model");
  const options = askingForUsage(read, attempt);
  if (options !== undefined) {
    const own = scan.members.get("stream_options");
    const open = scan.text.indexOf("{") + 1;
    edits.push(
      own === undefined ? { start: open, end: open, text: `"stream_options":${options},` } : { ...own, text: options },
    );
  }
  if (
    model !== undefined &&
    call.path.model === undefined &&
    memberText(scan, "model") !== JSON.stringify(attempt.target.model)
  )
    edits.push({ start: model.start, end: model.end, text: JSON.stringify(attempt.target.model) });
  return splice(
    call.body,
    edits.sort((a, b) => a.start - b.start),
  );
};

export const passThrough = async (read: ReadCall, attempt: Attempt, meter: Meter): Promise<Reply> => {
  const response = await attempt.provider.send(
    {
      wire: attempt.upstream.id,
      operation: "generate",
      model: attempt.target.model,
      stream: read.stream,
      headers: attempt.headers,
      body: passedBody(read, attempt),
    },
    attempt.signal,
  );
  if (response.status >= 400) throw await upstreamError(response, attempt);
  return read.stream && isEventStream(response)
    ? passStream(read, attempt, meter, response)
    : passWhole(read, attempt, meter, response);
};

const notTheProtocol = (attempt: Attempt): GatewayError =>
  new GatewayError("upstream_error", "The provider's answer is not valid JSON.", { provider: attempt.provider.id });

const decodedOrNot = (decode: () => ChatResponse): ChatResponse | undefined => {
  try {
    return decode();
  } catch {
    return undefined;
  }
};

type Told = { usage: Usage; estimated: boolean };

/** Where the scan found it, it alone is parsed; else the whole answer is, and what isn't the wire's throws. What nobody tells is estimated. */
const usageOf = (read: ReadCall, attempt: Attempt, scan: Scan | undefined, body: Uint8Array): Told => {
  const { upstream, target } = attempt;
  const told = scan === undefined ? undefined : memberText(scan, upstream.usageMember);
  const value = told === undefined ? undefined : parseJson(told);
  const own = isObject(value) ? upstream.decodeUsage(value, target) : undefined;
  if (isTold(own)) return { usage: own, estimated: false };
  // A usage that says nothing is no reason to doubt the answer: it passes as it is.
  const response = isObject(value)
    ? decodedOrNot(() => upstream.decodeResponse(parseJson(Buffer.from(body).toString("utf8")) ?? null, target))
    : upstream.decodeResponse(parseJson(Buffer.from(body).toString("utf8")) ?? null, target);
  if (response === undefined)
    return { usage: { input: estimateCallTokens(read), output: Math.ceil(body.length / 4) }, estimated: true };
  return isTold(response.usage)
    ? { usage: response.usage, estimated: false }
    : { usage: estimateUsage(read, response), estimated: true };
};

const passWhole = async (
  read: ReadCall,
  attempt: Attempt,
  meter: Meter,
  response: TransportResponse,
): Promise<Reply> => {
  const body = await readAll(response.body, 256 * 1024 * 1024);
  meter.first();
  const scan = scanObject(body);
  if (scan === undefined) {
    const value = parseJson(Buffer.from(body.buffer, body.byteOffset, body.length).toString("utf8"));
    if (!isObject(value)) throw notTheProtocol(attempt);
  }
  const error = scan === undefined ? undefined : memberText(scan, "error");
  // Some hosts answer 200 with an error inside (F27); a Responses object always has an `error`, null where all went well.
  if (error !== undefined && error !== "null" && attempt.upstream.id !== "openai-responses")
    throw attempt.upstream.decodeError(502, response.headers, Buffer.from(body).toString("utf8"), attempt.target);
  if (read.stream) {
    // The host ignored `stream`: its whole answer is unfolded for a caller that waits for events.
    const { unfoldWhole } = await import("./cross-wire.ts");
    return unfoldWhole(read, attempt, meter, body);
  }
  const headers: Headers = {
    "content-type": inertType(response.headers["content-type"], "application/json"),
    ...passedHeaders(response.headers),
  };
  try {
    const { usage, estimated } = usageOf(read, attempt, scan, body);
    const cost = meter.usage(usage, estimated);
    if (cost !== undefined) headers["heddle-cost"] = String(cost);
  } catch (thrown) {
    throw toGatewayError(thrown);
  }
  meter.finish(response.status);
  return { status: response.status, headers, body };
};

const passStream = async (
  read: ReadCall,
  attempt: Attempt,
  meter: Meter,
  response: TransportResponse,
): Promise<Reply> => {
  const iterator = response.body[Symbol.asyncIterator]();
  const cutter = createFrameCutter();
  const first = await firstFrames(iterator, cutter, attempt);
  meter.first();
  const { array, wire, body } = read.call;
  const flow = passFlow({
    cutter,
    tap: createTap(attempt.upstream, attempt.target),
    form: array ? arrayForm() : asTheyAre,
    hideUsage: askingForUsage(read, attempt) !== undefined,
    meter,
    wire,
    provider: attempt.provider.id,
    estimatedInput: Math.ceil(body.length / 4),
  });
  return {
    status: 200,
    headers: {
      ...eventStreamHeaders(array ? arrayType : response.headers["content-type"]),
      ...passedHeaders(response.headers),
    },
    heartbeat: heartbeatOf(read),
    body: pump(iterator, flow.frames(first), flow),
  };
};

/** What a passed stream needs while it runs. Not the request: that may be large, and the answer may take minutes. */
type Passing = {
  cutter: FrameCutter;
  tap: Tap;
  form: Form;
  hideUsage: boolean;
  meter: Meter;
  wire: ClientWire;
  provider: string;
  estimatedInput: number;
};

const passFlow = (passing: Passing): Flow & { frames: (whole: Uint8Array) => Piece } => {
  const { cutter, tap, form, hideUsage, provider } = passing;
  const frames = (whole: Uint8Array): Piece => {
    tap.see(whole);
    return form.push(hideUsage ? withoutUsageFrame(whole) : whole);
  };
  return {
    frames,
    read: (bytes) => {
      const whole = cutter.push(bytes);
      return whole === undefined ? "" : frames(whole);
    },
    over: () => false,
    end: (broken) => {
      // Half an event would swallow the error that follows it; what ends a stream may lack its blank line.
      const tail = broken === undefined ? cutter.rest() : undefined;
      const last = tail === undefined || tail.length === 0 ? "" : frames(tail);
      const learnt = tap.end();
      const failure =
        broken ??
        (learnt.finished || learnt.failed
          ? undefined
          : new GatewayError("upstream_error", "The provider's stream ended before it was finished.", { provider }));
      settle(passing, learnt, failure);
      if (failure?.code === "cancelled") return "";
      const piece = failure === undefined ? last : form.push(Buffer.from(inBandError(passing.wire, failure)));
      const closing = form.close();
      return closing === "" ? piece : `${typeof piece === "string" ? piece : ""}${closing}`;
    },
    leave: () => settle(passing, tap.end(), new GatewayError("cancelled", "The caller has gone.")),
  };
};

const settle = (passing: Passing, learnt: ReturnType<Tap["end"]>, failure: GatewayError | undefined): void => {
  const { meter, provider, estimatedInput } = passing;
  const told = isTold(learnt.usage) ? learnt.usage : undefined;
  const estimated = told === undefined || !learnt.finished;
  const usage = told ?? { input: estimatedInput, output: learnt.estimatedOutput };
  meter.usage(estimated ? { ...usage, output: Math.max(usage.output, learnt.estimatedOutput) } : usage, estimated);
  const inBand = learnt.failed
    ? new GatewayError("upstream_error", "The provider ended its stream with an error.", { provider })
    : undefined;
  meter.finish(200, failure ?? inBand);
};

/** Reads until there is a real event; comments alone are not (F25). An error that comes first is a failure like any other (F27). */
const firstFrames = async (
  iterator: AsyncIterator<Uint8Array>,
  cutter: ReturnType<typeof createFrameCutter>,
  attempt: Attempt,
): Promise<Uint8Array> => {
  const seen: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await iterator.next();
    const frames = done === true ? cutter.rest() : cutter.push(value);
    if (frames !== undefined && frames.length > 0) seen.push(frames);
    const held = seen.length === 1 && seen[0] !== undefined ? seen[0] : Buffer.concat(seen);
    const text = Buffer.from(held.buffer, held.byteOffset, held.length);
    if (done === true || text.includes("data:")) {
      // Decoding what comes first costs little and tells garbage and errors from events.
      const decoder = attempt.upstream.decodeEvents(attempt.target);
      const events = [...decoder.push(held), ...(done === true ? decoder.end() : [])];
      const at = events.findIndex((event) => event.type === "error");
      const error = events[at];
      const begun = events.slice(0, Math.max(at, 0)).some((event) => event.type === "part-start");
      if (error?.type === "error" && !begun) {
        await iterator.return?.();
        throw error.error;
      }
      return held;
    }
  }
};

/** Chat frames without the one that only tells usage. */
const withoutUsageFrame = (frames: Uint8Array): Uint8Array => {
  const bytes = Buffer.from(frames.buffer, frames.byteOffset, frames.length);
  if (!bytes.includes('"usage"')) return frames;
  const kept = bytes
    .toString("utf8")
    .split(/(?<=\r?\n\r?\n)/)
    .filter((frame) => {
      if (!frame.startsWith("data:") || !frame.includes('"usage"')) return true;
      const value = parseJson(frame.slice(5));
      return (
        !isObject(value) || !Array.isArray(value["choices"]) || value["choices"].length > 0 || !isObject(value["usage"])
      );
    });
  return Buffer.from(kept.join(""), "utf8");
};
