// What the sweeper tells of the queue each time: how many jobs wait, since when, and how many were given up.
import type { InvocationContext, Timer } from "@azure/functions";
import { QueueServiceClient } from "@azure/storage-queue";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRuntime, type Runtime } from "../../../functions/azure/runtime.ts";
import { createSweeper } from "../../../functions/azure/work.ts";
import { type LocalAzurite, startAzurite } from "../../support/azurite.ts";

let azurite: LocalAzurite;
let service: QueueServiceClient;
const written: string[] = [];
const metrics = (): string[] => written.filter((line) => line.startsWith('{"heddle.metrics":1'));

beforeAll(async () => {
  azurite = await startAzurite("queue");
  service = QueueServiceClient.fromConnectionString(azurite.connectionString());
  await service.createQueue("jobs");
});
afterAll(() => azurite.stop());
beforeEach(() => {
  written.length = 0;
});

const runtimeOf = (env: Record<string, string>): Runtime =>
  createRuntime({
    env,
    readFile: () => undefined,
    write: (line) => written.push(line),
    connections: { of: () => undefined, arrival: () => Promise.resolve(undefined), onForsaken: () => undefined },
  });
const sweep = async (runtime: Runtime): Promise<void> => {
  await createSweeper(runtime)({} as Timer, {} as InvocationContext);
};

describe("a sweep", () => {
  test("counts the jobs, and the dead letters as soon as there is a queue of them", async () => {
    const runtime = runtimeOf({ AzureWebJobsStorage: azurite.connectionString(), HEDDLE_QUEUE: "jobs" });
    await sweep(runtime);
    expect(metrics()).toEqual(['{"heddle.metrics":1,"JobsWaiting":0,"JobAge":0,"DeadJobs":0}']);
    await service.createQueue("jobs-poison");
    await service.getQueueClient("jobs").sendMessage("e30=", { visibilityTimeout: 3_600 });
    for (const text of ["YQ==", "Yg=="]) await service.getQueueClient("jobs-poison").sendMessage(text);
    await sweep(runtime);
    expect(metrics()[1]).toBe('{"heddle.metrics":1,"JobsWaiting":1,"JobAge":0,"DeadJobs":2}');
  });

  test("that can't look says so, and has not failed", async () => {
    const stranger = azurite.connectionString().replace(/AccountKey=[^;]+/, "AccountKey=YW5vdGhlciBrZXk=");
    for (const account of [{ AzureWebJobsStorage: stranger }, {}]) {
      written.length = 0;
      await sweep(runtimeOf({ ...account, HEDDLE_QUEUE: "jobs" }));
      expect(metrics()).toEqual([]);
      expect(written.map((line) => JSON.parse(line) as object)).toContainEqual(
        expect.objectContaining({ level: "error", message: "the queue could not be looked at" }),
      );
    }
  });

  test("that fails looks all the same, and has failed", async () => {
    const runtime = runtimeOf({
      AzureWebJobsStorage: azurite.connectionString(),
      HEDDLE_QUEUE: "jobs",
      HEDDLE_CONFIG: "/nowhere/heddle.yaml",
    });
    await expect(sweep(runtime)).rejects.toThrow("/nowhere/heddle.yaml");
    expect(metrics()).toHaveLength(1);
  });

  test("tells of no queue where there is none", async () => {
    await sweep(runtimeOf({ AzureWebJobsStorage: azurite.connectionString() }));
    expect(written).toEqual([]);
  });
});
