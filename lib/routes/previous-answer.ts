// The answer that a message thread goes on from, found by its id alone, and what has become of it since.
import { GatewayError } from "../model/error.ts";
import { asString } from "../model/json.ts";
import { findRun, settleOverdue } from "../threads/closing.ts";
import { loadHead, type Thread } from "../threads/head.ts";
import { seqOfMessageId } from "../threads/keys.ts";
import { messageFacts } from "../threads/message-items.ts";
import { findItem } from "../threads/path.ts";
import type { Run } from "../threads/run-items.ts";
import type { Caller, ThreadStore } from "../threads/store.ts";
import { runOfAnswer } from "../turns/ids.ts";

export type Previous = {
  /** `open`: it may be gone on from. `in-flight`: it is still being made, or another call goes on from it. `continued`: that is over. */
  state: "open" | "in-flight" | "continued";
  run: Run;
  /** Its message, where that is not the active leaf: a turn that went on from it has failed, and this one stands beside it. */
  parentId?: string;
  /** The number of the active leaf as it was read. */
  leaf: number;
  /** Calls that wait for their results. */
  pending: readonly string[];
  /** It ended before it was finished, and goes on without a new message. */
  paused: boolean;
};

export const threadNotFound = (): GatewayError =>
  new GatewayError(
    "thread_not_found",
    "thread.previous_message_id: there is no such answer; create a thread with the whole history.",
    { param: "thread.previous_message_id" },
  );

const prefix = "msg_";

/** An answer was given whole: what broke off is not gone on from, and its caller never got an end. */
const reasonOf = (run: Run): string | undefined => asString(run.result?.["reason"]);

/** The number of the message that a run's own first message follows. */
const parentOfRun = async (store: ThreadStore, head: Thread, run: Run): Promise<number> => {
  const item = await findItem(store, head, run.firstInput ?? head.leaf);
  if (item === undefined) return head.leaf;
  const facts = messageFacts(item.item);
  return facts.run === run.id ? facts.parentSeq : head.leaf;
};

/** The active leaf belongs to a turn that followed the answer and came to nothing. */
const isFailedTry = async (store: ThreadStore, head: Thread, answer: number): Promise<boolean> => {
  const leaf = await findItem(store, head, head.leaf);
  const id = leaf === undefined ? undefined : messageFacts(leaf.item).run;
  const run = id === undefined ? undefined : await findRun(store, head.space, head.id, id);
  if (run === undefined || reasonOf(run) !== undefined) return false;
  return (await parentOfRun(store, head, run)) === answer;
};

/** Throws `thread_not_found` where there is no such answer, it never became whole, or it is another owner's. */
export const findPrevious = async (store: ThreadStore, caller: Caller, id: string): Promise<Previous> => {
  const place = id.startsWith(prefix) ? runOfAnswer(id.slice(prefix.length)) : undefined;
  if (place === undefined) throw threadNotFound();
  const head = await settleOverdue(store, await loadHead(store, caller, place.thread));
  const run = await findRun(store, caller.space, place.thread, place.run);
  if (run === undefined) throw threadNotFound();
  const found = {
    run,
    leaf: head.leaf,
    pending: head.parked === run.id ? run.pending : [],
    paused: reasonOf(run) === "pause" || reasonOf(run) === "compaction",
  };
  if (run.state === "in_progress" || run.state === "queued") return { ...found, state: "in-flight" };
  if (reasonOf(run) === undefined) throw threadNotFound();
  const answer = await answerOf(store, head, run);
  if (answer === undefined) throw threadNotFound();
  if (head.run !== undefined) {
    const other = await findRun(store, caller.space, place.thread, head.run);
    const follows = other !== undefined && (await parentOfRun(store, head, other)) === answer.seq;
    return { ...found, state: follows ? "in-flight" : "continued" };
  }
  if (head.leaf === answer.seq) return { ...found, state: "open" };
  return (await isFailedTry(store, head, answer.seq))
    ? { ...found, state: "open", parentId: answer.id }
    : { ...found, state: "continued" };
};

/** The message that a run made; where it said nothing, the last one that it was sent. */
const answerOf = async (
  store: ThreadStore,
  head: Thread,
  run: Run,
): Promise<{ id: string; seq: number } | undefined> => {
  const seq = run.output === undefined ? run.lastInput : seqOfMessageId(run.output);
  const item = seq === undefined ? undefined : await findItem(store, head, seq);
  return item === undefined ? undefined : messageFacts(item.item);
};
