// A run's events as this API streams them: one frame an event, numbered, the same bytes live and replayed.
import { clientEncoderType, eventStreamHeaders } from "../../chat/answer.ts";
import { cutShort, cutShortAt } from "../../model/deadline.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import type { PartDelta, StreamEvent } from "../../model/event.ts";
import { compact, type JsonObject } from "../../model/json.ts";
import type { Headers, Reply } from "../../model/call.ts";
import { clientWireIds } from "../../model/wire-id.ts";
import { hasEnded, type Run } from "../../threads/run-items.ts";
import { getRun, runEvents } from "../../threads/runs.ts";
import { encodeRun } from "../../turns/encode.ts";
import type { RunSpec, Turn } from "../../turns/types.ts";
import { clientWires } from "../../wires/index.ts";
import type { RouteContext } from "../route.ts";
import { type Access, accessOf, runParam, threadParam } from "./access.ts";
import { problemObject, usageObject } from "./objects.ts";
import { encodeCitation, encodePart } from "./parts.ts";

const heartbeat = ": keep-alive\n\n";

const encodeDelta = (delta: PartDelta): JsonObject => {
  const { type } = delta;
  switch (delta.type) {
    case "text":
      return compact<JsonObject>({ type, text: delta.text, summary: delta.summary });
    case "arguments":
      return { type, text: delta.text };
    case "opaque":
      return { type, origin: delta.opaque.origin };
    case "citation":
      return { type, citation: encodeCitation(delta.citation) };
    case "data":
      return compact<JsonObject>({ type, base64: delta.base64, transcript: delta.transcript });
    case "native":
      return { type, wire: delta.wire };
  }
};

/** The same for the same event of the same run, whoever reads it and when. */
const encodeEvent = (event: StreamEvent, run: Run, spec: RunSpec): JsonObject => {
  const { type } = event;
  switch (event.type) {
    case "response-start":
      return compact<JsonObject>({
        type,
        thread_id: run.thread,
        run_id: run.id,
        model: event.model,
        created_at: run.createdAt,
        usage: event.usage === undefined ? undefined : usageObject(event.usage),
      });
    case "part-start":
      return compact<JsonObject>({ type, index: event.index, choice: event.choice, part: encodePart(event.part) });
    case "part-delta":
      return { type, index: event.index, delta: encodeDelta(event.delta) };
    case "part-end": {
      const citations = event.final?.citations?.map(encodeCitation);
      return compact<JsonObject>({ type, index: event.index, citations });
    }
    case "usage":
      return { type, usage: usageObject(event.usage) };
    case "choice-end":
      return compact<JsonObject>({ type, choice: event.choice, reason: event.reason, native: event.native });
    case "response-end":
      return compact<JsonObject>({
        type,
        reason: event.reason,
        native: event.native,
        stop_sequence: event.stopSequence,
        usage: event.usage === undefined ? undefined : usageObject(event.usage),
      });
    case "opaque":
      return compact<JsonObject>({ type, wire: event.wire, name: event.name });
    case "error":
      return { type, error: problemObject(event.error, spec.requestId) };
  }
};

const endsStep = ({ type }: StreamEvent): boolean => type === "response-end" || type === "error";

type Reading = { after: number; signal: AbortSignal; /** Ends with the step that it begins in. */ oneStep: boolean };

async function* nativeFrames(
  { store, caller }: Access,
  run: Run,
  spec: RunSpec,
  { oneStep, ...read }: Reading,
): AsyncGenerator<string> {
  let last = read.after;
  for await (const { n, event } of runEvents(store, caller, run.thread, run.id, read)) {
    last = n;
    yield `id: ${n}\nevent: ${event.type}\ndata: ${JSON.stringify(encodeEvent(event, run, spec))}\n\n`;
    if (oneStep && endsStep(event)) return;
  }
  const cut = cutShort(read.signal);
  if (cut === undefined) return;
  // It is no event of the run, and has no number: whoever joins again goes on after the last one that has.
  const error = cutShortAt(cut, run.thread, run.id, last);
  yield `event: error\ndata: ${JSON.stringify(encodeEvent({ type: "error", error }, run, spec))}\n\n`;
}

/** Nothing more is said in it, unless its tools' outputs come. */
const isStill = ({ state }: Run): boolean => hasEnded(state) || state === "requires_action";

