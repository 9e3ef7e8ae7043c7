// Streams of other routes than chat under an Idempotency-Key: they go to their end, whoever listens.
import { expect, test } from "vitest";
import type { Headers, Reply } from "../../lib/model/call.ts";
import { onceUnder } from "../../lib/routes/idempotent.ts";
import { maxKeptBytes } from "../../lib/routes/idempotent-stream.ts";
import type { Route, RouteContext } from "../../lib/routes/route.ts";
import { cancelRun } from "../../lib/threads/runs.ts";
import { startTurn } from "../../lib/threads/start-turn.ts";
import { createThread } from "../../lib/threads/threads.ts";
import { settleOverdue } from "../../lib/threads/closing.ts";
import { loadHead } from "../../lib/threads/head.ts";
import { clientWires } from "../../lib/wires/index.ts";
import { createTestStore, type TestStore } from "../threads/setup.ts";
import { spaceCaller } from "../../lib/routes/turns.ts";

const person = { tenant: "acme", owner: "alice" };
const alice = spaceCaller(person);

type Streamed = { route: Route; context: RouteContext; calls: () => number; waited: Promise<unknown>[] };

/** A route that streams these pieces; its caller has gone where `gone` is true. */
const streamed = (store: TestStore, pieces: () => AsyncIterable<string>, headers: Headers = {}): Streamed => {
  let calls = 0;
  const waited: Promise<unknown>[] = [];
  const route: Route = {
    method: "POST",
    pattern: /./,
    action: "models:call",
    handle: () => {
      calls += 1;
      return { status: 200, headers: { "content-type": "text/plain", ...headers }, body: pieces() };
    },
  };
  const context = {
    call: { method: "POST", path: "/threads/t/messages/stream", query: "", headers: {}, body: new Uint8Array() },
    invocation: { waitUntil: (work: Promise<unknown>) => void waited.push(work), signal: AbortSignal.abort() },
    caller: person,
    wire: clientWires["openai-chat"],
    services: { threads: async () => ({ store }) },
  } as unknown as RouteContext;
  return { route, context, calls: () => calls, waited };
};

const words = async function* (): AsyncGenerator<string> {
  for (const word of ["one ", "two ", "three"]) yield word;
};

const iteratorOf = ({ body }: Reply): AsyncIterator<unknown> => {
  if (typeof body === "string" || body instanceof Uint8Array) throw new Error("not a stream");
  return body[Symbol.asyncIterator]();
};
const readAll = async (reply: Reply): Promise<string> => {
  const iterator = iteratorOf(reply);
  let text = "";
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) text += String(next.value);
  return text;
};

test("a caller that leaves finds the whole answer when it comes back", async () => {
  const { route, context, calls, waited } = streamed(createTestStore(), words);
  const iterator = iteratorOf(await onceUnder("key", context, route));
  expect(await iterator.next()).toEqual({ done: false, value: "one " });
  await iterator.return?.();
  await Promise.all(waited);
  const again = await onceUnder("key", context, route);
  expect(again).toMatchObject({ body: "one two three", headers: { "idempotent-replayed": "true" } });
  expect(calls()).toBe(1);
});

test("a stream that breaks is no answer", async () => {
  const broken = async function* (): AsyncGenerator<string> {
    yield "one ";
    throw new Error("broken");
  };
  const store = createTestStore();
  const { route, context } = streamed(store, broken);
  await expect(readAll(await onceUnder("key", context, route))).rejects.toThrow("broken");
  const better = streamed(store, words);
  expect(await readAll(await onceUnder("key", better.context, better.route))).toBe("one two three");
});

test("nor is one that tells how its run failed; one that somebody stopped is", async () => {
  const store = createTestStore();
  const message = { role: "user" as const, parts: [{ type: "text" as const, text: "hi" }] };
  for (const [end, kept] of [
    ["expired", false],
    ["cancelled", true],
  ] as const) {
    const { thread } = await createThread(store, alice);
    const { run } = await startTurn(store, alice, thread.id, { messages: [{ message }] });
    await store.clock.advance(store.limits.leaseMs + 1);
    if (end === "cancelled") await cancelRun(store, alice, thread.id, run.id);
    else await settleOverdue(store, await loadHead(store, alice, thread.id));
    const { route, context, calls } = streamed(store, words, { "heddle-thread": thread.id, "heddle-run": run.id });
    await readAll(await onceUnder(end, context, route));
    await onceUnder(end, context, route);
    expect(calls()).toBe(kept ? 1 : 2);
  }
});

test("an answer too long to keep goes out whole, and again when asked again", async () => {
  const long = async function* (): AsyncGenerator<string> {
    for (let at = 0; at < 9; at += 1) yield "x".repeat(maxKeptBytes / 8);
  };
  const { route, context, calls } = streamed(createTestStore(), long);
  for (const time of [1, 2]) {
    expect(await readAll(await onceUnder("key", context, route))).toHaveLength((maxKeptBytes / 8) * 9);
    expect(calls()).toBe(time);
  }
});

test("a call that goes on for long keeps its key", async () => {
  const store = createTestStore();
  const released = Promise.withResolvers<void>();
  const slow = async function* (): AsyncGenerator<string> {
    await released.promise;
    yield "late";
  };
  const { route, context } = streamed(store, slow);
  const reading = readAll(await onceUnder("key", context, route));
  await store.clock.advance(10 * 60_000);
  await expect(onceUnder("key", context, route)).rejects.toMatchObject({ status: 409 });
  released.resolve();
  expect(await reading).toBe("late");
  expect(await onceUnder("key", context, route)).toMatchObject({ body: "late" });
});
