// The upstream transport of a long-lived server: undici's dispatcher, without fetch, without streams (SPEED: four to six times cheaper).
import { Agent, type Dispatcher } from "undici";
import { createByteQueue } from "./byte-queue.ts";
import { decompressed } from "./decompress.ts";
import type { Transport, TransportResponse } from "./transport.ts";
import { plainHeaders, type TransportTimeouts } from "./transport-shared.ts";
import { cancelled, upstreamFailure } from "./upstream-error.ts";

/** The origin and the path of an absolute URL, without building a URL object on the hot path. */
export const splitUrl = (url: string): { origin: string; path: string } => {
  const slash = url.indexOf("/", url.indexOf("://") + 3);
  return slash < 0 ? { origin: url, path: "/" } : { origin: url.slice(0, slash), path: url.slice(slash) };
};

export const createUndiciTransport = (timeouts: TransportTimeouts): Transport => {
  const agent = new Agent({
    allowH2: false,
    connections: null,
    pipelining: 1,
    connectTimeout: timeouts.connectMs,
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.idleMs,
    keepAliveTimeout: 30_000,
  });
  return {
    close: () => agent.destroy(),
    send: (request, signal) =>
      new Promise<TransportResponse>((resolve, reject) => {
        if (signal.aborted) {
          reject(upstreamFailure(undefined, "connect", signal));
          return;
        }
        let controller: Dispatcher.DispatchController | undefined;
        let started = false;
        const onAbort = (): void => controller?.abort(cancelled());
        const queue = createByteQueue({
          pause: () => controller?.pause(),
          resume: () => controller?.resume(),
          abandon: () => controller?.abort(cancelled()),
        });
        const { origin, path } = splitUrl(request.url);
        agent.dispatch(
          { origin, path, method: request.method, headers: request.headers, body: request.body ?? null },
          {
            onRequestStart: (given) => {
              controller = given;
              if (signal.aborted) given.abort(cancelled());
              else signal.addEventListener("abort", onAbort);
            },
            onResponseStart: (_controller, status, raw) => {
              if (status < 200) return;
              started = true;
              const headers = plainHeaders(raw);
              try {
                resolve({ status, headers, body: decompressed(headers, queue.body) });
              } catch (error) {
                controller?.abort(cancelled());
                reject(upstreamFailure(error, "body", signal));
              }
            },
            onResponseData: (_controller, chunk) => queue.push(chunk),
            onResponseEnd: () => {
              signal.removeEventListener("abort", onAbort);
              queue.end();
            },
            onResponseError: (_controller, error) => {
              signal.removeEventListener("abort", onAbort);
              const failure = upstreamFailure(error, started ? "body" : "connect", signal);
              if (started) queue.fail(failure);
              else reject(failure);
            },
          },
        );
      }),
  };
};
