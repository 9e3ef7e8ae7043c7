// Messages over Azure Queue Storage: what arrives there, by Azurite, and what the service's refusals mean.
import { createServer } from "node:http";
import { once } from "node:events";
import { QueueServiceClient, type QueueClient } from "@azure/storage-queue";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openStorageQueue } from "../../lib/queues/azure-storage.ts";
import { messageId } from "../../lib/queues/queue.ts";
import { startAzurite, type LocalAzurite } from "../support/azurite.ts";
import { freePort } from "../support/dynamodb.ts";
import { failureOf } from "../support/failure.ts";
import { startLossy } from "../support/lossy.ts";

let azurite: LocalAzurite;
let client: QueueClient;

beforeAll(async () => {
  azurite = await startAzurite("queue");
  client = QueueServiceClient.fromConnectionString(azurite.connectionString()).getQueueClient("jobs");
  await client.create();
});
afterAll(() => azurite.stop());
beforeEach(async () => {
  await client.clearMessages();
});

const open = (endpoint?: string, queue = "jobs") =>
  openStorageQueue({ queue, connectionString: azurite.connectionString(endpoint), policy: { tries: 3 } });
const waiting = async () => (await client.receiveMessages({ numberOfMessages: 32 })).receivedMessageItems;
const textOf = (message: string): string => Buffer.from(message, "base64").toString("utf8");

describe("Azure Queue Storage, by Azurite", () => {
  test("an id in base64, and nothing else (F52); it never expires", async () => {
    const queue = await open();
    await queue.send({ id: "thread/ä/🧵" });
    const [message, ...others] = await waiting();
    expect(others).toEqual([]);
    expect(textOf(message?.messageText ?? "")).toBe('{"id":"thread/ä/🧵"}');
    expect(messageId(textOf(message?.messageText ?? ""))).toBe("thread/ä/🧵");
    // The service says "never" with the last day it knows.
    expect(message?.expiresOn.getUTCFullYear()).toBeGreaterThan(2_100);
  });

  test("what is due late is hidden until then, in whole seconds, and no longer than the service can", async () => {
    const queue = await open();
    const before = Date.now();
    await queue.send({ id: "later" }, 86_400.2);
    await queue.send({ id: "much later" }, 30 * 86_400);
    expect(await waiting()).toEqual([]);
    expect((await client.getProperties()).approximateMessagesCount).toBe(2);
    await queue.send({ id: "soon" }, 0.01);
    await expect.poll(async () => (await waiting()).length, { timeout: 20_000, interval: 250 }).toBe(1);
    expect(Date.now() - before).toBeGreaterThanOrEqual(900);
  });

  test("lost answers: it is sent again, maybe twice, never not at all", async () => {
    const lossy = await startLossy(azurite.endpoint);
    const queue = await open(lossy.url);
    lossy.plan.push("lose-answer", "lose-request");
    await queue.send({ id: "a" });
    expect(lossy.count()).toBe(3);
    expect((await waiting()).map(({ messageText }) => textOf(messageText))).toEqual(['{"id":"a"}', '{"id":"a"}']);
    await lossy.stop();
  });

  test("a look takes nothing: how many there are, hidden ones too, and since when the oldest of the others waits", async () => {
    const queue = await open();
    expect(await queue.look()).toEqual({ waiting: 0, oldestSeconds: 0 });
    await queue.send({ id: "later" }, 3_600);
    expect(await queue.look()).toEqual({ waiting: 1, oldestSeconds: 0 });
    await queue.send({ id: "a" });
    // Times of messages are whole seconds.
    await expect.poll(async () => (await queue.look()).oldestSeconds, { timeout: 20_000 }).toBeGreaterThanOrEqual(1);
    expect((await queue.look()).waiting).toBe(2);
    expect((await waiting()).map(({ dequeueCount }) => dequeueCount)).toEqual([1]);
    expect(await queue.look()).toEqual({ waiting: 2, oldestSeconds: 0 });
  });

  test("a look at a queue that isn't there finds nothing, and asks once", async () => {
    const lossy = await startLossy(azurite.endpoint);
    const queue = await open(lossy.url, "jobs-poison");
    expect(await queue.look()).toEqual({ waiting: 0, oldestSeconds: 0 });
    expect(lossy.count()).toBe(1);
    await lossy.stop();
  });

  test("a look whose answer is lost is made again", async () => {
    const lossy = await startLossy(azurite.endpoint);
    const queue = await open(lossy.url);
    lossy.plan.push("lose-answer", "lose-request");
    expect(await queue.look()).toEqual({ waiting: 0, oldestSeconds: 0 });
    expect(lossy.count()).toBe(4);
    await lossy.stop();
  });

  test("a queue that isn't there is told at once, without a key", async () => {
    const lossy = await startLossy(azurite.endpoint);
    const error = await failureOf((await open(lossy.url, "never")).send({ id: "a" }));
    expect(error).toMatchObject({ code: "storage", retryable: false });
    expect(error.message).toBe("Azure Queue Storage refused a request: QueueNotFound.");
    expect(lossy.count()).toBe(1);
    await lossy.stop();
  });

  test("what doesn't fit is told before it is sent", async () => {
    const queue = await open();
    const error = await failureOf(queue.send({ id: "x".repeat(50_000) }));
    expect(error).toMatchObject({
      code: "internal",
      message: "A queue's message has more than 65536 bytes in base64.",
    });
    await queue.send({ id: "x".repeat(48_000) });
    expect(await waiting()).toHaveLength(1);
  });

  test("nobody at the address is an outage", async () => {
    const queue = await open(`http://127.0.0.1:${await freePort()}`);
    expect(await failureOf(queue.send({ id: "a" }))).toMatchObject({ code: "storage", retryable: true });
    expect(await failureOf(queue.look())).toMatchObject({ code: "storage", retryable: true });
  });
});

test.each([429, 503])("%i passes: the message is sent again", async (status) => {
  let count = 0;
  const server = createServer((_, response) => {
    count += 1;
    response.writeHead(count === 1 ? status : 201, { "content-type": "application/xml" });
    response.end(count === 1 ? "" : "<QueueMessagesList></QueueMessagesList>");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("No port.");
  await (await open(`http://127.0.0.1:${address.port}`)).send({ id: "a" });
  expect(count).toBe(2);
  server.closeAllConnections();
  server.close();
});

test("a look that is refused is told at once", async () => {
  const server = createServer((_, response) => {
    response.writeHead(403, {
      "content-type": "application/xml",
      "x-ms-error-code": "AuthorizationPermissionMismatch",
    });
    response.end("<Error><Code>AuthorizationPermissionMismatch</Code></Error>");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("No port.");
  const queue = await open(`http://127.0.0.1:${address.port}`);
  expect(await failureOf(queue.look())).toMatchObject({
    message: "Azure Queue Storage refused a request: AuthorizationPermissionMismatch.",
    retryable: false,
  });
  server.closeAllConnections();
  server.close();
});

test.each(["", "x", "{}", "[]", '{"id":1}', "null", undefined, null, {}, { id: 1 }, 7])(
  "no message of this gateway's: %j",
  (body) => expect(messageId(body)).toBeUndefined(),
);
test("a message that the host has parsed already", () => expect(messageId({ id: "thread/a" })).toBe("thread/a"));
