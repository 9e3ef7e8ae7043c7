// A Function URL on this machine: HTTP in, the function's streamed answer out, chunk by chunk. What neither `sam` nor any emulator serves (F58).
import type { IncomingMessage, ServerResponse } from "node:http";
import { drained } from "../../../lib/http/write.ts";
import { readUpTo } from "../body.ts";
import { type Front, listen } from "../front.ts";
import type { LocalFunction } from "./function.ts";
import type { Receiver } from "./instance.ts";
import { createPreludeDecoder, decodeWhole, type Head, integrationType } from "./prelude.ts";
import { urlEventOf } from "./url-event.ts";

/** The most that Lambda takes as a request, with the event around it. */
const largestBody = 6 * 1024 * 1024;

export type FrontOptions = {
  /** 0: any free one. */
  port: number;
  /** Leaves the client after so many chunks of an answer's body, and lets the function run on (F54). */
  dropAfter?: number;
};

const writeHead = (response: ServerResponse, { status, headers }: Head, requestId: string): void => {
  const distinct: Record<string, string | string[]> = { "x-amzn-requestid": requestId };
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (lower === "connection" || lower === "transfer-encoding") continue;
    const before = distinct[lower];
    distinct[lower] = before === undefined ? value : [before, value].flat();
  }
  response.writeHead(status, distinct);
  response.flushHeaders();
};

/** Puts an answer of the function on an HTTP response. The function is heard to its end even where nobody listens any more. */
const receiverFor = (response: ServerResponse, requestId: string, dropAfter: number): Receiver => {
  let whole: Buffer[] | undefined;
  let decode: (piece: Buffer) => Buffer = (piece) => piece;
  let left = dropAfter;
  const write = async (body: Buffer): Promise<void> => {
    if (body.length === 0 || response.destroyed) return;
    const more = response.write(body);
    left -= 1;
    if (left === 0) response.destroy();
    else if (!more) await drained(response);
  };
  return {
    start: (contentType, streams) => {
      const head = (found: Head): void => writeHead(response, found, requestId);
      if (!streams) whole = [];
      else if (contentType === integrationType) decode = createPreludeDecoder(head);
      else
        decode = (piece) => {
          if (!response.headersSent) head({ status: 200, headers: [["content-type", contentType]] });
          return piece;
        };
    },
    chunk: async (bytes) => {
      if (whole === undefined) await write(decode(bytes));
      else whole.push(bytes);
    },
    end: () => {
      if (whole !== undefined) {
        const { head, body } = decodeWhole(Buffer.concat(whole).toString("utf8"));
        writeHead(response, head, requestId);
        response.write(body);
      }
      // Without its head an answer is none.
      if (response.headersSent) response.end();
    },
  };
};

const refuse = (response: ServerResponse, status: number, message: string): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ Message: message }));
};

/** Listens on 127.0.0.1. */
export const startFront = (target: LocalFunction, options: FrontOptions): Promise<Front> => {
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readUpTo(request, largestBody);
    if (body === undefined) {
      refuse(response, 413, "Request Entity Too Large");
      return;
    }
    const event = urlEventOf(request, body);
    const { dropAfter = 0 } = options;
    await target.invoke(event, receiverFor(response, event.requestContext.requestId, dropAfter));
    if (response.writableEnded || response.destroyed) return;
    // What broke off after its head can't be mended: the client sees a cut connection. Before it, Lambda's own answer.
    if (response.headersSent) response.destroy();
    else refuse(response, 502, "Internal Server Error");
  };
  return listen(options.port, (request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
};
