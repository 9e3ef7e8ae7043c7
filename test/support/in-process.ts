// A gateway without a server, over an SQLite file: a call is over when what it left behind its answer is over too.
import { join } from "node:path";
import { loadConfig } from "../../lib/config.ts";
import { createGateway } from "../../lib/gateway.ts";
import { createUndiciTransport } from "../../lib/http/undici-transport.ts";
import type { Headers } from "../../lib/model/call.ts";
import { openFileBlobs } from "../../lib/blobs/files.ts";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import { createLog } from "../../lib/telemetry/log.ts";

export type InProcess = {
  /** Resolves when nothing of the call is left to do. */
  post: (path: string, headers: Headers, body: unknown) => Promise<{ status: number; headers: Headers; text: string }>;
  close: () => Promise<void>;
};

export const openInProcess = async (yaml: string, folder: string): Promise<InProcess> => {
  const config = await loadConfig({
    env: { HEDDLE_CONFIG: "heddle.yaml", HEDDLE_DATA: folder },
    readFile: (path) => (path.endsWith("heddle.yaml") ? yaml : undefined),
  });
  config.retry.attempts = 1;
  const transport = createUndiciTransport(config.timeouts);
  const table = await openSqlite({ file: join(folder, "heddle.db") });
  const blobs = openFileBlobs({ folder: join(folder, "blobs") });
  const log = createLog({ level: "silent", write: () => undefined });
  const gateway = createGateway(
    { transport, log, version: "0.0.0-test", storage: async () => ({ table, blobs }) },
    config,
  );
  let calls = 0;
  return {
    post: async (path, headers, body) => {
      const left: Promise<unknown>[] = [];
      const [plain = "", query = ""] = path.split("?");
      calls += 1;
      const reply = await gateway(
        {
          method: "POST",
          path: plain,
          query,
          headers: { "content-type": "application/json", ...headers },
          body: Buffer.from(JSON.stringify(body)),
        },
        {
          requestId: `call-${calls}`,
          signal: new AbortController().signal,
          deadline: Number.POSITIVE_INFINITY,
          waitUntil: (work) => left.push(work),
        },
      );
      let text = "";
      if (typeof reply.body === "string") text = reply.body;
      else if (reply.body instanceof Uint8Array) text = Buffer.from(reply.body).toString("utf8");
      else
        for await (const chunk of reply.body)
          text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
      await Promise.all(left);
      return { status: reply.status, headers: reply.headers, text };
    },
    close: async () => {
      await table.close();
      await transport.close();
    },
  };
};
