import { DynamoDBClient, GetItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDynamodb } from "../../lib/stores/dynamodb.ts";
import type { Table } from "../../lib/stores/table.ts";
import { tableContract } from "../contracts/table.ts";
import { freePort, haveJava, startDynamodb, type LocalDynamodb } from "../support/dynamodb.ts";
import { startLossy, type Lossy } from "../support/lossy.ts";

const nobody = { region: "eu-west-1", credentials: { accessKeyId: "none", secretAccessKey: "none" } };

describe.skipIf(!haveJava())("DynamoDB Local", () => {
  let local: LocalDynamodb;
  let name: string;
  beforeAll(async () => {
    local = await startDynamodb();
    name = await local.createTable();
  });
  afterAll(() => local.stop());

  tableContract("DynamoDB Local", () => openDynamodb({ table: name, client: local.client }));

  test("an item over 400 KB is refused with a clear error, alone and in a transaction", async () => {
    const table = await openDynamodb({ table: name, client: local.client });
    const item = { pk: "large", sk: "a", data: { text: "x".repeat(420_000) } };
    const expected = { code: "request_too_large", message: expect.stringContaining("400 KB") as string };
    await expect(table.put(item)).rejects.toMatchObject(expected);
    await expect(table.transact("large", [{ put: item }])).rejects.toMatchObject(expected);
    await table.put({ ...item, data: { text: "x".repeat(300_000) } });
    await expect(table.update(item, { set: { more: "x".repeat(200_000) } })).rejects.toMatchObject(expected);
    await table.close();
  });

  test("a table that isn't there is an outage that no retry ends", async () => {
    const table = await openDynamodb({ table: "never", client: local.client });
    await expect(table.get({ pk: "a", sk: "a" })).rejects.toMatchObject({ code: "storage", retryable: false });
    await table.close();
  });

  describe("answers that are lost", () => {
    let lossy: Lossy;
    let table: Table;
    beforeAll(async () => {
      lossy = await startLossy(local.client.endpoint);
      table = await openDynamodb({ table: name, client: { ...local.client, endpoint: lossy.url } });
    });
    afterAll(async () => {
      await table.close();
      await lossy.stop();
    });

    test("reads are asked again", async () => {
      await table.put({ pk: "lost", sk: "read", data: { n: 1 } });
      lossy.plan.push("lose-answer", "lose-request");
      expect((await table.get({ pk: "lost", sk: "read" }))?.data).toEqual({ n: 1 });
      lossy.plan.push("lose-answer");
      expect((await table.query({ pk: "lost", prefix: "read" })).items).toHaveLength(1);
    });

    test("a put that was done is found done, by its token, and not taken for another's", async () => {
      lossy.plan.push("lose-answer");
      const first = await table.put({ pk: "lost", sk: "put", data: { n: 1 } }, { item: "absent" });
      expect(first).toMatchObject({ ok: true, item: { version: 1, data: { n: 1 } } });
      lossy.plan.push("lose-answer");
      const second = await table.put({ pk: "lost", sk: "put", data: { n: 2 } }, { version: 1 });
      expect(second).toMatchObject({ ok: true, item: { version: 2 } });
      lossy.plan.push("lose-request");
      const third = await table.put({ pk: "lost", sk: "put", data: { n: 3 } }, { version: 2 });
      expect(third).toMatchObject({ ok: true, item: { version: 3 } });
      lossy.plan.push("lose-answer");
      expect(await table.put({ pk: "lost", sk: "put", data: { n: 4 } }, { version: 3 })).toMatchObject({ ok: true });
      expect(await table.get({ pk: "lost", sk: "put" })).toMatchObject({ version: 4, data: { n: 4 } });
    });

    test("a sum is never done twice: without a version its outcome is an outage, with one it is found out", async () => {
      const key = { pk: "lost", sk: "sum" };
      await table.put({ ...key, data: { n: 0 } });
      lossy.plan.push("lose-answer");
      const asked = lossy.count();
      await expect(table.update(key, { add: { n: 1 } })).rejects.toMatchObject({ code: "storage" });
      expect(lossy.count() - asked).toBe(1);
      expect((await table.get(key))?.data).toEqual({ n: 1 });
      lossy.plan.push("lose-answer");
      expect(await table.update(key, { add: { n: 1 } }, { version: 2 })).toMatchObject({
        ok: true,
        item: { version: 3 },
      });
      expect((await table.get(key))?.data).toEqual({ n: 2 });
    });

    test("a lost condition after a lost answer is an outage, for it may be our own doing", async () => {
      const key = { pk: "lost", sk: "delete" };
      await table.put({ ...key, data: {} });
      lossy.plan.push("lose-answer");
      await expect(table.delete(key, { version: 1 })).rejects.toMatchObject({ code: "storage" });
      lossy.plan.push("lose-answer");
      expect(await table.delete(key)).toEqual({ ok: true });
    });

    test("a transaction is done once", async () => {
      const operations = [
        { update: { pk: "lost", sk: "t1" }, change: { add: { n: 1 } } },
        { put: { pk: "lost", sk: "t2", data: {} }, condition: { item: "absent" } as const },
      ];
      await table.put({ pk: "lost", sk: "t1", data: {} });
      lossy.plan.length = 0;
      lossy.plan.push("lose-answer");
      expect(await table.transact("lost", operations)).toEqual({ ok: true });
      expect(await table.get({ pk: "lost", sk: "t1" })).toMatchObject({ version: 2, data: { n: 1 } });
    });
  });
});

