import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BlobServiceClient } from "@azure/storage-blob";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAzureBlobs } from "../../lib/blobs/azure-blob.ts";
import type { Blobs } from "../../lib/blobs/blobs.ts";
import { blobsContract } from "../contracts/blobs.ts";
import { freePort } from "../support/dynamodb.ts";
import { startLossy } from "../support/lossy.ts";

const account = "devstoreaccount1";
const key = Buffer.from("a key of the emulator's own account").toString("base64");
const connectionTo = (endpoint: string): string =>
  `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};BlobEndpoint=${endpoint}/${account};`;

let folder: string;
let azurite: ChildProcess;
let endpoint: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-azurite-"));
  const port = await freePort();
  const main = join(dirname(createRequire(import.meta.url).resolve("azurite/package.json")), "dist/src/blob/main.js");
  const flags = ["--skipApiVersionCheck", "--disableTelemetry", "--silent", "--location", folder];
  azurite = spawn(process.execPath, [main, "--blobHost", "127.0.0.1", "--blobPort", String(port), ...flags], {
    env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${key}` },
    stdio: "ignore",
  });
  endpoint = `http://127.0.0.1:${port}`;
  const service = BlobServiceClient.fromConnectionString(connectionTo(endpoint), { retryOptions: { maxTries: 1 } });
  for (let tries = 0; ; tries += 1) {
    try {
      await service.createContainer("blobs");
      break;
    } catch (error) {
      if (tries > 100 || azurite.exitCode !== null) throw error;
      await sleep(100);
    }
  }
});
afterAll(async () => {
  if (azurite.exitCode === null && azurite.kill()) await once(azurite, "exit");
  await rm(folder, { recursive: true, force: true });
});
const open = (): Promise<Blobs> =>
  openAzureBlobs({ container: "blobs", prefix: "heddle/", connectionString: connectionTo(endpoint) });

blobsContract("Azure Blob Storage, by Azurite", open);

describe("Azure blobs", () => {
  const bytes = new TextEncoder().encode("content");

  test("lost answers are asked for again", async () => {
    const lossy = await startLossy(endpoint);
    const blobs = await openAzureBlobs({ container: "blobs", connectionString: connectionTo(lossy.url) });
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
    const blobs = await openAzureBlobs({ container: "never", connectionString: connectionTo(endpoint) });
    await expect(blobs.get("t", "0".repeat(64))).rejects.toMatchObject({ code: "storage", retryable: false });
    await expect(blobs.put("t", bytes)).rejects.toMatchObject({ code: "storage", retryable: false });
  });

  test("nobody at the address is an outage", async () => {
    const connectionString = connectionTo(`http://127.0.0.1:${await freePort()}`);
    const blobs = await openAzureBlobs({ container: "blobs", connectionString, policy: { tries: 2 } });
    await expect(blobs.get("t", "0".repeat(64))).rejects.toMatchObject({ code: "storage", retryable: true });
  });
});
