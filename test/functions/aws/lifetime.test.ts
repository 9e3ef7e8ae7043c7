// An invocation's time, and bodies that misbehave: what fires when, what is waited for, and how a stream ends all the same.
import { Readable } from "node:stream";
import { text as textOf } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sendable } from "../../../functions/aws/body.ts";
import { boundsOf, openLifetime } from "../../../functions/shared/lifetime.ts";
import type { Reply } from "../../../lib/model/call.ts";

describe("an invocation's time", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  test("answers end ten seconds before the process does, runs four seconds later", async () => {
    const time = openLifetime(boundsOf(900_000), Date.now);
    expect(time.deadline).toBe(Date.now() + 890_000);
    await vi.advanceTimersByTimeAsync(889_999);
    expect(time.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(time.signal.reason).toMatchObject({ code: "upstream_timeout" });
    expect(time.over.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(time.over.aborted).toBe(true);
  });

  test("what is handed over is waited for, what it hands over too; no timer is left (F56)", async () => {
    const time = openLifetime(boundsOf(60_000), Date.now);
    const order: string[] = [];
    const later = async (name: string, ms: number): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      order.push(name);
    };
    time.waitUntil(later("first", 100).then(() => time.waitUntil(later("second", 100))));
    time.waitUntil(Promise.reject(new Error("its own affair")));
    const finished = time.finish(() => later("last", 10));
    await vi.advanceTimersByTimeAsync(300);
    await finished;
    expect(order).toEqual(["first", "second", "last"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("what never ends is left at the cut, and so is a last write that hangs", async () => {
    const time = openLifetime(boundsOf(30_000), Date.now);
    const never = new Promise<never>(() => undefined);
    time.waitUntil(never);
    let finished = false;
    void time.finish(() => never).then(() => (finished = true));
    await vi.advanceTimersByTimeAsync(27_999);
    expect(finished).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(finished).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a body", () => {
  const sent = async (body: Reply["body"], cut: Promise<void> = new Promise(() => undefined)) => {
    const broken: unknown[] = [];
    const readable = sendable(
      { body },
      {
        heartbeatMs: 10_000,
        cut,
        broken: (thrown) => {
          broken.push(thrown);
          return "<broken>";
        },
      },
    );
    return { text: readable instanceof Readable ? await textOf(readable) : readable, broken };
  };

  test("that throws in the middle ends with what is to be said", async () => {
    const thrown = new Error("in the middle");
    const { text, broken } = await sent(
      (async function* pieces() {
        yield "one ";
        yield Buffer.from("two ");
        throw thrown;
      })(),
    );
    expect(text).toBe("one two <broken>");
    expect(broken).toEqual([thrown]);
  });

  test("that hangs is cut, and let go", async () => {
    let cut = (): void => undefined;
    const cutting = new Promise<void>((resolve) => {
      cut = resolve;
    });
    let returned = false;
    const iterator: AsyncIterator<string> = {
      next: () => {
        cut();
        return new Promise(() => undefined);
      },
      return: async () => {
        returned = true;
        return { done: true, value: undefined };
      },
    };
    const { text, broken } = await sent({ [Symbol.asyncIterator]: () => iterator }, cutting);
    expect(text).toBe("<broken>");
    expect(broken).toEqual([undefined]);
    expect(returned).toBe(true);
  });

  test("that pushes and hangs is cut, and what it pushes afterwards goes nowhere", async () => {
    let cut = (): void => undefined;
    const cutting = new Promise<void>((resolve) => {
      cut = resolve;
    });
    let push: (piece: string) => void = () => undefined;
    const { text } = await sent(
      {
        [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
        flowTo: (sink) => {
          push = (piece) => void sink.write(piece);
          push("one ");
          setTimeout(cut, 5);
          return () => undefined;
        },
      },
      cutting,
    );
    push("late");
    expect(text).toBe("one <broken>");
  });

  test.each(["", "short", "x".repeat(100_000), new Uint8Array(0), Buffer.from("bytes")])(
    "that is whole",
    async (body) => {
      expect((await sent(body)).text).toBe(Buffer.from(body).toString());
    },
  );
});
