// What a turn asks of its store, however long its thread is: `npm run bench:threads` tells it in full, for all three stores.
import { expect, test } from "vitest";
import { createTally } from "../../bench/threads/tally.ts";
import { fill, newThread, openBench, runTurn } from "../../bench/threads/turn.ts";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import { createMemoryBlobs } from "./setup.ts";

const window = 8_192;

test("two transactions a turn beside its events, appends that stay the same, reads that the window bounds", async () => {
  const tally = createTally(await openSqlite({ file: ":memory:" }), createMemoryBlobs());
  const bench = openBench(tally);
  const thread = await newThread(bench, "window");
  const written: number[] = [];
  for (const size of [10, 100, 2_000]) {
    await fill(bench, thread, size);
    tally.take();
    const { contextTokens } = await runTurn(bench, thread, window);
    const counts = tally.take();
    const count = (phase: string) => counts.get(phase);
    expect(count("start")).toMatchObject({ transactions: 1, singleWrites: 0, itemsWritten: 3, gets: 1, queries: 0 });
    expect(count("context")).toMatchObject({ transactions: 0, singleWrites: 0 });
    expect(count("stream")).toMatchObject({ transactions: 0, gets: 0, queries: 0 });
    // Eight seconds of words: a block a second, the first event at once, one renewal of the lease.
    expect(count("stream")?.singleWrites).toBeLessThanOrEqual(10);
    expect(count("end")).toMatchObject({ transactions: 1, singleWrites: 0, itemsWritten: 5, gets: 0, queries: 0 });
    expect(contextTokens).toBeLessThanOrEqual(window);
    expect(count("context")?.itemsRead).toBeLessThanOrEqual(100);
    written.push([...counts.values()].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0));
  }
  const [few = 0] = written;
  for (const bytes of written) expect(Math.abs(bytes - few)).toBeLessThan(few / 50);
  await bench.store.table.close();
});
