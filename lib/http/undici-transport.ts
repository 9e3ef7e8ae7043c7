// The upstream transport of a long-lived server: undici's dispatcher, without fetch, without streams (SPEED: four to six times cheaper).
import { Agent, type Dispatcher } from "undici";
import { ByteQueue, type ByteSource } from "./byte-queue.ts";
import { decompressed } from "./decompress.ts";
import type { Transport, TransportResponse } from "./transport.ts";
import { plainHeaders, type TransportTimeouts } from "./transport-shared.ts";
import { cancelled, upstreamFailure } from "./upstream-error.ts";

/** The origin and the path of an absolute URL, without building a URL object on the hot path. */
const splitUrl = (url: string): { origin: string; path: string } => {
  const slash = url.indexOf("/", url.indexOf("://") + 3);
  return slash < 0 ? { origin: url, path: "/" } : { origin: url.slice(0, slash), path: url.slice(slash) };
};

/** One request and its answer, alive as long as the answer streams. */
class Exchange implements Dispatcher.DispatchHandler, ByteSource {
  readonly #signal: AbortSignal;
  readonly #queue: ByteQueue;
  #resolve: ((response: TransportResponse) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;
  #controller: Dispatcher.DispatchController | undefined;

  constructor(signal: AbortSignal, resolve: (response: TransportResponse) => void, reject: (error: unknown) => void) {
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#queue = new ByteQueue(this);
  }

  /** The caller left, or the time is over: the signal says which. An object with this name may listen to a signal. */
  handleEvent(): void {
    this.#controller?.abort(upstreamFailure(undefined, "body", this.#signal));
  }
  pause(): void {
    this.#controller?.pause();
  }
  resume(): void {
    this.#controller?.resume();
  }
  abandon(): void {
    this.#controller?.abort(cancelled());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal.aborted) this.handleEvent();
    else this.#signal.addEventListener("abort", this);
  }
  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    raw: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    const resolve = this.#resolve;
    const reject = this.#reject;
    this.#resolve = undefined;
    this.#reject = undefined;
    const headers = plainHeaders(raw);
    try {
      resolve?.({ status, headers, body: decompressed(headers, this.#queue) });
    } catch (error) {
      reject?.(upstreamFailure(error, "body", this.#signal));
      this.abandon();
    }
  }
  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#queue.push(chunk);
  }
  onResponseEnd(): void {
    this.#signal.removeEventListener("abort", this);
    this.#queue.end();
  }
  onResponseError(_controller: Dispatcher.DispatchController, error: unknown): void {
    this.#signal.removeEventListener("abort", this);
    if (this.#reject === undefined) this.#queue.fail(upstreamFailure(error, "body", this.#signal));
    else this.#reject(upstreamFailure(error, "connect", this.#signal));
  }
}

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
        const { origin, path } = splitUrl(request.url);
        agent.dispatch(
          { origin, path, method: request.method, headers: request.headers, body: request.body ?? null },
          new Exchange(signal, resolve, reject),
        );
      }),
  };
};