describe("DynamoDB that fails", () => {
  test("nobody at the address is an outage, soon", async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const table = await openDynamodb({ table: "t", client: { ...nobody, endpoint }, policy: { tries: 3 } });
    await expect(table.get({ pk: "a", sk: "a" })).rejects.toMatchObject({ code: "storage", retryable: true });
    await expect(table.update({ pk: "a", sk: "a" }, { add: { n: 1 } })).rejects.toMatchObject({ code: "storage" });
    await table.close();
  });

  test("throttled calls are tried again, sums too, and not for ever", async () => {
    const mock = mockClient(DynamoDBClient);
    const throttled = Object.assign(new Error("slow down"), {
      name: "ThrottlingException",
      $metadata: { httpStatusCode: 400 },
    });
    const Attributes = { pk: { S: "a" }, sk: { S: "a" }, version: { N: "2" }, data: { M: { n: { N: "1" } } } };
    mock.on(UpdateItemCommand).rejectsOnce(throttled).rejectsOnce(throttled).resolves({ Attributes });
    mock.on(GetItemCommand).rejects(throttled);
    const table = await openDynamodb({ table: "t", client: nobody, policy: { tries: 4 } });
    expect(await table.update({ pk: "a", sk: "a" }, { add: { n: 1 } })).toEqual({
      ok: true,
      item: { pk: "a", sk: "a", version: 2, data: { n: 1 } },
    });
    expect(mock.commandCalls(UpdateItemCommand)).toHaveLength(3);
    await expect(table.get({ pk: "a", sk: "a" })).rejects.toMatchObject({ code: "storage", retryable: true });
    expect(mock.commandCalls(GetItemCommand)).toHaveLength(4);
    mock.restore();
    await table.close();
  });

  test("the service's own failure leaves a sum's outcome open, and is told at once", async () => {
    const mock = mockClient(DynamoDBClient);
    const failed = Object.assign(new Error("oops"), {
      name: "InternalServerError",
      $metadata: { httpStatusCode: 500 },
    });
    mock.on(UpdateItemCommand).rejects(failed);
    const table = await openDynamodb({ table: "t", client: nobody });
    await expect(table.update({ pk: "a", sk: "a" }, { add: { n: 1 } })).rejects.toMatchObject({ code: "storage" });
    expect(mock.commandCalls(UpdateItemCommand)).toHaveLength(1);
    mock.restore();
    await table.close();
  });

  test("a store that never answers is given up", async () => {
    const { createServer } = await import("node:net");
    const server = createServer(() => {}).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const policy = { timeoutMs: 100, tries: 2, totalMs: 1000 };
    const table = await openDynamodb({
      table: "t",
      client: { ...nobody, endpoint: `http://127.0.0.1:${port}` },
      policy,
    });
    await expect(table.get({ pk: "a", sk: "a" })).rejects.toMatchObject({ code: "storage" });
    await table.close();
    server.close();
  });
});
