// Turns: the one way by which every wire's routes begin, resume and follow runs.
import type { Demand, Permit } from "../limits/types.ts";
import type { Headers } from "../model/call.ts";
import type { JsonObject } from "../model/json.ts";
import { findRun } from "../threads/closing.ts";
import { findHead } from "../threads/head.ts";
import type { NewMessage } from "../threads/message-items.ts";
import { resumeTurn } from "../threads/resume-turn.ts";
import { loadRequest, type Run } from "../threads/run-items.ts";
import { startNext, startTurn } from "../threads/start-turn.ts";
import { sweep } from "../threads/sweep.ts";
import type { Started, TurnStart } from "../threads/turns.ts";
import { type Trace, traceOf } from "../telemetry/trace.ts";
import { runDemand } from "./demand.ts";
import { drive } from "./drive.ts";
import { createReminders } from "./reminders.ts";
import { threadRef } from "./ref.ts";
import type { TurnServices } from "./services.ts";
import { summarizeLater } from "./summaries.ts";
import type { NewTurn, RunSpec, Turn, TurnCall } from "./types.ts";

export type Turns = {
  /**
   * Begins a run on a thread. Throws what `startTurn` throws: `not_found`, `thread_busy`, `invalid_request`; nothing is written then.
   * `later`: it waits in any case, for the queue's worker.
   */
  begin: (call: TurnCall, turn: NewTurn) => Promise<Turn>;
  /** The outputs of a parked run's tools, as messages: the same run goes on. */
  resume: (call: TurnCall, thread: string, run: string, messages: readonly NewMessage[]) => Promise<Turn>;
  /** The spec that a run was begun with. */
  spec: (space: string, run: Run) => Promise<RunSpec>;
  /** Carries out the run that waits longest on a thread, if it is free, and those after it: for workers and sweepers. */
  work: (space: string, thread: string, over?: AbortSignal) => Promise<void>;
  /** Ends dead runs, deletes what is past its end, and takes up the runs that wait behind them. */
  sweep: (over?: AbortSignal) => Promise<void>;
};

const asJson = (spec: RunSpec): JsonObject => JSON.parse(JSON.stringify(spec)) as JsonObject;

const overOf = (over: AbortSignal | undefined): { over?: AbortSignal } => (over === undefined ? {} : { over });

export const createTurns = (services: TurnServices): Turns => {
  const { store, queue } = services;
  const reminders = createReminders(store.clock.now);

  const specOf = async (space: string, run: Run): Promise<RunSpec> =>
    (await loadRequest(store, space, run)) as unknown as RunSpec;

  /** Runs that wait behind one that ended are taken up by whoever ended it. */
  const next = async (space: string, thread: string, trace: Trace, over?: AbortSignal): Promise<void> => {
    for (let started = await startNext(store, space, thread); started !== undefined;) {
      const spec = await specOf(space, started.run);
      const rest: Promise<unknown>[] = [];
      const call = { trace, waitUntil: (work: Promise<unknown>) => void rest.push(work), ...overOf(over) };
      const ended = await drive(services, started, spec, call, "ask").done;
      await Promise.allSettled(rest);
      if (over?.aborted === true) return;
      started = ended?.waiting === true ? await startNext(store, space, thread) : undefined;
    }
  };

  /** Asked before anything is written; where no run begins, all is given back. */
  const permitted = async <T extends { kind: TurnStart["kind"] }>(
    demand: Demand,
    begin: () => Promise<T>,
  ): Promise<{ begun: T; permit: Permit | undefined }> => {
    const permit = await services.models.admit(demand);
    try {
      const begun = await begin();
      if (begun.kind !== "started") await permit?.settle(undefined);
      return { begun, permit };
    } catch (thrown) {
      await permit?.settle(undefined);
      throw thrown;
    }
  };

  const demandOf = async (space: string, thread: string, spec: RunSpec, messages: readonly NewMessage[]) =>
    runDemand(
      services.models,
      spec,
      await findHead(store, space, thread),
      messages.map(({ message }) => message),
    );

  const carryOut = (started: Started, spec: RunSpec, call: TurnCall, permit: Permit | undefined): Turn => {
    const { trace, waitUntil } = call;
    const { head } = started.lease;
    const driven = drive(services, started, spec, call, { permit });
    const after = async (): Promise<void> => {
      const ended = await driven.done;
      if (ended?.waiting === true) {
        if (queue === undefined) await next(head.space, head.id, trace, call.over);
        else await queue.send({ id: threadRef(head.space, head.id) });
      }
      if (ended !== undefined) await summarizeLater(services, head.space, head.id, spec, call);
    };
    // What comes after an answer fails on its own: the sweeper finds runs that wait.
    waitUntil(after().catch(() => undefined));
    return {
      kind: "started",
      thread: head.id,
      run: started.run,
      spec,
      begun: driven.begun,
      done: driven.done.then(() => undefined),
      headers: () => driven.meter.headers(),
    };
  };

  const standing = (kind: "queued" | "known", run: Run, spec: RunSpec): Turn => ({
    kind,
    thread: run.thread,
    run,
    spec,
    begun: Promise.resolve(),
    done: Promise.resolve(),
    headers: (): Headers => ({}),
  });

  const turnOf = async (begun: TurnStart, spec: RunSpec, call: TurnCall, permit: Permit | undefined): Promise<Turn> => {
    const { space } = call.caller;
    if (begun.kind === "started") return carryOut(begun, spec, call, permit);
    if (begun.kind === "known") return standing("known", begun.run, await specOf(space, begun.run));
    return standing("queued", begun.run, spec);
  };

  return {
    begin: async (call, { thread, spec, run, ...input }) => {
      const start = (): Promise<TurnStart> =>
        startTurn(store, call.caller, thread, { ...input, run: { ...run, request: asJson(spec) } });
      // What waits asks when its turn has come.
      const { begun, permit } =
        input.later === true
          ? { begun: await start(), permit: undefined }
          : await permitted(await demandOf(call.caller.space, thread, spec, input.messages), start);
      const turn = await turnOf(begun, spec, call, permit);
      if (turn.kind === "queued" && input.later === true) {
        if (queue !== undefined) await queue.send({ id: threadRef(call.caller.space, thread) });
        else call.waitUntil(next(call.caller.space, thread, call.trace, call.over).catch(() => undefined));
      }
      return turn;
    },
    resume: async (call, thread, run, messages) => {
      const found = await findRun(store, call.caller.space, thread, run);
      if (found === undefined) {
        // It says what is wrong.
        const begun = await resumeTurn(store, call.caller, thread, run, messages);
        return turnOf(begun, await specOf(call.caller.space, begun.run), call, undefined);
      }
      const spec = { ...(await specOf(call.caller.space, found)), caller: call.principal };
      const { begun, permit } = await permitted(await demandOf(call.caller.space, thread, spec, messages), () =>
        resumeTurn(store, call.caller, thread, run, messages),
      );
      return turnOf(begun, spec, call, permit);
    },
    spec: specOf,
    work: (space, thread, over) => next(space, thread, traceOf({}), over),
    sweep: async (over) => {
      const { waiting } = await sweep(store);
      if (queue === undefined) for (const { space, thread } of waiting) await next(space, thread, traceOf({}), over);
      else
        for (const id of reminders.due(waiting.map((each) => threadRef(each.space, each.thread))))
          await queue.send({ id });
    },
  };
};
