// A run that waited for its tools goes on with their outputs.
import { GatewayError, invalid } from "../model/error.ts";
import { findRun, settleOverdue } from "./closing.ts";
import { contention, headAt, loadHead, unmoved } from "./head.ts";
import { threadPartition } from "./keys.ts";
import { leafOf, type NewMessage, placeMessages } from "./message-items.ts";
import { checkMessages, headAfter, messagesPerTransaction } from "./append.ts";
import { knownMessages } from "./claims.ts";
import { type Run, runAt } from "./run-items.ts";
import { type Caller, contentionTries, type ThreadStore } from "./store.ts";
import { answered, findKnownTurn, leaseOn, type TurnStart } from "./turns.ts";

/** The outputs of a parked run's tools: the run goes on under a new lease. All of its calls must be answered. */
export const resumeTurn = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  id: string,
  messages: readonly NewMessage[],
): Promise<Exclude<TurnStart, { kind: "queued" }>> => {
  checkMessages(messages);
  if (messages.length > messagesPerTransaction)
    throw invalid("tool_outputs", `expected at most ${messagesPerTransaction} messages`);
  for (let tried = 0; tried < contentionTries; tried += 1) {
    const head = await settleOverdue(store, await loadHead(store, caller, thread));
    const run = await findRun(store, caller.space, thread, id);
    if (run === undefined) throw new GatewayError("not_found", "No such run.", { param: "run_id" });
    if (head.parked !== id || run.state !== "requires_action") {
      const known = await knownMessages(store, head, messages);
      const before = known.size === 0 ? undefined : await findKnownTurn(store, head, messages, known);
      if (before?.kind === "known") return before;
      throw new GatewayError("conflict", "The run doesn't wait for tool outputs.", { param: "run_id" });
    }
    const answers = answered(messages);
    const missing = run.pending.filter((call) => !answers.has(call));
    if (missing.length > 0)
      throw invalid("tool_outputs", `expected an output for each of the run's calls; missing: ${missing.join(", ")}`);
    const now = store.clock.now();
    const fence = head.fence + 1;
    const { placed, operations, last } = await placeMessages(store, head, head.nextSeq, leafOf(head), messages, {
      run: id,
    });
    const stepFirst = run.nextFirst ?? run.stepFirst;
    const resumed: Run = {
      ...run,
      state: "in_progress",
      step: run.step + 1,
      stepFirst,
      pending: [],
      lastInput: last.seq,
    };
    const written = await store.table.transact(threadPartition(caller.space, thread), [
      {
        update: headAt(caller.space, thread),
        change: {
          set: {
            ...headAfter(store, head, placed.length, last),
            fence,
            run: id,
            leaseUntil: now + store.limits.leaseMs,
          },
          remove: ["parked", "parkedUntil", "cancel"],
        },
        condition: unmoved(head),
      },
      ...operations,
      {
        update: runAt(caller.space, thread, id),
        change: {
          set: { state: resumed.state, step: resumed.step, stepFirst, lastInput: last.seq, pending: [] },
        },
        condition: { item: "present", fields: [{ field: "state", is: "=", value: "requires_action" }] },
      },
    ]);
    if (written.ok) {
      store.hub.wake(id);
      return {
        kind: "started",
        lease: leaseOn(head, resumed, fence, placed.length, last),
        run: resumed,
        messages: placed,
      };
    }
  }
  throw contention();
};
