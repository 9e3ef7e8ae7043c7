// Threads, runs and jobs on Azure Functions: the app as it is deployed, over two hosts that share nothing but the stores.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestFunctions } from "../../support/azure.ts";
import { startUpstream, type TestUpstream, until } from "../../support/gateway.ts";
import { keysYaml } from "../clouds/app.ts";
import { background, call, ended, eventually, newThread } from "../clouds/calls.ts";
import { expectOnce, expectWorkGoesOn, testThreads } from "../clouds/threads.ts";
import { buildApp, faults, type FunctionApp, linesOf } from "./bundles.ts";
import { hurried, startStores, type Stores } from "./stores.ts";

describe("threads on Azure Functions", { timeout: 60_000 }, () => {
  let stores: Stores;
  let upstream: TestUpstream;
  let app: FunctionApp;
  /** With queue and timer. */
  let one: TestFunctions;
  /** HTTP alone. */
  let other: TestFunctions;

  beforeAll(async () => {
    [stores, upstream] = await Promise.all([startStores(), startUpstream()]);
    app = await buildApp(upstream.url, stores.env, `${keysYaml}threads: { leaseMs: 3000 }\n`);
    [one, other] = await Promise.all([
      app.start({ hostJson: hurried, leaseMs: 4_000 }),
      app.start({ hostJson: hurried, triggers: false }),
    ]);
  }, 120_000);
  afterAll(async () => {
    await app.stop();
    await Promise.all([stores.stop(), upstream.stop()]);
  });

  const worked = ({ logs }: TestFunctions): number =>
    logs.filter((line) => line.startsWith("Executed 'Functions.worker'")).length;

  test("all three functions are there", () => {
    expect(one.functions).toEqual(["gateway", "worker", "sweeper"]);
  });

  testThreads({ one: () => one, other: () => other, worked: () => worked(one) });

  test("a large message lies in a blob", async () => {
    await newThread(one, "large");
    const input = "x".repeat(600_000);
    const answer = await call(one, "POST", "/v1/threads/large/runs", {
      model: "echo/echo",
      input: `${input} [[long 3]]`,
    });
    expect(answer.status).toBe(200);
    expect((await stores.blobs()).length).toBeGreaterThan(0);
  });

  test("a job that is delivered twice, at once, runs once", async () => {
    // Its queue is another one, which nobody polls: so the message can be had.
    const queue = await stores.createQueue("heddle-copies");
    const third = await app.start({ hostJson: hurried, triggers: false, env: { HEDDLE_QUEUE: "heddle-copies" } });
    await newThread(one, "twice");
    expect((await call(third, "POST", "/v1/threads/twice/runs", background)).status).toBe(202);
    const { receivedMessageItems } = await queue.receiveMessages();
    const [message] = receivedMessageItems;
    const text = message?.messageText ?? "";
    // Ids only (F52).
    expect(Buffer.from(text, "base64").toString()).toMatch(/^\{"id":"[^"]+twice[^"]*"\}$/);
    const before = worked(one);
    await Promise.all([stores.queue.sendMessage(text), stores.queue.sendMessage(text)]);
    await until(() => worked(one) >= before + 2, "both are done with");
    expect((await ended(one, "twice", "job"))["status"]).toBe("completed");
    // And once more, when all is long over.
    await stores.queue.sendMessage(text);
    await until(() => worked(one) >= before + 3, "the third is done with");
    await expectOnce(one, "twice");
  });

  test("a poison message lands in the poison queue, and holds up nobody", async () => {
    await stores.queue.sendMessage(Buffer.from("no job at all").toString("base64"));
    const bodies = async (): Promise<string[]> => {
      if (!(await stores.poison.exists())) return [];
      const { peekedMessageItems } = await stores.poison.peekMessages({ numberOfMessages: 32 });
      return peekedMessageItems.map(({ messageText }) => Buffer.from(messageText, "base64").toString());
    };
    expect(await eventually(bodies, (all) => all.length > 0)).toEqual(["no job at all"]);
    await expectWorkGoesOn(one);
  });

  test("the sweeper tells of the dead letter, as a line that alerts read", async () => {
    expect((await other.run("sweeper")).error).toBeUndefined();
    await until(() => other.output.some((line) => line.includes('"DeadJobs":1}')), "the line is written");
    expect(other.output.findLast((line) => line.includes("DeadJobs"))).toMatch(
      /^\{"heddle\.metrics":1,"JobsWaiting":\d+,"JobAge":\d+,"DeadJobs":1\}$/,
    );
  });

  test("the host saw no fault but the poison", () => {
    expect(faults(other)).toEqual([]);
    expect(faults(one).every((line) => line.startsWith("Executed 'Functions.worker' (Failed"))).toBe(true);
    expect(faults(one)).toHaveLength(5);
    expect(linesOf(one).length + linesOf(other).length).toBeGreaterThan(5);
  });
});
