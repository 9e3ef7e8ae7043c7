// The runtime's side of a streaming function: its global, an invocation's context and stream, and what the client got.
import { Writable } from "node:stream";
import type { Context } from "aws-lambda";
import type { HttpEvent, Prelude, RestEvent, UrlEvent } from "../../../functions/aws/event.ts";

const separator = Buffer.alloc(8);

/** As the runtime client does it: the prelude goes out with the first write, and eight zero bytes part it from the body. */
const from = (under: Writable, prelude: Record<string, unknown>): Writable => {
  const write = under.write.bind(under) as (chunk: unknown, ...rest: unknown[]) => boolean;
  let begun = false;
  under.write = ((chunk: unknown, ...rest: unknown[]) => {
    if (!begun) {
      begun = true;
      write(JSON.stringify(prelude));
      write(separator);
    }
    return chunk === "" ? true : write(chunk, ...rest);
  }) as typeof under.write;
  return under;
};

/** To be called before the function's module is loaded. */
export const installLambda = (): void => {
  Object.assign(globalThis, {
    awslambda: { streamifyResponse: (handler: unknown) => handler, HttpResponseStream: { from } },
  });
};

export type Got = {
  prelude: Prelude;
  /** The body's writes, each with the milliseconds since the invocation began. */
  chunks: { text: string; ms: number }[];
  text: string;
  bytes: Buffer;
};

type Handler = (event: HttpEvent, stream: awslambda.HttpResponseStream, context: Context) => Promise<void>;

export type InvokeOptions = {
  remainingMs?: number;
  /** Called with each write of the body. */
  onChunk?: (text: string, stream: Writable) => void;
};

let invocations = 0;

export const contextOf = (remainingMs: number): Context => {
  invocations += 1;
  const until = Date.now() + remainingMs;
  return {
    awsRequestId: `aws-request-${invocations}`,
    getRemainingTimeInMillis: () => until - Date.now(),
  } as Context;
};

/** Resolves when the function has; rejects with what it throws, and where it returns before its stream has ended (F55). */
export const invoke = async (handler: Handler, event: HttpEvent, options: InvokeOptions = {}): Promise<Got> => {
  const { remainingMs = 60_000, onChunk } = options;
  const began = Date.now();
  const written: { bytes: Buffer; ms: number }[] = [];
  const stream = new Writable({
    decodeStrings: true,
    write: (chunk: Buffer, _encoding, done) => {
      written.push({ bytes: Buffer.from(chunk), ms: Date.now() - began });
      if (written.length > 2) onChunk?.(chunk.toString("utf8"), stream);
      done();
    },
  });
  await handler(event, stream as awslambda.HttpResponseStream, contextOf(remainingMs));
  if (!stream.writableFinished && !stream.destroyed) throw new Error("Response stream is not finished");
  const [prelude, zeros, ...body] = written;
  if (prelude === undefined || zeros?.bytes.equals(separator) !== true) throw new Error("No prelude.");
  const bytes = Buffer.concat(body.map((each) => each.bytes));
  return {
    prelude: JSON.parse(prelude.bytes.toString("utf8")) as Prelude,
    chunks: body.map((each) => ({ text: each.bytes.toString("utf8"), ms: each.ms })),
    text: bytes.toString("utf8"),
    bytes,
  };
};

type Asked = { method?: string; path: string; query?: string; headers?: Record<string, string>; body?: unknown };

const bodyText = (body: unknown): string | undefined =>
  body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);

/** A function URL's event. */
export const urlEvent = ({ method, path, query = "", headers = {}, body }: Asked): UrlEvent => {
  const text = bodyText(body);
  return {
    version: "2.0",
    rawPath: path,
    rawQueryString: query,
    headers: { host: "abc.lambda-url.eu-west-1.on.aws", "content-type": "application/json", ...headers },
    requestContext: { stage: "$default", http: { method: method ?? (text === undefined ? "GET" : "POST") } },
    ...(text === undefined ? {} : { body: text, isBase64Encoded: false }),
  };
};

/** API Gateway's, for the same request. */
export const restEvent = ({ method, path, query = "", headers = {}, body }: Asked): RestEvent => {
  const text = bodyText(body);
  const parameters: Record<string, string[]> = {};
  for (const [name, value] of new URLSearchParams(query)) (parameters[name] ??= []).push(value);
  return {
    httpMethod: method ?? (text === undefined ? "GET" : "POST"),
    path,
    headers: { Host: "api.test", "Content-Type": "application/json", ...headers },
    multiValueQueryStringParameters: parameters,
    requestContext: { stage: "live" },
    body: text ?? null,
    isBase64Encoded: false,
  };
};
