// The library's own HTTP answer behind each invocation. It gives handlers a `Request` and takes a `Response`, which tell neither whether the
// host takes bytes as fast as they come nor that the caller has left; Node's own channel tells who answers (docs/decisions/0015).
import { channel } from "node:diagnostics_channel";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

export type Connections = {
  /** Undefined where the invocation came by another way than the library's proxy. */
  of: (invocationId: string) => ServerResponse | undefined;
  /** An invocation has begun, and its request will come or has; false: it is waited for no longer. */
  expect: (invocationId: string, expected: boolean) => void;
  /** `told` hears of requests that no invocation has come for: after `waitMs`, or when they leave. */
  onStray: (told: (invocationId: string) => void, waitMs: number) => void;
};

/** The header by which the host tells which invocation a request belongs to. */
const invocationHeader = "x-ms-invocation-id";
/** The host's own ids. It leaves one that a client sends in its place, and the library makes an event's name of it: `error` ends the process. */
const hostId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The client's own affair: its call has no invocation. The library, which hears of the request next, finds nothing to do. */
const refuse = (request: IncomingMessage, response: ServerResponse): void => {
  delete request.headers[invocationHeader];
  response.writeHead(400, { "content-type": "application/json", connection: "close" });
  response.end(`{"error":{"type":"invalid_request_error","message":"${invocationHeader}: expected no such header"}}`);
};

const hostHeader = "x-forwarded-host";
const plainHost = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i;

/** The library makes a URL of the host that the client has asked, and throws where that is none: its caller would get no answer. */
const keepHost = ({ headers }: IncomingMessage): void => {
  const host = headers[hostHeader];
  if (typeof host === "string" && !(plainHost.test(host) && URL.canParse(`https://${host}`)))
    headers[hostHeader] = "localhost";
};

/**
 * As the long-lived server takes them. Node's own 16 KB are soon full here: App Service tells a path three times over, and who has signed in
 * with all their groups.
 */
const mostHeaderBytes = 64 * 1024;

/** To be called once, before the library's proxy listens. */
export const watchConnections = (): Connections => {
  const open = new Map<string, ServerResponse>();
  channel("tracing:net.server.listen:asyncStart").subscribe((message) => {
    (message as { server: Server & { maxHeaderSize?: number } }).server.maxHeaderSize = mostHeaderBytes;
  });
  const expected = new Set<string>();
  /** Requests without an invocation, as yet. */
  const early = new Map<string, NodeJS.Timeout>();
  let stray: { told: (id: string) => void; waitMs: number } | undefined;
  const settle = (id: string): boolean => {
    clearTimeout(early.get(id));
    return early.delete(id);
  };
  const lose = (id: string): void => {
    if (settle(id)) stray?.told(id);
  };
  channel("http.server.request.start").subscribe((message) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    const id = request.headers[invocationHeader];
    if (typeof id !== "string") return;
    // The library hears no error of it: without a listener one would end the process.
    response.on("error", () => undefined);
    if (!hostId.test(id)) return refuse(request, response);
    keepHost(request);
    open.set(id, response);
    if (!expected.delete(id) && stray !== undefined) early.set(id, setTimeout(lose, stray.waitMs, id).unref());
    response.once("close", () => {
      lose(id);
      if (open.get(id) === response) open.delete(id);
    });
  });
  return {
    of: (id) => {
      settle(id);
      return open.get(id);
    },
    expect: (id, begun) => {
      if (!begun) expected.delete(id);
      else if (!settle(id)) expected.add(id);
    },
    onStray: (told, waitMs) => {
      stray = { told, waitMs };
    },
  };
};
