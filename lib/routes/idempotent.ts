// Idempotency-Key: the first call under a key is carried out, every later one gets its answer. Around any route that makes something.
import type { Headers, Reply } from "../model/call.ts";
import { asString } from "../model/json.ts";
import {
  abandonIdempotent,
  beginIdempotent,
  defaultLeaseMs,
  finishIdempotent,
  forgetIdempotent,
  type IdempotencyToken,
  type KeptAnswer,
  type KeptRun,
  renewIdempotent,
} from "../threads/idempotency.ts";
import { findHead } from "../threads/head.ts";
import { findRun, settleOverdue } from "../threads/closing.ts";
import { hasEnded, type Run } from "../threads/run-items.ts";
import type { ThreadStore } from "../threads/store.ts";
import type { Threads } from "../turns/open.ts";
import type { Turn } from "../turns/types.ts";
import { callHash } from "./idempotent-call.ts";
import { isChat, keepStream, keptBytes, maxKeptBytes } from "./idempotent-stream.ts";
import type { Route, RouteContext } from "./route.ts";
import { replyOfTurn, threadsOf, turnHeaders, spaceCaller } from "./turns.ts";

/** What only counts has nothing to keep. */
const makesNothing = /(?:\/count_tokens|\/input_tokens|:countTokens)$/;

const marked = (reply: Reply): Reply => ({ ...reply, headers: { ...reply.headers, "idempotent-replayed": "true" } });

const quietly = (work: Promise<unknown>): Promise<unknown> => work.catch(() => undefined);

/** Tells the store that the call is alive, until it is over; not for ever, as a reader may never come for its stream. */
const keepAlive = (store: ThreadStore, token: IdempotencyToken): (() => Promise<void>) => {
  const over = new AbortController();
  const until = store.clock.now() + 60 * 60_000;
  const renewing = async (): Promise<void> => {
    while (store.clock.now() < until) {
      await store.clock.sleep(defaultLeaseMs / 3, over.signal);
      if (over.signal.aborted) return;
      await quietly(renewIdempotent(store, token));
    }
  };
  const running = renewing();
  return async () => {
    over.abort();
    await running;
  };
};

/** The run's step as it was when its call began. */
const stepOf = (run: Run, { step, stepFirst }: KeptRun): Run =>
  step === undefined || stepFirst === undefined ? run : { ...run, step, stepFirst };

/** A failure is no answer to keep: the same call may succeed when it comes again. What somebody cancelled stays cancelled. */
const cameToNothing = (run: Run, kept: KeptRun): boolean =>
  run.step === (kept.step ?? run.step) &&
  hasEnded(run.state) &&
  run.state !== "cancelled" &&
  asString(run.result?.["reason"]) === undefined;

/** The kept run, where its thread is still there and it has or may have an answer. */
const findKept = async ({ store }: Threads, context: RouteContext, kept: KeptRun): Promise<Run | undefined> => {
  const caller = spaceCaller(context.caller);
  const head = await findHead(store, caller.space, kept.thread);
  if (head === undefined || head.owner !== caller.owner) return undefined;
  // A run whose process died is ended here and now, so that the call is not bound to it.
  await settleOverdue(store, head);
  const run = await findRun(store, caller.space, kept.thread, kept.run);
  return run === undefined || cameToNothing(run, kept) ? undefined : stepOf(run, kept);
};

/** Undefined where the run that is named came to nothing. */
const replay = async (
  threads: Threads,
  context: RouteContext,
  route: Route,
  answer: KeptAnswer,
): Promise<Reply | undefined> => {
  const { run: kept, status, headers } = answer;
  if (kept === undefined) {
    const body = answer.body ?? "";
    return { status, headers, body: answer.binary === true ? Buffer.from(body, "base64") : body };
  }
  const run = await findKept(threads, context, kept);
  if (run === undefined) return undefined;
  const turn: Turn = {
    kind: "known",
    thread: kept.thread,
    run,
    spec: await threads.turns.spec(spaceCaller(context.caller).space, run),
    begun: Promise.resolve(),
    done: Promise.resolve(),
    headers: (): Headers => headers,
  };
  return (route.replay ?? replyOfTurn)(context, turn);
};

