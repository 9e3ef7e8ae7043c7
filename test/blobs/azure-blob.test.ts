import { BlobServiceClient } from "@azure/storage-blob";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAzureBlobs } from "../../lib/blobs/azure-blob.ts";
import type { Blobs } from "../../lib/blobs/blobs.ts";
import { blobsContract } from "../contracts/blobs.ts";
import { startAzurite, type LocalAzurite } from "../support/azurite.ts";
import { freePort } from "../support/dynamodb.ts";
import { startLossy } from "../support/lossy.ts";

let azurite: LocalAzurite;

beforeAll(async () => {
  azurite = await startAzurite("blob");
  await BlobServiceClient.fromConnectionString(azurite.connectionString()).createContainer("blobs");
});
afterAll(() => azurite.stop());
const open = (): Promise<Blobs> =>
  openAzureBlobs({ container: "blobs", prefix: "heddle/", connectionString: azurite.connectionString() });

blobsContract("Azure Blob Storage, by Azurite", open);

describe("Azure blobs", () => {
  const bytes = new TextEncoder().encode("content");

  test("lost answers are asked for again", async () => {
    const lossy = await startLossy(azurite.endpoint);
    const blobs = await openAzureBlobs({ container: "blobs", connectionString: azurite.connectionString(lossy.url) });
    lossy.plan.push("lose-answer", "lose-request");
    const hash = await blobs.put("t", bytes);
    lossy.plan.push("lose-answer");
    expect(await blobs.get("t", hash)).toEqual(bytes);
    lossy.plan.push("lose-answer");
    await blobs.delete("t", hash);
    expect(await blobs.get("t", hash)).toBeUndefined();
    await lossy.stop();
  });

  test("a container that isn't there is an outage, not a missing blob", async () => {
    const blobs = await openAzureBlobs({ container: "never", connectionString: azurite.connectionString() });
    await expect(blobs.get("t", "0".repeat(64))).rejects.toMatchObject({ code: "storage", retryable: false });
    await expect(blobs.put("t", bytes)).rejects.toMatchObject({ code: "storage", retryable: false });
  });

  test("nobody at the address is an outage", async () => {
    const connectionString = azurite.connectionString(`http://127.0.0.1:${await freePort()}`);
    const blobs = await openAzureBlobs({ container: "blobs", connectionString, policy: { tries: 2 } });
    await expect(blobs.get("t", "0".repeat(64))).rejects.toMatchObject({ code: "storage", retryable: true });
  });
});
