// A gateway without a server over an SQLite file, that counts what each call asks of the store and keeps every log line.
import { join } from "node:path";
import { openFileBlobs } from "../../lib/blobs/files.ts";
import { loadConfig } from "../../lib/config.ts";
import { createGateway } from "../../lib/gateway.ts";
import { createNodeTransport } from "../../lib/http/node-transport.ts";
import type { Headers, PlatformIdentity } from "../../lib/model/call.ts";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import type { Table } from "../../lib/stores/table.ts";
import { createLog } from "../../lib/telemetry/log.ts";

type Sent = {
  method: string;
  /** With its query. */
  path: string;
  headers?: Headers;
  /** An object goes as JSON. */
  body?: object | Uint8Array;
  identity?: PlatformIdentity;
};

export type Got = {
  status: number;
  headers: Headers;
  text: string;
  /** What was asked of the store until the answer began, in order, as operations without keys. */
  asked: string[];
};

export type Counted = {
  send: (sent: Sent) => Promise<Got>;
  /** Log lines since the last time. */
  logged: () => string;
  config: Awaited<ReturnType<typeof loadConfig>>;
  close: () => Promise<void>;
};

const counting = (table: Table, asked: string[]): Table => {
  const told =
    <Of extends unknown[], Gives>(name: string, act: (...of: Of) => Gives): ((...of: Of) => Gives) =>
    (...of) => {
      asked.push(name);
      return act(...of);
    };
  return Object.fromEntries(
    Object.entries(table).map(([name, value]) => [
      name,
      typeof value === "function"
        ? told(name, (value as (...of: unknown[]) => unknown).bind(table))
        : (value as unknown),
    ]),
  ) as unknown as Table;
};

export const openCounted = async (yaml: string, folder: string): Promise<Counted> => {
  const config = await loadConfig({
    env: { HEDDLE_CONFIG: "heddle.yaml", HEDDLE_DATA: folder },
    readFile: (path) => (path.endsWith("heddle.yaml") ? yaml : undefined),
  });
  const asked: string[] = [];
  let lines: string[] = [];
  const transport = createNodeTransport(config.timeouts);
  const table = await openSqlite({ file: join(folder, "heddle.db") });
  const blobs = openFileBlobs({ folder: join(folder, "blobs") });
  const log = createLog({ level: "debug", write: (line) => lines.push(line) });
  const storage = { table: counting(table, asked), blobs };
  const secrets = {
    get: async (name: string) => (name === "pepper" ? "canary-pepper-0123456789-0123456789" : undefined),
  };
  const gateway = createGateway(
    // What a call gathers is written with it, not later: nothing of one call is counted as another's.
    { transport, log, version: "0.0.0-test", storage: async () => storage, secrets, sleeps: true },
    config,
  );
  let calls = 0;
  return {
    config,
    logged: () => {
      const text = lines.join("\n");
      lines = [];
      return text;
    },
    send: async ({ method, path, headers = {}, body, identity }) => {
      const left: Promise<unknown>[] = [];
      const [plain = "", query = ""] = path.split("?");
      calls += 1;
      asked.length = 0;
      const bytes =
        body === undefined ? new Uint8Array() : body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
      const leaving = new AbortController();
      const reply = await gateway(
        {
          method,
          path: plain,
          query,
          headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
          body: bytes,
        },
        {
          requestId: `call-${calls}`,
          signal: leaving.signal,
          deadline: Number.POSITIVE_INFINITY,
          waitUntil: (work) => left.push(work),
          ...(identity === undefined ? {} : { identity }),
        },
      );
      const until = [...asked];
      let text = "";
      if (typeof reply.body === "string") text = reply.body;
      else if (reply.body instanceof Uint8Array) text = Buffer.from(reply.body).toString("utf8");
      else
        for await (const chunk of reply.body)
          text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
      await Promise.all(left);
      return { status: reply.status, headers: reply.headers, text, asked: until };
    },
    close: async () => {
      await table.close();
      await transport.close();
    },
  };
};
