// A turn on a thread: what every wire's routes hand to the runs, and what they get back.
import type { Headers } from "../model/call.ts";
import type { JsonObject } from "../model/json.ts";
import type { ChatRequest } from "../model/request.ts";
import type { ClientWireId } from "../model/wire-id.ts";
import type { Run } from "../threads/run-items.ts";
import type { Caller } from "../auth/caller.ts";
import type { Caller as SpaceCaller } from "../threads/store.ts";
import type { TurnInput } from "../threads/turns.ts";
import type { Trace } from "../telemetry/trace.ts";

/** What a run was asked for, as it is stored with it: whoever carries it out, and whoever encodes its events, reads this alone. */
export type RunSpec = {
  /** The wire it was asked on: its words name what was dropped, and its stream is the default of a replay. */
  wire: ClientWireId;
  /** Gemini without `alt=sse`. */
  array?: boolean;
  /** As decoded, without its messages: those stand in the thread. */
  request: ChatRequest;
  /** Client headers that providers may want (betas). */
  headers: Headers;
  strict?: boolean;
  /** Who asked for it: whoever carries it out does so in their name, and within their limits. */
  caller: Caller;
  requestId: string;
  /** Fields of the caller's own that its answers tell again (Responses: `store`, `previous_response_id`, …). */
  echo?: JsonObject;
};

export type NewTurn = Omit<TurnInput, "run"> & {
  thread: string;
  spec: RunSpec;
  run?: { id?: string; metadata?: JsonObject };
};

/** Who calls, and what outlives the call. */
export type TurnCall = {
  caller: SpaceCaller;
  /** In whose name, and within whose limits, models are called. */
  principal: Caller;
  trace: Trace;
  /** The run goes on when its caller has gone; the platform waits for it. */
  waitUntil: (work: Promise<unknown>) => void;
  /** See `Invocation`. */
  over?: AbortSignal;
};

export type Turn = {
  /** `started`: this process carries it out. `queued`: it waits for others. `known`: it was begun before, by the same messages. */
  kind: "started" | "queued" | "known";
  thread: string;
  run: Run;
  spec: RunSpec;
  /**
   * Resolves when the first event is there, rejects where the run failed before: then nothing has been answered yet, and the error is
   * an ordinary one. At once where this process doesn't carry the run out.
   */
  begun: Promise<void>;
  /** Resolves when the step's end is stored (or, where others carry it out, at once); never rejects. */
  done: Promise<void>;
  /** `heddle-*` headers, as far as they are known now. */
  headers: () => Headers;
};
