// node:http to the gateway and back: the adapter of the long-lived server.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Call, Headers, Invocation, Reply } from "../../lib/model/call.ts";
import type { ServerConfig } from "../../lib/config-types.ts";
import { GatewayError } from "../../lib/model/error.ts";
import { writeBody } from "../../lib/http/write.ts";

/** `failure`: why the call could not be read whole; the gateway answers it in the caller's own envelope. */
export type Handler = (call: Call, invocation: Invocation, failure?: unknown) => Promise<Reply>;

/** Request ids come from callers where they look like one, so that a trace can span systems. */
const requestIdPattern = /^[A-Za-z0-9._-]{8,128}$/;

const headersOf = (request: IncomingMessage): Headers => {
  const headers: Headers = {};
  for (const name in request.headers) {
    const value = request.headers[name];
    if (value !== undefined) headers[name] = typeof value === "string" ? value : value.join(", ");
  }
  return headers;
};

/** The body, or the error that reading it ended with. */
const readBody = (request: IncomingMessage, server: ServerConfig): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const declared = Number(request.headers["content-length"] ?? 0);
    const tooLarge = (): GatewayError =>
      new GatewayError("request_too_large", `The request body is over ${server.maxBodyBytes} bytes.`);
    if (declared > server.maxBodyBytes) {
      reject(tooLarge());
      return;
    }
    const chunks: Uint8Array[] = [];
    let size = 0;
    const timer = setTimeout(
      () => reject(new GatewayError("request_timeout", "The request body did not arrive in time.")),
      server.bodyTimeoutMs,
    );
    request.on("data", (chunk: Uint8Array) => {
      size += chunk.length;
      if (size > server.maxBodyBytes) {
        chunks.length = 0;
        reject(tooLarge());
      } else chunks.push(chunk);
    });
    request.on("end", () => {
      clearTimeout(timer);
      const only = chunks[0];
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks));
    });
    request.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.on("close", () => {
      clearTimeout(timer);
      if (!request.complete) reject(new GatewayError("cancelled", "The caller has gone."));
    });
  });

const noBody = new Uint8Array(0);
let counter = 0;
const prefix = Math.random().toString(36).slice(2, 10);

/** Unique on this machine and in practice everywhere: a random start, then a count. */
const newRequestId = (): string => {
  counter += 1;
  return `req_${prefix}${Date.now().toString(36)}${counter.toString(36)}`;
};

export type HttpServer = {
  server: Server;
  /** Refuses new work, lets running streams end for `drainMs`, then cuts them. */
  drain: () => Promise<void>;
};

export const createHttpServer = (handler: Handler, config: ServerConfig): HttpServer => {
  const pending = new Set<Promise<unknown>>();
  let draining = false;

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    const headers = headersOf(request);
    const given = headers["x-request-id"];
    const requestId = given !== undefined && requestIdPattern.test(given) ? given : newRequestId();
    // The caller's leaving reaches the upstream at every phase (F30): while it connects, waits, and streams.
    const leaving = new AbortController();
    response.on("close", () => {
      if (!response.writableFinished) leaving.abort();
    });
    const call: Call = {
      method: request.method ?? "GET",
      path: mark < 0 ? url : url.slice(0, mark),
      query: mark < 0 ? "" : url.slice(mark + 1),
      headers,
      body: noBody,
    };
    const invocation: Invocation = {
      requestId,
      signal: leaving.signal,
      deadline: Number.POSITIVE_INFINITY,
      waitUntil: (work) => {
        pending.add(work);
        void work.finally(() => pending.delete(work));
      },
    };
    let bodyFailure: unknown;
    if (call.method !== "GET" && call.method !== "HEAD") {
      try {
        call.body = await readBody(request, config);
      } catch (error) {
        bodyFailure = error;
      }
    }
    const reply = await handler(call, invocation, bodyFailure);
    if (response.destroyed) {
      if (typeof reply.body !== "string" && !(reply.body instanceof Uint8Array))
        await reply.body[Symbol.asyncIterator]().return?.();
      return;
    }
    const out: Record<string, string | number> = reply.headers;
    if (typeof reply.body === "string" || reply.body instanceof Uint8Array) {
      out["content-length"] = typeof reply.body === "string" ? Buffer.byteLength(reply.body) : reply.body.length;
    }
    if (draining || bodyFailure !== undefined) out["connection"] = "close";
    response.writeHead(reply.status, out);
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    await writeBody(reply.body, response, { heartbeat: reply.heartbeat ?? "", heartbeatMs: config.heartbeatMs });
  };

  const server = createServer(
    {
      headersTimeout: config.headersTimeoutMs,
      requestTimeout: 0,
      keepAliveTimeout: 75_000,
      noDelay: true,
      maxHeaderSize: 64 * 1024,
    },
    (request, response) => {
      response.on("error", () => undefined);
      void serve(request, response).catch(() => {
        // The gateway answers every failure itself; what still gets here is a broken socket.
        response.destroy();
      });
    },
  );

  return {
    server,
    drain: async () => {
      draining = true;
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), config.drainMs);
      await closed;
      clearTimeout(timer);
      await Promise.allSettled(pending);
    },
  };
};
