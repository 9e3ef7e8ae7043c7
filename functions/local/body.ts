// A request's body, whole, within its size and its time.
import type { IncomingMessage } from "node:http";
import type { ServerConfig } from "../../lib/config-types.ts";
import { GatewayError } from "../../lib/model/error.ts";

/**
 * Throws `request_too_large`, `request_timeout`, or `cancelled` where the caller left while sending. What is too much is still
 * read, and thrown away: a connection that closes on unread bytes is reset, and its caller never sees why.
 */
export const readBody = (
  request: IncomingMessage,
  limits: Pick<ServerConfig, "maxBodyBytes" | "bodyTimeoutMs">,
): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      chunks.length = 0;
      // Rejecting with what the stream failed with, whatever it is, is the caller's to judge.
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors
      reject(error);
    };
    const tooLarge = (): GatewayError =>
      new GatewayError("request_too_large", `The request body is over ${limits.maxBodyBytes} bytes.`);
    const timer = setTimeout(
      () => fail(new GatewayError("request_timeout", "The request body did not arrive in time.")),
      limits.bodyTimeoutMs,
    );
    if (Number(request.headers["content-length"] ?? 0) > limits.maxBodyBytes) {
      fail(tooLarge());
      request.resume();
      return;
    }
    request.on("data", (chunk: Uint8Array) => {
      size += chunk.length;
      if (size > limits.maxBodyBytes) fail(tooLarge());
      else chunks.push(chunk);
    });
    request.on("end", () => {
      clearTimeout(timer);
      const only = chunks[0];
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks));
    });
    // A connection that breaks is an error first, and closed then.
    request.on("error", (cause) => fail(new GatewayError("cancelled", "The caller has gone.", { cause })));
    request.on("close", () => {
      clearTimeout(timer);
      if (!request.complete) fail(new GatewayError("cancelled", "The caller has gone."));
    });
  });

/** Undefined where it has more bytes than `most`: it is read all the same. */
export const readUpTo = async (request: IncomingMessage, most: number): Promise<Buffer | undefined> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size <= most) chunks.push(chunk as Buffer);
  }
  return size > most ? undefined : Buffer.concat(chunks);
};
