// An HTTP client that hides nothing: headers as they are written, paths as they are given, bytes as they come.
import { type Agent, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { once } from "node:events";

export type Ask = {
  method?: string;
  /** Sent as it is: no part of it is made nicer. */
  path: string;
  headers?: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
  body?: string | Uint8Array;
  /** In pieces of no announced length. */
  chunked?: boolean;
  /** Sends the body once it is told to go on. */
  expectContinue?: boolean;
  agent?: Agent;
};

export type Answer = {
  status: number;
  headers: IncomingHttpHeaders;
  /** Each value of a header that came several times. */
  values: (name: string) => string[];
  bytes: Buffer;
  text: string;
  /** The body, parsed. Throws where it is no JSON. */
  json: () => unknown;
  /** False where the connection broke off before the body's end. */
  whole: boolean;
  /** The client's end of the connection. */
  port: number;
  /** Whether it was told to go on. */
  continued: boolean;
};

export type Open = {
  status: number;
  headers: IncomingHttpHeaders;
  /** All that came so far. */
  text: () => string;
  /** Resolves with all that came so far, as soon as it fits. Rejects where the answer ends without. */
  until: (fits: (text: string) => boolean) => Promise<string>;
  pause: () => void;
  resume: () => void;
  /** Closes the connection. */
  leave: () => void;
  end: () => Promise<Answer>;
};

const pairsOf = ({ headers = {} }: Ask): (readonly [string, string])[] =>
  Array.isArray(headers) ? [...(headers as (readonly [string, string])[])] : Object.entries(headers);

const start = (url: string, ask: Ask, length: number | undefined): ClientRequest => {
  const { hostname, port, host } = new URL(url);
  const pairs = pairsOf(ask);
  if (!pairs.some(([name]) => name.toLowerCase() === "host")) pairs.unshift(["host", host]);
  if (ask.agent === undefined) pairs.push(["connection", "close"]);
  if (ask.expectContinue === true) pairs.push(["expect", "100-continue"]);
  if (length !== undefined)
    pairs.push(ask.chunked === true ? ["transfer-encoding", "chunked"] : ["content-length", String(length)]);
  return request({
    hostname,
    port,
    method: ask.method ?? (length === undefined ? "GET" : "POST"),
    path: ask.path,
    headers: pairs.flat(),
    agent: ask.agent ?? false,
  });
};

/** Sends a call whose answer nobody waits for. Gives what closes its connection. */
export const abandon = (url: string, asked: Ask): (() => void) => {
  const bytes = Buffer.from(asked.body ?? "");
  const client = start(url, asked, bytes.length);
  client.on("error", () => undefined);
  client.end(bytes);
  return () => void client.destroy();
};

type Sent = { response: IncomingMessage; port: number; continued: boolean };

const send = async (url: string, ask: Ask): Promise<Sent> => {
  const bytes = typeof ask.body === "string" ? Buffer.from(ask.body) : ask.body;
  const client = start(url, ask, bytes?.length);
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    client.once("response", resolve);
    client.on("error", reject);
  });
  // Whoever does not wait for it here waits for it below.
  answered.catch(() => undefined);
  let continued = false;
  client.once("continue", () => {
    continued = true;
  });
  if (ask.expectContinue === true) {
    client.flushHeaders();
    await Promise.race([once(client, "continue"), answered]);
  }
  if (bytes === undefined) client.end();
  else if (ask.chunked === true) {
    const middle = Math.ceil(bytes.length / 2);
    if (middle > 0) client.write(bytes.subarray(0, middle));
    client.end(bytes.subarray(middle));
  } else client.end(bytes);
  const response = await answered;
  return { response, port: response.socket.localPort ?? 0, continued };
};

export const open = async (url: string, ask: Ask): Promise<Open> => {
  const { response, port, continued } = await send(url, ask);
  const chunks: Buffer[] = [];
  let text: string | undefined;
  const waiting = new Set<() => void>();
  let over = false;
  const wake = (): void => {
    for (const each of waiting) each();
  };
  response.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    text = undefined;
    wake();
  });
  response.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => {
    response.once("close", () => {
      over = true;
      wake();
      resolve();
    });
  });
  const all = (): string => (text ??= Buffer.concat(chunks).toString("utf8"));
  const { statusCode: status = 0, headers } = response;
  return {
    status,
    headers,
    text: all,
    until: (fits) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (fits(all())) resolve(all());
          else if (over) reject(new Error(`The answer ended with: ${all().slice(-300)}`));
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      }),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    leave: () => void response.destroy(),
    end: async () => {
      await closed;
      const bytes = Buffer.concat(chunks);
      return {
        status,
        headers,
        values: (name) => response.headersDistinct[name] ?? [],
        bytes,
        text: all(),
        json: () => JSON.parse(all()) as unknown,
        whole: response.complete,
        port,
        continued,
      };
    },
  };
};

export const ask = async (url: string, asked: Ask): Promise<Answer> => (await open(url, asked)).end();
