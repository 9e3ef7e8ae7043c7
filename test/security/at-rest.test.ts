// What lies on the disk of a local server, and who may read it.
import { statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type DataFolder, dataFolder } from "../support/data.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { said } from "./support.ts";

let folder: DataFolder;
let gateway: TestGateway;
beforeEach(async () => {
  folder = dataFolder();
  gateway = await startGateway("auth: { mode: keys }", {
    HEDDLE_DATA: join(folder.path, "data"),
    HEDDLE_ADMIN_KEY: "canary-admin-key-0123456789-0123456789",
  });
});
afterEach(async () => {
  await gateway.stop();
  folder.remove();
});

const call = async (path: string, body: object): Promise<Record<string, unknown>> => {
  const { status, text } = await said(
    await fetch(`${gateway.url}${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: "Bearer canary-admin-key-0123456789-0123456789",
      },
      body: JSON.stringify(body),
    }),
  );
  expect(status, text).toBeLessThan(300);
  return JSON.parse(text) as Record<string, unknown>;
};

test.skipIf(process.platform === "win32")("the folders of a local server are made for its own user alone", async () => {
  await call("/v1/admin/keys", { name: "a key, so that there is a pepper" });
  const { id } = await call("/v1/threads", {});
  // Long enough to become a blob.
  await call(`/v1/threads/${String(id)}/messages`, { role: "user", content: "x".repeat(600_000) });
  for (const name of ["", "blobs", "secrets"])
    expect(statSync(join(folder.path, "data", name)).mode & 0o077, `data/${name}`).toBe(0);
  expect(statSync(join(folder.path, "data", "secrets", "pepper")).mode & 0o077).toBe(0);
});
