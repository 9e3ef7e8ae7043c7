// node:http to the gateway and back: the adapter of the long-lived server.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Call, Headers, Invocation, Reply, ReplyBody } from "../../lib/model/call.ts";
import type { ServerConfig } from "../../lib/config-types.ts";
import { GatewayError } from "../../lib/model/error.ts";
import { requestIdPattern } from "../../lib/model/id.ts";
import { writeBody } from "../../lib/http/write.ts";
import { createBackground } from "../shared/background.ts";
import { within } from "../shared/within.ts";
import { readBody } from "./body.ts";
import { createOutbox } from "./outbox.ts";

/** `failure`: why the call could not be read whole; the gateway answers it in the caller's own envelope. */
export type Handler = (call: Call, invocation: Invocation, failure?: unknown) => Promise<Reply>;

const headersOf = (request: IncomingMessage): Headers => {
  // Of a request's headers Node gives only this one as a list; the others are not copied.
  const cookies = request.headers["set-cookie"];
  if (cookies === undefined) return request.headers as Headers;
  return { ...(request.headers as Headers), "set-cookie": cookies.join(", ") };
};

/** Bytes that are cheaper to copy than to write apart. */
const smallBody = 32 * 1024;
/** A small body as a text of one byte a character: that goes out in one write with the head, where bytes would be a second one. */
const smallText = (body: ReplyBody, size: number): string | undefined => {
  if (size > smallBody) return undefined;
  if (typeof body === "string") return size === body.length ? body : undefined;
  return body instanceof Uint8Array ? Buffer.from(body.buffer, body.byteOffset, size).toString("latin1") : undefined;
};

const noBody = new Uint8Array(0);
let counter = 0;
const prefix = Math.random().toString(36).slice(2, 10);

/** Unique on this machine and in practice everywhere: a random start, then a count. */
const newRequestId = (): string => {
  counter += 1;
  return `req_${prefix}${Date.now().toString(36)}${counter.toString(36)}`;
};

/** How often Node looks for callers that are too slow with their headers. */
const checkMs = (config: ServerConfig): number => Math.min(5_000, Math.max(10, config.headersTimeoutMs / 2));

export type HttpServer = {
  server: Server;
  /** Refuses new work, lets running streams end for `drainMs`, then cuts them. */
  drain: () => Promise<void>;
};

export const createHttpServer = (handler: Handler, config: ServerConfig): HttpServer => {
  const background = createBackground();
  /** The answers each connection still owes: a pipelined one is told nothing by Node when its connection closes. */
  const owed = new Map<Socket, Map<ServerResponse, AbortController>>();
  const outbox = createOutbox();
  let running = 0;
  let draining = false;
  /** Called when the last call has ended. */
  let idle: (() => void) | undefined;

  const onConnection = (socket: Socket): void => {
    const open = new Map<ServerResponse, AbortController>();
    owed.set(socket, open);
    socket.once("close", () => {
      owed.delete(socket);
      for (const [response, leaving] of open) {
        leaving.abort();
        if (response.closed) continue;
        response.destroy();
        // Without a socket of its own it never closes by itself.
        response.emit("close");
      }
      open.clear();
    });
  };

  const callOf = (request: IncomingMessage): Call => {
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    return {
      method: request.method ?? "GET",
      path: mark < 0 ? url : url.slice(0, mark),
      query: mark < 0 ? "" : url.slice(mark + 1),
      headers: headersOf(request),
      body: noBody,
    };
  };

  const send = async (request: IncomingMessage, response: ServerResponse, reply: Reply): Promise<void> => {
    const { body, headers, status } = reply;
    const whole = typeof body === "string" || body instanceof Uint8Array;
    if (response.destroyed) {
      if (!whole) await body[Symbol.asyncIterator]().return?.();
      return;
    }
    const out: Record<string, string | number> = headers;
    const size = typeof body === "string" ? Buffer.byteLength(body) : whole ? body.length : 0;
    if (whole && status !== 204) out["content-length"] = size;
    if (draining) out["connection"] = "close";
    const text = request.method === "HEAD" ? undefined : smallText(body, size);
    if (text !== undefined) {
      outbox(() => {
        if (response.destroyed) return;
        try {
          response.writeHead(status, out);
          response.end(text, "latin1");
        } catch {
          // A header that can't be written: as where any other answer breaks.
          response.destroy();
        }
      });
      return;
    }
    response.writeHead(status, out);
    if (request.method === "HEAD") {
      if (!whole) await body[Symbol.asyncIterator]().return?.();
      response.end();
      return;
    }
    await writeBody(body, response, { heartbeat: reply.heartbeat ?? "", heartbeatMs: config.heartbeatMs });
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const call = callOf(request);
    const given = call.headers["x-request-id"];
    // The caller's leaving reaches the upstream at every phase (F30): while it connects, waits, and streams.
    const leaving = new AbortController();
    const open = owed.get(request.socket);
    open?.set(response, leaving);
    response.once("close", () => {
      open?.delete(response);
      if (!response.writableFinished) leaving.abort();
      if (draining) server.closeIdleConnections();
    });
    const invocation: Invocation = {
      requestId: given !== undefined && requestIdPattern.test(given) ? given : newRequestId(),
      signal: leaving.signal,
      deadline: Number.POSITIVE_INFINITY,
      waitUntil: background.track,
    };
    let failure: unknown;
    if (call.method !== "GET" && call.method !== "HEAD") {
      try {
        call.body = await readBody(request, config);
      } catch (error) {
        failure = error;
      }
    }
    const reply = await handler(call, invocation, failure);
    // It may be large, and the answer may take minutes.
    call.body = noBody;
    // A body that is still on its way would be taken for the next request; one that is too large is read to its end.
    if (failure instanceof GatewayError && failure.code === "request_timeout") reply.headers["connection"] = "close";
    await send(request, response, reply);
  };

  const server = createServer(
    {
      headersTimeout: config.headersTimeoutMs,
      // The body has its own clock, which answers; this one cuts those who go on sending what is not wanted.
      requestTimeout: config.headersTimeoutMs + 2 * config.bodyTimeoutMs,
      connectionsCheckingInterval: checkMs(config),
      keepAliveTimeout: 75_000,
      noDelay: true,
      maxHeaderSize: 64 * 1024,
    },
    (request, response) => {
      response.on("error", () => undefined);
      running += 1;
      const over = (): void => {
        running -= 1;
        if (running === 0) idle?.();
      };
      serve(request, response).then(over, () => {
        // The gateway answers every failure itself; what still gets here is a broken socket.
        response.destroy();
        over();
      });
    },
  );
  server.on("connection", onConnection);

  return {
    server,
    drain: async () => {
      draining = true;
      const until = Date.now() + config.drainMs;
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeIdleConnections();
      // Opened ahead, as clients do, and never used: to Node these wait for a request's headers.
      for (const socket of owed.keys()) if (socket.bytesRead === 0) socket.destroy();
      const timer = setTimeout(() => server.closeAllConnections(), config.drainMs);
      await closed;
      clearTimeout(timer);
      // What was cut still has its record to write; that takes no time, but nothing may hold up the end.
      if (running > 0)
        await new Promise<void>((resolve) => {
          idle = resolve;
          setTimeout(resolve, 1_000);
        });
      // Runs outlive their callers, but not the process for long: what is cut is taken up by the next one's sweep.
      await within(Promise.allSettled(background.works), until - Date.now());
    },
  };
};
