// A run's events on a wire: always from the log, by the same encoder with the same ids, so that a stream, its replay in another process
// and a replay from any point on are the same bytes.
import { createFolder } from "../wires/shared/fold.ts";
import { encodeGeminiArray } from "../wires/gemini-generate/index.ts";
import { clientWires } from "../wires/index.ts";
import { cutShort, cutShortAt } from "../model/deadline.ts";
import { GatewayError } from "../model/error.ts";
import type { ChatResponse, StreamEvent } from "../model/event.ts";
import type { JsonObject } from "../model/json.ts";
import type { ChatRequest } from "../model/request.ts";
import type { ClientWireId } from "../model/wire-id.ts";
import type { Run } from "../threads/run-items.ts";
import { runEvents } from "../threads/runs.ts";
import type { Caller, ThreadStore } from "../threads/store.ts";
import type { ClientWire, ReplyContext } from "../wires/wire.ts";
import { answerId, seededIds } from "./ids.ts";
import type { RunSpec } from "./types.ts";

const prefixes: Record<ClientWireId, string> = {
  "anthropic-messages": "msg_",
  "openai-chat": "chatcmpl-",
  "openai-responses": "resp_",
  "gemini-generate": "",
};

/** The id that an answer has on a wire. */
export const wireAnswerId = (wire: ClientWireId, thread: string, run: string): string =>
  `${prefixes[wire]}${answerId(thread, run)}`;

/** What the answer tells again of its request: on its own wire, the state fields among it. */
const requestOf = (spec: RunSpec, wire: ClientWireId): ChatRequest =>
  spec.echo === undefined || wire !== spec.wire
    ? spec.request
    : {
        ...spec.request,
        extra: { ...spec.request.extra, [wire]: { ...spec.request.extra?.[wire], ...spec.echo } satisfies JsonObject },
      };

export type EncodedRun = { run: Run; spec: RunSpec; wire: ClientWire };

export const contextOf = ({ run, spec, wire }: EncodedRun): ReplyContext => ({
  request: requestOf(spec, wire.id),
  now: run.createdAt,
  newId: seededIds(`${run.thread}/${run.id}/${run.step}/${wire.id}`),
});

const named = ({ run, wire }: EncodedRun, event: StreamEvent): StreamEvent =>
  event.type === "response-start"
    ? {
        ...event,
        id: wireAnswerId(wire.id, run.thread, run.id),
        createdAt: event.createdAt ?? Math.floor(run.createdAt / 1000),
      }
    : event;

export type EncodeOptions = {
  /** The number of the last event the reader has; what it has is not written again. */
  after?: number;
  signal?: AbortSignal;
};

/** The frames of one step of a run, as they come, from its beginning or from after an event. */
export async function* encodeRun(
  store: ThreadStore,
  caller: Caller,
  encoded: EncodedRun,
  options: EncodeOptions = {},
): AsyncGenerator<string> {
  const { run, spec, wire } = encoded;
  const context = contextOf(encoded);
  const encoder =
    spec.array === true && wire.id === spec.wire ? encodeGeminiArray(context) : wire.encodeEvents(context);
  const after = options.after ?? 0;
  let last = 0;
  const read = { after: run.stepFirst - 1, ...(options.signal === undefined ? {} : { signal: options.signal }) };
  for await (const { n, event } of runEvents(store, caller, run.thread, run.id, read)) {
    const text = encoder.push([named(encoded, event)]);
    last = n;
    if (text !== "" && n > after) yield text;
    if (event.type === "response-end" || event.type === "error") {
      const closing = encoder.end();
      // The closing frames belong to the last event.
      if (closing !== "" && n > after) yield closing;
      return;
    }
  }
  const cut = cutShort(options.signal);
  if (cut !== undefined) {
    const error = cutShortAt(cut, run.thread, run.id, Math.max(last, after), wire.id);
    yield encoder.push([{ type: "error", error }]) + encoder.end();
  } else if (options.signal?.aborted !== true && last > after) yield encoder.end();
}

/** The answer of a step as one object. Throws the error that ended it. */
export const wholeAnswer = async (
  store: ThreadStore,
  caller: Caller,
  encoded: EncodedRun,
  signal?: AbortSignal,
): Promise<ChatResponse> => {
  const { run, wire } = encoded;
  const folder = createFolder();
  const read = { after: run.stepFirst - 1, ...(signal === undefined ? {} : { signal }) };
  for await (const { event } of runEvents(store, caller, run.thread, run.id, read)) {
    if (event.type === "error") throw event.error;
    folder.push(named(encoded, event));
    if (event.type === "response-end") return folder.finish();
  }
  const cut = cutShort(signal);
  throw cut === undefined
    ? new GatewayError("cancelled", "The caller has gone.")
    : cutShortAt(cut, run.thread, run.id, run.stepFirst - 1, wire.id);
};

/** The wire that a run was asked on. */
export const wireOfRun = (spec: RunSpec): ClientWire => clientWires[spec.wire];
