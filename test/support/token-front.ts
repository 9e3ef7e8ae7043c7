// A TLS server in front of an emulator that lets nobody through without a token of Entra ID: no shared key, no SAS, no anonymous reads.
import { once } from "node:events";
import { type IncomingMessage, request as sendPlain, type ServerResponse } from "node:http";
import { createServer, request as sendTls } from "node:https";
import type { Certificate } from "./certificate.ts";

type Passed = { method: string; path: string; token: string };

export type TokenFront = {
  /** `https://127.0.0.1:port`. */
  url: string;
  /** Requests that came with a good token, and were passed on. */
  passed: Passed[];
  /** The others: what was wrong with each. None of them is passed on. */
  refused: string[];
  stop: () => Promise<void>;
};

export type TokenFrontOptions = {
  certificate: Certificate;
  /** The emulator's address; `https:` with the same certificate. */
  target: string;
  /** The token in an `Authorization` header; undefined where it is none. */
  tokenOf?: (authorization: string) => string | undefined;
  accepts: (token: string) => boolean;
  /** Changes an answer's text, where it isn't undefined. */
  amend?: (path: string, text: string) => string | undefined;
};

/** `Bearer …`. */
const bearer = (authorization: string): string | undefined => /^Bearer (\S+)$/.exec(authorization)?.[1];

/** `type=aad&ver=1.0&sig=…`, URL-encoded, as Cosmos DB takes it. A key's is `type=master`, a resource token's `type=resource`. */
export const cosmosToken = (authorization: string): string | undefined =>
  /^type=aad&ver=1\.0&sig=(\S+)$/.exec(decodeURIComponent(authorization))?.[1];

const bodyOf = async (message: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

export const startTokenFront = async (options: TokenFrontOptions): Promise<TokenFront> => {
  const { certificate, target, tokenOf = bearer, accepts, amend = () => undefined } = options;
  const passed: Passed[] = [];
  const refused: string[] = [];
  const send = target.startsWith("https:") ? sendTls : sendPlain;

  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer): Promise<void> => {
    const { method = "GET", url: path = "/", headers } = incoming;
    const onward = send(new URL(path, target), {
      method,
      headers: { ...headers, "content-length": String(body.length) },
      ca: certificate.cert,
    });
    onward.end(body);
    const [answer] = (await once(onward, "response")) as [IncomingMessage];
    const bytes = await bodyOf(answer);
    const text = amend(path, bytes.toString("utf8"));
    const amended = text === undefined ? bytes : Buffer.from(text);
    const { "transfer-encoding": _, "content-length": __, connection: ___, ...kept } = answer.headers;
    const length = method === "HEAD" ? answer.headers["content-length"] : String(amended.length);
    outgoing.writeHead(answer.statusCode ?? 502, {
      ...kept,
      ...(length === undefined ? {} : { "content-length": length }),
    });
    outgoing.end(amended);
  };

  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const { method = "GET", url: path = "/", headers } = incoming;
    // Read in any case: an answer before the body's end may break the connection.
    const body = await bodyOf(incoming);
    const { authorization = "" } = headers;
    const token = tokenOf(authorization);
    const signed = new URL(path, target).searchParams.has("sig");
    const wrong = signed
      ? "a shared access signature"
      : token === undefined
        ? `no token: ${authorization.split(/[ =%]/)[0] || "nothing at all"}`
        : accepts(token)
          ? undefined
          : "a token that is not for this service";
    if (wrong !== undefined || token === undefined) {
      refused.push(`${method} ${path}: ${wrong}`);
      return void outgoing.writeHead(401).end();
    }
    passed.push({ method, path, token });
    return pass(incoming, outgoing, body);
  };

  const server = createServer({ key: certificate.key, cert: certificate.cert }, (incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("No port.");
  return {
    url: `https://127.0.0.1:${address.port}`,
    passed,
    refused,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
