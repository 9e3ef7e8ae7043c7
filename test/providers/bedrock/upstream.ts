// A small HTTP server that stands for Bedrock, and the provider that calls it: what the suites of this folder share.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll } from "vitest";
import type { ProviderConfig } from "../../../lib/config-types.ts";
import { encodeEventStreamFrame } from "../../../lib/http/eventstream.ts";
import { createNodeTransport } from "../../../lib/http/node-transport.ts";
import { readAll, type TransportResponse } from "../../../lib/http/transport.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import { createBedrock } from "../../../lib/providers/bedrock/index.ts";
import type { Provider, UpstreamCall } from "../../../lib/providers/provider.ts";

export type Seen = { method: string; path: string; headers: IncomingMessage["headers"]; body: string };

export const transport = createNodeTransport({ connectMs: 2000, headersMs: 5000, idleMs: 5000 });
export const now = Date.parse("2026-11-21T04:00:00Z");

/** `seen`: the requests of this test; `answer`: how they are answered. */
export const upstream: {
  base: string;
  seen: Seen[];
  answer: (request: Seen, response: ServerResponse) => void;
} = { base: "", seen: [], answer: () => undefined };

/** Starts the server for the suites of a file. */
export const useUpstream = (): void => {
  let server: Server;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const one: Seen = {
          method: request.method ?? "",
          path: request.url ?? "",
          headers: request.headers,
          body: Buffer.concat(chunks).toString("utf8"),
        };
        upstream.seen.push(one);
        upstream.answer(one, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    upstream.base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    upstream.seen = [];
  });
  afterAll(async () => {
    await transport.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
};

export const provider = (config: Partial<ProviderConfig> = {}): Provider =>
  createBedrock(
    {
      id: "aws",
      kind: "bedrock",
      baseUrl: upstream.base,
      region: "eu-west-1",
      bearerToken: "token-canary",
      headers: {},
      models: [],
      dialect: {},
      betas: [],
      ...config,
    },
    { transport, now: () => now },
  );

export const call = (fields: Partial<UpstreamCall>): UpstreamCall => ({
  wire: "bedrock-converse",
  operation: "generate",
  model: "us.amazon.nova-lite-v1:0",
  stream: false,
  headers: {},
  body: '{"messages":[]}',
  ...fields,
});

export const json =
  (body: JsonObject, status = 200, headers: Record<string, string> = {}) =>
  (_: Seen, response: ServerResponse): void => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };

export const frames =
  (...bytes: Uint8Array[]) =>
  (_: Seen, response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" });
    // In odd pieces, as networks do.
    const all = Buffer.concat(bytes);
    for (let at = 0; at < all.length; at += 37) response.write(all.subarray(at, at + 37));
    response.end();
  };

export const chunk = (event: JsonObject): Uint8Array =>
  encodeEventStreamFrame(
    { ":event-type": "chunk", ":content-type": "application/json", ":message-type": "event" },
    JSON.stringify({ bytes: Buffer.from(JSON.stringify(event)).toString("base64"), p: "abc" }),
  );

export const exception = (type: string, message: string): Uint8Array =>
  encodeEventStreamFrame({ ":exception-type": type, ":message-type": "exception" }, JSON.stringify({ message }));

export const textOf = async (response: TransportResponse): Promise<string> =>
  Buffer.from(await readAll(response.body)).toString("utf8");
export const signal = AbortSignal.timeout(15_000);

export const claude = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
