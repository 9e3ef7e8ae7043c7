// Requests and invocations that never meet. The host leaves a caller's own `x-ms-invocation-id` where it stands: the library then waits for one id
// and is sent another, until the function's time is over and the host ends the process with all that it does; and it keeps both for ever.
import { channel } from "node:diagnostics_channel";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createRequire } from "node:module";

/** Of a call by HTTP, the library's own arguments come with its request. */
type Invocation = { getArguments: () => Promise<unknown> };
type Context = { invocationId: string };
type Model = { getInvocationModel: (context: Context) => Invocation | Promise<Invocation> };

/** The host sends both at the same time. */
const arrivalMs = 30_000;

const invocationHeader = "x-ms-invocation-id";
/** Others than the host's own are refused elsewhere (connections.ts). */
const hostId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const unknown = JSON.stringify({
  error: {
    type: "invalid_request_error",
    code: "invalid_request",
    message: `The header ${invocationHeader} is the platform's own: leave it out.`,
  },
});

const refuse = (response: ServerResponse): void => {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(400, { "content-type": "application/json", connection: "close" }).end(unknown);
};

/** In the place of an answer that nobody reads. */
const nobody = Object.freeze({});

/** What the library calls itself at the worker; undefined outside of one. */
const modelOf = (): Model | undefined => {
  try {
    const core = createRequire(import.meta.url)("@azure/functions-core") as { getProgrammingModel?: () => Model };
    return core.getProgrammingModel?.();
  } catch {
    return undefined;
  }
};

/**
 * A request that no invocation takes within `ms` is refused, and an invocation whose request doesn't come fails. To be called once, when a
 * function has been registered.
 */
export const boundArrivals = (ms: number = arrivalMs): void => {
  const model = modelOf();
  if (model === undefined) return;
  let proxy: Server | undefined;
  /** By id; a caller may send one more than once. */
  const unclaimed = new Map<string, Set<NodeJS.Timeout>>();
  const claim = (id: string): void => {
    for (const refusal of unclaimed.get(id) ?? []) clearTimeout(refusal);
    unclaimed.delete(id);
  };
  /** The library keeps what it was sent, and what waits, until both are there: here is something small, of which it makes no call. */
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
    if (typeof id !== "string" || !hostId.test(id)) return;
    proxy = server;
    const refusals = unclaimed.get(id) ?? new Set();
    unclaimed.set(id, refusals);
    const refusal = setTimeout(() => {
      refusals.delete(refusal);
      if (refusals.size === 0 && unclaimed.get(id) === refusals) unclaimed.delete(id);
      refuse(response);
      release(id);
    }, ms).unref();
    refusals.add(refusal);
  });

  const inTime = async (id: string, reading: Promise<unknown>): Promise<unknown> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error("No request came for the invocation."));
        release(id);
      }, ms).unref();
    });
    try {
      return await Promise.race([reading, late]);
    } finally {
      clearTimeout(timer);
      claim(id);
    }
  };

  const bounded = (id: string, invocation: Invocation): Invocation => {
    const read = invocation.getArguments.bind(invocation);
    invocation.getArguments = () => inTime(id, read());
    return invocation;
  };
  const make = model.getInvocationModel.bind(model);
  model.getInvocationModel = (context) => {
    const made = make(context);
    const { invocationId } = context;
    return made instanceof Promise
      ? made.then((invocation) => bounded(invocationId, invocation))
      : bounded(invocationId, made);
  };
};
