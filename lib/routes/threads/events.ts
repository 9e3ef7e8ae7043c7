// A run's events as this API streams them: one frame an event, numbered, the same bytes live and replayed.
import { clientEncoderType, eventStreamHeaders } from "../../chat/answer.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import type { PartDelta, StreamEvent } from "../../model/event.ts";
import { compact, type JsonObject } from "../../model/json.ts";
import type { Headers, Reply } from "../../model/call.ts";
import { clientWireIds } from "../../model/wire-id.ts";
import { hasEnded, type Run } from "../../threads/run-items.ts";
import { getRun, runEvents } from "../../threads/runs.ts";
import { encodeRun } from "../../turns/encode.ts";
import type { RunSpec } from "../../turns/types.ts";
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
  for await (const { n, event } of runEvents(store, caller, run.thread, run.id, read)) {
    yield `id: ${n}\nevent: ${event.type}\ndata: ${JSON.stringify(encodeEvent(event, run, spec))}\n\n`;
    if (oneStep && endsStep(event)) return;
  }
}

/** The step that a call began, live. */
export const streamStep = (access: Access, run: Run, spec: RunSpec, signal: AbortSignal, headers: Headers): Reply => ({
  status: 200,
  headers: { ...eventStreamHeaders(), ...headers },
  heartbeat,
  body: nativeFrames(access, run, spec, { after: run.stepFirst - 1, signal, oneStep: true }),
});

/** Resolves when the step has ended, and so has been stored. Throws `cancelled` where the caller leaves before. */
export const stepEnd = async ({ store, caller }: Access, run: Run, signal: AbortSignal): Promise<void> => {
  const read = { after: run.stepFirst - 1, signal };
  for await (const { event } of runEvents(store, caller, run.thread, run.id, read)) if (endsStep(event)) return;
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
 * Where a step lies is only told by what ended the one before it.
 */
const stepOf = async ({ store, caller }: Access, run: Run, after: number | undefined): Promise<Run> => {
  const parked = run.state === "requires_action";
  // The place of a parked run's next step is known before it begins.
  const known = parked ? run.stepFirst - 1 : Number.POSITIVE_INFINITY;
  if (run.stepFirst === 1 || (!parked && (after === undefined || after >= run.stepFirst))) return run;
  const target = Math.max(1, Math.min(after ?? known, known, run.stepFirst - 1));
  let step = 1;
  let first = 1;
  for await (const { n, event } of runEvents(store, caller, run.thread, run.id)) {
    if (n >= target) break;
    if (endsStep(event)) {
      step += 1;
      first = n + 1;
    }
  }
  return { ...run, step, stepFirst: first };
};

/** The first frame is read before the answer begins: what fails then is an ordinary error. */
const opened = async (frames: AsyncGenerator<string>): Promise<AsyncIterable<string>> => {
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

export const eventsRoute = async (context: RouteContext): Promise<Reply> => {
  const access = await accessOf(context);
  const { store, caller, turns } = access;
  const after = cursorOf(context);
  const named = context.query().get("wire");
  const id = clientWireIds.find((each) => each === named);
  if (named !== null && id === undefined) throw invalid("wire", `expected one of ${clientWireIds.join(", ")}`);
  const run = await getRun(store, caller, threadParam(context), runParam(context));
  const spec = await turns.spec(caller.tenant, run);
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
    body: hasEnded(run.state) || run.state === "requires_action" ? await opened(frames) : frames,
  };
};
