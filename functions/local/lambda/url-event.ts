// An HTTP request as the event that a Function URL makes of it: payload format 2.0.
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { LambdaFunctionURLEvent } from "aws-lambda";

/** Types that come as text; all others come in base64. */
const isText = (contentType: string): boolean =>
  /^(?:text\/|application\/(?:json|javascript|xml|x-www-form-urlencoded|[\w.-]+\+(?:json|xml)))/i.test(contentType);

const monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (value: number): string => String(value).padStart(2, "0");

/** `12/Mar/2020:19:03:58 +0000`. */
const timeOf = (at: Date): string =>
  `${two(at.getUTCDate())}/${monthNames[at.getUTCMonth()]}/${at.getUTCFullYear()}:${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`;

const headersOf = (request: IncomingMessage): { headers: Record<string, string>; cookies: string[] } => {
  const headers: Record<string, string> = {};
  const cookies: string[] = [];
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    if (values === undefined || name === "connection" || name === "transfer-encoding") continue;
    if (name === "cookie") cookies.push(...values.flatMap((value) => value.split(/;\s*/)));
    else headers[name] = values.join(",");
  }
  return { headers, cookies };
};

const queryOf = (raw: string): Record<string, string> => {
  const query: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(raw))
    query[name] = query[name] === undefined ? value : `${query[name]},${value}`;
  return query;
};

export const urlEventOf = (request: IncomingMessage, body: Buffer, now = new Date()): LambdaFunctionURLEvent => {
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const rawPath = mark < 0 ? url : url.slice(0, mark);
  const rawQueryString = mark < 0 ? "" : url.slice(mark + 1);
  const { headers, cookies } = headersOf(request);
  const requestId = randomUUID();
  const sourceIp = request.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "";
  const domainPrefix = "local0000000000000000000000000000";
  const domainName = `${domainPrefix}.lambda-url.eu-west-1.on.aws`;
  const isBase64Encoded = body.length > 0 && !isText(headers["content-type"] ?? "");
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString,
    ...(cookies.length === 0 ? {} : { cookies }),
    headers: {
      ...headers,
      "x-amzn-trace-id": `Root=1-${Math.floor(now.getTime() / 1000).toString(16)}-${requestId.replaceAll("-", "").slice(0, 24)}`,
      "x-forwarded-for": sourceIp,
      "x-forwarded-port": "443",
      "x-forwarded-proto": "https",
    },
    ...(rawQueryString === "" ? {} : { queryStringParameters: queryOf(rawQueryString) }),
    requestContext: {
      accountId: "anonymous",
      apiId: domainPrefix,
      domainName,
      domainPrefix,
      http: {
        method: request.method ?? "GET",
        path: rawPath,
        protocol: "HTTP/1.1",
        sourceIp,
        userAgent: headers["user-agent"] ?? "",
      },
      requestId,
      routeKey: "$default",
      stage: "$default",
      time: timeOf(now),
      timeEpoch: now.getTime(),
    },
    ...(body.length === 0 ? {} : { body: body.toString(isBase64Encoded ? "base64" : "utf8") }),
    isBase64Encoded,
  };
};
