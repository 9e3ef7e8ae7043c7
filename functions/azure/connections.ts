// The library's own HTTP answer behind each invocation. It gives handlers a `Request` and takes a `Response`, which tell neither whether the
// host takes bytes as fast as they come nor that the caller has left; Node's own channel tells who answers (docs/decisions/0015).
import { channel } from "node:diagnostics_channel";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { arrivalMs } from "./arrivals.ts";

export type Connections = {
  /** To be asked once, by the invocation's own function. Undefined where it came by another way than the library's proxy. */
  of: (invocationId: string) => ServerResponse | undefined;
};

export type WatchedConnections = Connections & {
  /** The library keeps what it was sent, and what waits for it, until both are there: here is something small, that no call is made of. */
  release: (invocationId: string) => void;
};

/** In the place of an answer that nobody reads. */
const nobody = Object.freeze({});

/** The header by which the host tells which invocation a request belongs to. */
const invocationHeader = "x-ms-invocation-id";

/** What is told to whoever named an invocation that isn't there. */
const unknown = JSON.stringify({
  error: {
    type: "invalid_request_error",
    code: "invalid_request",
    message: `The header ${invocationHeader} is the platform's own: leave it out.`,
  },
});

/** The caller's id stands in the place of the host's (arrivals.ts): no function will ever answer it. */
const refuse = (response: ServerResponse): void => {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(400, { "content-type": "application/json", connection: "close" }).end(unknown);
};

/** To be called once, before the library's proxy listens. A request that no function asks for within `ms` is refused. */
export const watchConnections = (ms: number = arrivalMs): WatchedConnections => {
  const open = new Map<string, { response: ServerResponse; unclaimed: NodeJS.Timeout; forget: () => void }>();
  let proxy: Server | undefined;
  const release = (id: string): void => {
    proxy?.emit("request", { headers: { [invocationHeader]: id } }, nobody);
  };
  channel("http.server.request.start").subscribe((message) => {
    const { request, response, server } = message as {
      request: IncomingMessage;
      response: ServerResponse;
      server: Server;
    };
    const id = request.headers[invocationHeader];
    if (typeof id !== "string") return;
    proxy = server;
    const forget = (): void => {
      if (open.get(id)?.response === response) open.delete(id);
    };
    const unclaimed = setTimeout(() => {
      forget();
      refuse(response);
      release(id);
    }, ms).unref();
    open.set(id, { response, unclaimed, forget });
    // The library hears no error of it: without a listener one would end the process.
    response.on("error", () => undefined);
  });
  return {
    of: (id) => {
      const found = open.get(id);
      if (found === undefined) return undefined;
      const { response, unclaimed, forget } = found;
      clearTimeout(unclaimed);
      if (response.destroyed) forget();
      else response.once("close", forget);
      return response;
    },
    release,
  };
};
