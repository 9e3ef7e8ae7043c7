// Where a caller's key is looked for.
import { expect, test } from "vitest";
import { credentialOf } from "../../lib/auth/credential.ts";
import type { Call } from "../../lib/model/call.ts";

const call = (headers: Record<string, string>, query = ""): Call => ({
  method: "POST",
  path: "/v1/messages",
  query,
  headers,
  body: new Uint8Array(),
});

test.each([
  ["a bearer token", { authorization: "Bearer abc" }, ""],
  ["a bearer token, written otherwise", { authorization: "bearer   abc " }, ""],
  ["x-api-key", { "x-api-key": "abc" }, ""],
  ["x-goog-api-key", { "x-goog-api-key": "abc" }, ""],
  ["api-key", { "api-key": " abc " }, ""],
  ["?key=", {}, "key=abc"],
  ["?key= among others", {}, "alt=sse&key=abc&x=y"],
  ["?key=, percent-encoded", {}, "key=%61bc"],
  ["the one that is not empty", { "x-api-key": "", "api-key": "  ", authorization: "Bearer " }, "key=abc"],
  ["the bearer token first", { authorization: "Bearer abc", "x-api-key": "other" }, "key=other"],
  ["x-api-key before the query", { "x-api-key": "abc" }, "key=other"],
  ["not another scheme's", { authorization: "Basic other", "x-goog-api-key": "abc" }, ""],
])("%s", (_what, headers, query) => {
  expect(credentialOf(call(headers, query))).toBe("abc");
});

test.each([
  ["no header", {}, ""],
  ["another scheme", { authorization: "Basic abc" }, ""],
  ["a bare authorization", { authorization: "abc" }, ""],
  ["an empty query", {}, "key="],
  ["another parameter", {}, "apikey=abc&monkey=abc"],
])("none: %s", (_what, headers, query) => {
  expect(credentialOf(call(headers, query))).toBeUndefined();
});
