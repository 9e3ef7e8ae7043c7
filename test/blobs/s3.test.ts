import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Blobs } from "../../lib/blobs/blobs.ts";
import { openS3Blobs } from "../../lib/blobs/s3.ts";
import { blobsContract } from "../contracts/blobs.ts";
import { startLossy } from "../support/lossy.ts";
import { startS3, type LocalS3 } from "../support/s3.ts";

let local: LocalS3;
beforeAll(async () => {
  local = await startS3();
});
afterAll(() => local.stop());
const open = (): Promise<Blobs> => openS3Blobs({ bucket: local.bucket, prefix: "heddle/", client: local.client });

blobsContract("S3", open);

describe("S3 blobs", () => {
  const bytes = new TextEncoder().encode("content");

  test("names begin with the prefix and the scope", async () => {
    const blobs = await open();
    const hash = await blobs.put("tenant/thread", bytes);
    expect([...local.objects.keys()]).toContain(`/bucket/heddle/tenant/thread/${hash}`);
  });

  test("throttled and failed calls are tried again", async () => {
    const blobs = await open();
    local.refusals.push({ status: 503, code: "SlowDown" }, { status: 500, code: "InternalError" });
    const hash = await blobs.put("t", bytes);
    local.refusals.push({ status: 500, code: "InternalError" });
    expect(await blobs.get("t", hash)).toEqual(bytes);
    local.refusals.push({ status: 503, code: "SlowDown" });
    await blobs.delete("t", hash);
    expect(await blobs.get("t", hash)).toBeUndefined();
  });

  test("lost answers are asked for again", async () => {
    const lossy = await startLossy(local.client.endpoint);
    const blobs = await openS3Blobs({ bucket: local.bucket, client: { ...local.client, endpoint: lossy.url } });
    lossy.plan.push("lose-answer", "lose-request");
    const hash = await blobs.put("t", bytes);
    lossy.plan.push("lose-answer");
    expect(await blobs.get("t", hash)).toEqual(bytes);
    await lossy.stop();
  });

  test("what is refused is an outage at once: no bucket, no right", async () => {
    const blobs = await openS3Blobs({ bucket: "never", client: local.client });
    await expect(blobs.get("t", "0".repeat(64))).rejects.toMatchObject({ code: "storage", retryable: false });
    const own = await open();
    local.refusals.push({ status: 403, code: "AccessDenied" });
    await expect(own.get("t", "0".repeat(64))).rejects.toMatchObject({ code: "storage", retryable: false });
  });

  test("bytes that were changed behind its back are an outage, not an answer", async () => {
    const blobs = await open();
    const hash = await blobs.put("t", bytes);
    local.objects.set(`/bucket/heddle/t/${hash}`, Buffer.from("other"));
    await expect(blobs.get("t", hash)).rejects.toMatchObject({ code: "storage" });
  });
});
