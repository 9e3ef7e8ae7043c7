// The end of a turn: one transaction with its answer, the run's state, the usage, the last events, and the lease given back.
import { GatewayError } from "../model/error.ts";
import { compact, type JsonObject } from "../model/json.ts";
import type { Message } from "../model/message.ts";
import type { Operation } from "../stores/table.ts";
import { findRun, runEnd } from "./closing.ts";
import { encodeError } from "./event-items.ts";
import { type EventWriter, fencedError } from "./event-log.ts";
import { contention, findHead, headAt, held } from "./head.ts";
import { threadPartition } from "./keys.ts";
import { decodeMessage, leafOf, placeMessages, type StoredMessage } from "./message-items.ts";
import { headAfter } from "./append.ts";
import { findItem } from "./path.ts";
import { hasEnded, type Run, usageItem, type UsageRecord } from "./run-items.ts";
import { contentionTries, type ThreadStore } from "./store.ts";
import type { Lease } from "./turns.ts";
import { settleRatio } from "./window.ts";

export type TurnEnd = {
  state: "completed" | "incomplete" | "failed" | "cancelled" | "requires_action";
  /** The answer; none is kept where it has no parts. */
  message?: Message;
  /** Whose model made it. */
  maker?: string;
  /** It was cut off: calls in it never run, and what is unfinished reaches no provider. */
  partial?: boolean;
  error?: GatewayError;
  /** Kept with the run for whoever reads it later; small. */
  result?: JsonObject;
  usage?: UsageRecord;
  /** What the input of this call was estimated at: the provider's own count corrects later estimates. */
  estimatedInput?: number;
};

export type TurnEnded = {
  state: Run["state"];
  message?: StoredMessage;
  /** Runs wait on this thread: `startNext`. */
  waiting: boolean;
};

/**
 * Everything a turn leaves behind, in one transaction with the last of its events; then readers see the end. Throws `conflict` where
 * another has taken the thread over: nothing is written then. After an outage it may be called again, and does its work once.
 */
export const endTurn = async (
  store: ThreadStore,
  lease: Lease,
  writer: EventWriter,
  end: TurnEnd,
): Promise<TurnEnded> => {
  const { head } = lease;
  const now = store.clock.now();
  const { message } = end;
  const { placed, operations, last } =
    message === undefined || message.parts.length === 0
      ? { placed: [], operations: [], last: leafOf(head) }
      : await placeMessages(store, head, head.nextSeq, leafOf(head), [{ message }], {
          run: lease.run,
          ...(end.maker === undefined ? {} : { maker: end.maker }),
          ...(end.partial === true ? { partial: true } : {}),
        });
  const pending =
    end.state === "requires_action"
      ? (message?.parts ?? []).flatMap((part) => (part.type === "tool-call" ? [part.callId] : []))
      : [];
  const isParked = end.state === "requires_action";
  const error = end.error ?? new GatewayError("internal", "The run ended without an answer.");
  const block = await writer.closing(end.state, error);
  const nextEvent = writer.next();
  const ratio = settleRatio(
    head.ratio,
    end.usage?.estimated === true ? undefined : end.usage?.usage.input,
    end.estimatedInput,
  );
  const operationsFor = (queue: readonly string[]): Operation[] => [
    {
      update: headAt(head.space, head.id),
      change: {
        set: compact<JsonObject>({
          ...headAfter(store, head, placed.length, last),
          ...(ratio === head.ratio ? {} : { ratio }),
          ...(isParked ? { parked: lease.run, parkedUntil: now + store.limits.parkedMs } : {}),
        }),
        remove: ["run", "leaseUntil", "cancel", ...(last.id === undefined ? ["leafId"] : [])],
      },
      condition: held(lease.fence, lease.run, queue),
    },
    ...operations,
    runEnd(
      head.space,
      head.id,
      lease.run,
      compact<JsonObject>({
        state: end.state,
        endedBy: lease.fence,
        endedAt: isParked ? undefined : now,
        pending: isParked ? pending : undefined,
        nextFirst: isParked ? nextEvent : undefined,
        output: placed[0]?.id,
        error: end.error === undefined ? undefined : encodeError(end.error),
        usage: end.usage?.usage,
        result: end.result,
      }),
      isParked,
    ),
    block,
    ...(end.usage === undefined
      ? []
      : [{ put: usageItem(head, lease.run, lease.step, now, end.usage), condition: { item: "absent" } } as const]),
  ];
  let queue: readonly string[] = head.queue;
  for (let tried = 0; tried < contentionTries; tried += 1) {
    const written = await store.table.transact(threadPartition(head.space, head.id), operationsFor(queue));
    if (written.ok) {
      await writer.closed(end.state);
      store.hub.wake(head.id);
      return compact<TurnEnded>({ state: end.state, message: placed[0], waiting: queue.length > 0 && !isParked });
    }
    const latest = await findHead(store, head.space, head.id);
    if (latest === undefined || latest.run !== lease.run || latest.fence !== lease.fence) {
      // It may be this very call that ended it, before an outage hid the answer.
      const run = await findRun(store, head.space, head.id, lease.run);
      if (
        run !== undefined &&
        run.endedBy === lease.fence &&
        (hasEnded(run.state) || run.state === "requires_action")
      ) {
        await writer.closed(run.state);
        const answer = await findItem(store, { ...head, nextSeq: head.nextSeq + 1 }, head.nextSeq);
        return compact<TurnEnded>({
          state: run.state,
          message:
            answer === undefined ? undefined : await decodeMessage(store, head.space, answer.thread, answer.item),
          waiting: (latest?.queue.length ?? 0) > 0,
        });
      }
      await writer.closed("lost");
      throw fencedError();
    }
    if (written.failed > 0) {
      await writer.closed("lost");
      throw fencedError();
    }
    queue = latest.queue;
  }
  throw contention();
};
