// events/*.json are what Lambda sends: whole, nobody's, and answered without a key by the echo provider.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { streamEnds, testAnswers } from "./answers.ts";

const folder = new URL("../../events/", import.meta.url).pathname;
const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
const read = (name: string): unknown => JSON.parse(readFileSync(`${folder}${name}.json`, "utf8"));

type UrlEvent = {
  version: string;
  routeKey: string;
  rawPath: string;
  rawQueryString: string;
  headers: Record<string, string>;
  requestContext: Record<string, unknown> & { http: Record<string, string> };
  body?: string;
  isBase64Encoded: boolean;
};
type RestEvent = {
  resource: string;
  path: string;
  httpMethod: string;
  headers: Record<string, string>;
  multiValueHeaders: Record<string, string[]>;
  requestContext: Record<string, unknown>;
  body: string;
  isBase64Encoded: boolean;
};
const overUrl = ["chat", "messages", "responses", "gemini", "threads", "health"];

test("there is one per route family and trigger", () => {
  expect(names.map((name) => name.replace(".json", ""))).toEqual(
    [...overUrl, "sqs", "schedule", "rest-api"].toSorted((a, b) => (a < b ? -1 : 1)),
  );
});

test.each(names)("%s names nobody's account, key or address", (name) => {
  const text = readFileSync(`${folder}${name}`, "utf8");
  for (const [account] of text.matchAll(/(?<![\w-])\d{12}(?![\w-])/g)) expect(account).toBe("123456789012");
  expect(text).not.toMatch(/sk-[A-Za-z0-9-]{8}|AKIA|ASIA|eyJ[\w-]+\.eyJ/);
  for (const [address] of text.matchAll(/\b\d+\.\d+\.\d+\.\d+\b/g)) expect(address).toMatch(/^192\.0\.2\./);
});

describe("function URL events", () => {
  test.each(overUrl)("%s is payload 2.0, with all its fields", (name) => {
    const event = read(name) as UrlEvent;
    expect(event).toMatchObject({ version: "2.0", routeKey: "$default", isBase64Encoded: false });
    expect(event.requestContext).toMatchObject({ accountId: "anonymous", routeKey: "$default", stage: "$default" });
    for (const field of ["apiId", "domainName", "domainPrefix", "requestId", "time", "timeEpoch"])
      expect(event.requestContext[field], field).toBeTruthy();
    expect(event.requestContext.http).toMatchObject({ path: event.rawPath, protocol: "HTTP/1.1" });
    expect(Object.keys(event.headers).every((header) => header === header.toLowerCase())).toBe(true);
    expect(event.headers["host"]).toBe(event.requestContext["domainName"]);
    expect(event.headers["x-heddle-origin"]).toBeDefined();
    if (event.body !== undefined) expect(event.headers["content-length"]).toBe(String(Buffer.byteLength(event.body)));
  });
});

test("the SQS event is a batch with a job's name alone", () => {
  const { Records } = read("sqs") as { Records: Record<string, unknown>[] };
  expect(Records).toHaveLength(1);
  const record = Records[0] ?? {};
  for (const field of ["messageId", "receiptHandle", "attributes", "messageAttributes", "eventSourceARN", "awsRegion"])
    expect(record[field], field).toBeTruthy();
  expect(record["eventSource"]).toBe("aws:sqs");
  expect(record["attributes"]).toMatchObject({ ApproximateReceiveCount: "1" });
  const body = String(record["body"]);
  expect(record["md5OfBody"]).toBe(createHash("md5").update(body).digest("hex"));
  expect(JSON.parse(body)).toEqual({ id: expect.stringMatching(/^[^/]+\/.+$/) });
});

test("the schedule's event is EventBridge's", () => {
  expect(read("schedule")).toMatchObject({
    version: "0",
    source: "aws.events",
    "detail-type": "Scheduled Event",
    detail: {},
    resources: [expect.stringMatching(/^arn:aws:events:/)],
  });
});

test("the REST API's event is a proxy event, its body base64 as all are binary", () => {
  const event = read("rest-api") as RestEvent;
  expect(event).toMatchObject({ resource: "/{proxy+}", httpMethod: "POST", isBase64Encoded: true });
  expect(event.requestContext["path"]).toBe(`/v${event.path}`);
  expect(Object.keys(event.multiValueHeaders)).toEqual(Object.keys(event.headers));
  expect(JSON.parse(Buffer.from(event.body, "base64").toString("utf8"))).toMatchObject({ model: "echo/echo" });
});

testAnswers(
  (name) => {
    const event = read(name) as UrlEvent | RestEvent;
    const isUrl = "rawPath" in event;
    const path = isUrl
      ? `${event.rawPath}${event.rawQueryString === "" ? "" : `?${event.rawQueryString}`}`
      : event.path;
    const { host: _host, Host: _Host, "content-length": _length, ...headers } = event.headers;
    return {
      method: isUrl ? (event.requestContext.http["method"] ?? "") : event.httpMethod,
      path,
      headers,
      ...(event.body === undefined ? {} : { body: Buffer.from(event.body, event.isBase64Encoded ? "base64" : "utf8") }),
    };
  },
  { streams: [...streamEnds, ["rest-api", "data: [DONE]"]], from: "lambda" },
);
