// A provider's stand-in on a port of its own, and what providers are made with in tests.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ProviderConfig } from "../../lib/config-types.ts";
import { createNodeTransport } from "../../lib/http/node-transport.ts";
import type { Json } from "../../lib/model/json.ts";
import type { ProviderContext, ProviderKind, UpstreamCall } from "../../lib/providers/provider.ts";

export type Seen = { method: string; url: string; headers: IncomingMessage["headers"]; body: string };
export type Answer = (seen: Seen, response: ServerResponse) => void;

export type Upstream = { url: string; seen: Seen[]; answer: (next: Answer) => void; stop: () => Promise<void> };

export const startUpstream = async (): Promise<Upstream> => {
  const seen: Seen[] = [];
  let current: Answer = json({});
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one: Seen = {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString("latin1"),
      };
      seen.push(one);
      current(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
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

export const json =
  (body: Json | object, status = 200, headers: Record<string, string> = {}): Answer =>
  (_seen, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };

export const start = Date.parse("2026-11-21T04:00:00Z");

/** A context whose clock a test moves. */
export const createContext = (): ProviderContext & { close: () => Promise<void>; pass: (ms: number) => void } => {
  const transport = createNodeTransport({ connectMs: 2000, headersMs: 5000, idleMs: 5000 });
  let now = start;
  return {
    transport,
    now: () => now,
    close: transport.close,
    pass: (ms) => {
      now += ms;
    },
  };
};

export const configOf = (kind: ProviderKind, fields: Partial<ProviderConfig> = {}): ProviderConfig => ({
  id: kind,
  kind,
  headers: {},
  models: [],
  dialect: {},
  betas: [],
  ...fields,
});

export const callOf = (fields: Partial<UpstreamCall>): UpstreamCall => ({
  wire: "openai-chat",
  operation: "generate",
  model: "gpt-5.5",
  stream: false,
  headers: {},
  body: '{"model":"gpt-5.5","messages":[]}',
  ...fields,
});

/** A signal that never fires. */
export const lasting = (): AbortSignal => new AbortController().signal;
