// A call of a function by its version, as its function URL would make it: an HTTP event in, a streamed HTTP answer out.
import { createEventStreamSplitter } from "../../../lib/http/eventstream.ts";
import { readAll } from "../../../lib/http/transport.ts";
import type { Headers } from "../../../lib/model/call.ts";
import { isObject, parseJson } from "../../../lib/model/json.ts";
import type { Aws } from "./signed.ts";

export type HttpCall = { method: "GET" | "POST"; path: string; headers: Headers; body?: string };
export type HttpAnswer = {
  status: number;
  headers: Record<string, unknown>;
  body: string;
  /** Pieces that it came in. */ pieces: number;
};

/** What is written before the body: JSON, then eight of these. */
const preludeEnd = Buffer.alloc(8);
const answerLimit = 8 * 1024 * 1024;

const eventOf = (call: HttpCall, now: number): object => ({
  version: "2.0",
  routeKey: "$default",
  rawPath: call.path,
  rawQueryString: "",
  headers: { host: "smoke.lambda-url.on.aws", "x-forwarded-proto": "https", ...call.headers },
  requestContext: {
    accountId: "anonymous",
    apiId: "smoke",
    domainName: "smoke.lambda-url.on.aws",
    domainPrefix: "smoke",
    http: {
      method: call.method,
      path: call.path,
      protocol: "HTTP/1.1",
      sourceIp: "127.0.0.1",
      userAgent: "heddle-smoke",
    },
    requestId: `smoke-${now}`,
    routeKey: "$default",
    stage: "$default",
    time: new Date(now).toISOString(),
    timeEpoch: now,
  },
  ...(call.body === undefined ? {} : { body: call.body }),
  isBase64Encoded: false,
});

const failureOf = (payload: Uint8Array): string | undefined => {
  const end = parseJson(Buffer.from(payload).toString("utf8"));
  const code = isObject(end) ? end["ErrorCode"] : undefined;
  return typeof code === "string" && code !== "" ? code : undefined;
};

/** `version` is an ARN. Throws where Lambda refuses, the function fails, or the stream is cut: an HTTP status is an answer. */
export const invoke = async (aws: Aws, version: string, call: HttpCall, now: number): Promise<HttpAnswer> => {
  const answer = await aws.send({
    service: "lambda",
    path: `/2021-11-15/functions/${encodeURIComponent(version)}/response-streaming-invocations`,
    headers: { "content-type": "application/json", "x-amz-invocation-type": "RequestResponse" },
    body: JSON.stringify(eventOf(call, now)),
  });
  if (answer.status !== 200) {
    await readAll(answer.body, answerLimit).catch(() => undefined);
    throw new Error(`Lambda answered the invocation with ${answer.status}.`);
  }
  const splitter = createEventStreamSplitter();
  const payloads: Uint8Array[] = [];
  let complete = false;
  for await (const chunk of answer.body)
    for (const { headers, payload } of splitter.push(chunk)) {
      if (headers[":message-type"] === "exception")
        throw new Error(`The invocation failed: ${headers[":exception-type"] ?? "exception"}.`);
      if (headers[":event-type"] === "PayloadChunk") payloads.push(payload);
      if (headers[":event-type"] !== "InvokeComplete") continue;
      const failure = failureOf(payload);
      if (failure !== undefined) throw new Error(`The function failed: ${failure}.`);
      complete = true;
    }
  if (!complete) throw new Error("The invocation's stream was cut.");
  const whole = Buffer.concat(payloads);
  const at = whole.indexOf(preludeEnd);
  const prelude = at === -1 ? undefined : parseJson(whole.toString("utf8", 0, at));
  if (!isObject(prelude) || typeof prelude["statusCode"] !== "number")
    throw new Error("The function's answer has no status: it does not stream HTTP.");
  return {
    status: prelude["statusCode"],
    headers: isObject(prelude["headers"]) ? prelude["headers"] : {},
    body: whole.toString("utf8", at + preludeEnd.length),
    pieces: payloads.length,
  };
};
