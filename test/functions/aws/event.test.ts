// Lambda's HTTP events as calls: names, repeats, cookies, bodies, stages, and who was proven to call.
import { expect, test } from "vitest";
import { preludeOf, receive, type RestEvent } from "../../../functions/aws/event.ts";
import { restEvent, urlEvent } from "./fake-lambda.ts";

test("a function URL's event: path and query as they came, cookies as one header", () => {
  const event = urlEvent({ path: "/v1/threads/a%2Fb", query: "q=%20x&q=y", body: { a: 1 } });
  const { call, identity } = receive({ ...event, cookies: ["a=1", "b=2"] });
  expect(call).toMatchObject({ method: "POST", path: "/v1/threads/a%2Fb", query: "q=%20x&q=y" });
  expect(call.headers["cookie"]).toBe("a=1; b=2");
  expect(Buffer.from(call.body).toString()).toBe('{"a":1}');
  expect(identity).toBeUndefined();
});

test("a binary body survives, and a path that a front has decoded is encoded again", () => {
  const bytes = Buffer.from([0, 255, 128, 10]);
  const event = { ...urlEvent({ path: "/v1/files/ä b" }), body: bytes.toString("base64"), isBase64Encoded: true };
  const { call } = receive(event);
  expect(Buffer.from(call.body)).toEqual(bytes);
  expect(call.path).toBe("/v1/files/%C3%A4%20b");
});

test.each([
  ["$default", "/live/v1/models", "/live/v1/models"],
  ["live", "/live/v1/models", "/v1/models"],
  ["live", "/live", "/"],
  ["live", "/lively/v1", "/lively/v1"],
  ["live", "/v1/models", "/v1/models"],
])("stage %s: %s is %s", (stage, rawPath, path) => {
  const event = urlEvent({ path: rawPath });
  expect(receive({ ...event, requestContext: { ...event.requestContext, stage } }).call.path).toBe(path);
});

test("REST: names in lower case, repeats joined, the query encoded again", () => {
  const event: RestEvent = {
    ...restEvent({ path: "/v1/models", query: "a=1&a=%262" }),
    headers: { "X-One": "last", Only: "here", Cookie: "b=2" },
    multiValueHeaders: { "X-One": ["first", "last"], Cookie: ["a=1", "b=2"] },
  };
  const { call } = receive(event);
  expect(call.headers).toEqual({ "x-one": "first, last", cookie: "a=1; b=2", only: "here" });
  expect(call.query).toBe("a=1&a=%262");
  expect(call.method).toBe("GET");
});

const arn = "arn:aws:sts::123456789012:assumed-role/Caller/session";

test("who calls is what the platform has proven, and nothing that a client sends", () => {
  const event = urlEvent({ path: "/", headers: { authorizer: arn } });
  const iam = { iam: { userArn: arn, accountId: "123456789012" } };
  const proven = { kind: "aws-iam", arn, account: "123456789012" };
  expect(receive(event).identity).toBeUndefined();
  expect(receive({ ...event, requestContext: { ...event.requestContext, authorizer: iam } }).identity).toEqual(proven);
  const rest = restEvent({ path: "/" });
  const identity = { userArn: arn, accountId: "123456789012" };
  expect(receive({ ...rest, requestContext: { stage: "live", identity } }).identity).toEqual(proven);
  expect(receive({ ...rest, requestContext: { stage: "live", identity: { userArn: null } } }).identity).toBeUndefined();
});

test("several cookies go out as such, one with a date in it among them", () => {
  const headers = { "x-a": "1", "set-cookie": "a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT, b=2" };
  const cookies = ["a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT", "b=2"];
  expect(preludeOf(200, headers, urlEvent({ path: "/" }))).toEqual({
    statusCode: 200,
    headers: { "x-a": "1" },
    cookies,
  });
  expect(preludeOf(200, headers, restEvent({ path: "/" }))).toEqual({
    statusCode: 200,
    headers: { "x-a": "1" },
    multiValueHeaders: { "set-cookie": cookies },
  });
});

test.each([null, {}, { Records: [] }, "x"])("what is no HTTP event is refused: %j", (event) => {
  expect(() => receive(event as unknown as RestEvent)).toThrow("neither");
});