/** Whether the run that an answer names failed: the answer tells a failure then, whatever its status. */
const tellsFailure = async (store: ThreadStore, context: RouteContext, headers: Headers): Promise<boolean> => {
  const { "heddle-thread": thread, "heddle-run": id } = headers;
  if (thread === undefined || id === undefined) return false;
  const run = await findRun(store, spaceCaller(context.caller).space, thread, id);
  return run !== undefined && cameToNothing(run, { thread, run: id });
};

/** The first call. An answer is kept before it is whole on its way; whatever made nothing leaves the key free. */
const carryOut = async (
  { store }: Threads,
  context: RouteContext,
  route: Route,
  key: string,
  token: IdempotencyToken,
): Promise<Reply> => {
  const stop = keepAlive(store, token);
  let named: KeptRun | undefined;
  const begun = async (turn: Turn): Promise<void> => {
    const { id, step, stepFirst } = turn.run;
    named = { thread: turn.thread, run: id, step, stepFirst };
    await stop();
    // The run goes on whether or not it could be named: its first caller gets it in any case.
    await quietly(finishIdempotent(store, token, { status: 200, headers: turnHeaders(turn), run: named }));
  };
  const free = async (): Promise<void> => {
    await stop();
    await quietly(abandonIdempotent(store, token));
  };
  try {
    const signal = isChat(context.call.path)
      ? context.invocation.signal
      : (context.invocation.over ?? new AbortController().signal);
    const reply = await route.handle({ ...context, invocation: { ...context.invocation, signal }, begun });
    if (named !== undefined) return reply;
    const { status, body } = reply;
    if (status >= 400) {
      await free();
      return reply;
    }
    const keep = async (bytes: Uint8Array): Promise<void> => {
      if ((await quietly(tellsFailure(store, context, reply.headers))) === true) return free();
      await stop();
      await quietly(finishIdempotent(store, token, { status, headers: { ...reply.headers }, ...keptBytes(bytes) }));
    };
    if (typeof body !== "string" && !(body instanceof Uint8Array))
      return { ...reply, body: keepStream(context, reply.headers, body, { keep, free }) };
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    await (bytes.length > maxKeptBytes ? free() : keep(bytes));
    return reply;
  } catch (thrown) {
    await free();
    if (named !== undefined) await quietly(forgetFailed(store, context, key, named));
    throw thrown;
  }
};

/** A caller that has gone, or a store that is down for a moment, takes nothing from the run. */
const forgetFailed = async (store: ThreadStore, context: RouteContext, key: string, named: KeptRun): Promise<void> => {
  const caller = spaceCaller(context.caller);
  const run = await findRun(store, caller.space, named.thread, named.run);
  if (run === undefined || cameToNothing(run, named)) await forgetIdempotent(store, caller, key, named);
};

const mostTries = 3;

/**
 * The answer of a POST under its key. Throws `idempotency_mismatch` (422) where the key was used for another call, `conflict` (409,
 * to be tried again) while the first is being carried out.
 */
export const onceUnder = async (key: string, context: RouteContext, route: Route): Promise<Reply> => {
  if (makesNothing.test(context.call.path)) return route.handle(context);
  const threads = await threadsOf(context);
  const { store } = threads;
  const caller = spaceCaller(context.caller);
  const hash = callHash(context.call);
  for (let tried = 1; ; tried += 1) {
    const begun = await beginIdempotent(store, caller, key, hash);
    if (begun.kind === "new") return carryOut(threads, context, route, key, begun.token);
    const reply = await replay(threads, context, route, begun.answer);
    if (reply !== undefined) return marked(reply);
    if (begun.answer.run !== undefined && tried < mostTries)
      await forgetIdempotent(store, caller, key, begun.answer.run);
    else return route.handle(context);
  }
};
