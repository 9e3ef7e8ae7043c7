// Azurite, Microsoft's own emulator of Azure Storage, for tests: blobs, or queues. One process for a test file, ended with it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Certificate } from "./certificate.ts";
import { freePort } from "./dynamodb.ts";

const account = "devstoreaccount1";
const key = Buffer.from("a key of the emulator's own account").toString("base64");

export type LocalAzurite = {
  /** `http://127.0.0.1:port`, or `https:`, without the account. */
  endpoint: string;
  /** To the service at this endpoint: by default the emulator's own, else a proxy in front of it. */
  connectionString: (endpoint?: string) => string;
  stop: () => Promise<void>;
};

/** Resolves when it answers. With a certificate, which this process must trust, it speaks TLS and takes tokens too. */
export const startAzurite = async (service: "blob" | "queue", certificate?: Certificate): Promise<LocalAzurite> => {
  const folder = await mkdtemp(join(tmpdir(), "heddle-azurite-"));
  const port = await freePort();
  const packageFolder = dirname(createRequire(import.meta.url).resolve("azurite/package.json"));
  const main = join(packageFolder, `dist/src/${service}/main.js`);
  const where = [`--${service}Host`, "127.0.0.1", `--${service}Port`, String(port), "--location", folder];
  if (certificate !== undefined)
    where.push("--oauth", "basic", "--cert", certificate.path, "--key", certificate.keyPath);
  const child = spawn(process.execPath, [main, ...where, "--skipApiVersionCheck", "--disableTelemetry", "--silent"], {
    env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${key}` },
    stdio: "ignore",
  });
  const scheme = certificate === undefined ? "http" : "https";
  const endpoint = `${scheme}://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.kill()) await once(child, "exit");
    await rm(folder, { recursive: true, force: true });
  };
  for (let tries = 0; ; tries += 1) {
    try {
      // Any answer will do: who asks without a signature is refused.
      await (await fetch(`${endpoint}/${account}?comp=list`)).arrayBuffer();
      break;
    } catch (error) {
      if (tries > 200 || child.exitCode !== null) {
        await stop();
        throw error;
      }
      await sleep(100);
    }
  }
  const name = service === "blob" ? "BlobEndpoint" : "QueueEndpoint";
  return {
    endpoint,
    connectionString: (at = endpoint) =>
      `DefaultEndpointsProtocol=${scheme};AccountName=${account};AccountKey=${key};${name}=${at}/${account};`,
    stop,
  };
};
