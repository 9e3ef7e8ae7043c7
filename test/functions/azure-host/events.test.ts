// The local Functions host's queues and timers: at least once, again after a failure, to the poison queue in the end; and by hand.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { QueueServiceClient } from "@azure/storage-queue";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSchedule } from "../../../functions/local/azure/schedule.ts";
import { startFunctions, type TestFunctions } from "../../support/azure.ts";
import { type LocalAzurite, startAzurite } from "../../support/azurite.ts";
import { dataFolder } from "../../support/data.ts";
import { until } from "../../support/gateway.ts";

const app = new URL("./app", import.meta.url).pathname;

describe("queues", () => {
  let azurite: LocalAzurite;
  let functions: TestFunctions;
  let service: QueueServiceClient;
  beforeAll(async () => {
    azurite = await startAzurite("queue");
    service = QueueServiceClient.fromConnectionString(azurite.connectionString());
    functions = await startFunctions(app, {
      env: { AzureWebJobsStorage: azurite.connectionString(), TRIAL_QUEUE: "jobs" },
      leaseMs: 2_000,
    });
    // The queue comes after the host, which waits for it.
    await service.createQueue("jobs");
  });
  afterAll(async () => {
    await functions.stop();
    await azurite.stop();
  });

  const send = async (body: unknown): Promise<void> => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    await service.getQueueClient("jobs").sendMessage(Buffer.from(text).toString("base64"));
  };
  const worked = (text: string): number => functions.output.filter((line) => line.includes(text)).length;
  const buried = async (): Promise<string[]> => {
    const { peekedMessageItems } = await service.getQueueClient("jobs-poison").peekMessages({ numberOfMessages: 32 });
    return peekedMessageItems.map(({ messageText }) => messageText);
  };

  test("a message is worked once, as the library gives it", async () => {
    await send({ id: "first" });
    await until(() => worked('"first"') === 1, "the message is worked");
    expect(functions.output).toContain('{"worked":{"id":"first"},"dequeueCount":1,"id":"string"}');
    await until(() => functions.logs.some((line) => /^Executed 'Functions.worker' \(Succeeded/.test(line)), "its end");
    const { approximateMessagesCount } = await service.getQueueClient("jobs").getProperties();
    expect(approximateMessagesCount).toBe(0);
  });

  test("one that failed comes again", async () => {
    await send({ act: "fail-once" });
    await until(() => worked('"fail-once"') === 2, "it is worked again");
    expect(functions.output).toContain('{"worked":{"act":"fail-once"},"dequeueCount":2,"id":"string"}');
  });

  test("one whose worker dies comes again, and finds a new one", async () => {
    await send({ act: "exit" });
    await until(() => worked('{"act":"exit"},"dequeueCount":2') === 1, "it is worked again");
  });

  test("one that fails too often is poison, and so is one that can't be read", async () => {
    await send({ act: "fail" });
    await service.getQueueClient("jobs").sendMessage("no base64!");
    await until(() => functions.logs.filter((line) => line.includes("jobs-poison")).length === 2, "both are buried");
    await expect
      .poll(async () => (await buried()).toSorted())
      .toEqual([Buffer.from('{"act":"fail"}').toString("base64"), "no base64!"]);
    expect(worked('{"act":"fail"}')).toBe(3);
  });

  test("one that takes longer than it is hidden is renewed, not given out twice", async () => {
    await send({ act: "slow" });
    const ended = (): number =>
      functions.logs.filter((line) => /^Executed 'Functions.worker' \(Succeeded/.test(line)).length;
    const before = ended();
    await until(() => ended() > before, "it has ended");
    expect(worked('"slow"')).toBe(1);
  });

  test("by hand: what the input is, without a message", async () => {
    const answered = await fetch(`${functions.url}/admin/functions/worker`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: '{"id":"by hand"}' }),
    });
    expect(answered.status).toBe(202);
    await until(() => worked('"by hand"') === 1, "it is worked");
    expect((await functions.run("worker", "fail")).error?.message).toBe("the job failed");
    expect((await functions.run("worker", "plain text")).error).toBeUndefined();
    await expect(functions.run("nobody")).rejects.toThrow("There is no function nobody");
    const status = async (name: string, body: string): Promise<number> =>
      (await fetch(`${functions.url}/admin/functions/${name}`, { method: "POST", body })).status;
    expect(await status("nobody", "{}")).toBe(404);
    expect(await status("worker", "no json")).toBe(400);
  });

  test("a queue whose name no setting has keeps nothing else from running", async () => {
    const lone = await startFunctions(app);
    expect(lone.logs.some((line) => line.includes("The 'worker' function is in error: %TRIAL_QUEUE%"))).toBe(true);
    expect((await fetch(`${lone.url}/process`)).status).toBe(200);
    await lone.stop();
  });
});

test("an invocation that takes too long ends its worker", async () => {
  const functions = await startFunctions(app, { triggers: false, hostJson: { functionTimeout: "00:00:00.3" } });
  const before = await functions.pid();
  expect((await functions.run("worker", '{"act":"slow"}')).error?.message).toContain("node exited");
  expect(functions.logs.some((line) => line.startsWith("Timeout value of 00:00:00.3 exceeded"))).toBe(true);
  expect(await functions.pid()).not.toBe(before);
  await functions.stop();
});

describe("timers", () => {
  test("run on their schedule, at the start where they say so, and by hand", async () => {
    const functions = await startFunctions(app, { env: { TRIAL_SCHEDULE: "* * * * * *", TRIAL_STARTUP: "1" } });
    await until(() => functions.output.filter((line) => line.includes('"swept"')).length >= 2, "it runs twice");
    expect((await functions.run("sweeper")).error).toBeUndefined();
    const { swept } = JSON.parse(functions.output.find((line) => line.includes('"swept"')) ?? "{}") as {
      swept: object;
    };
    expect(swept).toMatchObject({
      isPastDue: false,
      schedule: { adjustForDST: true },
      scheduleStatus: { next: expect.any(String) },
    });
    await functions.stop();
  });

  test.each([
    ["0 * * * * *", "2026-01-01T10:00:00Z", "2026-01-01T10:01:00Z"],
    ["0 */5 * * * *", "2026-01-01T10:01:10Z", "2026-01-01T10:05:00Z"],
    ["30 15 3 * * *", "2026-01-01T10:00:00Z", "2026-01-02T03:15:30Z"],
    ["0 0 9-17 * * Mon-Fri", "2026-01-02T17:30:00Z", "2026-01-05T09:00:00Z"],
    ["0 0 0 1 1,7 *", "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z"],
    ["*/15 * * * *", "2026-01-01T10:01:00Z", "2026-01-01T10:15:00Z"],
    ["00:00:10", "2026-01-01T10:00:00Z", "2026-01-01T10:00:10Z"],
  ])("%s after %s is %s", (expression, after, next) => {
    expect(new Date(readSchedule(expression)(Date.parse(after))).toISOString()).toBe(new Date(next).toISOString());
  });

  test.each(["", "* * *", "61 * * * * *", "0 0 0 * Foo *", "*/0 * * * * *"])("%j is no schedule", (expression) => {
    expect(() => readSchedule(expression)).toThrow(`"${expression}"`);
  });
});

test("an app is told that it ends, and waited for", async () => {
  const data = dataFolder();
  const farewell = join(data.path, "farewell");
  const functions = await startFunctions(app, { triggers: false, env: { FAREWELL: farewell } });
  await functions.stop();
  expect(readFileSync(farewell, "utf8")).toBe("flushed");
  data.remove();
});
