// The provider that all calls of the suite end at: each case says what it answers under a model's name that is the case's own.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { drained } from "../../lib/http/write.ts";

/** A call as it arrived. */
type Heard = {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  bytes: Buffer;
  text: string;
  /** Resolves true when the answer was sent whole, false when the caller's connection closed before. */
  whole: Promise<boolean>;
};

/** An answer: `write` resolves when more can be taken, and false when nobody listens any more. */
export type Out = {
  head: (status: number, headers?: Record<string, string | string[]>) => void;
  write: (piece: string | Uint8Array) => Promise<boolean>;
  end: (piece?: string | Uint8Array) => void;
  /** Breaks the connection off where it is. */
  reset: () => void;
};

export type Script = (out: Out, heard: Heard) => void | Promise<void>;

type Played = {
  /** What to call it by, without a provider's name before it. */
  model: string;
  /** Its calls so far. */
  heard: readonly Heard[];
};

export type Provider = {
  url: string;
  play: (script: Script) => Played;
  /** Of all cases. */
  calls: () => number;
  stop: () => Promise<void>;
};

const outOf = (response: ServerResponse): Out => ({
  head: (status, headers = {}) => {
    response.writeHead(status, headers);
    response.flushHeaders();
  },
  write: async (piece) => {
    if (response.destroyed) return false;
    return response.write(piece) ? !response.destroyed : drained(response);
  },
  end: (piece) => void response.end(piece),
  reset: () => void response.socket?.resetAndDestroy(),
});

export const startProvider = async (): Promise<Provider> => {
  const played = new Map<string, { script: Script; heard: Heard[] }>();
  let calls = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    const whole = new Promise<boolean>((resolve) => {
      response.once("close", () => resolve(response.writableFinished));
    });
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      calls += 1;
      const bytes = Buffer.concat(chunks);
      const { method = "", url = "", headers } = request;
      const name = /\bweft-\d+\b/.exec(url)?.[0] ?? /\bweft-\d+\b/.exec(bytes.toString("latin1"))?.[0] ?? "";
      const play = played.get(name);
      if (play === undefined) {
        // Lists of models are asked for by nobody's case.
        response.writeHead(404, { "content-type": "application/json" }).end('{"error":{"message":"no such script"}}');
        return;
      }
      const heard: Heard = { method, url, headers, bytes, text: bytes.toString("utf8"), whole };
      play.heard.push(heard);
      void Promise.resolve(play.script(outOf(response), heard)).catch(() => response.destroy());
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    play: (script) => {
      const model = `weft-${played.size + 1}`;
      const heard: Heard[] = [];
      played.set(model, { script, heard });
      return { model, heard };
    },
    calls: () => calls,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

/** A whole answer of JSON. */
export const says =
  (body: unknown, status = 200, headers: Record<string, string | string[]> = {}): Script =>
  (out) => {
    out.head(status, { "content-type": "application/json", ...headers });
    out.end(JSON.stringify(body));
  };

/** A stream of these pieces. */
export const streams =
  (...pieces: readonly (string | Uint8Array)[]): Script =>
  async (out) => {
    out.head(200, { "content-type": "text/event-stream" });
    for (const piece of pieces) if (!(await out.write(piece))) return;
    out.end();
  };
