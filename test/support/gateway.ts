// A gateway on a port of its own, and an upstream that does what a test says: both over real sockets.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { startServer } from "../../functions/local/server.ts";
import { loadConfig } from "../../lib/config.ts";
import type { HeddleConfig } from "../../lib/config-types.ts";

export type TestGateway = {
  url: string;
  /** Log lines, parsed. */ logs: Record<string, unknown>[];
  rawLogs: string[];
  stop: () => Promise<void>;
};

/** `yaml` is the text of a heddle.yaml; `env` all the environment there is. */
export const startGateway = async (
  yaml = "",
  env: Record<string, string> = {},
  change: (config: HeddleConfig) => void = () => undefined,
): Promise<TestGateway> => {
  const config = await loadConfig({
    env: { HEDDLE_PORT: "0", HEDDLE_CONFIG: "heddle.yaml", ...env },
    readFile: (path) => (path.endsWith("heddle.yaml") ? yaml || "{}" : undefined),
  });
  config.server.port = 0;
  // Tests that want things kept say where.
  if (env["HEDDLE_DATA"] === undefined && !yaml.includes("storage:")) config.storage = "none";
  change(config);
  const logs: Record<string, unknown>[] = [];
  const rawLogs: string[] = [];
  const { url, stop } = await startServer(config, {
    version: "0.0.0-test",
    variable: (name) => env[name],
    write: (line) => {
      rawLogs.push(line);
      logs.push(JSON.parse(line) as Record<string, unknown>);
    },
  });
  return { url, logs, rawLogs, stop };
};

type Seen = {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  body: string;
  /** True once the caller's connection closed before the answer was whole. */ aborted: boolean;
};
export type TestUpstream = { url: string; requests: Seen[]; answer: (next: Answer) => void; stop: () => Promise<void> };
export type Answer = (request: Seen, response: ServerResponse) => void | Promise<void>;

export const startUpstream = async (
  first: Answer = (_request, response) => void response.end("{}"),
): Promise<TestUpstream> => {
  let current = first;
  const requests: Seen[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const seen: Seen = {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString("utf8"),
        aborted: false,
      };
      requests.push(seen);
      response.on("close", () => {
        if (!response.writableFinished) seen.aborted = true;
      });
      void Promise.resolve(current(seen, response)).catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (next) => {
      current = next;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

export const jsonAnswer =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (_request, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };

/** Waits until `condition` holds; fails after ten seconds. */
export const until = async (condition: () => boolean, what: string): Promise<void> => {
  for (let tries = 0; tries < 1000; tries += 1) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`never: ${what}`);
};
