// The library's own HTTP answer behind each invocation. It gives handlers a `Request` and takes a `Response`, which tell neither whether the
// host takes bytes as fast as they come nor that the caller has left; Node's own channel tells who answers (docs/decisions/0015).
import { channel } from "node:diagnostics_channel";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

export type Connections = {
  /** Undefined where the invocation came by another way than the library's proxy. */
  of: (invocationId: string) => ServerResponse | undefined;
  /** Resolves when the invocation's request is there; with undefined where none comes in time. */
  arrival: (invocationId: string) => Promise<ServerResponse | undefined>;
  /** Told of each request that no invocation has come for in time: it is to be answered. */
  onForsaken: (answer: (invocationId: string, response: ServerResponse) => void) => void;
};

/** The header by which the host tells which invocation a request belongs to. */
const invocationHeader = "x-ms-invocation-id";
/** The host's own ids. Older ones leave one that a client sends in its place, and the library makes an event's name of it: `error` ends the process. */
const hostId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** A request and its invocation leave the host together. It tries the first again for some seconds. */
const meetingMs = 10_000;

export const refusal = {
  status: 400,
  body: `{"error":{"type":"invalid_request_error","code":"invalid_request","message":"${invocationHeader}: expected no such header"}}`,
};

/** The client's own affair: its call has no invocation. The library, which hears of the request next, finds nothing to do. */
const refuse = (request: IncomingMessage, response: ServerResponse): void => {
  delete request.headers[invocationHeader];
  response.writeHead(refusal.status, { "content-type": "application/json", connection: "close" });
  response.end(refusal.body);
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

/** In two steps: a process that stood still for all of the first has the second to read what came meanwhile. The result takes it back. */
const after = (ms: number, act: () => void): (() => void) => {
  let timer = setTimeout(() => {
    timer = setTimeout(act, ms / 4).unref();
  }, ms * 0.75).unref();
  return () => clearTimeout(timer);
};

type Open = { response: ServerResponse; stop: () => void; met: boolean };

/** To be called once, before the library's proxy listens. */
export const watchConnections = (withinMs = meetingMs): Connections => {
  const open = new Map<string, Open>();
  const awaited = new Map<string, () => void>();
  let forsaken: ((invocationId: string, response: ServerResponse) => void) | undefined;

  const meet = (id: string): ServerResponse | undefined => {
    const found = open.get(id);
    if (found === undefined) return undefined;
    found.met = true;
    found.stop();
    return found.response;
  };

  channel("tracing:net.server.listen:asyncStart").subscribe((message) => {
    (message as { server: Server & { maxHeaderSize?: number } }).server.maxHeaderSize = mostHeaderBytes;
  });
  channel("http.server.request.start").subscribe((message) => {
    const { request, response, server } = message as {
      request: IncomingMessage;
      response: ServerResponse;
      server: Server;
    };
    const id = request.headers[invocationHeader];
    if (typeof id !== "string") return;
    // The host ends what it has no use for. Were it ended here, a request that is just being sent would be lost, and not sent again.
    server.keepAliveTimeout = 0;
    // The library hears no error of it: without a listener one would end the process.
    response.on("error", () => undefined);
    if (!hostId.test(id) || open.get(id)?.response.destroyed === false) return refuse(request, response);
    keepHost(request);
    const giveUp = (): void => {
      open.delete(id);
      forsaken?.(id, response);
    };
    const entry: Open = { response, stop: after(withinMs, giveUp), met: false };
    open.set(id, entry);
    // A caller that leaves at once may be gone before its invocation is there.
    response.once("close", () => {
      if (entry.met && open.get(id) === entry) open.delete(id);
    });
    awaited.get(id)?.();
  });
  return {
    of: (id) => {
      const response = meet(id);
      if (response?.closed === true) open.delete(id);
      return response;
    },
    arrival: (id) => {
      const response = meet(id);
      if (response !== undefined) return Promise.resolve(response);
      return new Promise((resolve) => {
        const end = (): void => {
          stop();
          awaited.delete(id);
          resolve(meet(id));
        };
        const stop = after(withinMs, end);
        awaited.set(id, end);
      });
    },
    onForsaken: (answer) => {
      forsaken = answer;
    },
  };
};
