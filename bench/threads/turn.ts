// One turn on a thread as a run carries it out, its model's answer made up: what a store sees of it, on a clock of its own.
import { estimatePartTokens } from "../../lib/chat/estimate.ts";
import type { StreamEvent } from "../../lib/model/event.ts";
import type { Message } from "../../lib/model/message.ts";
import { appendMessages, messagesPerTransaction } from "../../lib/threads/append.ts";
import { loadContext, planSummary, storeSummary } from "../../lib/threads/context.ts";
import { endTurn } from "../../lib/threads/end-turn.ts";
import { createEventWriter } from "../../lib/threads/event-log.ts";
import type { ContextStrategy } from "../../lib/threads/head.ts";
import { createHub } from "../../lib/threads/hub.ts";
import { holdLease } from "../../lib/threads/lease.ts";
import { findHead } from "../../lib/threads/head.ts";
import { startTurn } from "../../lib/threads/start-turn.ts";
import { type Caller, type Clock, defaultLimits, type ThreadStore } from "../../lib/threads/store.ts";
import { createThread } from "../../lib/threads/threads.ts";
import { createFolder } from "../../lib/wires/shared/fold.ts";
import type { Tally } from "./tally.ts";

export const caller: Caller = { space: "bench", owner: "bench" };

/** A question of about 50 tokens, an answer of 200 words at 25 a second. */
const question = "What did the weaver say about the warp and the weft of this very cloth, and who asked? ".repeat(3);
export const answerWords = 200;
const wordMs = 40;
const word = (at: number): string => `${["warp", "weft", "heddle", "shuttle", "selvedge"][at % 5]} `;
const answer = Array.from({ length: answerWords }, (_, at) => word(at)).join("");

type VirtualClock = Clock & { advance: (ms: number) => void };

const createClock = (): VirtualClock => {
  let now = Date.now();
  const sleepers = new Set<{ at: number; wake: () => void }>();
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const sleeper = {
          at: now + ms,
          wake: () => {
            sleepers.delete(sleeper);
            signal.removeEventListener("abort", sleeper.wake);
            resolve();
          },
        };
        signal.addEventListener("abort", sleeper.wake);
        sleepers.add(sleeper);
        if (signal.aborted) sleeper.wake();
      }),
    advance: (ms) => {
      now += ms;
      for (const sleeper of sleepers) if (sleeper.at <= now) sleeper.wake();
    },
  };
};

export type Bench = { store: ThreadStore; clock: VirtualClock; tally: Tally };

let ids = 0;
export const openBench = (tally: Tally): Bench => {
  const clock = createClock();
  return {
    tally,
    clock,
    store: {
      table: tally.table,
      blobs: tally.blobs,
      clock,
      newId: () => (ids += 1).toString(36).padStart(24, "0"),
      hub: createHub(),
      limits: defaultLimits,
      tokensOf: estimatePartTokens,
      foldEvents: (events) => {
        const folder = createFolder();
        for (const event of events) folder.push(event);
        return { parts: folder.partial().parts };
      },
    },
  };
};

const says = (role: Message["role"], text: string): Message => ({ role, parts: [{ type: "text", text }] });

export const newThread = async ({ store }: Bench, strategy: ContextStrategy): Promise<string> =>
  (await createThread(store, caller, { strategy, system: "You are a weaver's assistant.", title: "bench" })).thread.id;

/** Adds questions and answers until the thread has this many messages. */
export const fill = async ({ store }: Bench, thread: string, messages: number): Promise<void> => {
  for (;;) {
    const head = await findHead(store, caller.space, thread);
    const missing = messages - (head?.nextSeq ?? 0);
    if (missing <= 0) return;
    await appendMessages(
      store,
      caller,
      thread,
      Array.from({ length: Math.min(missing, messagesPerTransaction - 1) }, (_, at) => ({
        message: at % 2 === 0 ? says("user", question) : says("assistant", answer),
      })),
    );
  }
};

export type TurnTimes = { startMs: number; contextMs: number; endMs: number; contextTokens: number };

/** `window` in tokens, of which the answer may take a tenth. */
export const runTurn = async (bench: Bench, thread: string, window: number): Promise<TurnTimes> => {
  const { store, clock, tally } = bench;
  const share = { window, output: Math.floor(window / 10), fixed: 200 };
  tally.phase("start");
  const began = performance.now();
  const started = await startTurn(store, caller, thread, {
    messages: [{ message: says("user", question) }],
    run: { request: { model: "some/model", stream: true, tools: [] } },
  });
  if (started.kind !== "started") throw new Error("The thread is busy.");
  const startMs = performance.now() - began;
  const { lease } = started;
  const held = holdLease(store, lease);

  tally.phase("context");
  const asked = performance.now();
  const context = await loadContext(store, lease.head, { maker: "bench", ...share });
  const contextMs = performance.now() - asked;

  tally.phase("stream");
  const place = { space: lease.head.space, thread: lease.head.id, run: lease.run };
  const writer = createEventWriter(store, place, lease.fence, lease.firstEvent);
  writer.answeredBy({ provider: "some", model: "model", maker: "bench" });
  const say = async (event: StreamEvent): Promise<void> => {
    writer.write(event);
    await tally.idle();
  };
  await say({ type: "response-start", id: "", model: "model" });
  await say({ type: "part-start", index: 0, part: { type: "text", text: "" } });
  for (let at = 0; at < answerWords; at += 1) {
    clock.advance(wordMs);
    await say({ type: "part-delta", index: 0, delta: { type: "text", text: word(at) } });
  }
  await say({ type: "part-end", index: 0 });
  const usage = { input: context.tokens, output: answerWords };
  writer.write({ type: "response-end", reason: "end", usage });
  await held.stop();

  tally.phase("end");
  const ending = performance.now();
  await endTurn(store, lease, writer, {
    state: "completed",
    message: says("assistant", answer),
    maker: "bench",
    usage: { provider: "some", model: "model", usage, cost: 0.001 },
    estimatedInput: context.tokens,
    result: { model: "model", reason: "end", provider: "some", providerModel: "model" },
  });
  const endMs = performance.now() - ending;

  tally.phase("summary");
  const head = await findHead(store, caller.space, thread);
  const plan = head === undefined ? undefined : await planSummary(store, head, share);
  if (head !== undefined && plan !== undefined)
    await storeSummary(store, head, plan, "What was said so far. ".repeat(60));
  tally.phase("between");
  return { startMs, contextMs, endMs, contextTokens: context.tokens };
};
