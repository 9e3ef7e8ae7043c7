// The library's own HTTP answer behind each invocation. It gives handlers a `Request` and takes a `Response`, which tell neither whether the
// host takes bytes as fast as they come nor that the caller has left; Node's own channel tells who answers (docs/decisions/0015).
import { channel } from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";

export type Connections = {
  /** Undefined where the invocation came by another way than the library's proxy. */
  of: (invocationId: string) => ServerResponse | undefined;
};

/** The header by which the host tells which invocation a request belongs to. */
const invocationHeader = "x-ms-invocation-id";

/** To be called once, before the library's proxy listens. */
export const watchConnections = (): Connections => {
  const open = new Map<string, ServerResponse>();
  channel("http.server.request.start").subscribe((message) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    const id = request.headers[invocationHeader];
    if (typeof id !== "string") return;
    open.set(id, response);
    // The library hears no error of it: without a listener one would end the process.
    response.on("error", () => undefined);
    response.once("close", () => {
      if (open.get(id) === response) open.delete(id);
    });
  });
  return { of: (id) => open.get(id) };
};
