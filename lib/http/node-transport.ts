// The upstream transport of functions: node:http(s) by getBuiltinModule, which loads nothing else at a cold start (SPEED).
import type * as Http from "node:http";
import type * as Https from "node:https";
import type { LookupFunction } from "node:net";
import { GatewayError } from "../model/error.ts";
import { ByteQueue } from "./byte-queue.ts";
import { decompressed } from "./decompress.ts";
import type { Transport, TransportResponse } from "./transport.ts";
import { plainHeaders, type TransportTimeouts } from "./transport-shared.ts";
import { upstreamFailure } from "./upstream-error.ts";

export type NodeTransportOptions = {
  /** How host names become addresses, where it is not the system's way. Addresses in URLs are not looked up. */
  lookup?: LookupFunction;
  /** false: a connection a request. */
  keepAlive?: boolean;
};

export const createNodeTransport = (timeouts: TransportTimeouts, options: NodeTransportOptions = {}): Transport => {
  const { lookup, keepAlive = true } = options;
  const agentOptions: Http.AgentOptions = {
    keepAlive,
    keepAliveMsecs: 30_000,
    ...(lookup === undefined ? {} : { lookup }),
  };
  const agents: { http?: Http.Agent; https?: Https.Agent } = {};
  const httpAgent = (): Http.Agent => (agents.http ??= new (process.getBuiltinModule("node:http").Agent)(agentOptions));
  const httpsAgent = (): Https.Agent =>
    (agents.https ??= new (process.getBuiltinModule("node:https").Agent)(agentOptions));

  return {
    close: () => {
      agents.http?.destroy();
      agents.https?.destroy();
      return Promise.resolve();
    },
    send: (request, signal) =>
      new Promise<TransportResponse>((resolve, reject) => {
        if (signal.aborted) {
          reject(upstreamFailure(undefined, "connect", signal));
          return;
        }
        const secure = request.url.startsWith("https:");
        const headers: Record<string, string | number> = { ...request.headers };
        if (request.body !== undefined) headers["content-length"] = Buffer.byteLength(request.body);
        const sent = { method: request.method, headers, agent: secure ? httpsAgent() : httpAgent() };
        const client = secure
          ? process.getBuiltinModule("node:https").request(request.url, sent)
          : process.getBuiltinModule("node:http").request(request.url, sent);

        let fail: (error: unknown) => void = (error) => reject(upstreamFailure(error, "connect", signal));
        const late = (code: "upstream_unreachable" | "upstream_timeout", message: string): void => {
          client.destroy(new GatewayError(code, message));
        };
        const connectTimer = setTimeout(
          () => late("upstream_unreachable", "The provider could not be reached in time."),
          timeouts.connectMs,
        );
        const headersTimer = setTimeout(
          () => late("upstream_timeout", "The provider sent no answer in time."),
          timeouts.headersMs,
        );
        const onAbort = (): void => {
          client.destroy();
        };
        signal.addEventListener("abort", onAbort);
        const settled = (): void => {
          clearTimeout(connectTimer);
          clearTimeout(headersTimer);
        };
        client.on("socket", (socket) => {
          if (socket.connecting) socket.once(secure ? "secureConnect" : "connect", () => clearTimeout(connectTimer));
          else clearTimeout(connectTimer);
        });
        client.on("error", (error) => {
          settled();
          signal.removeEventListener("abort", onAbort);
          fail(error);
        });
        client.on("response", (response) => {
          settled();
          const queue = new ByteQueue({
            pause: () => response.pause(),
            resume: () => response.resume(),
            abandon: () => client.destroy(),
          });
          fail = (error) => queue.fail(upstreamFailure(error, "body", signal));
          response.setTimeout(timeouts.idleMs, () =>
            late("upstream_timeout", "The provider stopped sending in the middle of its answer."),
          );
          response.on("data", (chunk: Uint8Array) => queue.push(chunk));
          response.on("end", () => {
            signal.removeEventListener("abort", onAbort);
            queue.end();
          });
          response.on("error", (error) => fail(error));
          response.on("close", () => {
            signal.removeEventListener("abort", onAbort);
            if (!response.complete) fail(new Error("closed before the end"));
          });
          const plain = plainHeaders(response.headers);
          let body: TransportResponse["body"];
          try {
            body = decompressed(plain, queue);
          } catch (error) {
            client.destroy();
            reject(upstreamFailure(error, "body", signal));
            return;
          }
          resolve({ status: response.statusCode ?? 0, headers: plain, body });
        });
        client.end(request.body);
      }),
  };
};
