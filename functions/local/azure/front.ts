// The host's HTTP side: finds the function that a request is for, invokes it, and passes request and answer on, byte by byte.
import { once } from "node:events";
import { Agent, type IncomingMessage, request as openRequest, type ServerResponse } from "node:http";
import { drained } from "../../../lib/http/write.ts";
import { readUpTo } from "../body.ts";
import { type Front, listen } from "../front.ts";
import { addFrontEndHeaders, answeredHeaders, forwardedHeaders, headersOf, httpMetadata } from "./http-data.ts";
import type { RpcData } from "./messages.ts";
import { byPrecedence, decodePath, encodePath, matchRoute, type Route } from "./routes.ts";
import type { Invocation } from "./worker-process.ts";

/** A worker that can take HTTP, as far as the front needs one. */
type HttpTarget = {
  httpUri: string;
  invoke: (functionName: string, metadata: Record<string, RpcData>) => Invocation;
};

export type FrontOptions = {
  /** 0: any free one. */
  port: number;
  routes: readonly Route[];
  /** The worker there is, or the next one; rejects where the app can't be started. */
  target: () => Promise<HttpTarget>;
  /** `POST /admin/functions/{name}`: the status to answer with. */
  admin: (functionName: string, body: unknown) => number;
  /** When a request without its end is given up: 230 s on Azure, where the load balancer does. */
  timeoutMs: number;
  /** Bytes of a request's body; FUNCTIONS_REQUEST_BODY_SIZE_LIMIT on Azure. */
  largestBody: number;
  homepage: boolean;
  /** Whether App Service's front end stands before the host, with its headers. */
  frontEnd: boolean;
  /** Leaves the worker's answer after so many chunks, as a client does that goes away; 0: never. */
  dropAfter: number;
};

/** A status and no body. */
const answer = (response: ServerResponse, status: number): void => {
  if (response.headersSent) response.destroy();
  else if (!response.destroyed) response.writeHead(status, { "content-length": "0" }).end();
};

type Forward = {
  target: HttpTarget;
  request: IncomingMessage;
  response: ServerResponse;
  path: string;
  headers: ReadonlyMap<string, readonly string[]>;
  id: string;
  /** Read already, where the request said how long it is. */
  body: Buffer | undefined;
  largestBody: number;
  dropAfter: number;
};

/** Resolves when the worker's answer is through, or rejects where it broke off. A client that leaves ends the worker's connection. */
const forward = async (agent: Agent, options: Forward): Promise<void> => {
  const { target, request, response, path, headers, id, body, largestBody, dropAfter } = options;
  const upstream = openRequest(new URL(target.httpUri), {
    agent,
    path,
    method: request.method ?? "GET",
    headers: forwardedHeaders(headers, id, request),
  });
  const left = (): void => void upstream.destroy(new Error("The client has left"));
  response.once("close", left);
  // Told by what waits for it; what comes later, nobody waits for.
  upstream.on("error", () => undefined);
  try {
    if (body === undefined) {
      let size = 0;
      request.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > largestBody) upstream.destroy(new Error("The body is too large"));
      });
      request.pipe(upstream);
    } else upstream.end(body);
    const [worker] = (await once(upstream, "response")) as [IncomingMessage];
    // Cookies are one line each; of other names the last value would win, as Node tells them joined.
    response.writeHead(worker.statusCode ?? 502, answeredHeaders(worker.headers));
    response.flushHeaders();
    let chunks = 0;
    for await (const chunk of worker) {
      // The worker's connection is read no faster than the client takes it.
      const more = response.write(chunk);
      chunks += 1;
      if (chunks === dropAfter) response.destroy();
      if (!more) await drained(response);
      if (response.destroyed) throw new Error("The client has left");
    }
    if (!worker.complete) throw new Error("The worker's answer broke off");
    response.end();
  } finally {
    response.off("close", left);
    if (!upstream.closed && !response.writableEnded) upstream.destroy();
  }
};

export const startFront = async (options: FrontOptions): Promise<Front> => {
  const { timeoutMs, largestBody, homepage, frontEnd, dropAfter, target, admin } = options;
  const routes = byPrecedence(options.routes);
  const agent = new Agent({ keepAlive: true });

  const serveAdmin = async (name: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = ((await readUpTo(request, largestBody)) ?? Buffer.alloc(0)).toString("utf8");
    try {
      answer(response, admin(name, JSON.parse(text)));
    } catch {
      answer(response, 400);
    }
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [rawPath = "/", ...queries] = (request.url ?? "/").split("?");
    const query = queries.length === 0 ? "" : `?${queries.join("?")}`;
    const path = decodePath(rawPath);
    const headers = headersOf(request);
    if (path === undefined || headers === undefined) return answer(response, 400);
    const [, name] = /^\/admin\/functions\/([^/]+)$/i.exec(path) ?? [];
    if (name !== undefined && request.method === "POST") return serveAdmin(name, request, response);
    // A method that isn't the function's is no match: 404, not 405.
    const method = request.method ?? "GET";
    const [found] = routes.flatMap(({ functionName, template, methods }) => {
      const parameters = methods.length === 0 || methods.includes(method) ? matchRoute(template, path) : undefined;
      return parameters === undefined ? [] : [{ functionName, parameters }];
    });
    if (found === undefined) {
      if (path !== "/") return answer(response, 404);
      if (!homepage) return answer(response, 204);
      response.writeHead(200, { "content-type": "text/html" }).end("<p>Your Functions app is up and running.</p>");
      return;
    }
    if (frontEnd) addFrontEndHeaders(headers, request);
    // A body whose length is told is read whole before anything else; one in chunks streams.
    const length = Number(request.headers["content-length"] ?? 0);
    const body = length > 0 ? (length > largestBody ? undefined : await readUpTo(request, largestBody)) : undefined;
    if (length > 0 && body === undefined) return answer(response, 413);
    let worker: HttpTarget;
    try {
      worker = await target();
    } catch {
      return answer(response, 503);
    }
    const metadata = httpMetadata(body, new URLSearchParams(query), found.parameters, headers);
    const { id, outcome } = worker.invoke(found.functionName, metadata);
    const passed = forward(agent, {
      target: worker,
      request,
      response,
      path: `${encodePath(path)}${query}`,
      headers,
      id,
      largestBody,
      dropAfter,
      body: length > 0 ? body : request.headers["transfer-encoding"] === undefined ? Buffer.alloc(0) : undefined,
    });
    // An invocation that fails is not told to the client as long as the worker's server may still answer: the host waits for both.
    const [way, { error }] = await Promise.all([
      passed.then(
        () => true,
        () => false,
      ),
      // A worker that has died answers nothing more.
      outcome,
    ]);
    if (!response.writableEnded && (!way || error !== undefined)) answer(response, 500);
  };

  const front = await listen(options.port, (request, response) => {
    const late = setTimeout(() => answer(response, 504), timeoutMs);
    response.once("close", () => clearTimeout(late));
    serve(request, response).catch(() => answer(response, 500));
  });
  return {
    url: front.url,
    stop: async () => {
      agent.destroy();
      await front.stop();
    },
  };
};
