// A process that is told to end: what heeds no signal is cut while there is still time to say so.
import { text as textOf } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { streamOf } from "../../../functions/shared/body.ts";
import { openLifetime } from "../../../functions/shared/lifetime.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("a stream that hangs ends with its wire's error, two seconds after the process is told", async () => {
  const time = openLifetime({ answerMs: 220_000, overMs: 228_000, cutMs: 228_000 }, Date.now);
  const hangs = async function* (): AsyncGenerator<string> {
    yield "data: one\n\n";
    await new Promise(() => undefined);
  };
  const broken = (thrown: unknown): string => `event: error\ndata: ${String(thrown)}\n\n`;
  const text = textOf(streamOf({ body: hangs() }, { heartbeatMs: 12_000, cut: time.cut, broken }));
  time.end();
  expect(time.signal.aborted && time.over.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await text).toBe("data: one\n\nevent: error\ndata: undefined\n\n");
  time.clear();
  expect(vi.getTimerCount()).toBe(0);
});
