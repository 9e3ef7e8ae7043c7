// A worker's dealings with its messages, without a queue or a store: what is hidden for how long, what fails, what is waited for.
import type { SQSEvent } from "aws-lambda";
import { expect, test } from "vitest";
import type { Runtime } from "../../../functions/aws/runtime.ts";
import { createSweeper } from "../../../functions/aws/sweep.ts";
import { createWorker } from "../../../functions/aws/work.ts";
import type { Gateway } from "../../../lib/gateway.ts";
import { createLog } from "../../../lib/telemetry/log.ts";
import { contextOf } from "./fake-lambda.ts";

type Job = (id: string, over: AbortSignal | undefined) => Promise<void>;

const setUp = (job: Job, change: { extend?: () => Promise<void>; sweep?: () => Promise<void> } = {}) => {
  const lines: string[] = [];
  const extended: [string, number][] = [];
  const naps: (() => void)[] = [];
  const done: string[] = [];
  const gateway = {
    work: job,
    sweep: change.sweep ?? (async () => void done.push("swept")),
    flush: async () => void done.push("flushed"),
  } as unknown as Gateway;
  const runtime: Runtime = {
    gateway: async () => gateway,
    queue: async () => ({
      send: async () => undefined,
      extend: async (receipt, seconds) => {
        extended.push([receipt, seconds]);
        await change.extend?.();
      },
    }),
    log: createLog({ level: "info", write: (line) => lines.push(line) }),
    clock: {
      now: Date.now,
      random: Math.random,
      // Time passes when the test says so.
      sleep: (_ms, signal) =>
        new Promise((resolve) => {
          naps.push(resolve);
          signal.addEventListener("abort", () => resolve(), { once: true });
        }),
    },
    finish: async (time, made) => time.finish(async () => made?.flush()),
    origins: [],
  };
  return { runtime, lines, extended, naps, done, worker: createWorker(runtime) };
};

const eventOf = (...ids: string[]): SQSEvent =>
  ({
    Records: ids.map((id) => ({ messageId: `m-${id}`, receiptHandle: `r-${id}`, body: JSON.stringify({ id }) })),
  }) as unknown as SQSEvent;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a message stays hidden for as long as its job goes on, and no longer", async () => {
  let end = (): void => undefined;
  const { worker, extended, naps, done } = setUp(
    () =>
      new Promise((resolve) => {
        end = resolve;
      }),
  );
  const working = worker(eventOf("a"), contextOf(60_000));
  await turn();
  expect(extended).toEqual([]);
  for (let beat = 1; beat <= 3; beat += 1) {
    naps.at(-1)?.();
    await turn();
    expect(extended).toHaveLength(beat);
  }
  expect(extended[0]).toEqual(["r-a", 120]);
  end();
  expect(await working).toEqual({ batchItemFailures: [] });
  await turn();
  expect(extended).toHaveLength(3);
  expect(done).toEqual(["flushed"]);
});

test("a renewal that fails ends no job", async () => {
  let end = (): void => undefined;
  const { worker, naps, lines } = setUp(
    () =>
      new Promise((resolve) => {
        end = resolve;
      }),
    { extend: () => Promise.reject(new Error("no")) },
  );
  const working = worker(eventOf("a"), contextOf(60_000));
  await turn();
  naps.at(-1)?.();
  await turn();
  end();
  expect(await working).toEqual({ batchItemFailures: [] });
  expect(lines.join()).toContain("could not be renewed");
});

test("jobs of a batch go on beside each other, and fail alone", async () => {
  const { worker, done } = setUp(async (id) => {
    if (id === "b") throw new Error("no store");
  });
  expect(await worker(eventOf("a", "b", "c"), contextOf(60_000))).toEqual({
    batchItemFailures: [{ itemIdentifier: "m-b" }],
  });
  expect(done).toEqual(["flushed"]);
});

test("a job is told when the time is over, before the process is stopped", async () => {
  const { worker } = setUp(
    (_id, over) =>
      new Promise((resolve) => {
        over?.addEventListener("abort", () => resolve(), { once: true });
      }),
  );
  expect(await worker(eventOf("a"), contextOf(300))).toEqual({ batchItemFailures: [] });
});

test("a worker without a gateway throws: the whole batch comes again", async () => {
  const { runtime } = setUp(async () => undefined);
  const broken = createWorker({ ...runtime, gateway: () => Promise.reject(new Error("no configuration")) });
  await expect(broken(eventOf("a"), contextOf(1_000))).rejects.toThrow("no configuration");
});

test("a sweep writes what it gathered, and throws what fails for the alarm to see", async () => {
  const well = setUp(async () => undefined);
  await createSweeper(well.runtime)({}, contextOf(1_000));
  expect(well.done).toEqual(["swept", "flushed"]);
  const ill = setUp(async () => undefined, { sweep: () => Promise.reject(new Error("no store")) });
  await expect(createSweeper(ill.runtime)({}, contextOf(1_000))).rejects.toThrow("no store");
  expect(ill.done).toEqual(["flushed"]);
});
