import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDynamodb } from "../../lib/stores/dynamodb.ts";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import { haveJava, type LocalDynamodb, startDynamodb } from "../support/dynamodb.ts";
import { createMemoryTable } from "../support/memory-table.ts";
import { histories, playHistory } from "./model.ts";

/** How many histories each store is put through; more of them by HEDDLE_TEST_HISTORIES. */
const histories_ = (usual: number): number => Number(process.env["HEDDLE_TEST_HISTORIES"] ?? usual);

const holds = (open: Parameters<typeof playHistory>[0], numRuns: number): Promise<void> =>
  fc.assert(
    fc.asyncProperty(histories, (history) => playHistory(open, history)),
    { numRuns },
  );

describe("no history of crashes and contention loses, doubles or misplaces a message (F49, F51)", () => {
  test("in memory", async () => {
    await expect(holds(async (now) => createMemoryTable(now), histories_(150))).resolves.toBeUndefined();
  }, 600_000);

  test("in SQLite", async () => {
    await expect(holds((now) => openSqlite({ file: ":memory:", now }), histories_(60))).resolves.toBeUndefined();
  }, 600_000);

  describe.skipIf(!haveJava())("in DynamoDB Local", () => {
    let local: LocalDynamodb;
    let table: string;
    beforeAll(async () => {
      local = await startDynamodb();
      table = await local.createTable();
    });
    afterAll(() => local.stop());

    test("a few", async () => {
      await expect(
        holds((now) => openDynamodb({ table, client: local.client, now }), Math.ceil(histories_(60) / 10)),
      ).resolves.toBeUndefined();
    }, 600_000);
  });
});