/** Of a run that is still, the first frame is read before the answer begins: what fails then (its events are gone) is an ordinary error. */
const opened = async (frames: AsyncGenerator<string>, run: Run): Promise<AsyncIterable<string>> => {
  if (!isStill(run)) return frames;
  const first = await frames.next();
  return (async function* all(): AsyncGenerator<string> {
    try {
      if (first.done === true) return;
      yield first.value;
      yield* frames;
    } finally {
      await frames.return(undefined);
    }
  })();
};

/** The step that a call began, live. A run that was begun before is told from its first event on. */
export const streamTurn = async (access: Access, turn: Turn, signal: AbortSignal, headers: Headers): Promise<Reply> => {
  const { run, spec } = turn;
  const known = turn.kind === "known";
  const frames = nativeFrames(access, run, spec, { after: known ? 0 : run.stepFirst - 1, signal, oneStep: !known });
  return {
    status: 200,
    headers: { ...eventStreamHeaders(), ...headers },
    heartbeat,
    body: await opened(frames, run),
  };
};

/** Resolves when the step has ended, and so has been stored. Throws `cancelled` where the caller leaves before. */
export const stepEnd = async ({ store, caller }: Access, run: Run, signal: AbortSignal): Promise<void> => {
  const read = { after: run.stepFirst - 1, signal };
  for await (const { event } of runEvents(store, caller, run.thread, run.id, read)) if (endsStep(event)) return;
  const cut = cutShort(signal);
  if (cut !== undefined) throw cutShortAt(cut, run.thread, run.id, run.stepFirst - 1);
  if (signal.aborted) throw new GatewayError("cancelled", "The caller has gone.");
};

const numberOf = (text: string, param: string): number => {
  if (!/^\d{1,15}$/.test(text)) throw invalid(param, "expected the number of an event");
  return Number(text);
};

/** The last event that the reader has, where it says. A client that joins again says it in its header: that is the newer one. */
const cursorOf = (context: RouteContext): number | undefined => {
  const after = context.query().get("after");
  const fromQuery = after === null ? undefined : numberOf(after, "after");
  const header = context.call.headers["last-event-id"];
  return header === undefined || header === "" ? fromQuery : numberOf(header, "last-event-id");
};

/**
 * The run with the step that event `after` belongs to: a wire's answer is one step. Without a cursor the latest step that has begun.
 * Where a step lies is told by what ended the one before it: of a run that has ended, nothing else tells whether its last step began.
 */
const stepOf = async ({ store, caller }: Access, run: Run, after: number | undefined): Promise<Run> => {
  if (run.stepFirst === 1 || (!isStill(run) && (after === undefined || after >= run.stepFirst))) return run;
  let step = 0;
  let first = 1;
  let begins = true;
  for await (const { n, event } of runEvents(store, caller, run.thread, run.id)) {
    if (begins) {
      step += 1;
      first = n;
    }
    if (n >= (after ?? Number.POSITIVE_INFINITY)) break;
    begins = endsStep(event);
  }
  return { ...run, step, stepFirst: first };
};

export const eventsRoute = async (context: RouteContext): Promise<Reply> => {
  const access = await accessOf(context);
  const { store, caller, turns } = access;
  const after = cursorOf(context);
  const named = context.query().get("wire");
  const id = clientWireIds.find((each) => each === named);
  if (named !== null && id === undefined) throw invalid("wire", `expected one of ${clientWireIds.join(", ")}`);
  const run = await getRun(store, caller, threadParam(context), runParam(context));
  const spec = await turns.spec(caller.space, run);
  const { signal } = context.invocation;
  const wire = id === undefined ? undefined : clientWires[id];
  const frames =
    wire === undefined
      ? nativeFrames(access, run, spec, { after: after ?? 0, signal, oneStep: false })
      : encodeRun(
          store,
          caller,
          { run: await stepOf(access, run, after), spec: { ...spec, array: false }, wire },
          after === undefined ? { signal } : { after, signal },
        );
  return {
    status: 200,
    headers: {
      ...eventStreamHeaders(wire === undefined ? undefined : clientEncoderType(wire, false)),
      "heddle-thread": run.thread,
      "heddle-run": run.id,
    },
    heartbeat: wire?.heartbeat ?? heartbeat,
    body: await opened(frames, run),
  };
};
